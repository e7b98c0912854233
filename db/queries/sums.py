"""Sums of scores: of a series by the UTC day of the target, and by step. They stay when scores are forgotten."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from db.queries.execution import fetch, listed
from db.times import to_us

DAY = 86_400_000_000  # µs

Key = Literal["day", "step"]  # what the sums of a series are told apart by

READ = {
    "day": "SELECT * FROM score_days WHERE series_id = :id AND day IN (SELECT value FROM json_each(:keys))",
    "step": "SELECT * FROM score_steps WHERE series_id = :id AND step IN (SELECT value FROM json_each(:keys))",
}
WRITE = {
    "day": "INSERT OR REPLACE INTO score_days VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "step": "INSERT OR REPLACE INTO score_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
}
BY_STEP = "SELECT * FROM score_steps WHERE series_id = :id ORDER BY step"
SINCE = "SELECT * FROM score_days WHERE series_id IN (SELECT value FROM json_each(:ids)) AND day >= :since"


@dataclass
class Tally:
    """Absolute errors of scored steps, summed. A mean over nothing is None."""

    count: int = 0
    error: float = 0.0
    naive_error: float = 0.0
    scaled_count: int = 0  # of steps whose forecast has a scale
    scaled_error: float = 0.0
    inside: dict[int, tuple[int, int]] = field(default_factory=dict)  # level → how many fell inside, of how many

    def add(self, other: "Tally") -> None:
        """Take the steps of another in."""
        self.count += other.count
        self.error += other.error
        self.naive_error += other.naive_error
        self.scaled_count += other.scaled_count
        self.scaled_error += other.scaled_error
        for level, (inside, of) in other.inside.items():
            before = self.inside.get(level, (0, 0))
            self.inside[level] = (before[0] + inside, before[1] + of)

    @property
    def mae(self) -> float | None:
        """The mean absolute error."""
        return self.error / self.count if self.count else None

    @property
    def naive_mae(self) -> float | None:
        """The naive forecast's."""
        return self.naive_error / self.count if self.count else None

    @property
    def mase(self) -> float | None:
        """The mean absolute error, each in units of its forecast's scale."""
        return self.scaled_error / self.scaled_count if self.scaled_count else None

    @property
    def coverage(self) -> dict[int, float]:
        """The share that fell inside each level's interval."""
        return {level: inside / of for level, (inside, of) in sorted(self.inside.items())}


def tally_of(error: float, naive_error: float, scale: float | None, inside: Iterable[tuple[int, bool]] = ()) -> Tally:
    """One scored step. inside: of each level whether the value fell inside its interval."""
    scaled = (0, 0.0) if scale is None or not scale > 0 else (1, abs(error) / scale)
    return Tally(1, abs(error), abs(naive_error), *scaled, {level: (int(fell), 1) for level, fell in inside})


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    summed = Tally()
    for tally in tallies:
        summed.add(tally)
    return summed


def midnight(us: int) -> int:
    """When the UTC day of a moment began; both in µs."""
    return us - us % DAY


def add_to_sums(session: Session, series_id: int, key: Key, scored: Mapping[int, Tally]) -> None:
    """Add scored steps to the sums of a series, by day (its midnight, in µs) or by step."""
    rows = fetch(session, READ[key], {"id": series_id, "keys": listed(scored)})
    sums = {row[1]: _tally(row[2:]) for row in rows}
    for each, tally in scored.items():
        sums.setdefault(each, Tally()).add(tally)
    session.connection().exec_driver_sql(WRITE[key], [(series_id, each, *_row(tally)) for each, tally in sums.items()])


def sums_by_step(session: Session, series_id: int) -> dict[int, Tally]:
    """All that was ever scored of a series, in order of step."""
    return {row[1]: _tally(row[2:]) for row in fetch(session, BY_STEP, {"id": series_id})}


def sums_since(session: Session, series_ids: Sequence[int], since: datetime) -> dict[int, Tally]:
    """Of each of some series what was scored of targets since midnight of a moment's day."""
    sums = {series_id: Tally() for series_id in series_ids}
    for row in fetch(session, SINCE, {"ids": listed(series_ids), "since": midnight(to_us(since))}):
        sums[row[0]].add(_tally(row[2:]))
    return sums


def _tally(sums: Sequence[Any]) -> Tally:
    inside = {int(level): (fell, of) for level, (fell, of) in json.loads(sums[5]).items()}
    return Tally(sums[0], sums[1], sums[2], sums[3], sums[4], inside)


def _row(tally: Tally) -> tuple[object, ...]:
    summed = (tally.count, tally.error, tally.naive_error, tally.scaled_count, tally.scaled_error)
    return (*summed, json.dumps(tally.inside))
