"""The daemon: puts the parts together, runs them in the foreground, and ends them within seconds."""

import fcntl
import gc
import logging
import os
import random
import signal
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from db import engine
from jobs.asking import Asking
from jobs.fetch import Means
from jobs.manners import Manners
from jobs.panel import Clock
from jobs.scheduler import Scheduler
from jobs.workers import Workers
from service.settings import Settings

log = logging.getLogger("rollcast")

LOCK_NAME = "daemon.lock"
GRACE = timedelta(seconds=3)  # of the five in which the daemon must have ended


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


def run(settings: Settings, clock: Clock) -> None:
    """Run the daemon until SIGTERM or Ctrl-C, and end the process.

    Raises StartError or DatabaseUnusableError where it cannot start; nothing is started then.
    """
    # Every short command imports this file too, and would wait for these.
    import uvicorn

    from service.api import create_app

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    panels = settings.build_panels()
    lock = take_lock(settings.data_dir)
    listener = listen(settings.api.host, settings.api.port)
    write_engine = engine.writer(settings.database_url)
    engine.migrate(write_engine)
    means = make_means(settings.data_dir, clock)
    scheduler = Scheduler(
        panels,
        engine.sessions(write_engine),
        Workers(settings.workers, settings.refit_timeout),
        clock,
        means,
    )
    app = create_app(
        lambda: {panel.name: panel for panel in panels},
        engine.sessions(engine.reader(settings.database_url)),
        clock,
        scheduler.is_ticking,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, server_header=False
        )
    )
    code = 0
    try:
        scheduler.start()
        log.info("%s, data in %s", ", ".join(panel.name for panel in panels), settings.data_dir)
        log.info("API on http://%s:%d; in another terminal: rollcast status", settings.api.host, settings.api.port)
        gc.freeze()  # what lives since the start is not searched for garbage at every collection
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has ended
        pass
    except BaseException:
        log.exception("the daemon failed")
        code = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        log.info("ending")
        scheduler.stop(GRACE)
        lock.close()
        logging.shutdown()
        sys.stdout.flush()
        # A fetch may still wait for its source. It holds no transaction, so nothing is lost when it ends here.
        os._exit(code)


def take_lock(data_dir: Path) -> IO[str]:
    """Make sure that no other daemon works on this folder. The lock goes with the process, however it ends."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = (data_dir / LOCK_NAME).open("a+")
    except OSError as error:
        raise StartError(
            f"data_dir = {data_dir}: cannot be written to: {error.strerror}; set another data_dir"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        pid = file.read().strip()
        raise StartError(
            f"a daemon (process {pid}) works on {data_dir} already; stop it, or set another data_dir"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def make_means(data_dir: Path, clock: Clock) -> Means:
    """What fetching needs besides its panel. Raises StartError."""
    cache_dir = data_dir / "cache"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"cannot make the folder {cache_dir}: {error.strerror}; set another data_dir") from error
    # Drawn by chance on purpose: many daemons that start at once must not come back to a host at once.
    return Means(cache_dir, Manners(clock, random.Random(), time.sleep), Asking())  # noqa: S311  no cryptography


def is_running(data_dir: Path) -> bool:
    """Whether a daemon works on this folder."""
    try:
        with (data_dir / LOCK_NAME).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError where the address cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror}; set another with ROLLCAST_API__PORT"
        ) from error


def utc_now() -> datetime:
    """The clock of the whole house."""
    return datetime.now(UTC)
