"""Another configuration for a running daemon: asked for by SIGHUP, or seen in its file.

The new one is checked before anything is touched. Where it is wrong, the last good one stays, and the log says why.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from jobs.changes import Changes
from jobs.panel import Panel
from service.complaints import SettingsError
from service.exposure import token_of
from service.logs import Log
from service.notify import Notifier
from service.settings import Settings

log = logging.getLogger("rollcast")

LOOK_EVERY = 1.0  # seconds

Asked = queue.SimpleQueue[Literal["reload", "stop"]]  # the one thing that a signal handler may put into at any time


class Reloading:
    """A thread that reloads the configuration.

    asked: what is put there asks for it; load: reads and checks it; take: goes on with its panels; watch: whether to
    look at the file too.
    """

    def __init__(
        self,
        settings: Settings,
        asked: Asked,
        load: Callable[[], Settings],
        take: Callable[[Sequence[Panel]], Changes],
        lines: Log,
        notifier: Notifier,
        *,
        watch: bool,
    ) -> None:
        self._at_start = _fixed(settings)
        self._load = load
        self._take = take
        self._lines = lines
        self._notifier = notifier
        self._watched = _Watched(settings.file) if watch else None
        self._asked = asked
        self._thread = threading.Thread(target=self._run, name="reloading", daemon=True)

    def start(self) -> None:
        """Begin to listen, and to look."""
        self._thread.start()

    def stop(self) -> None:
        """Reload no more; one under way may end."""
        self._asked.put("stop")

    def _run(self) -> None:
        while (word := self._next()) != "stop":
            if word == "reload" or (self._watched is not None and self._watched.has_changed()):
                self._reload()

    def _next(self) -> Literal["reload", "stop"] | None:
        """What was asked for; None where it is time to look at the file. Of several requests at once one is enough."""
        try:
            words = [self._asked.get(timeout=None if self._watched is None else LOOK_EVERY)]
        except queue.Empty:
            return None
        while not self._asked.empty():
            words.append(self._asked.get())
        return "stop" if "stop" in words else "reload"

    def _reload(self) -> None:
        with self._notifier.reloading():
            try:
                log.info("configuration taken; %s", self._reloaded())
            except SettingsError as error:
                told = " ".join(str(error).split())
                log.error("the new configuration is wrong, so the last good one stays: %s", told)
            except Exception:
                log.exception("the new configuration cannot be taken, so the last good one stays")

    def _reloaded(self) -> str:
        """Take the configuration; returns in words what is different. Raises SettingsError."""
        if self._watched is not None:
            self._watched.note()
        settings = self._load()
        token_of(settings.api)
        panels = settings.build_panels()
        self._lines.take(settings, panels)
        told = [str(self._take(panels))]
        later = [key for key, value in _fixed(settings).items() if value != self._at_start[key]]
        if later:
            told.append(f"{', '.join(later)} {'takes' if len(later) == 1 else 'take'} effect at the next start")
        return "; ".join(told)


def _fixed(settings: Settings) -> dict[str, object]:
    """What cannot change while the daemon runs, by its key."""
    return {
        "data_dir": settings.data_dir.absolute(),
        "database.url": settings.database.url,
        "api.host": settings.api.host,
        "api.port": settings.api.port,
        "api.token": settings.api.token,
        "api.cors": settings.api.cors,
        "workers": settings.workers,
        "refit_timeout": settings.refit_timeout,
    }


class _Watched:
    """A file's content, looked at now and then. It has changed once the new one was seen twice: an editor may be in the
    middle of writing it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.note()

    def note(self) -> None:
        """What stands there now is known."""
        self._known = self._seen = self._content()

    def has_changed(self) -> bool:
        """Whether it is other than what is known, and the same as the last time."""
        before, self._seen = self._seen, self._content()
        return self._seen == before != self._known

    def _content(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except OSError:
            return None
