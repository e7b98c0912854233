"""Observations: what was learnt of a series, and when.

In bulk they travel as pairs (microseconds since 1970, value), because a datetime object for each would cost more than
the query. *As of* a moment means: of each time, the newest revision that was known by then. Values are stored as they
were brought, and read in the measure of the newest: multiplied by the factors of all that came after them, a split's,
a dividend's, as far as known at that moment.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, select, type_coerce
from sqlalchemy.orm import Session

from db.schema import Factor, Observation
from db.times import to_us

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
    return in_newest_measure(pairs, factors(session, series_id, as_of=as_of))


def in_newest_measure(pairs: list[Pair], factors: Sequence[Pair]) -> list[Pair]:
    """Pairs (ts, value) in order of time, each value multiplied by all factors of later times (see `factors`)."""
    if not factors:
        return pairs
    measured, product, left = [], 1.0, len(factors)
    for ts, value in reversed(pairs):
        while left and factors[left - 1][0] > ts:
            left -= 1
            product *= factors[left][1]
        measured.append((ts, value * product))
    measured.reverse()
    return measured


def factors(session: Session, series_id: int, *, as_of: datetime) -> list[Pair]:
    """Pairs (ts, factor) in order of time, as of a moment: values before ts are worth factor times as much after it."""
    rows = session.execute(
        select(type_coerce(Factor.ts, BigInteger), Factor.factor)
        .where(Factor.series_id == series_id, Factor.observed_at <= as_of)
        .order_by(Factor.ts, Factor.observed_at)
    )
    newest = {ts: factor for ts, factor in rows}  # noqa: C416  of each time the newest revision
    return list(newest.items())


def add_factors(session: Session, series_id: int, pairs: Iterable[Pair], observed_at: datetime) -> None:
    """Store factors learnt at `observed_at`."""
    rows = [(series_id, ts, to_us(observed_at), factor) for ts, factor in pairs]
    if rows:
        session.connection().exec_driver_sql("INSERT OR REPLACE INTO factors VALUES (?, ?, ?, ?)", rows)


def stored_values(
    session: Session, series_ids: Sequence[int], *, as_of: datetime, start: int, end: int
) -> list[tuple[int, int, float]]:
    """What is known of some series as of a moment, from start to end, both included, in µs: (series_id, ts, value) as
    it was brought, in order of both.
    """
    rows = session.connection().exec_driver_sql(
        "SELECT series_id, ts, value, max(observed_at) FROM observations"
        " WHERE series_id IN (SELECT value FROM json_each(?)) AND ts BETWEEN ? AND ? AND observed_at <= ?"
        " GROUP BY series_id, ts ORDER BY series_id, ts",
        (json.dumps(list(series_ids)), start, end, to_us(as_of)),
    )
    return [(series_id, ts, value) for series_id, ts, value, _ in rows]


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
    moment = to_us(observed_at)
    rows = [(series_id, ts, moment, value) for ts, value in pairs]
    if rows:
        # Past SQLAlchemy's own preparation of each row, which would take most of the time of a first fetch.
        session.connection().exec_driver_sql("INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?)", rows)
