"""Manners towards the hosts that are asked: not too often, and not while they are in trouble.

One `Manners` is shared by all panels. Each host has a bucket of tokens that fills at a steady rate; a request takes
one, and waits for it. A host that answers 429 or 5xx is left alone for a while, twice as long each time it happens
again, some of it drawn by chance lest all come back at once; never shorter than the host itself asked for.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

RATE = 5.0  # requests a second and host
BURST = 10.0  # that may be made at once
FIRST_COOL_DOWN = timedelta(seconds=10)
LONGEST_COOL_DOWN = timedelta(hours=1)
JITTER = 0.25  # of a cool-down, added at most
LONGEST_OBEYED = timedelta(days=1)


class CoolingDownError(Exception):
    """The host is left alone for now; the message says why and until when."""


@dataclass
class _Host:
    tokens: float
    filled: datetime
    troubles: int = 0  # in a row
    rest: tuple[datetime, datetime] | None = None  # from when to when it is left alone
    reason: str = ""


class Manners:
    """What is known of the hosts. Safe to share between threads."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        rng: random.Random,
        sleep: Callable[[float], object],
        *,
        rate: float = RATE,
        burst: float = BURST,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._rate = rate
        self._burst = burst
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def ask(self, host: str) -> None:
        """Wait until the host may be asked once more. Raises CoolingDownError at once while it is left alone."""
        with self._lock:
            known, now = self._host(host), self._clock()
            # Before the rest began only where clocks have been set back, maybe by days.
            if known.rest is not None and known.rest[0] <= now < known.rest[1]:
                raise CoolingDownError(f"{known.reason}; {host} is asked again at {known.rest[1]:%H:%M:%S}Z")
            passed = max(0.0, (now - known.filled).total_seconds())
            known.tokens = min(self._burst, known.tokens + passed * self._rate) - 1.0
            known.filled = now
            wait = -known.tokens / self._rate
        if wait > 0:
            self._sleep(wait)

    def troubled(self, host: str, reason: str, retry_after: timedelta | None = None) -> None:
        """The host is in trouble, or asks for rest: leave it alone for a while."""
        with self._lock:
            known, now = self._host(host), self._clock()
            cool = min(FIRST_COOL_DOWN * 2.0**known.troubles, LONGEST_COOL_DOWN) * (1 + JITTER * self._rng.random())
            until = now + max(cool, min(retry_after or timedelta(0), LONGEST_OBEYED))
            known.troubles = min(known.troubles + 1, 16)
            if known.rest is not None and known.rest[0] <= now:
                until = max(until, known.rest[1])
            known.rest = (now, until)
            known.reason = reason

    def answered(self, host: str) -> None:
        """The host is well again."""
        with self._lock:
            known = self._host(host)
            known.troubles, known.rest = 0, None

    def _host(self, name: str) -> _Host:
        return self._hosts.setdefault(name, _Host(self._burst, self._clock()))
