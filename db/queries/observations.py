"""Observations: what was learnt of a series, and when.

In bulk they travel as pairs (microseconds since 1970, value), because a datetime object for each would cost more than
the query. *As of* a moment means: of each time, the newest revision that was known by then.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, select, type_coerce
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from db.schema import Observation
from db.times import from_us

Pair = tuple[int, float]


def observations(
    session: Session,
    series_id: int,
    *,
    as_of: datetime,
    start: datetime | None = None,
    end: datetime | None = None,
    newest: int | None = None,
) -> list[Pair]:
    """Pairs (ts, value) in order of time, as of a moment; from start to end, both included; the `newest` so many."""
    conditions: list[ColumnElement[bool]] = [Observation.series_id == series_id, Observation.observed_at <= as_of]
    if start is not None:
        conditions.append(Observation.ts >= start)
    if end is not None:
        conditions.append(Observation.ts <= end)
    chosen: Select[int, float] = select(type_coerce(Observation.ts, BigInteger), Observation.value).where(*conditions)
    # Newest first, and of each time the newest revision first: a set of n times needs no more than the first rows of
    # the index.
    rows = session.execute(
        chosen.order_by(Observation.ts.desc(), Observation.observed_at.desc()).execution_options(yield_per=2000)
    )
    pairs: list[Pair] = []
    for ts, value in rows:
        if pairs and pairs[-1][0] == ts:
            continue
        if len(pairs) == newest:
            rows.close()
            break
        pairs.append((ts, value))
    pairs.reverse()
    return pairs


def revisions(session: Session, series_id: int) -> list[tuple[int, int, float]]:
    """Every revision of a series as (ts, observed_at, value), in order of time, and of when they were learnt."""
    chosen: Select[int, int, float] = (
        select(
            type_coerce(Observation.ts, BigInteger),
            type_coerce(Observation.observed_at, BigInteger),
            Observation.value,
        )
        .where(Observation.series_id == series_id)
        .order_by(Observation.ts, Observation.observed_at)
    )
    return [(ts, observed_at, value) for ts, observed_at, value in session.execute(chosen)]


def newest_ts(session: Session, series_id: int, as_of: datetime) -> datetime | None:
    """The time of the newest observation known as of a moment."""
    return session.scalar(
        select(Observation.ts)
        .where(Observation.series_id == series_id, Observation.observed_at <= as_of)
        .order_by(Observation.ts.desc())
        .limit(1)
    )


def add_observations(session: Session, series_id: int, pairs: Iterable[Pair], observed_at: datetime) -> None:
    """Store values learnt at `observed_at`. One that is there already, of the same time and moment, is replaced."""
    rows = [
        {"series_id": series_id, "ts": from_us(ts), "observed_at": observed_at, "value": value} for ts, value in pairs
    ]
    if rows:
        statement = sqlite_insert(Observation)
        key = [Observation.series_id, Observation.ts, Observation.observed_at]
        session.execute(
            statement.on_conflict_do_update(index_elements=key, set_={"value": statement.excluded.value}), rows
        )
