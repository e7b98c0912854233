"""Classical forecasts of many windows at once, and their mix: the base that the network's answer is added to.

A candidate forecasts from a window's own values, without anything learnt. How far each candidate was off at the newest
origins inside the window tells how much it counts there: the mix follows each series by itself, and a change of level
within a few steps.

Shape letters: n windows, C values of a context, H horizon, K candidates.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from models.arrays import Array
from models.bases import seasonal_naive
from models.errors import BadInputError

POWER = 4.0  # a candidate with twice the error of the best counts a sixteenth
ROWS = 256  # of the identity at a time, a bound on memory: a season may have thousands of steps
N_RECENT = 5  # origins inside a window at which the candidates are compared


class Candidate(Protocol):
    """A classical forecast: how many values it needs, and what it makes of contexts (n, C ≥ needs): (n, H)."""

    @property
    def needs(self) -> int: ...

    def __call__(self, contexts: Array, horizon: int) -> Array: ...


@dataclass(frozen=True)
class Last:
    """The last value at every step: the naive forecast."""

    @property
    def needs(self) -> int:
        return 1

    def __call__(self, contexts: Array, horizon: int) -> Array:
        return seasonal_naive(contexts, 1, horizon)


@dataclass(frozen=True)
class SeasonMean:
    """The mean of the last `count` seasons, position by position; with one, the seasonal naive."""

    season: int
    count: int = 1

    @property
    def needs(self) -> int:
        return self.season * self.count

    def __call__(self, contexts: Array, horizon: int) -> Array:
        n, c = contexts.shape
        last = contexts[:, c - self.needs :].reshape(n, self.count, self.season).mean(axis=1)
        return np.asarray(last[:, np.arange(horizon) % self.season])


@dataclass(frozen=True)
class SeasonShift:
    """A season ago, moved by how far the mean of the last `span` values has moved since."""

    season: int
    span: int

    @property
    def needs(self) -> int:
        return self.season + self.span

    def __call__(self, contexts: Array, horizon: int) -> Array:
        c = contexts.shape[1]
        now = contexts[:, c - self.span :].mean(axis=1)
        then = contexts[:, c - self.season - self.span : c - self.season].mean(axis=1)
        return np.asarray(seasonal_naive(contexts, self.season, horizon) + (now - then)[:, None])


@dataclass(frozen=True)
class Theta:
    """The Theta method: a smoothed level and half the trend, of values freed of their season.

    Simple exponential smoothing with weight `alpha`, and half the slope of a straight line through the last `span`
    values (Hyndman and Billah, Unmasking the Theta method, 2003). With season > 1 the additive season is taken off
    first (of logarithms: a multiplicative one) and put back. slope: which part of the line's slope is believed.
    """

    season: int
    span: int
    alpha: float
    slope: float = 0.5

    @property
    def needs(self) -> int:
        return self.span

    def __call__(self, contexts: Array, horizon: int) -> Array:
        return np.asarray(contexts[:, -self.span :] @ _theta_matrix(self, horizon))


@lru_cache(maxsize=256)
def _theta_matrix(theta: Theta, horizon: int) -> Array:
    """The whole method as one matrix (span, H): all that it does is linear in the values."""
    span, season = theta.span, theta.season
    steps = np.arange(1.0, horizon + 1)
    parts = np.zeros((span, season))
    for first in range(0, span, ROWS) if season > 1 else ():
        parts[first : first + ROWS] = seasonal_parts(np.eye(min(ROWS, span - first), span, first), season)
    seasonal = parts[:, (span + np.arange(horizon)) % season]

    def deseasonalised(weights: Array) -> Array:
        """What gives the values as they are the same sum as these weights give them without their season: (span,)."""
        return np.asarray(weights - parts @ np.bincount(np.arange(span) % season, weights, season))

    begun = (1.0 - theta.alpha) ** span
    weights = theta.alpha * (1.0 - theta.alpha) ** np.arange(span, dtype=np.float64)[::-1]
    weights[0] += begun  # the level begins at the first value
    t = np.arange(span) - (span - 1) / 2
    trend = theta.slope * deseasonalised(t) / max(float(t @ t), 1.0)
    lag = (1.0 - begun) / theta.alpha - 1.0  # how far the smoothed level lies behind a trend
    return np.asarray(deseasonalised(weights)[:, None] + trend[:, None] * (steps + lag) + seasonal)


CANDIDATES = {kind.__name__: kind for kind in (Last, SeasonMean, SeasonShift, Theta)}


def to_words(candidate: Candidate) -> list[Any]:
    """A candidate as JSON can hold it."""
    return [type(candidate).__name__, *astuple(candidate)]  # type: ignore[call-overload]  # each is a dataclass


def from_words(words: Sequence[Any]) -> Candidate:
    """The candidate that `to_words` put into words. Raises BadInputError."""
    try:
        made: Candidate = CANDIDATES[words[0]](*words[1:])
    except (KeyError, TypeError, IndexError) as error:
        raise BadInputError(f"{words!r} is no candidate of a base; there are {', '.join(CANDIDATES)}") from error
    return made


def seasonal_parts(values: Array, season: int) -> Array:
    """How far each position of the season lies from the trend, (n, season), 0 on average. The first has position 0.

    Classical additive decomposition (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 3.4).
    values: (n, C) with C ≥ 2 · season.
    """
    n = len(values)
    sums = np.cumsum(np.concatenate([np.zeros((n, 1)), values], axis=1), axis=1)
    trend = (sums[:, season:] - sums[:, :-season]) / season  # (n, C − season + 1)
    if season % 2 == 0:
        trend = (trend[:, 1:] + trend[:, :-1]) / 2
    first = season // 2
    apart = values[:, first : first + trend.shape[1]] - trend
    parts = np.zeros((n, season))
    for position in range(season):
        mine = apart[:, (position - first) % season :: season]
        parts[:, position] = mine.mean(axis=1) if mine.shape[1] else 0.0
    return np.asarray(parts - parts.mean(axis=1, keepdims=True))


def mix(contexts: Array, horizon: int, candidates: Sequence[Candidate], spacing: int) -> tuple[Array, Array]:
    """What each candidate forecasts, (K, n, H), and their mix, (n, H), weighed by their errors of late.

    The errors are those at up to N_RECENT origins inside the context, `spacing` values apart, the newest of which has
    the last H values of the context as its truth. contexts: (n, C), C at least what each candidate needs.
    """
    made = np.stack([candidate(contexts, horizon) for candidate in candidates])
    if len(made) == 1:
        return made, made[0]
    longest = max(candidate.needs for candidate in candidates)
    errors = np.zeros(made.shape[:2])
    for j in range(N_RECENT):
        origin = contexts.shape[1] - horizon - j * spacing
        if origin < longest:
            break
        past, truth = contexts[:, :origin], contexts[:, origin : origin + horizon]
        errors += [np.abs(candidate(past, horizon) - truth).mean(axis=1) for candidate in candidates]
    tiny = 1e-9 * np.abs(contexts).mean(axis=1) + 1e-200
    weights = ((errors + tiny) / (errors.min(axis=0) + tiny)) ** -POWER
    return made, np.einsum("kn,knh->nh", weights / weights.sum(axis=0), made)
