"""Fetch: ask a panel's source, and store what is new. The data contract is kept here, so that no source can break it.

- A bar still forming is not an observation: nothing is stored before its interval has ended.
- A value that is not finite is dropped, and counted.
- A whole-day interval's time is a date, kept as that date's midnight in UTC; any other is laid on the grid of its
  interval. Of several values in one interval the last counts.
- A changed value is a new revision beside the old one.
- No rows where there were rows before is a failure of the source, not "no news".
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading, writing
from db.queries import Pair
from db.schema import Series
from db.times import MICROSECOND, from_us, to_us
from jobs.calendars import DAY
from jobs.panel import Clock, Panel
from jobs.sources.base import Delivery, Request, SourceDownError


@dataclass
class Fetched:
    """What a fetch did: how many observations were new, changed, or dropped and why; which series failed."""

    new: int = 0
    revised: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    served: int = 0  # series that did not fail

    def __str__(self) -> str:
        counts = {"new": self.new, "revised": self.revised, **self.dropped}
        told = [f"{count:,} {what}" for what, count in counts.items() if count or what == "new"]
        return "; ".join([", ".join(told), *_failures_told(self.failures)])


def fetch(sessions: Sessions, panel: Panel, clock: Clock, cache_dir: Path) -> Fetched:
    """Fetch a panel once. Safe to repeat: what is known already is not stored again.

    The clock is read before asking, and again for `observed_at` once the write lock is held: whatever a forecast was
    issued from was committed before it, and is what the same moment shows later. Raises SourceDownError where no
    series could be had.
    """
    now = clock()
    with reading(sessions) as session:
        newest = _newest(session, panel, now)
    request = Request(now, panel.interval, panel.train_window, newest, cache_dir)
    try:
        answer = panel.source.fetch(request)
    except Exception as error:  # a source of somebody else's may raise anything
        with writing(sessions) as session:
            for series in queries.series_of_panel(session, panel.name):
                _mark(series, one_line(error), now)
        raise
    with writing(sessions) as session:
        fetched = _store(session, panel, answer, clock())
    if fetched.failures and not fetched.served:
        raise SourceDownError("; ".join(_failures_told(fetched.failures)))
    return fetched


def _failures_told(failures: Mapping[str, str]) -> list[str]:
    """The failures in words, a reason each with the series that share it."""
    names: dict[str, list[str]] = {}
    for name, reason in failures.items():
        names.setdefault(reason, []).append(name)
    return [f"{', '.join(sharing)}: {reason}" for reason, sharing in names.items()]


def _newest(session: Session, panel: Panel, now: datetime) -> dict[str, datetime]:
    times = {s.name: queries.newest_ts(session, s.id, now) for s in queries.series_of_panel(session, panel.name)}
    return {name.removeprefix(panel.prefix): ts for name, ts in times.items() if ts is not None}


def _store(session: Session, panel: Panel, answer: Delivery, observed_at: datetime) -> Fetched:
    """Store one delivery in one transaction."""
    fetched = Fetched()
    reasons = {panel.prefix + name: reason for name, reason in answer.failures.items()}
    delivered = {panel.prefix + name: values for name, values in answer.values.items()}
    for series in queries.series_of_panel(session, panel.name):
        if series.name not in delivered and series.name not in reasons:
            reasons[series.name] = "the source no longer names this series"
    for name in sorted(delivered | reasons):
        series = queries.find_series(session, name) or queries.add_series(session, name, panel.name)
        if series.panel != panel.name:
            fetched.failures[name] = f"the name belongs to panel {series.panel}; give panel {panel.name} a `prefix`"
            continue
        if name in delivered and len(delivered[name]) == 0:
            reasons[name] = "the source answered without rows"
        if name in reasons:
            fetched.failures[name] = reasons[name]
            _mark(series, reasons[name], observed_at)
            continue
        pairs = _settled(delivered[name], panel.interval, observed_at, fetched.dropped)
        _keep(session, series, pairs, observed_at, fetched)
        fetched.served += 1
        series.failing_since = series.failure = None
    return fetched


def one_line(error: Exception) -> str:
    """An error in one line: its message, after its name unless it is one of ours, which speak for themselves."""
    told = " ".join(str(error).split())
    return told if isinstance(error, SourceDownError) else f"{type(error).__name__}: {told}"


def _mark(series: Series, reason: str, now: datetime) -> None:
    series.failure = reason
    series.failing_since = series.failing_since or now


def _settled(values: "pd.Series[float]", interval: timedelta, now: datetime, dropped: Counter[str]) -> list[Pair]:
    """The (ts, value) pairs that count as observations, in order of time."""
    index = pd.DatetimeIndex(values.index)
    if index.tz is None:
        raise SourceDownError("the source brought times without a time zone")
    us, numbers = index.as_unit("us").asi8, values.to_numpy(dtype=float)
    finite, ended = np.isfinite(numbers), us + interval // MICROSECOND <= to_us(now)
    dropped["not finite"] += int((~finite & ended).sum())
    dropped["still forming"] += int((~ended).sum())
    kept = finite & ended
    order = np.argsort(us[kept], kind="stable")
    settled = dict(zip(_labels(index, interval)[kept][order].tolist(), numbers[kept][order].tolist(), strict=True))
    dropped["in one interval with a later value"] += int(kept.sum()) - len(settled)
    return list(settled.items())


def _labels(index: pd.DatetimeIndex, interval: timedelta) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    if interval % DAY == timedelta(0):
        return index.tz_localize(None).normalize().as_unit("us").asi8
    step = interval // MICROSECOND
    return np.asarray(index.as_unit("us").asi8 // step * step)


def _keep(session: Session, series: Series, pairs: list[Pair], observed_at: datetime, fetched: Fetched) -> None:
    """Store the pairs that are new or changed."""
    if not pairs:
        return
    first, last = from_us(pairs[0][0]), from_us(pairs[-1][0])
    known = dict(queries.observations(session, series.id, as_of=observed_at, start=first, end=last))
    fresh = [pair for pair in pairs if known.get(pair[0]) != pair[1]]
    fetched.revised += sum(ts in known for ts, _ in fresh)
    fetched.new += sum(ts not in known for ts, _ in fresh)
    queries.add_observations(session, series.id, fresh, observed_at)
