"""Observations: what was learnt of a series, and when.

In bulk they travel as pairs (microseconds since 1970, value), because a datetime object for each would cost more than
the query. *As of* a moment means: of each time, the newest revision that was known by then. Values are stored as they
were brought, and read in the measure of the newest: multiplied by the factors of all that came after them, a split's,
a dividend's, as far as known at that moment.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Select, select, type_coerce
from sqlalchemy.orm import Session

from db.queries.execution import LEAST, MOST, fetch, listed
from db.schema import Observation
from db.times import from_us, to_us

Pair = tuple[int, float]

# Newest first, and of each time the newest revision first: a set of n times needs no more than the first rows of the
# index.
NEWEST_FIRST = """
    SELECT ts, value FROM observations
    WHERE series_id = :series_id AND ts BETWEEN :start AND :end AND observed_at <= :as_of
    ORDER BY ts DESC, observed_at DESC"""
NEWEST_TS = """
    SELECT ts FROM observations WHERE series_id = :series_id AND observed_at <= :as_of ORDER BY ts DESC LIMIT 1"""

# Where a series has fewer times than are asked for, there is no such time, and all of them count.
NEWEST_PAIRS = """
    SELECT s.id, o.ts, o.value FROM series s CROSS JOIN observations o
    WHERE s.id IN (SELECT value FROM json_each(:series_ids)) AND o.series_id = s.id AND o.observed_at <= :as_of
    AND o.ts >= coalesce((
        SELECT DISTINCT ts FROM observations WHERE series_id = s.id AND observed_at <= :as_of
        ORDER BY ts DESC LIMIT 1 OFFSET :newest - 1
    ), -9223372036854775808)
    ORDER BY s.id, o.ts, o.observed_at"""
FACTORS = """
    SELECT series_id, ts, factor FROM factors
    WHERE series_id IN (SELECT value FROM json_each(:series_ids)) AND observed_at <= :as_of
    ORDER BY series_id, ts, observed_at"""


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
    asked = {
        "series_id": series_id,
        "as_of": to_us(as_of),
        "start": LEAST if start is None else to_us(start),
        "end": MOST if end is None else to_us(end),
    }
    pairs: list[Pair] = []
    for ts, value in fetch(session, NEWEST_FIRST, asked):
        if pairs and pairs[-1][0] == ts:
            continue
        if len(pairs) == newest:
            break
        pairs.append((ts, value))
    pairs.reverse()
    return in_newest_measure(pairs, factors(session, series_id, as_of=as_of))


def newest_pairs(session: Session, series_ids: Sequence[int], *, as_of: datetime, newest: int) -> dict[int, list[Pair]]:
    """Of each of some series what `observations` tells of the newest so many times, in bulk."""
    if newest < 1:
        return {series_id: [] for series_id in series_ids}
    asked = {"series_ids": listed(series_ids), "as_of": to_us(as_of), "newest": newest}
    pairs: dict[int, dict[int, float]] = {series_id: {} for series_id in series_ids}
    for series_id, ts, value in fetch(session, NEWEST_PAIRS, asked):
        pairs[series_id][ts] = value  # the newest revision of a time comes last, and stays
    measures: dict[int, dict[int, float]] = {}
    for series_id, ts, factor in fetch(session, FACTORS, asked):
        measures.setdefault(series_id, {})[ts] = factor
    return {
        series_id: in_newest_measure(list(found.items()), list(measures.get(series_id, {}).items()))
        for series_id, found in pairs.items()
    }


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
    rows = fetch(session, FACTORS, {"series_ids": listed([series_id]), "as_of": to_us(as_of)})
    newest = {ts: factor for _, ts, factor in rows}  # of each time the newest revision
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
        (listed(series_ids), start, end, to_us(as_of)),
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
    found = fetch(session, NEWEST_TS, {"series_id": series_id, "as_of": to_us(as_of)})
    return next((from_us(ts) for (ts,) in found), None)


def add_observations(session: Session, series_id: int, pairs: Iterable[Pair], observed_at: datetime) -> None:
    """Store values learnt at `observed_at`. One that is there already, of the same time and moment, is replaced."""
    moment = to_us(observed_at)
    rows = [(series_id, ts, moment, value) for ts, value in pairs]
    if rows:
        # Past SQLAlchemy's own preparation of each row, which would take most of the time of a first fetch.
        session.connection().exec_driver_sql("INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?)", rows)
