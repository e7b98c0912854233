"""Events: what happened, in the order of writing, for those who watch. The newest are kept.

Ids have no gaps: each is one more than the one before, and none is used again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.schema import Event, Run, Series
from db.times import from_us, to_us

Kind = Literal["observation", "forecast", "score", "refit", "state"]

RUNS_LOOKED_AT = 500  # the newest: a run under way is soon ended, or it is none
EVENTS_KEPT = 100_000  # at the least
AT_ONCE = 5_000  # are forgotten: what is older may be there for as many events more

# The newest state of each series stays, however old: it says what the next one is a change from.
FORGET = """
    DELETE FROM events WHERE id <= :last
    AND id NOT IN (SELECT max(id) FROM events WHERE kind = 'state' GROUP BY series)"""
STATES = """
    SELECT series, json_extract(data, '$.status') FROM events
    WHERE id IN (SELECT max(id) FROM events WHERE kind = 'state' GROUP BY series)"""


@dataclass(frozen=True)
class NewEvent:
    """Something that happened; series is None where it is the panel's as a whole, data is JSON."""

    kind: Kind
    panel: str
    series: str | None
    data: str


class EventRow(NamedTuple):
    """An event as it is kept."""

    id: int
    kind: str
    panel: str
    series: str | None
    at: datetime
    data: str


def add_events(session: Session, events: Sequence[NewEvent], at: datetime) -> None:
    """Write what happened at a moment, in the transaction of what it tells."""
    if not events:
        return
    rows = [(event.kind, event.panel, event.series, to_us(at), event.data) for event in events]
    insert = "INSERT INTO events (kind, panel, series, at, data) VALUES (?, ?, ?, ?, ?)"
    session.connection().exec_driver_sql(insert, rows)
    newest = newest_event(session)
    if newest // AT_ONCE > (newest - len(rows)) // AT_ONCE:
        session.execute(text(FORGET), {"last": newest - EVENTS_KEPT})


def newest_event(session: Session) -> int:
    """The id of the newest event; 0 where there has been none."""
    return session.scalar(select(func.max(Event.id))) or 0


def events_after(session: Session, event_id: int, limit: int) -> list[EventRow]:
    """The first `limit` events after one, in order. Some are missing unless that is one of the newest EVENTS_KEPT."""
    rows = session.connection().exec_driver_sql(
        "SELECT id, kind, panel, series, at, data FROM events WHERE id > ? ORDER BY id LIMIT ?", (event_id, limit)
    )
    return [EventRow(number, kind, panel, series, from_us(at), data) for number, kind, panel, series, at, data in rows]


def newest_states(session: Session) -> dict[str, str]:
    """Of each series that has an event about its state, the status that the newest of them tells."""
    return dict(session.execute(text(STATES)).all())


def stirred_panels(session: Session, event_id: int) -> set[str]:
    """The panels that something happened in after an event, save that a state was told."""
    rows = select(Event.panel).where(Event.id > event_id, Event.kind != "state").distinct()
    return set(session.scalars(rows))


def source_marks(session: Session) -> dict[str, tuple[object, ...]]:
    """Of each panel what is another whenever a series comes, begins to fail or fails no longer."""
    failing = Series.failing_since
    rows = select(Series.panel, func.count(), func.count(failing), func.max(failing)).group_by(Series.panel)
    return {panel: tuple(marks) for panel, *marks in session.execute(rows)}


def panels_at_work(session: Session, jobs: Sequence[str]) -> set[str]:
    """The panels for which one of these jobs runs now: as the newest so many runs have it."""
    newest = select(Run.panel, Run.job, Run.outcome).order_by(Run.id.desc()).limit(RUNS_LOOKED_AT)
    return {panel for panel, job, outcome in session.execute(newest) if outcome == "running" and job in jobs}
