"""Storing what a fetch brought: what of it is new or changed, which series failed, and where the source stands."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair
from db.schema import Series
from db.times import MICROSECOND, from_us
from jobs import contract
from jobs.calendars import Times
from jobs.contract import Laid
from jobs.events import Observed
from jobs.panel import Panel
from jobs.sources.base import Delivery, Request
from models.arrays import Array

NEIGHBOURS = 30  # intervals before the first value brought, whose values it is judged by
SAME = 1e-9  # of two factors, at most this far apart, relatively
TOLD = 10  # series that share a reason

Known = tuple[Times, Array]  # the stored values of one series, in order of time


@dataclass
class Brought:
    """What came of one series: how many observations are new or changed, and from when to when they go."""

    new: int = 0
    revised: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass
class Fetched:
    """What a fetch did: what came of each series; how many rows counted for nothing, and why; which series failed."""

    series: dict[str, Brought] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    served: int = 0  # series that did not fail

    @property
    def new(self) -> int:
        """Observations that were not known."""
        return sum(brought.new for brought in self.series.values())

    @property
    def revised(self) -> int:
        """Observations that were known with another value."""
        return sum(brought.revised for brought in self.series.values())

    def __str__(self) -> str:
        told = [f"{self.new:,} new", *([f"{self.revised:,} revised"] if self.revised else []), *self.dropped_told()]
        return "; ".join([", ".join(told), *failures_told(self.failures)])

    def dropped_told(self) -> list[str]:
        """How many rows counted for nothing, and why, in words."""
        return [f"{count:,} {what}" for what, count in self.dropped.items() if count]


def failures_told(failures: Mapping[str, str]) -> list[str]:
    """The failures in words, a reason each with the series that share it."""
    names: dict[str, list[str]] = {}
    for name, reason in failures.items():
        names.setdefault(reason, []).append(name)
    return [f"{_listed(sharing)}: {reason}" for reason, sharing in names.items()]


def _listed(names: list[str]) -> str:
    more = len(names) - TOLD
    return ", ".join(names[:TOLD]) + (f" and {more:,} more" if more > 0 else "")


@dataclass
class Answer:
    """What a source said besides its rows, all its deliveries together. Series have the panel's prefix."""

    prefix: str
    named: set[str] = field(default_factory=set)  # series that came with rows
    failures: dict[str, str] = field(default_factory=dict)
    factors: dict[str, tuple[Times, Array]] = field(default_factory=dict)
    complete: bool = True
    unchanged: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)

    def take(self, delivery: Delivery) -> None:
        """Take one more delivery in."""
        self.failures |= {self.prefix + name: reason for name, reason in delivery.failures.items()}
        self.complete &= delivery.complete
        self.unchanged |= delivery.unchanged
        self.state = delivery.state

    def take_factors(self, laid: Laid, names: list[str]) -> None:
        """Take factors on the grid in, of series by number."""
        for number in np.unique(laid.series).tolist():
            mine = laid.series == number
            before = self.factors.get(names[number], (np.zeros(0, np.int64), np.zeros(0)))
            self.factors[names[number]] = (
                np.concatenate([before[0], laid.times[mine]]),
                np.concatenate([before[1], laid.values[mine]]),
            )


class Storing:
    """Stores one fetch, a batch a transaction, and notes in `fetched` what came of it."""

    def __init__(self, panel: Panel, request: Request, answer: Answer, names: list[str], fetched: Fetched) -> None:
        self.fetched = fetched
        self._panel = panel
        self._request = request
        self._answer = answer
        self._names = names  # of the series, by the numbers that batches give them
        self._held: set[str] = set()  # series with rows that are not stored, and have to be brought again

    def keep(self, session: Session, batch: Laid, observed_at: datetime, *, goes_on: bool) -> None:
        """Store those values of a batch that are new or changed, and the factors of their series; tell of each series.

        goes_on: whether the next batch has more of the last series, which is told of with that one then.
        """
        numbers, starts = np.unique(batch.series, return_index=True)
        names = [self._names[number] for number in numbers.tolist()]
        series = self._series(session, names)
        known = self._known(session, [each.id for each in series.values()], batch, observed_at)
        for name, start, end in zip(names, starts.tolist(), [*starts[1:].tolist(), len(batch)], strict=True):
            if name in series and name not in self._answer.failures:
                self._keep(session, series[name], batch[start:end], known.get(series[name].id), observed_at)
            else:
                self.fetched.dropped["of series that failed"] += end - start
                self._held |= {name} & set(self._answer.failures)
        self._tell(session, [series[name] for name in names[: len(names) - goes_on] if name in series], observed_at)

    def end(self, session: Session, observed_at: datetime, options: str) -> None:
        """Note which series failed and which did not, and where the source stands. After the last batch."""
        answer = self._answer
        known = {each.name: each for each in queries.series_of_panel(session, self._panel.name)}
        all_failing = all(each.failure is not None for each in known.values())
        silent = set(known) - answer.named - set(answer.failures)
        if answer.complete and not answer.unchanged:
            gone = "the source no longer names this series" if answer.named else "the source answered without rows"
            answer.failures |= dict.fromkeys(silent, gone)
        else:
            self.fetched.served += len(silent)
        for name, each in self._series(session, sorted(answer.named | set(answer.failures))).items():
            if name in answer.failures:
                self.fetched.failures[name] = answer.failures[name]
                mark(each, answer.failures[name], observed_at)
            else:
                self.fetched.served += 1
                each.failing_since = each.failure = None
        if all_failing:  # the whole source was down, and is not any more
            for name in silent - set(answer.failures):
                known[name].failing_since = known[name].failure = None
        if self.fetched.served:  # else it stands where it stood
            state = {} if self._held else dict(answer.state)
            queries.keep_source_state(session, self._panel.name, options, state)

    def _series(self, session: Session, names: list[str]) -> dict[str, Series]:
        """The panel's series of these names, made where there is none; without those that another panel has."""
        known = {each.name: each for each in queries.series_of_panel(session, self._panel.name)}
        found = {}
        for name in names:
            each = known.get(name) or queries.find_series(session, name)
            if each is not None and each.panel != self._panel.name:
                self.fetched.failures[name] = (
                    f"the name belongs to panel {each.panel}; give panel {self._panel.name} a `prefix`"
                )
                continue
            found[name] = each or queries.add_series(session, name, self._panel.name)
        return found

    def _known(self, session: Session, ids: list[int], batch: Laid, as_of: datetime) -> dict[int, Known]:
        """What is known of some series about the times of a batch, by id."""
        start = int(batch.times.min()) - NEIGHBOURS * (self._panel.interval // MICROSECOND)
        rows = queries.stored_values(session, ids, as_of=as_of, start=start, end=int(batch.times.max()))
        if not rows:
            return {}
        which, times, values = zip(*rows, strict=True)
        numbers, starts = np.unique(np.array(which), return_index=True)
        parts = zip(
            np.split(np.array(times, np.int64), starts[1:]), np.split(np.array(values, float), starts[1:]), strict=True
        )
        return dict(zip(numbers.tolist(), parts, strict=True))

    def _keep(self, session: Session, series: Series, laid: Laid, known: Known | None, observed_at: datetime) -> None:
        if self._came_back(series, laid):
            self._held.add(series.name)
            self.fetched.dropped["held until all since the series broke off is asked for"] += len(laid)
            return
        times, values = known or (np.zeros(0, np.int64), np.zeros(0))
        places = np.minimum(np.searchsorted(times, laid.times), max(len(times) - 1, 0))
        there = times[places] == laid.times if len(times) else np.zeros(len(laid), np.bool_)
        fresh = ~there if not len(times) else ~there | (values[places] != laid.values)
        absurd = fresh & contract.absurd(laid.values, np.concatenate([values, laid.values]))
        if self._panel.jumps == "drop":
            self.fetched.dropped["absurdly far from their neighbours"] += int(absurd.sum())
            fresh &= ~absurd
        else:
            self.fetched.dropped["absurdly far from their neighbours, kept"] += int(absurd.sum())
        self._note(series.name, laid, fresh, there)
        pairs = list(zip(laid.times[fresh].tolist(), laid.values[fresh].tolist(), strict=True))
        queries.add_observations(session, series.id, pairs, observed_at)
        queries.add_factors(session, series.id, self._new_factors(session, series, observed_at), observed_at)

    def _tell(self, session: Session, done: Iterable[Series], observed_at: datetime) -> None:
        """Write as events what came of some series, of whom all is stored now."""
        brought = {each: self.fetched.series.get(each.name, Brought()) for each in done}
        new = {each: came for each, came in brought.items() if came.new or came.revised}
        newest = queries.newest_pairs(session, [each.id for each in new], as_of=observed_at, newest=1)
        told = []
        for each, came in new.items():
            ((ts, value),) = newest[each.id]
            told.append(Observed(from_us(ts), value, came.new, came.revised).of(self._panel.name, each.name))
        queries.add_events(session, told, observed_at)

    def _came_back(self, series: Series, laid: Laid) -> bool:
        """Whether a series that failed begins anew after a hole, which the source has not been asked about."""
        if series.name in self._held or series.name in self.fetched.series:  # another batch of it told
            return series.name in self._held
        newest = self._request.newest.get(series.name.removeprefix(self._panel.prefix))
        since = self._request.since
        if series.failure is None or newest is None or since is None or newest >= since:
            return False
        return from_us(int(laid.times[0])) > newest + self._panel.interval

    def _note(self, name: str, laid: Laid, fresh: contract.Mask, there: contract.Mask) -> None:
        brought = self.fetched.series.setdefault(name, Brought())
        brought.new += int((fresh & ~there).sum())
        brought.revised += int((fresh & there).sum())
        brought.first = brought.first or from_us(int(laid.times[0]))
        brought.last = from_us(int(laid.times[-1]))

    def _new_factors(self, session: Session, series: Series, as_of: datetime) -> list[Pair]:
        """The factors of a series that are not known."""
        delivered = self._answer.factors.get(series.name)
        if delivered is None:
            return []
        known = dict(queries.factors(session, series.id, as_of=as_of))
        pairs = zip(*(column.tolist() for column in delivered), strict=True)
        return [(ts, factor) for ts, factor in pairs if not math.isclose(known.get(ts, 1.0), factor, rel_tol=SAME)]


def mark(series: Series, reason: str, now: datetime) -> None:
    """Mark a series whose source fails."""
    series.failure = reason
    series.failing_since = series.failing_since or now
