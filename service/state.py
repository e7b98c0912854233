"""The state of a series: how far its latest forecast can be trusted, in one word and one sentence.

Pure: all that it judges by is handed in.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from service import durations

Status = Literal["fresh", "stale", "expired", "no_model", "insufficient_data", "source_down"]


@dataclass(frozen=True)
class State:
    """A series' state and the reason for it; after which moment time alone makes another of it (None: never)."""

    status: Status
    reason: str
    until: datetime | None = None


@dataclass(frozen=True)
class Known:
    """What the state is judged by."""

    now: datetime
    failing_since: datetime | None  # of the source
    failure: str | None
    newest: datetime | None  # time of the newest observation
    overdue_at: datetime | None  # when the one after it should have been here at the latest
    forecast_cutoff: datetime | None  # of the latest forecast
    forecast_ends: datetime | None  # end of its last step
    expire_after: timedelta | None  # after the cutoff; None: at forecast_ends
    interval: timedelta
    lacking: str | None  # why there is no forecast, where there is none: too few observations
    refit: str  # how the panel's refit stands, in words, where there is no forecast


def state(known: Known) -> State:
    """Judge a series: is there a forecast at all, is it too old, does its source fail, is it the newest possible?"""
    down = None
    if known.failure is not None and known.failing_since is not None:
        down = f"the source fails since {_time(known.failing_since)}: {known.failure}"
    if known.forecast_cutoff is None or known.forecast_ends is None:
        return _without_forecast(known, down)
    expires = _expires(known.forecast_cutoff, known.forecast_ends, known.expire_after, known.interval)
    if expires is not None and known.now > expires:
        reason = f"the forecast expired at {_time(expires)}"
        return State("expired", f"{reason}; {down}" if down else reason)
    if down:
        return State("source_down", down, expires)
    if known.newest is not None and known.newest > known.forecast_cutoff:
        return State("stale", f"there is an observation of {_time(known.newest)}, but no forecast from it yet", expires)
    if known.newest is not None and known.overdue_at is not None and known.now > known.overdue_at:
        age = durations.told(known.now - known.newest - known.interval)
        return State("stale", f"no observation since {_time(known.newest)}, {age} ago", expires)
    until = min((moment for moment in (expires, known.overdue_at) if moment is not None), default=None)
    return State("fresh", "made from the newest observation", until)


def _without_forecast(known: Known, down: str | None) -> State:
    if down:
        return State("source_down", down)
    if known.newest is None:
        return State("insufficient_data", "no observation yet")
    if known.lacking is not None:
        return State("insufficient_data", known.lacking)
    return State("no_model", known.refit)


def _expires(cutoff: datetime, ends: datetime, after: timedelta | None, interval: timedelta) -> datetime | None:
    if after is None:
        return ends
    return None if after == timedelta.max else cutoff + interval + after


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
