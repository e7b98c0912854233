"""Durations as people write them: 30s, 5m, 2h, 7d, 2w, 1y (365 days); intervals, of calendar months too."""

import re
from dataclasses import dataclass
from datetime import timedelta

UNITS = {
    "y": timedelta(days=365),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
ACCEPTED = "a duration as in 30s, 5m, 2h, 7d, 2w, 1y"
LONGEST = timedelta(days=100 * 365)
MONTH = timedelta(days=365.25 / 12)  # on the average
MONTHS = {1: "1mo", 2: "2mo", 3: "3mo", 4: "4mo", 6: "6mo", 12: "1y"}
INTERVALS = "a duration from 1s to 1y as in 30s, 5m, 2h, 1d, 7d, or calendar months: 1mo, 2mo, 3mo, 4mo, 6mo, 1y"


def parse(text: str) -> timedelta:
    """The duration that the text says. Raises ValueError where it says none above zero and up to 100 years."""
    found = re.fullmatch(r"\s*(\d{1,12})\s*([ywdhms])\s*", text)
    if found is None:
        raise ValueError(f"expected {ACCEPTED}")
    count, unit = int(found[1]), UNITS[found[2]]
    if count == 0 or count > LONGEST // unit:
        raise ValueError(f"expected {ACCEPTED}, above zero and at most 100y")
    return count * unit


@dataclass(frozen=True)
class Interval:
    """From one observation to the next: a length, of calendar months their usual one."""

    length: timedelta
    months: int = 0


def parse_interval(text: str) -> Interval:
    """The interval that the text says. Raises ValueError."""
    months = {name: number for number, name in MONTHS.items()} | {"12mo": 12}
    if (written := text.strip()) in months:
        return Interval(months[written] * MONTH, months[written])
    try:
        length = parse(text)
    except ValueError:
        length = LONGEST
    if length > UNITS["y"]:
        raise ValueError(f"expected {INTERVALS}")
    return Interval(length)


def interval_told(length: timedelta, months: int) -> str:
    """An interval for people to read."""
    return MONTHS[months] if months else told(length)


def told(duration: timedelta) -> str:
    """The duration in one unit for people to read, exact or within a fifth: 90s, 5m, 3d."""
    if duration < timedelta(0):
        return f"-{told(-duration)}"
    for name, unit in UNITS.items():
        if duration >= unit and (name == "s" or duration % unit == timedelta(0) or duration >= 3 * unit):
            return f"{duration / unit:.0f}{name}"
    return "0s"
