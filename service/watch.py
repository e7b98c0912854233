"""The watch: tells whenever the state of a series becomes another, be it by what was learnt or because time passed.

Every other second it asks the database, in well under a millisecond, which panels something happened in, and judges
those anew, and those that time alone may have changed. A panel that is being scored or forecast is judged when that is
done: between an observation and its forecast a series is stale for a moment, which is no news. Only another status is
told; what was told last is in the table of events, so that a restart repeats nothing.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.exc import OperationalError

from db import queries
from db.engine import Sessions, reading, writing
from jobs.events import StateChanged
from jobs.fetch import one_line
from jobs.panel import Clock
from service.answers import Panels
from service.answers.seeing import see

log = logging.getLogger("rollcast")

EVERY = timedelta(seconds=2)
AFTER_A_FAILURE = timedelta(seconds=30)
PATIENCE = timedelta(seconds=30)  # that a panel may stay restless for before it is judged all the same
SURE = 3  # looks in a row at which a restless panel's series must be in another state before that is told
ALL_AGAIN = timedelta(minutes=10)  # for what leaves no trace, as another configuration
CHAIN = ("score", "forecast")  # the jobs that follow a fetch
TOGETHER = 200  # series read at once
STOPPING = timedelta(seconds=1)


class Judged(NamedTuple):
    """A series' state, and after which moment time alone makes another of it."""

    panel: str
    series: str
    status: str
    reason: str
    until: datetime | None


Judge = Callable[[Collection[str]], Iterable[Judged]]  # of the series of some panels


def judge_of(sessions: Sessions, panels: Callable[[], Panels], clock: Clock) -> Judge:
    """Judges as the API answers. panels: those configured now."""

    def judge(names: Collection[str]) -> Iterator[Judged]:
        configured = panels()
        for name in configured.keys() & names:
            with sessions() as session:
                series = queries.series_of_panel(session, name)
                for first in range(0, len(series), TOGETHER):
                    for seen in see(session, configured, series[first : first + TOGETHER], clock()):
                        state = seen.state
                        yield Judged(name, seen.series.name, state.status, state.reason, state.until)

    return judge


class Watch:
    """Looks after the states in a thread of its own, from start to stop. `sessions` may write."""

    def __init__(self, sessions: Sessions, judge: Judge, clock: Clock) -> None:
        self._sessions = sessions
        self._judge = judge
        self._clock = clock
        self._statuses: dict[str, str] | None = None  # by series, as told last; None: nobody has looked yet
        self._until: dict[str, datetime] = {}  # by panel: after when time alone changes one of its states
        self._marks: dict[str, tuple[object, ...]] = {}  # by panel, see source_marks
        self._event = 0  # the newest seen
        self._waiting: dict[str, datetime] = {}  # panels to be judged, and since when they wait
        self._doubted: dict[str, tuple[str, int]] = {}  # series of restless panels: another status, seen how often
        self._all_at: datetime | None = None  # when all were asked for last
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(STOPPING.total_seconds())

    def _run(self) -> None:
        pause = timedelta(0)
        while not self._stopping.wait(pause.total_seconds()):
            try:
                self.look()
                pause = EVERY
            except OperationalError as error:  # a full disk, say: whoever watches must not stop because of it
                pause = AFTER_A_FAILURE
                told = one_line(error)
                log.error("cannot tell which series are in another state: %s; again in %d s", told, pause.seconds)
            except Exception:  # likewise
                pause = AFTER_A_FAILURE
                log.exception("cannot tell which series are in another state; again in %d s", pause.seconds)

    def look(self) -> None:
        """Judge what may have changed since the last look, and tell what has."""
        now = self._clock()
        with reading(self._sessions) as session:
            newest, marks = queries.newest_event(session), queries.source_marks(session)
            if self._statuses is None:
                self._statuses, self._event = queries.newest_states(session), newest
            stirred = queries.stirred_panels(session, self._event)
            at_work = queries.panels_at_work(session, CHAIN)
        changed = {panel for panel in marks if marks[panel] != self._marks.get(panel)}
        elapsed = {panel for panel, until in self._until.items() if now > until}
        for panel in changed | elapsed | stirred | (marks.keys() if self._all_are_due(now) else set()):
            self._waiting.setdefault(panel, now)
        self._event, self._marks = newest, marks
        restless = stirred | at_work
        ready = {panel for panel, since in self._waiting.items() if panel not in restless or now - since >= PATIENCE}
        if ready:
            doubtful = self._tell(ready, restless, self._statuses)
            for panel in ready - doubtful:
                del self._waiting[panel]

    def _all_are_due(self, now: datetime) -> bool:
        """Whether it is time to judge all; also where the clock was set back."""
        if self._all_at is not None and timedelta(0) <= now - self._all_at < ALL_AGAIN:
            return False
        self._all_at = now
        return True

    def _tell(self, panels: Collection[str], restless: Collection[str], statuses: dict[str, str]) -> set[str]:
        """Judge the series of some panels, and tell of those with another status. Returns panels that are in doubt."""
        judged = list(self._judge(panels))
        changed, doubtful = [], set[str]()
        for each in judged:
            if statuses.get(each.series) == each.status:
                self._doubted.pop(each.series, None)
            elif each.panel in restless and not self._is_sure(each):
                doubtful.add(each.panel)
            else:
                changed.append(each)
        if changed:
            told = [
                StateChanged(each.status, each.reason, statuses.get(each.series)).of(each.panel, each.series)
                for each in changed
            ]
            with writing(self._sessions) as session:
                queries.add_events(session, told, self._clock())
            for each in changed:
                statuses[each.series] = each.status
                self._doubted.pop(each.series, None)
        for panel in panels:
            moments = [each.until for each in judged if each.panel == panel and each.until is not None]
            self._until.pop(panel, None)
            if moments:
                self._until[panel] = min(moments)
        return doubtful

    def _is_sure(self, judged: Judged) -> bool:
        """Whether this look, too, finds a restless panel's series so: it may have come between two jobs of a chain."""
        status, times = self._doubted.get(judged.series, (judged.status, 0))
        times = times + 1 if status == judged.status else 1
        self._doubted[judged.series] = judged.status, times
        return times >= SURE
