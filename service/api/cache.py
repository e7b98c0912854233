"""The same question, asked again while nothing was written, gets the same bytes.

Half of what a question costs is finding the code that answers it, most of the rest reading the database. So answers are
kept here, in front of all that, as the bytes that go out: compressed or not, with their ETag. SQLite tells in
microseconds whether anything was committed since (`PRAGMA data_version`). Those who ask the same at once wait for one
answer.

As many answers depend on the time, they are kept for the second in which they were made; longer where the answer says
until when time alone makes nothing of it but greater ages (the header UNTIL, which stays here): those are counted on.
"""

import asyncio
import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.negotiation import wants_csv, wants_gzip

COMPRESSED_FROM = 1_000  # bytes; below it costs more than it saves
COMPRESSION = 5
KEPT = 32_000_000  # bytes of answers
LONGEST_QUESTION = 1_000  # bytes; longer ones are answered, not kept
AROUND = LONGEST_QUESTION + 1_500  # bytes that an answer takes besides its own, at most
LARGE = 100_000  # bytes: what is done to so many is not done in the loop, which all others wait for

# They grow by themselves: an answer whose ages alone are others is the same.
AGE = rb'"(?:data_age|data|forecast|model)_s":'
AGES = re.compile(rb"(%s)(\d+)" % AGE)
# Likewise the moment as of which it is told, where none was asked for; one that was is in the question.
MOMENTS = re.compile(rb'%s\d+|"as_of":"[^"]*"' % AGE)
LENGTH = b"content-length"
OF_THE_BODY = (LENGTH, b"content-type", b"content-encoding")
UNTIL = "rollcast-until"  # seconds since 1970

Headers = list[tuple[bytes, bytes]]
Question = tuple[str, bytes, bool, bool]  # path, query, whether compressed, whether as CSV
Moment = tuple[tuple[object, ...], int]  # what is the case, and the second


@dataclass(frozen=True)
class Kept:
    """An answer, ready to go out."""

    second: int  # in which it was made, or its ages were counted on last
    until: float  # when time alone makes another of it, but for ages
    status: int
    headers: Headers
    plain: bytes  # before it is compressed
    body: bytes
    etag: bytes

    @property
    def size(self) -> int:
        """In bytes, about, with its question."""
        return AROUND + len(self.plain) + (len(self.body) if self.body is not self.plain else 0)

    def at(self, second: int) -> "Kept":
        """The same with its ages of a later second."""
        later = second - self.second
        plain = AGES.sub(lambda age: age[1] + b"%d" % (int(age[2]) + later), self.plain)
        # Compressed or not as before, whatever its length is now: the headers say which.
        body = plain if self.body is self.plain else gzip.compress(plain, COMPRESSION)
        headers = [item for item in self.headers if item[0] != LENGTH] + [_length(body)]
        return replace(self, second=second, plain=plain, body=body, headers=headers)


class Cache:
    """ASGI middleware for what lies under a prefix, but one path.

    moment: what an answer depends on besides its question and the time, compared by equality; clock: seconds since
    1970.
    """

    def __init__(
        self,
        app: ASGIApp,
        moment: Callable[[], tuple[object, ...]],
        clock: Callable[[], float],
        prefix: str,
        but: str,
    ) -> None:
        self._app = app
        self._moment = moment
        self._clock = clock
        self._prefix, self._but = prefix, but
        self._at: tuple[object, ...] = ()  # the moment that what is kept is of
        self._kept: dict[Question, Kept] = {}
        self._size = 0
        self._asked: dict[Question, tuple[Moment, asyncio.Task[Kept]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or ask the app and keep what it says."""
        if not (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and scope["path"].startswith(self._prefix)
            and scope["path"] != self._but
        ):
            await self._app(scope, receive, send)
            return
        asked: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _HEADERS:
                asked.setdefault(name, value)  # of several the first one counts, as for those who answer
        zipped = wants_gzip(asked.get(b"accept-encoding", b"").decode("latin-1"))
        csv = wants_csv(asked.get(b"accept", b"").decode("latin-1"))
        moment, now = self._moment(), self._clock()
        if moment != self._at:
            self._at, self._kept, self._size = moment, {}, 0
        question = (scope["path"], scope["query_string"], zipped, csv)
        kept = self._kept.get(question)
        if kept is None or not kept.second <= now < max(kept.second + 1, kept.until):
            kept = await self._ask(question, (moment, int(now)), scope, zipped)
        elif now >= kept.second + 1:
            large = len(kept.plain) > LARGE
            kept = await asyncio.to_thread(kept.at, int(now)) if large else kept.at(int(now))
            self._keep(moment, question, kept)
        await _send(kept, asked.get(b"if-none-match", b""), send)

    async def _ask(self, question: Question, moment: Moment, scope: Scope, zipped: bool) -> Kept:
        asked_at, asking = self._asked.get(question, (None, None))
        if asking is None or asked_at != moment:
            asking = asyncio.ensure_future(self._answer(question, moment, scope, zipped))
            self._asked[question] = (moment, asking)
            asking.add_done_callback(partial(self._forget, question))
        return await asyncio.shield(asking)  # whoever goes away must not take it from the others

    def _forget(self, question: Question, done: asyncio.Task[Kept]) -> None:
        if self._asked.get(question, (None, None))[1] is done:
            del self._asked[question]

    async def _answer(self, question: Question, moment: Moment, scope: Scope, zipped: bool) -> Kept:
        start, body = await _heard(self._app, scope)
        told = dict(start["headers"])
        # Where the clock went on meanwhile, nobody knows of which second the ages are.
        until = float(told.get(UNTIL.encode(), 0)) if int(self._clock()) == moment[1] else 0.0
        headers: Headers = [item for item in told.items() if item[0] not in (LENGTH, UNTIL.encode())]
        plain, zipped = body, zipped and len(body) >= COMPRESSED_FROM
        long = zipped or len(body) > LARGE
        etag, body = await asyncio.to_thread(_dressed, body, zipped) if long else _dressed(body, zipped)
        if zipped:
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"vary", b"Accept, Accept-Encoding, Authorization"))
        if start["status"] == 200:
            headers += [(b"etag", etag), (b"cache-control", b"private, no-cache")]
        headers.append(_length(body))
        kept = Kept(moment[1], until, start["status"], headers, plain, body, etag)
        short = len(scope["path"]) + len(scope["query_string"]) <= LONGEST_QUESTION
        if kept.status == 200 and short and kept.size <= KEPT // 4:
            self._keep(moment[0], question, kept)
        return kept

    def _keep(self, moment: tuple[object, ...], question: Question, kept: Kept) -> None:
        if moment != self._at:  # something was committed while it was made
            return
        before = self._kept.pop(question, None)
        self._size += kept.size - (before.size if before else 0)
        if self._size > KEPT:  # most of it is of seconds that have passed
            self._kept, self._size = {}, kept.size
        self._kept[question] = kept


_HEADERS = frozenset((b"accept", b"accept-encoding", b"if-none-match"))


def _length(body: bytes) -> tuple[bytes, bytes]:
    return LENGTH, str(len(body)).encode()


def _dressed(body: bytes, zipped: bool) -> tuple[bytes, bytes]:
    """An answer's ETag, and its body as it goes out."""
    digest = hashlib.blake2b(MOMENTS.sub(b"", body), digest_size=12).hexdigest()
    return f'W/"{digest}"'.encode(), gzip.compress(body, COMPRESSION) if zipped else body


async def _send(kept: Kept, known: bytes, send: Send) -> None:
    """Send an answer, or that it is what the asker knows."""
    status, headers, body = kept.status, kept.headers, kept.body
    if status == 200 and known and (known == b"*" or kept.etag[2:] in known):  # compared weakly, without the W/
        status, body = 304, b""
        headers = [item for item in headers if item[0] not in OF_THE_BODY]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _heard(app: ASGIApp, scope: Scope) -> tuple[Message, bytes]:
    """What the app would send."""
    start: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        if start.get("status", 0) < 500:  # else it has logged what went wrong, and said so
            raise
    return start, b"".join(parts)
