"""The daemon: puts the parts together, runs them in the foreground, and ends them within seconds."""

import fcntl
import gc
import logging
import os
import queue
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from db import engine, queries
from db.engine import Sessions
from jobs.asking import Asking
from jobs.fetch import Means
from jobs.manners import Manners
from jobs.panel import Clock
from jobs.scheduler import Scheduler
from jobs.workers import Workers
from service.exposure import token_of
from service.logs import Log
from service.memory import keep_together
from service.notify import Keeper, Notifier
from service.reload import Asked, Reloading
from service.server import Server
from service.settings import DEFAULT_FILE, Settings
from service.watch import Watch, judge_of

log = logging.getLogger("rollcast")

LOCK_NAME = "daemon.lock"
GRACE = timedelta(seconds=3)  # of the five in which the daemon must have ended


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


def run(
    settings: Settings,
    clock: Clock,
    *,
    load: Callable[[], Settings],
    environ: Mapping[str, str],
    watch: bool = False,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C, and end the process.

    load: reads the configuration again, at SIGHUP, and with `watch` when its file has changed; environ: what a service
    manager tells. Raises StartError, SettingsError or DatabaseUnusableError where it cannot start; nothing is started
    then.
    """
    keep_together()
    asked = reload_at_hangup()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if watch and settings.file == DEFAULT_FILE:
        raise StartError("there is no configuration file to watch, only the built-in one; rollcast init writes one")
    token = token_of(settings.api)
    panels, lines = settings.build_panels(), Log()
    lines.take(settings, panels)
    lock = take_lock(settings.data_dir)
    listener = listen(settings.api.host, settings.api.port)
    write_engine = engine.writer(settings.database_url)
    engine.migrate(write_engine)
    sessions = engine.sessions(write_engine)
    readers = engine.sessions(engine.reader(settings.database_url))
    workers = Workers(settings.workers, settings.refit_timeout)
    scheduler = Scheduler(panels, sessions, workers, clock, make_means(settings.data_dir, clock))
    server = Server(settings.api, token, scheduler, readers, clock)
    notifier = Notifier(environ)
    beside = (
        Watch(sessions, judge_of(readers, lambda: scheduler.panels, clock), clock),
        Reloading(settings, asked, load, scheduler.take, lines, notifier, watch=watch),
        Keeper(notifier, server.is_well, partial(status_told, readers, scheduler)),
    )
    log.info("%s, data in %s", ", ".join(scheduler.panels), settings.data_dir)
    log.info("API on http://%s:%d; in another terminal: rollcast status", settings.api.host, settings.api.port)
    code = live(scheduler, server, beside, listener)
    lock.close()
    logging.shutdown()
    sys.stdout.flush()
    # A fetch may still wait for its source. It holds no transaction, so nothing is lost when it ends here.
    os._exit(code)


class Part(Protocol):
    """What works in a thread of its own, beside the scheduler and the server."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End soon."""


def live(scheduler: Scheduler, server: Server, beside: Sequence[Part], listener: socket.socket) -> int:
    """From the start to the end, which a signal asks for; returns the exit code."""
    code = 0
    try:
        scheduler.start()
        for part in beside:
            part.start()
        gc.freeze()  # what lives since the start is not searched for garbage at every collection
        server.run(listener)
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has ended
        pass
    except BaseException:
        log.exception("the daemon failed")
        code = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        log.info("ending")
        for part in reversed(beside):
            part.stop()
        scheduler.stop(GRACE)
    return code


def reload_at_hangup() -> Asked:
    """From now on SIGHUP asks for a reload; returns where. One that comes because the terminal was closed ends the
    daemon instead, unless nohup was to prevent that.
    """
    asked: Asked = queue.SimpleQueue()
    of_a_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()

    def heed(_number: int, _frame: object) -> None:
        if of_a_terminal and not has_terminal():
            log.warning("its terminal was closed; nohup, or a service manager, keeps it running")
            signal.raise_signal(signal.SIGTERM)
        else:
            asked.put("reload")

    signal.signal(signal.SIGHUP, heed)
    return asked


def has_terminal() -> bool:
    """Whether a terminal can end this process by being closed, and is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def status_told(sessions: Sessions, scheduler: Scheduler) -> str:
    """In one line for the service manager, how many panels and series there are, and how many sources are down."""
    panels = scheduler.panels
    with sessions() as session:
        series = [each for each in queries.all_series(session) if each.panel in panels]
        newest = [queries.newest_runs(session, panel, "fetch", 2) for panel in panels]
    ended = [next((run.outcome for run in runs if run.outcome != "running"), "") for runs in newest]
    counts = f"{_number(len(panels), 'panel')}, {len(series)} series"
    down = ended.count("failed")
    return f"{counts}; {_number(down, 'source')} down" if down else counts


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


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
    except BlockingIOError:
        return True
    except OSError:  # it is not there, or not for this user to see
        return False
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
