"""The series, where their sources stand, and whether the database answers."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, select, text, tuple_, type_coerce
from sqlalchemy.orm import Session

from db.schema import Observation, Series, SourceState
from db.times import from_us

NAMED = select(Series).where(Series.name.in_(select(func.json_each(bindparam("names")).table_valued("value").c.value)))


def ping(session: Session) -> None:
    """Raise where the database does not answer."""
    session.execute(text("SELECT 1 FROM series LIMIT 1"))


def series_of_panel(session: Session, panel: str) -> list[Series]:
    """A panel's series, by name."""
    return list(session.scalars(select(Series).where(Series.panel == panel).order_by(Series.name)))


def all_series(session: Session) -> list[Series]:
    """Every series, by panel and name."""
    return list(session.scalars(select(Series).order_by(Series.panel, Series.name)))


def list_series(
    session: Session,
    *,
    panels: Sequence[str],
    search: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int,
) -> list[Series]:
    """The first so many series of some panels, by panel and name, after such a pair.

    search: what their names hold, whatever the case of its ASCII letters.
    """
    chosen = select(Series).where(Series.panel.in_(panels))
    if search is not None:
        chosen = chosen.where(Series.name.icontains(search, autoescape=True))
    if after is not None:
        chosen = chosen.where(tuple_(Series.panel, Series.name) > after)
    return list(session.scalars(chosen.order_by(Series.panel, Series.name).limit(limit)))


def count_series(session: Session) -> dict[str, int]:
    """How many series each panel has that has any."""
    counted = select(Series.panel, func.count()).group_by(Series.panel)
    return {panel: count for panel, count in session.execute(counted)}  # noqa: C416  a row is no pair to mypy


def find_series(session: Session, name: str) -> Series | None:
    """The series of that name."""
    return session.scalar(select(Series).where(Series.name == name))


def find_many(session: Session, names: Sequence[str]) -> dict[str, Series]:
    """The series of some names, by name, where there are."""
    return {series.name: series for series in session.scalars(NAMED, {"names": json.dumps(list(names))})}


def add_series(session: Session, name: str, panel: str) -> Series:
    """A new series of a panel."""
    series = Series(name=name, panel=panel)
    session.add(series)
    session.flush()
    return series


def newest_times(session: Session, panel: str, as_of: datetime) -> dict[int, datetime]:
    """Of each series of a panel that has observations as of a moment, by id, the time of the newest."""
    newest = (
        select(type_coerce(Observation.ts, BigInteger))
        .where(Observation.series_id == Series.id, Observation.observed_at <= as_of)
        .order_by(Observation.ts.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(select(Series.id, newest).where(Series.panel == panel))
    return {series_id: from_us(ts) for series_id, ts in rows if ts is not None}


def source_state(session: Session, panel: str, options: str) -> dict[str, Any] | None:
    """Where a panel's source stands; None where no fetch with these options has ended well."""
    kept = session.get(SourceState, panel)
    return kept.state if kept is not None and kept.options == options else None


def keep_source_state(session: Session, panel: str, options: str, state: dict[str, Any]) -> None:
    """Keep where a panel's source stands."""
    session.merge(SourceState(panel=panel, options=options, state=state))
