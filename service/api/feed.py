"""The feed: events as they are written, for any number of listeners.

While anybody listens one task a process asks the table what is new, encodes each event once and keeps the newest in
memory. A listener is no more than a place in that row, so hundreds cost little, and one that reads slowly costs no more
than one that keeps up: what it comes too late for it reads from the table, and what that no longer holds it is told to
read anew (`reset`).

Every listener is told at once, and with each comment, which event it has come to, so that it can go on from there even
if no event was for it.
"""

import asyncio
import logging
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from db import queries
from db.engine import Sessions
from db.queries import EVENTS_KEPT, EventRow

log = logging.getLogger("rollcast")

POLL = 0.25  # seconds between two questions to the database
COMMENT_EVERY = 15.0  # seconds
IN_MEMORY = 2_000  # events, at the least
AT_ONCE = 100  # events read or sent together: as much as may lie in front of a listener that does not read


class Encoded(NamedTuple):
    """An event, ready to go out."""

    id: int
    kind: str
    panel: str
    series: str | None
    body: bytes


@dataclass(frozen=True)
class Wanted:
    """Which events a listener wants: of these panels, series and kinds; all where none is named."""

    panels: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    def takes(self, event: Encoded) -> bool:
        """Whether an event is one of them."""
        return (
            (not self.panels or event.panel in self.panels)
            and (not self.series or event.series in self.series)
            and (not self.kinds or event.kind in self.kinds)
        )


class Feed:
    """The events of a database for the listeners of one event loop.

    sessions: may be read-only; is_stopping: whether the server is about to end, and every listener with it.
    """

    def __init__(self, sessions: Sessions, is_stopping: Callable[[], bool]) -> None:
        self.listeners = 0
        self._sessions = sessions
        self._is_stopping = is_stopping
        self._ring: list[Encoded] = []  # all events after _begins up to _ends
        self._begins = self._ends = 0
        self._news = asyncio.Event()  # another one each time that it was set
        self._comments = 0  # that have been due
        self._reading: asyncio.Task[None] | None = None

    async def listen(self, wanted: Wanted, newest: int, after: int | None = None) -> AsyncGenerator[bytes, None]:
        """What to send to a listener, as long as it listens.

        newest: the event that is the newest when it begins; after: the one to go on after, if not that.
        """
        with self._listening(newest):
            if after is None or _is_kept(after, newest):
                position = newest if after is None else after
                yield _comment(position)
            else:
                position = newest
                yield _reset(position)
            comments = self._comments
            while not self._is_stopping():
                news = self._news  # what comes from here on sets it
                if not _is_kept(position, max(position, self._ends)):
                    position = self._ends
                    yield _reset(position)
                try:
                    found = await self._after(position)
                except SQLAlchemyError:  # the listener comes back; meanwhile the log says what is wrong
                    return
                position = found[-1].id if found else position
                if told := b"".join(event.body for event in found if wanted.takes(event)):
                    yield told
                elif comments != self._comments:
                    yield _comment(position)
                comments = self._comments
                if not found:
                    await news.wait()

    @contextmanager
    def _listening(self, newest: int) -> Iterator[None]:
        if self._reading is None:
            self._ring, self._begins, self._ends = [], newest, newest
            self._reading = asyncio.create_task(self._read())
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    async def _after(self, position: int) -> Sequence[Encoded]:
        """The next few events after a position."""
        if position < self._begins:
            return await asyncio.to_thread(self._stored_after, position)
        first = bisect_right(self._ring, position, key=lambda event: event.id)
        return self._ring[first : first + AT_ONCE]

    def _stored_after(self, position: int) -> list[Encoded]:
        with self._sessions() as session:
            return [_encoded(row) for row in queries.events_after(session, position, AT_ONCE)]

    async def _read(self) -> None:
        """Take in what is written, until nobody listens any more or the server stops."""
        clock = asyncio.get_running_loop().time
        comment_at, fails = clock() + COMMENT_EVERY, False
        while self.listeners and not self._is_stopping():
            found: list[Encoded] = []
            try:
                found = await asyncio.to_thread(self._stored_after, self._ends)
                fails = False
            except Exception:  # whatever it is: nobody would hear anything again
                if not fails:
                    log.exception("the event stream cannot read the database; trying again")
                fails = True
            self._take(found)
            if is_due := clock() >= comment_at:
                self._comments += 1
                comment_at += COMMENT_EVERY
            if found or is_due:
                self._wake()
            await asyncio.sleep(0.0 if len(found) == AT_ONCE else POLL)
        self._reading = None
        self._wake()

    def _take(self, found: Sequence[Encoded]) -> None:
        if found:
            self._ring += found
            self._ends = found[-1].id
        if len(self._ring) > 2 * IN_MEMORY:
            self._begins = self._ring[-IN_MEMORY - 1].id
            del self._ring[:-IN_MEMORY]

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _is_kept(position: int, newest: int) -> bool:
    """Whether all that came after an event is there; not so where no event of this database can have been that."""
    return newest - EVENTS_KEPT <= position <= newest


def _encoded(row: EventRow) -> Encoded:
    told: dict[str, Any] = {"kind": row.kind, "panel": row.panel, "series": row.series, "at": row.at}
    data = msgspec.json.encode(told | msgspec.json.decode(row.data))
    body = b"id: %d\nevent: %b\ndata: %b\n\n" % (row.id, row.kind.encode(), data)
    return Encoded(row.id, row.kind, row.panel, row.series, body)


def _comment(position: int) -> bytes:
    """A sign of life, which says where the listener stands; no event for whoever listens."""
    return b": here\nid: %d\n\n" % position


def _reset(position: int) -> bytes:
    told = b'{"kind":"reset","reason":"events are missing here: read everything anew"}'
    return b"id: %d\nevent: reset\ndata: %b\n\n" % (position, told)
