"""What a source of data promises.

A source is a dataclass: its fields are its options in the configuration, and `fetch` brings what it has. It does not
decide what is stored: bars still forming, values that are not finite, repeated and changed values are the business of
`jobs.fetch`, the same for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import pandas as pd


class SourceDownError(Exception):
    """The source gave no usable answer; the message says why, in one line."""


@dataclass(frozen=True)
class Request:
    """What a fetch asks for."""

    now: datetime
    interval: timedelta
    history: timedelta  # how far back the panel's data are of use
    newest: Mapping[str, datetime]  # of each series that has observations, the time of the newest
    cache_dir: Path  # where a client may keep its own files


@dataclass(frozen=True)
class Delivery:
    """What a source brought.

    values: for each series a Series of numbers on a time-zone aware index, each time the *start* of its interval, in
    the time zone whose midnight begins a day. failures: for each series that could not be had, why.
    """

    values: Mapping[str, "pd.Series[float]"]
    failures: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A source of one or more series."""

    def fetch(self, request: Request) -> Delivery:
        """Everything the source has for the request; more than is new does no harm. Raises SourceDownError."""
        ...
