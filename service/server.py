"""The API's server inside the daemon, and whether the two of them are well."""

import resource
import socket
import sys
from datetime import datetime, timedelta

from db.engine import Sessions
from jobs.panel import Clock
from jobs.scheduler import Scheduler
from service.settings import ApiSettings

SWITCH = 0.0005  # seconds
TO_END = 1  # seconds that questions under way may take
# Threads that answer what is not kept. Python lets one work at a time: with the forty that there would be by default,
# each waits for all others at every row that it reads, and answers take twice as long. Two may be at something long.
THREADS = 3
FILES = 8_192  # open at once: a stream is one, and a thousand may be open where the usual limit is 1,024
SILENCE = timedelta(seconds=10)  # after which the server counts as hung


class Server:
    """Answers in the main thread until SIGTERM or Ctrl-C."""

    def __init__(
        self, api: ApiSettings, token: str | None, scheduler: Scheduler, readers: Sessions, clock: Clock
    ) -> None:
        # Every short command imports this file too, and would wait for these.
        import uvicorn
        from anyio.to_thread import current_default_thread_limiter

        from service.api import create_app
        from service.heads import LimitedHeads

        self._scheduler = scheduler
        self._clock = clock
        self._seen: datetime | None = None
        self._threads = current_default_thread_limiter
        app = create_app(
            lambda: scheduler.panels,
            readers,
            clock,
            scheduler.is_ticking,
            token=token,
            cors=api.cors,
        )
        app.state.waiting = scheduler.waiting
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=TO_END,
            server_header=False,
            proxy_headers=False,
            http=LimitedHeads,
            ws="none",
            callback_notify=self._see,
            timeout_notify=0,
        )
        server = self._uvicorn = uvicorn.Server(config)
        app.state.is_stopping = lambda: server.should_exit

    def run(self, listener: socket.socket) -> None:
        """Answer whoever comes to the listener. Raises KeyboardInterrupt at the end."""
        allow_files(FILES)
        # A job at work in another thread keeps the interpreter for 5 ms at a time, unless told otherwise.
        sys.setswitchinterval(SWITCH)
        self._uvicorn.run(sockets=[listener])

    def is_well(self) -> bool:
        """Whether questions are answered and the scheduler ticks."""
        answers = self._seen is not None and self._clock() - self._seen <= SILENCE
        return answers and self._scheduler.is_ticking()

    async def _see(self) -> None:
        """Asked by the server's own loop when it begins, and every second that it is at work."""
        self._threads().total_tokens = THREADS
        self._seen = self._clock()


def allow_files(count: int) -> None:
    """Let this process have so many files open, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
