"""Series from Prometheus: a PromQL expression, evaluated once an interval. Each set of labels in it is a series.

What is evaluated at a time speaks of the interval that ends then, as rate(x[5m]) does. So it is the observation of the
interval that began one step earlier. Where a series is stale or NaN there is no observation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import numpy as np
import pandas as pd

from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.parts.web import Answer, TooLargeError, Web, check_headers, check_limits, check_url, shortened

MOST_POINTS = 10_000  # of a series in one answer; Prometheus refuses more than 11,000
LARGEST = 16.0  # MB of an answer; what would be larger is asked for in parts, so that memory stays flat
DAY = timedelta(days=1)
MONDAY = datetime(1970, 1, 5)  # noqa: DTZ001  in whatever zone; intervals of several days are counted from it
LABEL = re.compile(r"\{(\w+)\}")
METRIC = "__name__"


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    result: list[_Series]


class _Matrix(msgspec.Struct):
    """What query_range answers, as far as it matters here."""

    data: _Data
    warnings: list[str] = []


@dataclass
class PrometheusSource:
    """A PromQL expression through query_range."""

    url: Annotated[str, "of the server, as in http://localhost:9090"]
    query: Annotated[str, "the PromQL expression; each set of labels in its result is a series"]
    name: Annotated[str | None, "a series' name from its labels, as in {instance}/{job}; by default all of them"] = None
    headers: Annotated[dict[str, str], "sent with each request"] = field(default_factory=dict)
    timeout: Annotated[float, "seconds that the server may be silent, or take for an answer"] = 60.0

    def __post_init__(self) -> None:
        check_url("url", self.url)
        check_headers(self.headers)
        check_limits(timeout=self.timeout)
        if not self.query.strip():
            raise ValueError("query is empty: expected a PromQL expression, as in rate(node_cpu_seconds_total[5m])")

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """The time from the request's start to now, chunk by chunk."""
        if request.months or request.interval < timedelta(seconds=1):
            raise SourceDownError(
                "Prometheus evaluates at even steps: expected an interval of fixed length, from 1s on"
            )
        named: dict[str, dict[str, str]] = {}  # the labels of each name
        points, step = MOST_POINTS, request.interval
        with Web(request.manners, request.now, timeout=self.timeout, largest=LARGEST) as web:
            for first, last in _runs(request):
                while first <= last:
                    end = min(first + (points - 1) * step, last)
                    try:
                        matrix = _read(web.get(*self._asked(first, end, step)))
                    except TooLargeError as error:
                        if first == end:
                            raise SourceDownError(f"{error} for one time: let the query give fewer series") from error
                        points = max(points // 4, 1)
                        continue
                    # With warnings, as from a store behind the server that is down, series may be missing.
                    yield Delivery(self._values(matrix, named, request), complete=not matrix.warnings)
                    first = end + step
        if not named:
            raise SourceDownError(
                f"the query gives no series from {request.start:%Y-%m-%d %H:%M}Z to now: check it, and whether"
                " Prometheus has what it asks for"
            )

    def _asked(self, first: datetime, last: datetime, step: timedelta) -> tuple[str, dict[str, str], dict[str, str]]:
        """The URL, parameters and headers to ask with."""
        params = {
            "query": self.query,
            "start": f"{first.timestamp():.3f}",
            "end": f"{last.timestamp():.3f}",
            "step": f"{step.total_seconds():.3f}",
            "timeout": f"{self.timeout:.3f}",
        }
        return f"{self.url.rstrip('/')}/api/v1/query_range", params, self.headers

    def _values(
        self, matrix: _Matrix, named: dict[str, dict[str, str]], request: Request
    ) -> "dict[str, pd.Series[float]]":
        """The series of an answer; their names and labels are added to those known so far."""
        found = {}
        for series in matrix.data.result:
            values = _numbers(series)
            there = ~np.isnan(values)
            if not there.any():
                continue
            name, labels = self._name(series.metric), series.metric
            if named.setdefault(name, labels) != labels or name in found:
                raise SourceDownError(
                    f"{_told(named[name])} and {_told(labels)} are both called {name!r}: put a label that differs into"
                    " name, as in {instance}/{job}, or aggregate in the query"
                )
            index = _starts(np.array([time for time, _ in series.values])[there], request)
            found[name] = pd.Series(values[there], index=index)
        return found

    def _name(self, labels: dict[str, str]) -> str:
        if self.name is None:
            return _told(labels) if labels else " ".join(self.query.split())
        name = LABEL.sub(lambda match: labels.get(match[1], ""), self.name)
        if not name:
            raise SourceDownError(f"name = {self.name!r} leaves {_told(labels)} without a name: use labels that it has")
        return name


def _runs(request: Request) -> list[tuple[datetime, datetime]]:
    """From when to when to evaluate, in even steps each, at the ends of intervals. Days end at the panel's midnight."""
    step = request.interval
    grid = request.open_from if step % DAY else MONDAY.replace(tzinfo=UTC)
    first, last = (request.start - grid) // step + 1, (request.now - grid) // step
    if step % DAY:
        return [(grid + first * step, grid + last * step)]
    runs: list[tuple[datetime, datetime]] = []
    for number in range(first - 1, last + 2):  # one more on either side, for what zones differ
        end = (MONDAY + number * step).replace(tzinfo=request.tz or UTC).astimezone(UTC)
        if end > request.now:
            break
        if runs and end - runs[-1][1] == step:
            runs[-1] = (runs[-1][0], end)
        else:  # the first, or the clocks were changed
            runs.append((end, end))
    return runs


def _starts(ends: "np.ndarray[tuple[int], np.dtype[np.float64]]", request: Request) -> pd.DatetimeIndex:
    """The beginnings of the intervals that end at some times (n,), in seconds since 1970."""
    index = pd.DatetimeIndex((ends * 1e6).round().astype(np.int64).view("M8[us]")).tz_localize("UTC")
    if request.interval % DAY:
        return index - request.interval
    # Noon: the day may have been an hour shorter than a step.
    return (index - request.interval + DAY / 2).tz_convert(request.tz or UTC)


def _numbers(series: _Series) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    try:
        return np.array([value for _, value in series.values], dtype=np.float64)
    except ValueError as error:
        raise SourceDownError(f"Prometheus answered with a value that is none: {shortened(str(error))}") from error


def _read(answer: Answer) -> _Matrix:
    try:
        return msgspec.json.decode(answer.content, type=_Matrix)
    except msgspec.DecodeError as error:
        raise SourceDownError(f"{answer.place} answered unlike Prometheus: {shortened(str(error))}") from error


def _told(labels: dict[str, str]) -> str:
    """Labels as Prometheus writes them: metric{label="value"}."""
    inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels.items()) if label != METRIC)
    return labels.get(METRIC, "") + (f"{{{inner}}}" if inner or METRIC not in labels else "")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
