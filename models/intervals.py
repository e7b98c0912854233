"""Prediction intervals by conformal prediction: how far off was the model where it had not been fitted?

Errors are measured in a unit that follows the series: how much it is usually missed, how much it moves on the whole, of
late and from step to step, in their geometric mean; or its volatility alone, where that holds better, as with prices.
The radius around the forecast is a quantile of these scores, by step. Live, the newest errors join those of validation,
the newer the more they count, so that the intervals follow what happens.

Shape letters: n forecasts, H horizon, Q points of a distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Array
from models.floors import Floors, floors_of, moves, noise
from models.selection import Origins

N_POINTS = 200  # by which a distribution of scores is kept
MEMORY = 0.97  # what a live error counts once another has come: half after 23
PRIOR = 30.0  # live errors that weigh as much as all of validation
PERSISTENCE = 0.94  # of volatility, from step to step (RiskMetrics technical document, 1996)
VOLATILITY_SPAN = 200  # steps: what is older counts less than 1e-5
RECENT = 24  # values, at least, that tell how much a series moves of late
LEAST = 0.1  # of a series' scale: a calm stretch does not promise a calm future
JUDGED_AT = (80, 95)  # levels at which the units are compared


@dataclass(frozen=True)
class Scales:
    """What is known of each series from its fit. scale, usual, floors: (n,).

    scale: mean |y_t − y_{t−season}| of its history; usual: the mean absolute error of its forecasts in validation.
    """

    names: tuple[str, ...]
    scale: Array
    usual: Array
    floors: Floors

    def of(self, names: Sequence[str], pasts: Sequence[Array], season: int) -> "Scales":
        """Those of some series; of one that was not there at the fit, from its own past."""
        numbers = {name: number for number, name in enumerate(self.names)}
        ratio = float(np.median(self.usual / np.maximum(self.scale, 1e-300))) if len(self.names) else 1.0
        rows = []
        for name, past in zip(names, pasts, strict=True):
            if name in numbers:
                k = numbers[name]
                rows.append((self.scale[k], self.usual[k], self.floors.raw[k], self.floors.log[k]))
            else:
                floors, change = floors_of([past], season), moves(past, season)
                rows.append((change, ratio * change, floors.raw[0], floors.log[0]))
        columns = np.array(rows).reshape(-1, 4)
        return Scales(tuple(names), columns[:, 0], columns[:, 1], Floors(columns[:, 2], columns[:, 3]))


@dataclass(frozen=True)
class Calibration:
    """How far off forecasts were. points: (Q, H), the scores' distribution by step; expected: (H,), its mean.

    count: of the scores; season: over which the units are taken; by_volatility: whether they are volatility alone.
    """

    points: Array
    count: int
    expected: Array
    season: int
    by_volatility: bool

    def units(self, pasts: Sequence[Array], known: Scales) -> Array:
        """The unit of the intervals after each run of values: (n,)."""
        blend, volatility = _units(pasts, known.scale, known.usual, self.season, len(self.expected))
        return volatility if self.by_volatility else blend

    def radii(self, levels: Sequence[int], live: Array | None = None) -> Array:
        """The radii in units, (n_levels, H), once live scores, (n, H), have joined; never narrower at a later step."""
        if live is None or not len(live):
            live = np.empty((0, self.points.shape[1]))
        return isotonic(rolling_radii(self.points, self.count, live, levels))


def calibrate(errors: Array, found: Origins, scale: Array, season: int) -> tuple[Array, Calibration]:
    """Learn from absolute errors (n, H) at origins; scale: (n_series,). Returns each series' usual error, the rest.

    Of the two units that one serves whose intervals score better (Gneiting and Raftery, 2007). A series' usual error at
    an origin leaves out all forecasts that share a target with it, so that no error scales itself.
    """
    horizon = errors.shape[1]
    missed = errors.mean(axis=1)
    usual, others = _usual(missed, found, scale)
    pasts = found.pasts()
    blend, volatility = _units(pasts, scale[found.series], others, season, horizon)
    size = np.maximum(scale[found.series], [noise(past) for past in pasts])
    scores = {}
    for by_volatility, unit in ((False, blend), (True, volatility)):
        radii = isotonic(conformal_radii(errors / unit[:, None], JUDGED_AT))
        reach = radii[:, None, :] * unit[None, :, None]  # (n_levels, n, H)
        penalty = np.array([2.0 / (1.0 - level / 100.0) for level in JUDGED_AT])[:, None, None]
        lost = 2.0 * reach + penalty * np.maximum(errors - reach, 0.0)
        scores[by_volatility] = float((lost.mean(axis=(0, 2)) / size).mean())
    by_volatility = scores[True] < scores[False]
    relative = errors / (volatility if by_volatility else blend)[:, None]
    return usual, Calibration(distribution(relative), len(relative), relative.mean(axis=0), season, by_volatility)


def values_seen(season: int, horizon: int) -> int:
    """How many of the newest values the units look at."""
    return max(VOLATILITY_SPAN + 1, _window(season, horizon) + season)


def conformal_radii(scores: Array, levels: Sequence[int]) -> Array:
    """The radius that held the truth in `level` percent of the calibration forecasts, for each step.

    scores: (n, H), absolute errors in some unit. levels: percent, each in 1…99. Returns (n_levels, H). The radius is
    the ⌈(n+1)·level/100⌉-th smallest score (Lei et al., 2018, algorithm 2). Where n is too small for that rank to exist
    (n < 19 at 95 %), the largest score stands in, and the true coverage is lower than the level.
    """
    n = len(scores)
    ordered = np.sort(np.abs(scores), axis=0)
    return np.asarray(ordered[[min(n, -(-(n + 1) * level // 100)) - 1 for level in levels]])


def distribution(scores: Array) -> Array:
    """The distribution of each step's scores, as at most N_POINTS evenly spaced quantiles: (Q, H), ascending."""
    ordered = np.sort(scores, axis=0)
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), N_POINTS)).round().astype(int)
    return np.asarray(ordered[places])


def rolling_radii(points: Array, count: int, live: Array, levels: Sequence[int]) -> Array:
    """The radii once live scores have joined those of calibration: (n_levels, H).

    points: (Q, H), what `distribution` made of `count` scores; live: (n, H), oldest first, NaN where the truth is not
    known yet. A live score counts 1, MEMORY of that for each that came after; all of calibration counts PRIOR, or what
    the live ones have left of it. Source: weighted conformal prediction (Barber, Candès, Ramdas and Tibshirani,
    Conformal prediction beyond exchangeability, 2023).
    """
    horizon = points.shape[1]
    radii = np.empty((len(levels), horizon))
    for step in range(horizon):
        came = live[:, step]
        came = came[~np.isnan(came)]
        prior = min(float(count), PRIOR) * MEMORY ** len(came) if len(came) else float(count)
        scores = np.concatenate([points[:, step], came])
        masses = np.concatenate(
            [np.full(len(points), prior / len(points)), MEMORY ** np.arange(len(came), dtype=np.float64)[::-1]]
        )
        order = np.argsort(scores, kind="stable")
        reached = np.cumsum(masses[order])
        # The coming score belongs to the sample too, and may be the largest of all.
        wanted = [(reached[-1] + 1.0) * level / 100.0 for level in levels]
        places = np.searchsorted(reached, np.array(wanted) * (1.0 - 1e-9))
        radii[:, step] = scores[order[np.minimum(places, len(order) - 1)]]
    return radii


def isotonic(values: Array) -> Array:
    """The non-decreasing rows nearest to the given ones, (k, H): pool adjacent violators (Ayer et al., 1955).

    So an interval never narrows from one step to the next for no better reason than a small sample.
    """
    found = np.empty_like(values)
    for row, given in zip(found, values, strict=True):
        means: list[float] = []
        sizes: list[int] = []
        for value in given.tolist():
            mean, size = value, 1
            while means and means[-1] > mean:
                before, many = means.pop(), sizes.pop()
                mean, size = (before * many + mean * size) / (many + size), many + size
            means.append(mean)
            sizes.append(size)
        row[:] = np.repeat(means, sizes)
    return found


def _usual(missed: Array, found: Origins, scale: Array) -> tuple[Array, Array]:
    """Each series' mean error, (n_series,), and at each origin that of the others that share no target, (n,).

    Where there is none, what it would be at the panel's median ratio of error to scale.
    """
    usual, others = np.full(len(scale), np.nan), np.full(len(missed), np.nan)
    for number in np.unique(found.series):
        mine = np.flatnonzero(found.series == number)
        usual[number] = missed[mine].mean()
        apart = np.abs(found.back[mine][:, None] - found.back[mine]) >= found.horizon
        counts = apart.sum(axis=1)
        others[mine] = np.where(counts > 0, apart @ missed[mine] / np.maximum(counts, 1), np.nan)
    if np.isnan(others).all():  # none could be checked by others: do not pretend to know
        usual[:] = np.nan
    ratios = missed / np.maximum(scale[found.series], 1e-300)
    ratio = float(np.median(ratios[scale[found.series] > 0.0])) if (scale[found.series] > 0.0).any() else 1.0
    return (
        np.where(np.isnan(usual), ratio * scale, usual),
        np.where(np.isnan(others), ratio * scale[found.series], others),
    )


def _units(pasts: Sequence[Array], scale: Array, usual: Array, season: int, horizon: int) -> tuple[Array, Array]:
    """The blend, and the volatility alone, after each run of values: (n,) each, positive.

    A series whose history was too short for a scale, or never moved, is taken to be as it is of late; from step to step
    where it has not a season yet.
    """
    reach = _window(season, horizon) + season
    recent = np.array([moves(past[-reach:], season if len(past) > season else 1) for past in pasts])
    scale, usual = np.where(scale > 0.0, (scale, usual), recent)
    volatility = np.array([_volatility(past) for past in pasts])
    least = LEAST * scale + [noise(past[-VOLATILITY_SPAN:]) for past in pasts]
    parts = [np.maximum(part, least) for part in (scale, usual, recent, volatility)]
    return np.asarray(np.prod(parts, axis=0) ** 0.25), parts[-1]


def _window(season: int, horizon: int) -> int:
    return max(2 * season, 2 * horizon, RECENT)


def _volatility(values: Array) -> float:
    """The root of the exponentially weighted mean square change from step to step; 0 where there is none."""
    squares = np.diff(values[-VOLATILITY_SPAN - 1 :]) ** 2
    if not len(squares):
        return 0.0
    weights = PERSISTENCE ** np.arange(len(squares), dtype=np.float64)[::-1]
    return float(np.sqrt(weights @ squares / weights.sum()))
