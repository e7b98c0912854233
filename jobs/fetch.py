"""Fetch: ask a panel's source, and store what is new. `jobs.contract` says what of it counts.

- A changed value is a new revision beside the old one.
- No rows where there were rows before is a failure of the source, not "no news": the last good data stay.
- What a source brought is stored whole or not at all, save that a long history takes several transactions. Where it
  stands is stored with the last of them.
"""

import hashlib
import logging
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, reading, trying, writing
from db.times import MICROSECOND, from_us
from jobs import calendars, contract
from jobs.asking import Asking
from jobs.calendars import DAY
from jobs.contract import Laid, Names
from jobs.manners import CoolingDownError, Manners
from jobs.panel import Clock, Panel
from jobs.pile import Pile
from jobs.secrets import hide
from jobs.sources.base import Request, SourceDownError, apart
from jobs.storing import Answer, Fetched, Storing, failures_told, mark

log = logging.getLogger("rollcast")

OVERLAP = 10  # intervals that each fetch asks for again, unless the panel says otherwise
AT_ONCE = 50_000  # observations stored in one transaction, about
TOGETHER = 1_000  # intervals: series whose values begin further apart are not compared with the stored ones together


@dataclass(frozen=True)
class Means:
    """What fetching needs besides the panel; one for all of them."""

    cache_dir: Path  # where clients may keep their own files
    manners: Manners
    asking: Asking


def fetch(sessions: Sessions, panel: Panel, clock: Clock, means: Means, *, store: bool = True) -> Fetched:
    """Fetch a panel once; without `store` only tell what that would bring. Safe to repeat: what is known is not stored
    again, and what is not stored is taken from nobody (see `apart`).

    The clock is read before asking, and again for `observed_at` once the write lock is held: whatever a forecast was
    issued from was committed before it, and is what the same moment shows later. Raises SourceDownError where no
    series could be had.
    """
    now, transaction = clock(), writing if store else trying
    with reading(sessions) as session:
        request = _request(session, panel, now, means)
    fetched, names = Fetched(), Names()
    with Pile() as pile:
        try:
            asked = panel if store else replace(panel, source=apart(panel.source))
            answer = _ask(asked, request, means, names, pile, fetched.dropped)
        except SourceDownError as error:
            with transaction(sessions) as session:
                for series in queries.series_of_panel(session, panel.name):
                    mark(series, str(error), now)
            raise
        laid = (contract.lay(block, names.zones, panel, now, fetched.dropped) for block in pile.blocks())
        storing = Storing(panel, request, answer, names.names, fetched)
        batches = _batches(laid, panel)
        batch = next(batches, None)
        more = True
        while more:
            following = next(batches, None)
            more = following is not None
            with transaction(sessions) as session:
                observed_at = clock()
                if batch:
                    storing.keep(session, batch, observed_at, goes_on=_goes_on(batch, following))
                if not more:
                    storing.end(session, observed_at, _options(panel))
            batch = following
    if fetched.failures and not fetched.served:
        raise SourceDownError("; ".join([*failures_told(fetched.failures), *fetched.dropped_told()]))
    return fetched


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _request(session: Session, panel: Panel, now: datetime, means: Means) -> Request:
    known = queries.series_of_panel(session, panel.name)
    times = queries.newest_times(session, panel.name, now)
    newest = {series.name.removeprefix(panel.prefix): times[series.id] for series in known if series.id in times}
    failing = {series.name.removeprefix(panel.prefix) for series in known if series.failure is not None}
    # One that fails must not have all others asked for again from where it broke off.
    live = [ts for name, ts in newest.items() if name not in failing] or list(newest.values())
    begin = _floor(now - min(panel.train_window, now - from_us(contract.FIRST)), panel)
    state = queries.source_state(session, panel.name, _options(panel))
    since = _floor(min(live) - _overlap(panel), panel) if live else None
    if since is not None and state is None:  # the first fetch was cut off amid its series, or had other options
        since = min(since, begin)
    return Request(
        now=now,
        interval=panel.interval,
        months=panel.months,
        history=now - begin,
        since=since,
        open_from=_open_from(panel, now),
        newest=newest,
        tz=panel.tz,
        state=state if state is not None and live else {},
        cache_dir=means.cache_dir,
        manners=means.manners,
    )


def _overlap(panel: Panel) -> timedelta:
    if panel.overlap is not None:
        return panel.overlap
    # Which of two passes through a doubled hour a wall clock time belongs to shows only from before that hour.
    return max(OVERLAP * panel.interval, DAY if panel.tz is not None else timedelta(0))


def _open_from(panel: Panel, now: datetime) -> datetime:
    open_for = panel.interval + (DAY if _whole_days(panel) else timedelta(0))  # a day ends later in the west
    return _floor(now - panel.settle - open_for, panel)


def _whole_days(panel: Panel) -> bool:
    return panel.months > 0 or panel.interval % DAY == timedelta(0)


def _floor(label: datetime, panel: Panel) -> datetime:
    """When the interval begins that a label, or a time of an intraday panel, lies in: a day at the panel's midnight."""
    index = pd.DatetimeIndex([label]).as_unit("us")
    start = calendars.labels(index, panel.interval, panel.months, panel.offset, None)
    if _whole_days(panel):
        start = calendars.ends(start - calendars.DAY_US, DAY, 0, panel.tz)
    return from_us(int(start[0]))


def _options(panel: Panel) -> str:
    """A digest of all that decides what a source brings and what becomes of it: with another one it starts anew."""
    deciding = (
        panel.source,
        panel.interval,
        panel.months,
        panel.tz,
        panel.offset,
        panel.aggregate,
        panel.prefix,
        panel.calendar,
    )
    return hashlib.sha256(hide(repr(deciding), panel.secrets).encode()).hexdigest()  # a new token changes no data


def _ask(panel: Panel, request: Request, means: Means, names: Names, pile: Pile, dropped: Counter[str]) -> Answer:
    """Ask the source; its rows go on the pile. Raises SourceDownError for whatever goes wrong, without secrets."""
    answer, factor_names = Answer(panel.prefix), Names()
    try:
        with Pile() as factors:
            for delivery in means.asking.deliveries(panel.name, panel.source, request, panel.fetch_timeout):
                answer.take(delivery)
                pile.put(contract.rows_of(delivery, names, panel, dropped))
                factors.put(contract.factors_of(delivery, factor_names, panel, dropped))
            for laid in map(contract.products, factors.blocks()):
                answer.take_factors(laid, factor_names.names)
    except (SourceDownError, CoolingDownError) as error:
        raise SourceDownError(_told(str(error), panel)) from None
    except Exception as error:  # a source of somebody else's may raise anything
        log.error("%s  its source failed: %s", panel.name, hide(traceback.format_exc(), panel.secrets))
        raise SourceDownError(_told(one_line(error), panel)) from None
    answer.named = set(names.names)
    if answer.complete:
        useless = answer.named - {names.names[number] for number in names.usable}
        answer.failures = dict.fromkeys(sorted(useless), "none of its rows can be used") | answer.failures
    answer.failures = {name: _told(reason, panel) for name, reason in answer.failures.items()}
    return answer


def _told(text: str, panel: Panel) -> str:
    """In one line, without secrets, which may hold white space themselves."""
    return hide(" ".join(hide(text, panel.secrets).split()), panel.secrets)


def one_line(error: Exception) -> str:
    """An error in one line: its message, after its name unless it is one of ours, which speak for themselves.

    Of a database's error the driver's: SQLAlchemy would tell the whole statement.
    """
    if isinstance(error, DBAPIError) and isinstance(error.orig, Exception):
        error = error.orig
    told = " ".join(str(error).split())
    return told if isinstance(error, SourceDownError) else f"{type(error).__name__}: {told}"


# ── storing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _goes_on(batch: Laid, following: Laid | None) -> bool:
    """Whether the last series of a batch has more values in the next."""
    return following is not None and len(following) > 0 and bool(following.series[0] == batch.series[-1])


def _batches(blocks: Iterable[Laid], panel: Panel) -> Iterator[Laid]:
    """About AT_ONCE values each, of series whose values begin at about the same time."""
    apart = TOGETHER * (panel.interval // MICROSECOND)
    for block in blocks:
        starts = np.flatnonzero(np.concatenate([[True], np.diff(block.series) != 0])[: len(block)])
        first = 0
        for end in [*starts[1:].tolist(), len(block)]:
            far = end < len(block) and abs(int(block.times[end] - block.times[first])) > apart
            if far or end - first >= AT_ONCE or end == len(block):
                yield block[first:end]
                first = end
