"""Durations as people write them: 30s, 5m, 2h, 7d, 2w, 1y (365 days)."""

import re
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


def parse(text: str) -> timedelta:
    """The duration that the text says. Raises ValueError where it says none above zero and up to 100 years."""
    found = re.fullmatch(r"\s*(\d{1,12})\s*([ywdhms])\s*", text)
    if found is None:
        raise ValueError(f"expected {ACCEPTED}")
    count, unit = int(found[1]), UNITS[found[2]]
    if count == 0 or count > LONGEST // unit:
        raise ValueError(f"expected {ACCEPTED}, above zero and at most 100y")
    return count * unit


def told(duration: timedelta) -> str:
    """The duration in one unit for people to read, exact or within a fifth: 90s, 5m, 3d."""
    if duration < timedelta(0):
        return f"-{told(-duration)}"
    for name, unit in UNITS.items():
        if duration >= unit and (name == "s" or duration % unit == timedelta(0) or duration >= 3 * unit):
            return f"{duration / unit:.0f}{name}"
    return "0s"
