"""Backtest: go through history from cutoff to cutoff, and forecast at each as live would have done then.

    history ──what was known at a cutoff──▶ refit, where one is due ──▶ champion ──▶ forecasts of every series
       └──────what came afterwards────────▶ jobs.summary, once all is forecast

Fits are those of live: `jobs.refit.make_task`, `jobs.fit.fit` with the champion of the refit before, and a challenger
that is not promoted does not serve. So are forecasts, whose intervals roll on the errors known by their cutoff, and the
watch over drift (`jobs.drift`), which forces a refit. What is replayed is a `History`: a file's rows (`jobs.rows`), or
a panel of the database with every value as it was known then (`jobs.revisions`).
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pandas as pd

from jobs.calendars import Times
from jobs.drift import SHARE, Rise, rise
from jobs.fit import Fitted, fit
from jobs.forecast import values_seen
from jobs.live import REMEMBERED
from jobs.refit import Asked, Fit, NotReadyError, Observed, make_task
from models.arrays import Array
from models.errors import ModelError
from models.forecaster import Forecast, Forecaster

REFITS = 12  # about so many, unless told how often

Load = Callable[[bytes], Forecaster]
Tell = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much


class BacktestError(ValueError):
    """Nothing can be forecast; the message says why, and what would help."""


@dataclass(frozen=True)
class Known:
    """One series at one cutoff: what was known of it, and what came.

    Places say where in time something stands: a file's row, or microseconds since 1970; `History.told` knows.
    """

    name: str
    values: Array  # (n,): consecutive steps, of which only the first `end` were known
    end: int
    targets: Array  # (H,): NaN where no value came
    cutoff: int  # the place of the newest value known
    target_places: Times  # (H,)

    def context(self, newest: int) -> Array:
        """The newest so many values that were known: (n,)."""
        # An array of its own: nothing leads from it to what came later.
        return self.values[max(0, self.end - newest) : self.end].copy()

    def came(self, later: "Known") -> int:
        """How many of its targets lie at or before the cutoff of a later one of the same series."""
        if later.values is self.values:  # a file's rows, whose places may be in any order
            return min(later.end - self.end, len(self.targets))
        return int(np.searchsorted(self.target_places, later.cutoff, side="right"))


class History(Protocol):
    """What a backtest goes through. Its cutoffs are numbered from 0, the oldest."""

    @property
    def asked(self) -> Asked:
        """What the fits are asked for."""
        ...

    @property
    def season(self) -> int:
        """The season of MASE and of the seasonal yardsticks, in steps; 1 for none."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The series, in order."""
        ...

    def __len__(self) -> int:
        """How many cutoffs there are."""
        ...

    def moment(self, number: int) -> datetime:
        """The time of a cutoff."""
        ...

    def known(self, number: int) -> list[Known]:
        """The series that can be forecast at a cutoff."""
        ...

    def observed(self, number: int) -> Observed:
        """What a refit at a cutoff takes."""
        ...

    def told(self, places: Times) -> "pd.Index[Any]":
        """Places (n,) as people write them."""
        ...

    def ids(self, names: Sequence[str]) -> "pd.Index[Any]":
        """The names of series as they stand where they come from."""
        ...


@dataclass(frozen=True)
class CutoffForecasts:
    """The forecasts of one cutoff, a row a series: mean (n, H); lo, hi (n, n_levels, H)."""

    known: list[Known]
    mean: Array
    lo: Array
    hi: Array


@dataclass(frozen=True)
class CutoffRefit:
    """A refit: at which cutoff, what came of it, and the drift that forced it, if any."""

    number: int
    fitted: Fitted
    drift: Rise | None = None


@dataclass
class Replayed:
    """What a backtest did."""

    made: list[CutoffForecasts] = field(default_factory=list)
    refits: list[CutoffRefit] = field(default_factory=list)
    seconds: float = 0.0  # of fits and forecasts, on the clock
    unfitted: list[str] = field(default_factory=list)  # of each refit that was due and could not be done, why

    @property
    def kinds(self) -> dict[str, int]:
        """How many fits came out as each kind, the most frequent first."""
        return dict(Counter(refit.fitted.kind for refit in self.refits).most_common())

    @property
    def drift_refits(self) -> int:
        """How many refits drift forced."""
        return sum(refit.drift is not None for refit in self.refits)

    @property
    def forecasts(self) -> int:
        """How many pairs of a series and a cutoff were forecast."""
        return sum(len(each.known) for each in self.made)


def usual_refits(cutoffs: int) -> int:
    """From how many cutoffs to how many to refit, where nobody says: at each, or so that there are about twelve."""
    return -(-cutoffs // REFITS)


def replay(
    history: History,
    refit_every: int | timedelta,
    *,
    fit: Fit = fit,
    load: Load = lambda content: Forecaster.from_bytes(content)[0],
    tell: Tell = lambda _what, _done, _total: None,
) -> Replayed:
    """Forecast every series at every cutoff, and refit every so many cutoffs, or whenever so much time has passed.

    Raises BacktestError where not one forecast comes of it.
    """
    replayed = Replayed()
    champion: _Champion | None = None
    for number in range(len(history)):
        known = history.known(number)
        if not known:
            continue
        if champion is not None:
            champion.learn(known)
        due = _is_due(history, refit_every, number, replayed.refits)
        drift = None if due or champion is None else _drift(history, refit_every, number, replayed.refits, champion)
        if due or drift is not None:
            tell("fitting", number, len(history))
            champion = _refit(history, number, champion, fit, load, replayed, drift)
        if champion is not None:
            tell("forecasting", number, len(history))
            began = perf_counter()
            made = champion.forecast(number, known)
            replayed.seconds += perf_counter() - began
            if made.known:
                replayed.made.append(made)
    if not replayed.made:
        why = (replayed.unfitted or ["no series has a value to forecast from"])[-1]
        raise BacktestError(f"nothing can be forecast: {why}; ask for fewer cutoffs or a shorter horizon")
    return replayed


def forecast_all(
    forecaster: Forecaster, contexts: Mapping[str, Array], live: Mapping[str, Array] = MappingProxyType({})
) -> dict[str, Forecast]:
    """The forecasts of many series, each after its context (n,); without those that hold no numbers to use.

    live: of a series, the errors of the forecasts so far, (m, H). The one place that knows how a forecaster is asked.
    """
    usable = {name: context for name, context in contexts.items() if len(context) and np.isfinite(context).all()}
    return forecaster.forecast(usable, live)


def frames(history: History, replayed: Replayed) -> Iterator[pd.DataFrame]:
    """All forecasts as tables, one a cutoff: unique_id, ds, cutoff, yhat, and lo and hi of each level."""
    for made in replayed.made:
        horizon = made.mean.shape[1]
        rows = np.repeat(np.arange(len(made.known)), horizon)
        columns: dict[str, Any] = {
            "unique_id": history.ids([known.name for known in made.known]).take(rows),
            "ds": history.told(np.concatenate([known.target_places for known in made.known])),
            "cutoff": history.told(np.array([known.cutoff for known in made.known])).take(rows),
            "yhat": made.mean.ravel(),
        }
        for place, level in enumerate(history.asked.levels):
            columns[f"lo_{level}"] = made.lo[:, place].ravel()
            columns[f"hi_{level}"] = made.hi[:, place].ravel()
        yield pd.DataFrame(columns)


def _is_due(history: History, every: int | timedelta, number: int, refits: Sequence[CutoffRefit]) -> bool:
    """Whether to refit at a cutoff. One that could not be done is due again at the next."""
    if not refits:
        return True
    last = refits[-1].number
    if isinstance(every, int):
        return number - last >= every
    return history.moment(number) - history.moment(last) >= every


def _drift(
    history: History, every: int | timedelta, number: int, refits: Sequence[CutoffRefit], champion: "_Champion"
) -> Rise | None:
    """The drift that forces a refit at a cutoff, once the one before has cooled down as in `jobs.drift.cool_down`."""
    last, overlap = refits[-1].number, champion.overlap()
    passed = number - last
    share = passed / every if isinstance(every, int) else (history.moment(number) - history.moment(last)) / every
    return champion.rise(overlap) if passed >= overlap and share >= 1.0 / SHARE else None


def _refit(
    history: History,
    number: int,
    champion: "_Champion | None",
    fit: Fit,
    load: Load,
    replayed: Replayed,
    drift: Rise | None,
) -> "_Champion | None":
    """Fit a challenger at a cutoff, and take down what came of it. Returns the champion from there on."""
    seen = history.observed(number)
    began = perf_counter()
    try:
        task = make_task(
            history.asked,
            seen,
            champion=None if champion is None else champion.content,
            unseen={} if champion is None else _unseen(seen, champion.seen),
            trained_at=history.moment(number),  # not the clock's: the same history gives the same bytes
        )
        fitted = fit(task)
    except (NotReadyError, ModelError) as error:
        replayed.unfitted.append(str(error))
        return champion
    finally:
        replayed.seconds += perf_counter() - began
    replayed.refits.append(CutoffRefit(number, fitted, drift))
    if champion is not None and not fitted.accepted:
        champion.proved = number
        return champion
    return _Champion(fitted.content, load(fitted.content), seen, number) if fitted.accepted else None


def _unseen(seen: Observed, before: Observed) -> dict[str, int]:
    """How many newest values of each series the fit of what had been observed before did not know."""
    if seen.times:
        return seen.after(before.cutoff)
    lengths, earlier = ({name: sum(map(len, runs)) for name, runs in each.histories.items()} for each in (seen, before))
    return {name: length - earlier.get(name, 0) for name, length in lengths.items()}


@dataclass(frozen=True)
class _Past:
    """A champion's forecast of one series."""

    number: int  # of its cutoff
    known: Known
    mean: Array  # (H,)
    unit: float


class _Champion:
    """The model that serves, what it was fitted on, and what it has forecast so far."""

    def __init__(self, content: bytes, forecaster: Forecaster, seen: Observed, number: int) -> None:
        self.content = content
        self.forecaster = forecaster
        self.seen = seen
        self.proved = number  # the cutoff at which it was promoted, or kept its place in a refit
        self._past: dict[str, deque[_Past]] = {}
        self._newest: dict[str, Known] = {}

    def learn(self, known: Sequence[Known]) -> None:
        """Take in what is known at a cutoff."""
        self._newest |= {each.name: each for each in known}

    def forecast(self, number: int, known: Sequence[Known]) -> CutoffForecasts:
        """Forecast some series at a cutoff."""
        self.learn(known)
        newest = values_seen(self.forecaster)
        contexts = {each.name: each.context(newest) for each in known}
        answers = forecast_all(self.forecaster, contexts, {each.name: self._errors(each.name)[1] for each in known})
        answered = [each for each in known if each.name in answers]
        chosen = [answers[each.name] for each in answered]
        for each, answer in zip(answered, chosen, strict=True):
            past = self._past.setdefault(each.name, deque(maxlen=REMEMBERED))
            past.append(_Past(number, each, answer.mean, answer.unit))
        mean, lo, hi = (np.array([getattr(each, part) for each in chosen]) for part in ("mean", "lo", "hi"))
        return CutoffForecasts(answered, mean, lo, hi)

    def rise(self, overlap: float) -> Rise | None:
        """The drift of its live errors since it proved itself."""
        found = [self._errors(name, self.proved) for name in self._past]
        if not found:
            return None
        cutoffs, errors = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rise(cutoffs, errors, self.forecaster.expected_, overlap)

    def overlap(self) -> float:
        """How many cutoffs lie within one horizon."""
        steps = [past[-2].known.came(past[-1].known) for past in self._past.values() if len(past) > 1]
        return self.forecaster.horizon / max(1.0, float(np.median(steps))) if steps else 1.0

    def _errors(self, name: str, since: int = 0) -> tuple[Times, Array]:
        """The errors of the forecasts of a series from a cutoff on: the cutoffs' numbers (n,), and (n, H), NaN where
        the truth is not known yet.
        """
        past = [each for each in self._past.get(name, ()) if each.number >= since]
        horizon = self.forecaster.horizon
        values = np.full((len(past), horizon), np.nan)
        for row, each in zip(values, past, strict=True):
            came = each.known.came(self._newest[name])
            row[:came] = each.known.targets[:came]
        means = np.array([each.mean for each in past]).reshape(-1, horizon)
        units = np.array([each.unit for each in past]).reshape(-1, 1)
        numbers = np.array([each.number for each in past], dtype=np.int64)
        return numbers, self.forecaster.live_errors(values - means, units)
