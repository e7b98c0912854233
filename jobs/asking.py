"""Asking a source under a time limit on its silence.

A source may hang: a file on a dead network share, a client without timeouts. So each panel's source is asked in a
thread of its own, which is left behind where it gives no sign of life. While it hangs, the source is not asked again.
"""

import logging
import queue
import threading
from collections.abc import Iterator
from datetime import timedelta

from jobs.sources.base import Delivery, Request, Source, SourceDownError

log = logging.getLogger("rollcast")

WAITING = 2  # deliveries that the source may be ahead
ENDING = 1.0  # seconds that a thread may take to notice that nobody waits for it any more


class Asking:
    """The threads in which sources are asked, one a source."""

    def __init__(self) -> None:
        self._threads: dict[int, _SourceThread] = {}  # by their sources' identity

    def deliveries(self, panel: str, source: Source, request: Request, limit: timedelta) -> Iterator[Delivery]:
        """What the source brings, one after the other. Raises what it raises; SourceDownError after silence."""
        thread = self._threads.get(id(source))
        if thread is not None and not thread.idle.wait(ENDING):
            raise SourceDownError("an earlier request still hangs; it is asked again once that has ended")
        if thread is None:
            thread = self._threads[id(source)] = _SourceThread(panel, source)
            thread.start()
        asked = _Asked(source, request)
        thread.idle.clear()
        thread.inbox.put(asked)
        try:
            while True:
                try:
                    answer = asked.answers.get(timeout=limit.total_seconds())
                except queue.Empty:
                    raise SourceDownError(f"no answer within {limit.total_seconds():g} s") from None
                if isinstance(answer, _End):
                    return
                if isinstance(answer, Exception):
                    raise answer
                yield answer
        finally:
            asked.abandoned.set()

    def leave(self, source: Source) -> None:
        """Ask a source no more: once it is idle it is closed, where it can be, and its thread ends."""
        thread = self._threads.pop(id(source), None)
        if thread is not None:
            thread.inbox.put(None)
            thread.join(ENDING)


class _End:
    """Nothing more comes."""


_Sign = Delivery | Exception | _End


class _Asked:
    """One request, and what came of it: deliveries, then an error or the end."""

    def __init__(self, source: Source, request: Request) -> None:
        self.answers: queue.Queue[_Sign] = queue.Queue(WAITING)
        self.abandoned = threading.Event()
        self._source = source
        self._request = request

    def run(self) -> None:
        try:
            for delivery in self._source.fetch(self._request):
                if not self._answer(delivery):
                    return
            self._answer(_End())
        except Exception as error:  # it is raised where the source was asked
            self._answer(error)
        except BaseException as error:  # a source must not end the daemon, nor its own thread
            self._answer(SourceDownError(f"the source ended with {type(error).__name__} instead of an answer"))

    def _answer(self, answer: _Sign) -> bool:
        """Hand over, waiting while too many wait. Returns whether anybody still takes it."""
        while not self.abandoned.is_set():
            try:
                self.answers.put(answer, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False


class _SourceThread(threading.Thread):
    """Asks one panel's source, one request after the other: some clients want to stay in one thread."""

    def __init__(self, panel: str, source: Source) -> None:
        super().__init__(name=f"source of {panel}", daemon=True)
        self.inbox: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()  # None: nothing more comes
        self.idle = threading.Event()
        self._panel = panel
        self._source = source  # held, so that no other one can have its identity

    def run(self) -> None:
        while (asked := self.inbox.get()) is not None:
            asked.run()
            self.idle.set()
        close = getattr(self._source, "close", None)  # of one that listens by itself, as to a broker
        try:
            if close is not None:
                close()
        except Exception:  # a source of somebody else's may raise anything
            log.exception("%s  its former source cannot be closed", self._panel)
