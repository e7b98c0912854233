"""Series from JSON or CSV over HTTP: the whole of a document, or what is new, page by page.

What is asked for is a URL with parameters and headers, in which {since} and {until} stand for moments, in the rows'
time format or, as {since:%Y-%m-%d}, in another. Where {since} stands nowhere the whole document is taken each time, and
the server is asked whether it has changed at all, if it says how to.

There are two ways of paging. With `next`, each page says what the next one is: a cursor, which is put in the place of
{cursor}, or where that stands nowhere a URL. With `page_size`, after a page of so many rows it goes on from the newest
time in it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, unquote, urlsplit

from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.parts.documents import (
    Format,
    Layout,
    csv_columns,
    format_of,
    found_in,
    json_columns,
    read_json,
)
from jobs.sources.parts.rows import Columns, check_time_format, expression, series_of, time_told
from jobs.sources.parts.web import Answer, Web, check_headers, check_limits, check_url, next_url

if TYPE_CHECKING:
    import pandas as pd

PLACEHOLDER = re.compile(r"\{(since|until|cursor)(?::([^{}]+))?\}")
SUFFIX = re.compile(r"\.(csv|json|txt)$")
CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}  # the better one first


@dataclass(frozen=True)
class _Place:
    """Where a page is: from when on to ask, and after the first one with which cursor, or at which URL."""

    since: datetime
    cursor: str | None = None
    url: str | None = None


@dataclass
class _Page:
    """What is known of a page once it is read."""

    document: Any = None  # of JSON
    rows: int = 0
    newest: datetime | None = None


@dataclass
class HttpSource:
    """JSON or CSV over HTTP."""

    url: Annotated[str, "where to ask; may hold {since} and {until}"]
    format: Annotated[Format | None, "json or csv; by default what the answer is"] = None
    rows: Annotated[str, "JMESPath to the rows: a list, or an object of columns"] = "@"
    id: Annotated[str | None, "JMESPath or column of a row's series; by default unique_id, if there is one"] = None
    time: Annotated[str, "JMESPath or column of a row's time"] = "ds"
    value: Annotated[str, "JMESPath or column of a row's value"] = "y"
    name: Annotated[str | None, "of the one series where rows have no id; by default the end of the URL's path"] = None
    time_format: Annotated[str, "auto, iso, unix, unix_ms, unix_us, unix_ns, or strptime's as in %d.%m.%Y"] = "auto"
    params: Annotated[
        dict[str, str | int | float | bool], "added to the URL; may hold {since}, {until} and {cursor}"
    ] = field(default_factory=dict)
    headers: Annotated[dict[str, str], "sent with each request; may hold the same"] = field(default_factory=dict)
    next: Annotated[str | None, "JMESPath in a page to the next one: its {cursor}, or its URL"] = None
    page_size: Annotated[int | None, "rows of a full page; after one it goes on from the newest time"] = None
    max_pages: Annotated[int, "pages that one fetch reads at most"] = 1000
    timeout: Annotated[float, "seconds that the server may be silent, or take for an answer"] = 60.0
    max_mb: Annotated[float, "MB that an answer may have"] = 64.0

    def __post_init__(self) -> None:
        check_url("url", PLACEHOLDER.sub("x", self.url))
        check_headers({name: PLACEHOLDER.sub("x", value) for name, value in self.headers.items()})
        check_limits(timeout=self.timeout, max_mb=self.max_mb, max_pages=self.max_pages)
        if self.page_size is not None:
            check_limits(page_size=self.page_size)
        expression("rows", self.rows)
        check_time_format("time_format", self.time_format)
        self._layout = Layout(self.rows, self.id, self.time, self.value, self.name or _end_of(self.url))
        if self.format == "json":
            self._layout.check_paths()
        texts = [self.url, *map(str, self.params.values()), *self.headers.values()]
        found = [match for text in texts for match in PLACEHOLDER.finditer(text)]
        for match in found:
            check_time_format(match[0], match[2] or "auto")
        self._placeholders = {match[1] for match in found}
        self._check_paging()

    def _check_paging(self) -> None:
        if self.next is not None:
            expression("next", self.next)
            if self.page_size is not None or self.format == "csv":
                raise ValueError("next is for JSON, and without page_size: pages are found by one of the two")
        if self.page_size is not None and "since" not in self._placeholders:
            raise ValueError("page_size goes on from a page's newest time: expected {since} in url, params or headers")
        if "cursor" in self._placeholders and self.next is None:
            raise ValueError("{cursor} stands for what `next` finds: expected `next`, a JMESPath")
        if any(match[1] == "cursor" for match in PLACEHOLDER.finditer(self.url)):
            raise ValueError("url holds {cursor}, which the first page has not: expected it in params or headers")

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """The document, or page after page of it."""
        place: _Place | None = _Place(request.start)
        seen: set[_Place] = set()
        unusable: Counter[str] = Counter()
        usable = False
        with Web(request.manners, request.now, timeout=self.timeout, largest=self.max_mb) as web:
            while place is not None:
                seen.add(place)
                answer = web.get(*self._asked(place, request))
                if answer.unchanged:
                    yield Delivery(unchanged=True, state=request.state)
                    return
                page = _Page()
                for delivery in self._deliveries(answer, page, request):
                    usable |= bool(delivery.values)
                    unusable.update(delivery.dropped)
                    yield delivery
                place = self._next_place(place, page, answer)
                if place in seen:
                    raise SourceDownError(f"{answer.place} leads back to a page that was read already: check `next`")
                if place is not None and len(seen) >= self.max_pages:
                    raise SourceDownError(f"{answer.place} has more than {self.max_pages:,} pages: raise max_pages")
        if not usable:
            told = ", ".join(f"{count:,} {what}" for what, count in unusable.items())
            raise SourceDownError(f"{answer.place} answered without " + (f"usable rows: {told}" if told else "rows"))

    def _asked(self, place: _Place, request: Request) -> tuple[str, dict[str, str], dict[str, str]]:
        """The URL, parameters and headers to ask with."""
        headers = self._filled(self.headers, place, request)
        if self._is_whole() and (known := [name for name in CONDITIONS if name in request.state]):
            headers[CONDITIONS[known[0]]] = str(request.state[known[0]])
        if place.url is not None:
            return place.url, {}, headers
        url = PLACEHOLDER.sub(lambda match: quote(self._meant(match, place, request), safe=":"), self.url)
        return url, self._filled(self.params, place, request), headers

    def _filled(self, texts: Mapping[str, object], place: _Place, request: Request) -> dict[str, str]:
        """Texts by name, with what their placeholders mean; without those for a cursor where there is none."""
        return {
            name: PLACEHOLDER.sub(lambda match: self._meant(match, place, request), _text(text))
            for name, text in texts.items()
            if place.cursor is not None or "{cursor}" not in _text(text)
        }

    def _meant(self, match: re.Match[str], place: _Place, request: Request) -> str:
        if match[1] == "cursor":
            return place.cursor or ""
        moment = place.since if match[1] == "since" else request.now
        return time_told(moment, match[2] or self.time_format, request.tz)

    def _is_whole(self) -> bool:
        """Whether one answer holds all there is, and the next one would be the same if nothing had changed."""
        return not self._placeholders and self.next is None

    def _next_place(self, place: _Place, page: _Page, answer: Answer) -> _Place | None:
        """Where the next page is; None after the last one."""
        if self.next is not None:
            found = found_in(page.document, "next", self.next, answer.place)
            if not found:
                return None
            if "cursor" in self._placeholders:
                return replace(place, cursor=str(found))
            return replace(place, url=next_url(answer, str(found)))
        if self.page_size is None or page.rows < self.page_size or page.newest is None:
            return None
        if page.newest <= place.since:
            raise SourceDownError(
                f"{answer.place} filled a page with {page.rows:,} rows of which none is newer than"
                f" {place.since:%Y-%m-%d %H:%M:%S}Z: ask for larger pages"
            )
        return _Place(page.newest)

    def _deliveries(self, answer: Answer, page: _Page, request: Request) -> Iterator[Delivery]:
        """What an answer holds; what there is to know of the page is noted in it."""
        for columns, left_out in self._columns(answer, page):
            values, dropped = series_of(columns, self.time_format)
            dropped += left_out
            page.rows += len(columns.times)
            page.newest = max(filter(None, [page.newest, _newest(values, request.tz)]), default=None)
            if values or dropped:
                yield Delivery(values, dropped=dropped, state=self._state(answer, page, request))

    def _columns(self, answer: Answer, page: _Page) -> Iterable[tuple[Columns, Counter[str]]]:
        if (self.format or format_of(answer)) == "csv":
            return csv_columns(answer, self._layout)
        page.document = read_json(answer)
        return [(json_columns(page.document, self._layout, answer.place), Counter())]

    def _state(self, answer: Answer, page: _Page, request: Request) -> dict[str, str]:
        """The answer's validators, unless the same answer might bring more next time: what is still forming now."""
        closed = page.newest is not None and page.newest < request.open_from
        if not closed or not self._is_whole() or answer.redirected:
            return {}
        return {name: answer.headers[name] for name in CONDITIONS if name in answer.headers}


def _end_of(url: str) -> str:
    """The last part of a URL's path that says something, or the host."""
    parts = urlsplit(url)
    ends = [unquote(part) for part in parts.path.split("/") if part and "{" not in part]
    return SUFFIX.sub("", ends[-1]) if ends else str(parts.hostname)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _newest(values: "Mapping[str, pd.Series[float]]", tz: tzinfo | None) -> datetime | None:
    """The newest time of some series; those without a zone are in `tz`."""
    newest = max((series.index.max() for series in values.values()), default=None)
    if newest is None:
        return None
    if newest.tzinfo is None:
        newest = newest.tz_localize(tz or UTC, ambiguous=True, nonexistent="shift_forward")
    found: datetime = newest.to_pydatetime().astimezone(UTC)
    return found
