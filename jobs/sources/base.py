"""What a source of data promises.

A source is a dataclass: its fields are its options in the configuration, each annotated with a line of help, and
`fetch` brings what it has. It does not decide what is stored: bars still forming, values that are not finite, repeated
and changed values, times between the steps of the grid are the business of `jobs.fetch`, the same for all. All that
`fetch` promises is:

- It brings everything the source has from `request.since` on; earlier rows do no harm.
- **Whole intervals**: of each interval that it brings anything of, it brings all rows that the source has. Values are
  laid on the grid from one fetch's rows alone. As `since` and `open_from` begin intervals, asking from there suffices.
- What begins at `open_from` or later may still be forming and is not stored: it is brought again next time.
- An answer without rows is no answer, unless the source says that nothing has changed (`Delivery.unchanged`).
- It does not wait without a limit, and asks a host through `request.manners`.

A long history is brought as several deliveries, one after the other, so that memory stays flat. None of them ends amid
an hour that clocks repeat, where times have no zone: which pass a time belongs to shows from the rows beside it alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from jobs.manners import Manners


class SourceDownError(Exception):
    """The source gave no usable answer; the message says why, in one line."""


@dataclass(frozen=True)
class Request:
    """What a fetch asks for."""

    now: datetime
    interval: timedelta  # from one observation to the next; of calendar months, about their length
    months: int  # the interval in calendar months; 0 where it has a fixed length
    history: timedelta  # how far back the panel's data are of use
    since: datetime | None  # from here on everything is wanted, an overlap included; None where nothing is stored yet
    open_from: datetime  # what begins here or later may still be forming, and will be asked for again
    newest: Mapping[str, datetime]  # of each series that has observations, the time of the newest
    tz: tzinfo | None  # the panel's; naive times are in it, and its midnight begins a day
    state: Mapping[str, Any]  # what the source's last delivery left (see there); empty where all has to be brought
    cache_dir: Path  # where a client may keep its own files
    manners: Manners  # shared by all that ask the same host

    @property
    def start(self) -> datetime:
        """Where to begin."""
        return self.now - self.history if self.since is None else self.since


@dataclass(frozen=True)
class Delivery:
    """What a source brought, or a part of it.

    values: for each series a Series of numbers, each at the time its interval starts, in the order in which the source
    has them: of two values of one time the later one counts. Times without a zone are in `tz`. A whole day's time is
    any time of that day in the index's zone.
    """

    values: Mapping[str, "pd.Series[float]"] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)  # for each series that could not be had, why
    dropped: Mapping[str, int] = field(default_factory=dict)  # how many rows could not be made out, by what is wrong
    # For each series, factors by time: what was valued before that time is worth that many times as much in today's
    # measure, as a price is after a split.
    factors: Mapping[str, "pd.Series[float]"] = field(default_factory=dict)
    complete: bool = True  # whether a series that no delivery of this fetch names is gone
    unchanged: bool = False  # the source answered that nothing has changed since the last fetch
    tz: str | None = None  # the zone of times without one; None for the panel's
    # Kept with what was stored, in one transaction, and handed back by the next request; the last delivery's counts.
    # JSON. It holds as long as the source's options are the same.
    state: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """A source of one or more series."""

    def fetch(self, request: Request) -> Iterable[Delivery]:
        """Everything the source has for the request. Raises SourceDownError, at once or amid the deliveries."""
        ...


@runtime_checkable
class TakesAway(Protocol):
    """A source that is handed each thing once, as a broker's client is."""

    def apart(self) -> Source:
        """The source as one that only looks: what waits for this one goes on waiting."""
        ...


def apart(source: Source) -> Source:
    """The source to ask where nothing of what it brings will be stored."""
    return source.apart() if isinstance(source, TakesAway) else source
