"""Which learners serve: judged at validation origins, on values that none of them was fitted to.

Shape letters: n forecasts (a series at an origin each), H horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Array
from models.windows import Index

Key = tuple[int, str]  # a learner's number, and which of its answers

MAX_MEMBERS = 5
GAIN = 0.002  # a further member must lower the error by this share
MANY_SERIES = 20
FEW_ORIGINS = 4
PAIRS_WANTED = 80  # forecasts to judge by, where there are few series
MAX_ORIGINS = 60
PROOF = 2.5  # standard errors by which the naive must be beaten: the challenger is the best of some twenty


@dataclass(frozen=True)
class Origins:
    """Forecasts to be judged. series, back: (n,), whose they are, and how many of its values follow the origin."""

    histories: Sequence[Array]  # the newest segment of each series
    horizon: int
    series: Index
    back: Index

    def pasts(self) -> list[Array]:
        """What a model may see at each origin."""
        return [self.histories[k][: len(self.histories[k]) - b] for k, b in self._pairs()]

    def targets(self) -> Array:
        """What came: (n, H), NaN where nothing did yet."""
        found = np.full((len(self.series), self.horizon), np.nan)
        for row, (k, back) in zip(found, self._pairs(), strict=True):
            came = self.histories[k][len(self.histories[k]) - back :][: self.horizon]
            row[: len(came)] = came
        return found

    def _pairs(self) -> list[tuple[int, int]]:
        return list(zip(self.series.tolist(), self.back.tolist(), strict=True))


def spread_backs(lengths: Sequence[int], horizon: int) -> list[int]:
    """How many values of a series follow each validation origin, the fewest first.

    A few origins, one horizon apart, where there are many series; otherwise as many as make enough forecasts, closer
    together where the history is short. They span at most a quarter (few series: a fifth) of the (median) history.
    """
    n, length = len(lengths), int(np.median(lengths))
    many = n >= MANY_SERIES
    count = FEW_ORIGINS if many else min(MAX_ORIGINS, -(-PAIRS_WANTED // n))
    span = max(horizon, min(count * horizon, length // (4 if many else 5)))
    return sorted({horizon + round(k * (span - horizon) / max(1, count - 1)) for k in range(count)})


def origins(histories: Sequence[Array], horizon: int, backs: Sequence[int], at_least: int) -> Origins:
    """The origins at these `backs` of each series that has `at_least` values before them."""
    pairs = [(k, back) for back in backs for k, values in enumerate(histories) if len(values) - back >= at_least]
    series, back = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return Origins(histories, horizon, series, back)


class Judge:
    """The error of forecasts relative to a reference: mean of MASE and sMAPE, each over the reference's mean.

    Where a target is not positive sMAPE says nothing, and MASE judges alone.
    """

    def __init__(self, targets: Array, units: Array, reference: Array) -> None:
        """targets, reference: (n, H); units: (n,), positive: the scale of MASE."""
        self.targets = targets
        self.units = units
        self.by_size = bool((targets > 0).all())
        mase, smape = self._both(reference)
        self.mase, self.smape = max(float(mase.mean()), 1e-12), max(float(smape.mean()), 1e-12)

    def errors(self, forecasts: Array) -> Array:
        """The relative error of each forecast (n, H): (n,). Their mean is the score; smaller is better."""
        mase, smape = self._both(forecasts)
        return mase / self.mase if not self.by_size else 0.5 * (mase / self.mase + smape / self.smape)

    def score(self, forecasts: Array) -> float:
        """The mean error."""
        return float(self.errors(forecasts).mean())

    def _both(self, forecasts: Array) -> tuple[Array, Array]:
        apart = np.abs(self.targets - forecasts)
        mase = np.asarray(apart.mean(axis=1) / self.units)
        if not self.by_size:
            return mase, np.zeros(len(mase))
        return mase, np.asarray((apart / (self.targets + np.abs(forecasts))).mean(axis=1))


def greedy(forecasts: Mapping[Key, Array], judge: Judge) -> list[Key]:
    """The members of the plain average that errs least, found one by one; each must earn its place.

    The best network joins them, perhaps once more: what is averaged more evenly errs less than what was chosen by
    little. Source: Caruana et al., Ensemble selection from libraries of models, 2004.
    """
    members: list[Key] = []
    total, best = np.zeros(()), np.inf
    while len(members) < MAX_MEMBERS:
        scores = {key: judge.score((total + made) / (len(members) + 1)) for key, made in forecasts.items()}
        key = min(scores, key=lambda k: scores[k])
        if not scores[key] < best * (1.0 - GAIN):
            break
        members.append(key)
        total, best = total + forecasts[key], scores[key]
    alone = {key: judge.score(made) for key, made in forecasts.items() if key[1] == "rnn"}
    return members + sorted(alone, key=lambda key: alone[key])[:1]


@dataclass(frozen=True)
class Verdict:
    """The gate's choice, its reason in words, and the mean relative error of each candidate."""

    winner: str
    reason: str
    errors: dict[str, float]


def gate(errors: Mapping[str, Array], groups: Index) -> Verdict:
    """Let the naive serve unless others beat it beyond chance; of these, the one that errs least serves.

    errors: for each candidate its error a forecast, (n,), "naive" among them; groups: (n,), forecasts of one number
    count as one piece of evidence. The proof is a paired test on the groups' means: an average gain of PROOF standard
    errors (Diebold and Mariano, 1995, with groups for their variance). It is asked against the naive alone: a series
    that some candidate forecasts better than a random walk can be forecast, and then the lower error is the best guess.
    """
    means = {name: float(values.mean()) for name, values in errors.items()}
    gains = {name: evidence(errors["naive"] - values, groups) for name, values in errors.items() if name != "naive"}
    proven = [name for name, gain in gains.items() if gain >= PROOF]
    if proven:
        best = min(proven, key=lambda name: means[name])
        by = f"{min(gains[best], 99.0):.1f} standard errors better"
        return Verdict(best, f"{_told(best, means)} against {_told('naive', means)}, {by}", means)
    best = min(means, key=lambda name: means[name])
    if best == "naive":
        return Verdict("naive", f"nothing beats the {_told('naive', means)}", means)
    little = "too few forecasts to tell" if np.isnan(gains[best]) else f"only {gains[best]:.1f} standard errors better"
    return Verdict("naive", f"{_told(best, means)} against {_told('naive', means)}, but {little}", means)


def evidence(gains: Array, groups: Index) -> float:
    """By how many standard errors the mean gain of the groups differs from 0; NaN with fewer than three groups."""
    _, numbers = np.unique(groups, return_inverse=True)
    means = np.bincount(numbers, gains) / np.bincount(numbers)
    if len(means) < 3:
        return float("nan")
    spread = float(means.std(ddof=1)) / float(np.sqrt(len(means)))
    mean = float(means.mean())
    return mean / spread if spread > 0.0 else float(np.sign(mean) * np.inf) if mean else 0.0


def evidence_groups(found: Origins) -> Index:
    """Which forecasts hang together: those of a series where there are many, else those of one horizon of a series."""
    if len(np.unique(found.series)) >= MANY_SERIES:
        return found.series
    block = found.back // found.horizon
    return np.asarray(found.series * (int(block.max(initial=0)) + 1) + block)


def _told(name: str, means: Mapping[str, float]) -> str:
    """A candidate and its error, in words."""
    return f"{name.replace('_', ' ')} ({means[name]:.3f})"
