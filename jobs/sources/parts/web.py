"""The client of all sources that ask over HTTP: one request at a time, with manners, under limits, errors in words."""

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from jobs.manners import Manners
from jobs.sources.base import SourceDownError

if TYPE_CHECKING:
    import httpx2

MB = 1_000_000
REDIRECTS = 5
TOLD = 300  # characters of what a server says about an error
OWN_HEADERS = {"User-Agent": "rollcast", "Accept": "application/json, text/csv;q=0.9, */*;q=0.5"}
CONDITIONS = {"if-none-match", "if-modified-since"}
SAID_IN = ("error", "message", "detail", "error_description", "errors", "description", "reason", "msg")


class TooLargeError(SourceDownError):
    """The answer has more bytes than are taken."""


@dataclass(frozen=True)
class Answer:
    """What a server sent with a status of success, or that nothing has changed."""

    place: str  # its host and path: a query may hold secrets
    url: str
    headers: Mapping[str, str]
    content: bytes = b""
    unchanged: bool = False  # 304, to a request with a condition
    redirected: bool = False


class Web:
    """A client for one fetch, and a context.

    timeout: seconds that a server may be silent, and that an answer may take once it has begun. largest: MB that it may
    have, unpacked. A proxy and certificates named in the usual variables (HTTPS_PROXY, SSL_CERT_FILE) are used: that is
    the library's business.
    """

    def __init__(self, manners: Manners, now: datetime, *, timeout: float, largest: float) -> None:
        import httpx2

        self._client = httpx2.Client(timeout=timeout, headers=OWN_HEADERS, verify=_certificates())
        self._manners = manners
        self._now = now
        self._timeout = timeout
        self._largest = largest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for a URL with some parameters more. Raises SourceDownError, and CoolingDownError from manners."""
        import httpx2

        target, sent = httpx2.URL(url).copy_merge_params(params or {}), dict(headers or {})
        for redirects in range(REDIRECTS + 1):
            try:
                answer = self._ask(target, sent, redirected=redirects > 0)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise SourceDownError(f"{_place(target)} {self._in_words(error)}") from error
            if isinstance(answer, Answer):
                return answer
            if not same_server(target, answer):
                sent = {}  # they may hold secrets
            target = answer
        raise SourceDownError(f"{_place(target)} redirects more than {REDIRECTS} times: check the URL")

    def _ask(self, url: "httpx2.URL", headers: Mapping[str, str], *, redirected: bool) -> "Answer | httpx2.URL":
        """One request: the answer, or where to ask instead."""
        host, place = _host(url), _place(url)
        self._manners.ask(host)
        with self._client.stream("GET", url, headers=headers) as response:
            status = response.status_code
            if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                reason = f"{host} {_told(status)}"
                self._manners.troubled(host, reason, _retry_after(response.headers.get("Retry-After"), self._now))
                raise SourceDownError(f"{place} {_told(status)}{self._said(response)}")
            self._manners.answered(host)
            if response.has_redirect_location:
                return url.join(response.headers["Location"])
            if status == HTTPStatus.NOT_MODIFIED and CONDITIONS & {name.lower() for name in headers}:
                return Answer(place, str(url), response.headers, unchanged=True, redirected=redirected)
            if not response.is_success:
                raise SourceDownError(f"{place} {_told(status)}{self._said(response)}")
            content = b"".join(self._read(response, place))
            if _is_page(response.headers.get("Content-Type", ""), content):
                raise SourceDownError(
                    f"{place} answered with a web page instead of data: check the URL, and whether a login is asked for"
                )
            return Answer(place, str(url), response.headers, content, redirected=redirected)

    def _read(self, response: "httpx2.Response", place: str) -> Iterator[bytes]:
        """The body, part by part."""
        until, size = time.monotonic() + self._timeout, 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._largest * MB:
                raise TooLargeError(f"{place} answered with more than {self._largest:g} MB")
            if time.monotonic() > until:
                raise SourceDownError(
                    f"{place} did not end its answer within {self._timeout:g} s, and had sent {size:,} bytes by then"
                )
            yield part

    def _said(self, response: "httpx2.Response") -> str:
        """What the server says about its error, to be put after a message."""
        import httpx2

        content = b""
        try:
            for part in self._read(response, ""):
                content += part
                if len(content) > 100 * TOLD:
                    break
        except (httpx2.HTTPError, SourceDownError):
            return ""
        try:
            told = said(json.loads(content))
        except (ValueError, RecursionError):
            told = (
                "" if _is_page(response.headers.get("Content-Type", ""), content) else content.decode(errors="replace")
            )
        return f"; it says: {told}" if (told := shortened(told)) else ""

    def _in_words(self, error: Exception) -> str:
        """What went wrong with a request, as a predicate of the place that was asked."""
        import httpx2

        match error, _root(error):
            case httpx2.ConnectTimeout(), _:
                return f"cannot be reached within {self._timeout:g} s: check the address, and what lies between"
            case httpx2.TimeoutException(), _:
                return f"did not answer within {self._timeout:g} s: it may be overloaded, or needs a longer timeout"
            case _, socket.gaierror():
                return "cannot be found: check the host's name, and this machine's DNS"
            case _, ConnectionRefusedError():
                return "refuses the connection: check that it is running, and the port"
            case _, ssl.SSLCertVerificationError(verify_message=told):
                return f"shows a certificate that is not trusted: {told}"
            case httpx2.ConnectError(), ssl.SSLError():
                return f"does not speak TLS as expected: check that it is https and not http ({shortened(str(error))})"
            case httpx2.ProxyError(), _:
                return f"cannot be reached through the proxy: {shortened(str(error))}"
            case httpx2.ConnectError(), _:
                return f"cannot be reached: {shortened(str(error))}"
            case httpx2.RemoteProtocolError() | httpx2.ReadError(), _:
                return f"broke off its answer: {shortened(str(error))}"
            case httpx2.DecodingError(), _:
                return f"sent an answer that cannot be unpacked: {shortened(str(error))}"
        return f"cannot be asked: {type(error).__name__}: {shortened(str(error))}"


def check_url(option: str, url: str) -> None:
    """Raise ValueError where it is no http or https URL."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{option} is no URL: expected one as in https://example.org/data.json")


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ValueError where one cannot be sent; its value may be secret and is not told."""
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"headers: {name!r} is no name of a header: expected letters, digits and -")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise ValueError(
                f"headers: the value of {name} has a line break, a blank at an end, or a character beyond ASCII in it"
            )


def check_limits(**limits: float) -> None:
    """Raise ValueError where an option that limits something is not above 0."""
    for option, limit in limits.items():
        if not limit > 0:
            raise ValueError(f"{option} = {limit:g}: expected a number above 0")


def same_server(one: "httpx2.URL", other: "httpx2.URL") -> bool:
    """Whether what is sent to one may be sent to the other: scheme, host and port are alike, or http became https."""
    if one.host != other.host:
        return False
    return (one.scheme, one.port) == (other.scheme, other.port) or (one.scheme, other.scheme) == ("http", "https")


def next_url(answer: Answer, found: str) -> str:
    """The URL of the next page, told as a whole or in part. Raises SourceDownError where that is on another server."""
    import httpx2

    here = httpx2.URL(answer.url)
    try:
        there = here.join(found)
    except httpx2.InvalidURL as error:
        raise SourceDownError(f"{answer.place}: what `next` finds is no URL: {shortened(found)}") from error
    if (here.scheme, there.scheme, here.host) == ("https", "http", there.host):
        there = there.copy_with(scheme="https", port=here.port)  # behind a proxy, servers often do not know better
    if not same_server(here, there):  # it is sent headers, which may hold secrets
        raise SourceDownError(f"{answer.place} has its next page on another server, {_host(there)}: it is not asked")
    return str(there)


def said(document: object) -> str:
    """What a JSON document says about an error, where it has the usual form; else nothing."""
    if isinstance(document, str):
        return document
    if isinstance(document, list):
        return said(document[0]) if document else ""
    if isinstance(document, dict):
        return next((told for key in SAID_IN if key in document and (told := said(document[key]))), "")
    return ""


def shortened(text: str) -> str:
    """A text in one line that is not too long."""
    line = " ".join(text.split())
    return line if len(line) <= TOLD else line[:TOLD] + "…"


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust. Read once: that takes some 20 ms, and all else that a client needs a tenth of one."""
    import httpx2

    return httpx2.create_ssl_context()


def _told(status: int) -> str:
    """What a status means, as a predicate."""
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    match status:
        case 401 | 403:
            return f"answered {name}: the token may have expired; check the variable it comes from"
        case 404 | 410:
            return f"answered {name}: check the URL"
        case 429:
            return f"answered {name}: ask less often, or for less"
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return f"answered {name}: the server is in trouble"
    return f"answered {name}"


def _retry_after(text: str | None, now: datetime) -> timedelta | None:
    """How long a server asks to be left alone: it says so in seconds, or until when."""
    if text is None:
        return None
    try:
        if text.strip().isdigit():
            return timedelta(seconds=int(text))
        until = parsedate_to_datetime(text)
        return (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None


def _is_page(content_type: str, content: bytes) -> bool:
    return "html" in content_type.lower() or content[:100].lstrip().startswith(b"<")


def _root(error: BaseException) -> BaseException:
    """The error that lies at the bottom of one."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def _host(url: "httpx2.URL") -> str:
    return url.host if url.port is None else f"{url.host}:{url.port}"


def _place(url: "httpx2.URL") -> str:
    return _host(url) + url.path
