"""Backtest: go through history from cutoff to cutoff, and forecast at each as live would have done then.

    history ──what was known at a cutoff──▶ refit, where one is due ──▶ champion ──▶ forecasts of every series
       └──────what came afterwards────────▶ jobs.summary, once all is forecast

Fits are those of live: `jobs.refit.make_task`, `jobs.fit.fit` with the champion of the refit before, and a challenger
that is not promoted does not serve. What is replayed is a `History`: a file's rows (`jobs.rows`), or a panel of the
database with every value as it was known then (`jobs.revisions`).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import pandas as pd

from jobs.calendars import Times
from jobs.fit import Fitted, fit
from jobs.forecast import values_seen
from jobs.refit import Asked, Fit, NotReadyError, Observed, make_task
from models.arrays import Array
from models.errors import ModelError, NotEnoughDataError
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
class Made:
    """The forecasts of one cutoff, a row a series: mean (n, H); lo, hi (n, n_levels, H)."""

    known: list[Known]
    mean: Array
    lo: Array
    hi: Array


@dataclass(frozen=True)
class Refitted:
    """A refit: at which cutoff, what came of it."""

    number: int
    fitted: Fitted


@dataclass
class Replayed:
    """What a backtest did."""

    made: list[Made] = field(default_factory=list)
    refits: list[Refitted] = field(default_factory=list)
    seconds: float = 0.0  # of fits and forecasts, on the clock
    unfitted: list[str] = field(default_factory=list)  # of each refit that was due and could not be done, why

    @property
    def kinds(self) -> dict[str, int]:
        """How many fits came out as each kind, the most frequent first."""
        return dict(Counter(refit.fitted.kind for refit in self.refits).most_common())

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
    champion: bytes | None = None
    forecaster: Forecaster | None = None
    for number in range(len(history)):
        known = history.known(number)
        if known and _is_due(history, refit_every, number, replayed.refits):
            tell("fitting", number, len(history))
            fitted = _refit(history, number, champion, fit, replayed)
            if fitted is not None and fitted.promoted:
                champion, forecaster = fitted.content, load(fitted.content)
        # Earlier forecasts are in `replayed.made`: of those whose targets came by now, the errors are known here.
        if forecaster is not None and known:
            tell("forecasting", number, len(history))
            began = perf_counter()
            made = _forecast(forecaster, known)
            replayed.seconds += perf_counter() - began
            if made.known:
                replayed.made.append(made)
    if not replayed.made:
        why = (replayed.unfitted or ["no series has as many values as the model takes in"])[-1]
        raise BacktestError(f"nothing can be forecast: {why}; ask for fewer cutoffs or a shorter horizon")
    return replayed


def forecast_all(forecaster: Forecaster, contexts: Mapping[str, Array]) -> dict[str, Forecast]:
    """The forecasts of many series, each after its context (n,); without those whose context is too short.

    The one place that knows how a forecaster is asked.
    """
    made = {}
    for name, context in contexts.items():
        try:
            made[name] = forecaster.forecast(name, context)
        except NotEnoughDataError:
            continue
    return made


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


def _is_due(history: History, every: int | timedelta, number: int, refits: Sequence[Refitted]) -> bool:
    """Whether to refit at a cutoff. One that could not be done is due again at the next."""
    if not refits:
        return True
    last = refits[-1].number
    if isinstance(every, int):
        return number - last >= every
    return history.moment(number) - history.moment(last) >= every


def _refit(history: History, number: int, champion: bytes | None, fit: Fit, replayed: Replayed) -> Fitted | None:
    """Fit a challenger at a cutoff, and take down what came of it; None where it cannot be done."""
    seen = history.observed(number)
    began = perf_counter()
    try:
        # The cutoff's own time, not the clock's: the same history gives the same bytes.
        task = make_task(history.asked, seen, champion=champion, trained_at=history.moment(number))
        fitted = fit(task)
    except (NotReadyError, ModelError) as error:
        replayed.unfitted.append(str(error))
        return None
    finally:
        replayed.seconds += perf_counter() - began
    replayed.refits.append(Refitted(number, fitted))
    return fitted


def _forecast(forecaster: Forecaster, known: Sequence[Known]) -> Made:
    newest = values_seen(forecaster)
    answers = forecast_all(forecaster, {each.name: each.context(newest) for each in known})
    answered = [each for each in known if each.name in answers]
    chosen = [answers[each.name] for each in answered]
    mean, lo, hi = (np.array([getattr(each, part) for each in chosen]) for part in ("mean", "lo", "hi"))
    return Made(answered, mean, lo, hi)
