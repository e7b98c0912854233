"""Tells the service manager how the daemon stands (see sd_notify(3)): that it is ready, lives, reloads, or ends.

Where no service manager asks for that, nothing is said.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

log = logging.getLogger("rollcast")

BEAT = 1.0  # seconds
STATUS_EVERY = 10.0  # seconds
PATIENCE = 1.0  # seconds that the manager may take to make room for a message


class Notifier:
    """The line to the service manager, as the environment names it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "")
        asked = int(microseconds) if ours and microseconds.isdecimal() else 0
        self.watchdog = asked / 1e6 or None  # seconds in which it wants to hear something; None: it does not listen
        self._is_ready = False
        self._broken = False

    def __bool__(self) -> bool:
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Send one message. A manager that does not listen is no reason to stop."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(PATIENCE)
                line.sendto("\n".join(lines).encode(), self._address)
                self._broken = False
        except OSError as error:
            if not self._broken:
                log.warning("the service manager does not listen at NOTIFY_SOCKET: %s", error)
            self._broken = True

    def ready(self) -> None:
        """The daemon does what it is there for."""
        self._is_ready = True
        self.tell("READY=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Something is reloaded in the meantime. Nothing to tell before the daemon is ready."""
        was_ready = self._is_ready
        if was_ready:
            self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            if was_ready:
                self.ready()

    def stopping(self) -> None:
        """The end begins."""
        self.tell("STOPPING=1")


class Keeper:
    """A thread that tells the manager once the daemon is well, and from then on that it still is.

    A daemon that is not well is silent: the manager's watchdog ends it, and starts another.
    """

    def __init__(self, notifier: Notifier, is_well: Callable[[], bool], status: Callable[[], str]) -> None:
        self._notifier = notifier
        self._is_well = is_well
        self._status = status
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin, where there is a manager to tell."""
        if self._notifier:
            self._thread.start()

    def stop(self) -> None:
        """Tell nothing more but the end."""
        self._stopped.set()
        self._notifier.stopping()

    def _run(self) -> None:
        while not self._is_well():
            if self._stopped.wait(BEAT):
                return
        self._notifier.ready()
        dog = self._notifier.watchdog
        pause = STATUS_EVERY if dog is None else min(STATUS_EVERY, dog / 2)
        while not self._stopped.is_set():
            if self._is_well():
                if dog is not None:
                    self._notifier.tell("WATCHDOG=1")
                with suppress(Exception):  # whatever keeps it from finding words, it lives
                    self._notifier.tell(f"STATUS={self._status()}")
            self._stopped.wait(pause)
