"""How far apart the rows of a series are, as the field writes it: pandas' aliases, such as 1h, 30min, D, B, W-SUN, QE.

A fixed span, or one that the calendar stretches: business days, months. Of it a backtest wants two things: the seasons
that such a series may have, and how long one step is. The alias need not be given: `infer` reads it from the times.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from db.times import MICROSECOND
from jobs import calendars
from jobs.calendars import DAY, EVERY_DAY, Times, Weekmask

MONTH = timedelta(days=365.2425 / 12)
EXAMPLES = "a frequency as in 1h, 30min, 1d, B, W, MS, QS, YS"

# By the alias in capitals: pandas reads most of them in either, and used to read the old names (H, T, S, A …).
SPANS = {
    "D": DAY,
    "H": timedelta(hours=1),
    "MIN": timedelta(minutes=1),
    "T": timedelta(minutes=1),
    "S": timedelta(seconds=1),
    "L": timedelta(milliseconds=1),
    "US": MICROSECOND,
    "U": MICROSECOND,
}
MONTHS = {
    **dict.fromkeys(("M", "ME", "MS", "BM", "BME", "BMS", "CBME", "CBMS", "CBM", "WOM", "LWOM"), 1.0),
    **dict.fromkeys(("SM", "SME", "SMS"), 0.5),
    **dict.fromkeys(("Q", "QE", "QS", "BQ", "BQE", "BQS", "REQ"), 3.0),
    **dict.fromkeys(("Y", "YE", "YS", "A", "AS", "BY", "BYE", "BYS", "BA", "BAS", "RE"), 12.0),
}
BUSINESS_DAYS = ("B", "C")
BUSINESS_HOURS = ("BH", "CBH")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
PART = re.compile(r"(\d*\.?\d*)\s*([A-Za-z]+)(-[A-Za-z0-9-]+)?\s*")


@dataclass(frozen=True)
class Frequency:
    """The step of a series. span: its length, on average; seasons: that it may have, in steps, the shortest first."""

    name: str
    span: timedelta
    seasons: tuple[int, ...]


def fixed(name: str, span: timedelta, weekmask: Weekmask = EVERY_DAY) -> Frequency:
    """A step that is always as long; a day is one of the weekdays given."""
    return Frequency(name, span, calendars.seasons(span, weekmask if span == DAY else None))


def parse(text: str) -> Frequency:
    """The frequency that an alias names, of any version of pandas. Raises ValueError, which says what it expected."""
    parts = [match.groups() for match in PART.finditer(text.strip())]
    if not parts or PART.sub("", text.strip()):
        raise ValueError(f"expected {EXAMPLES}")
    if len(parts) == 1:
        return _one(text.strip(), *parts[0])
    total = timedelta(0)
    for count, unit, anchor in parts:  # as 1h30min
        if _unit(unit) not in SPANS or anchor:
            raise ValueError(f"expected {EXAMPLES}; only fixed spans can be put together, as in 1h30min")
        total += _count(count) * SPANS[_unit(unit)]
    return fixed(text.strip(), total)


def _one(name: str, number: str, unit: str, anchor: str | None) -> Frequency:
    count, unit = _count(number), _unit(unit)
    _check_anchor(unit, anchor)
    if unit in SPANS:
        if count * SPANS[unit] < MICROSECOND:
            raise ValueError(f"expected {EXAMPLES}, at least a microsecond")
        return fixed(name, count * SPANS[unit])
    if count % 1:
        raise ValueError(f"expected {EXAMPLES}; a part of {unit} is none")
    if unit == "W":
        return fixed(name, count * 7 * DAY)
    if unit in BUSINESS_DAYS:
        return Frequency(name, count * DAY * 7 / 5, (5,) if count == 1 else ())
    if unit in BUSINESS_HOURS:
        return Frequency(name, count * SPANS["H"], (8, 40) if count == 1 else ())
    months = count * MONTHS[unit]
    season = 12 / months
    return Frequency(name, months * MONTH, (int(season),) if season > 1 and season % 1 == 0 else ())


def _count(number: str) -> float:
    try:
        count = float(number or 1)
    except ValueError:
        count = 0.0
    if not 0 < count < 1e9:
        raise ValueError(f"expected {EXAMPLES}, with a number above zero")
    return count


def _unit(unit: str) -> str:
    """The unit's key in the tables above. Raises ValueError where there is none, or where it could be either of two."""
    if unit == "ms":
        return "L"
    if unit in ("m", "Ms", "mS"):
        raise ValueError("expected min for minutes, ms for milliseconds, MS or ME for months")
    known = unit.upper()
    if known not in (*SPANS, *MONTHS, *BUSINESS_DAYS, *BUSINESS_HOURS, "W"):
        raise ValueError(f"expected {EXAMPLES}")
    return known


def _check_anchor(unit: str, anchor: str | None) -> None:
    """What may follow a unit: W-SUN, QS-OCT, YE-MAR, WOM-2FRI. Raises ValueError."""
    if anchor is None:
        return
    ends = anchor.upper().removeprefix("-").split("-")
    if unit == "W" and ends[0] in WEEKDAYS and len(ends) == 1:
        return
    if MONTHS.get(unit, 0) >= 3 and set(ends) & {*MONTH_NAMES}:
        return
    if unit in ("WOM", "LWOM") and ends[0][-3:] in WEEKDAYS:
        return
    raise ValueError(f"expected nothing after {unit}, or an anchor as in W-SUN, QS-OCT or YE-DEC; not {anchor}")


def infer(series: Iterable[Times]) -> Frequency | None:
    """The frequency of the most frequent distance between the times of a series, (n,) and ascending, in microseconds.

    None where there is no distance to go by.
    """
    times = list(series)
    steps = [np.diff(each) for each in times] or [np.zeros(0, dtype=np.int64)]
    distances, counts = np.unique(np.concatenate(steps), return_counts=True)
    if len(distances) == 0:
        return None
    span = int(distances[counts.argmax()]) * MICROSECOND
    if span == DAY:
        weekmask = _weekdays(times)
        return fixed({5: "B", 7: "D"}.get(sum(weekmask), "D"), DAY, weekmask)
    for name, shortest, longest in (("MS", 30, 31), ("QS", 90, 92), ("YS", 365, 366)):
        if shortest * DAY <= span <= longest * DAY:
            return parse(name)
    if span == 7 * DAY:
        return parse("W")
    return fixed(alias(span), span)


def _weekdays(series: list[Times]) -> Weekmask:
    """The weekdays that any of these daily series has had values on."""
    masks = [calendars.days(DAY, times) or EVERY_DAY for times in series]
    return tuple(any(mask[day] for mask in masks) for day in range(7))


def alias(span: timedelta) -> str:
    """A fixed span as an alias: 30min, 3D."""
    units = {"D": DAY, "h": SPANS["H"], "min": SPANS["MIN"], "s": SPANS["S"], "ms": SPANS["L"], "us": MICROSECOND}
    return next(f"{span // unit}{name}" for name, unit in units.items() if span % unit == timedelta(0))
