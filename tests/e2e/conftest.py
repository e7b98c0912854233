"""The real command in processes of its own: a daemon that is stopped however the test ends, and the short commands.

Each works in a folder of the test's, on 127.0.0.1 and a free port, without the caller's ROLLCAST_* variables and
without a network: a proxy that nobody listens at stands in its way.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil
import pytest

ROLLCAST = (sys.executable, "-m", "service")
NO_NETWORK = "http://127.0.0.1:1"


class Daemon:
    """A running daemon, a process group of its own."""

    def __init__(self, folder: Path, port: int, options: Sequence[str], environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = port
        self.log_file = folder / "daemon.log"
        self.output_file = folder / "daemon.out"
        with self.log_file.open("ab") as log, self.output_file.open("ab") as out:
            self.process = subprocess.Popen(
                [*ROLLCAST, "run", *options],
                cwd=folder,
                env=_environment(port) | environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )

    def ready(self) -> Self:
        """Wait until it says that it is ready."""
        wait_for(lambda: self._status("/readyz") == 200, within=30)
        return self

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self._ask(path).raise_for_status().json()

    def series(self) -> dict[str, Any]:
        """Every series at a glance, by name."""
        return {series["name"]: series for series in self.get("/api/v1/series")["series"]}

    def latest(self, series: str) -> Any:
        """The latest forecast of a series."""
        return self.get(f"/api/v1/series/{series}/forecasts/latest")

    def rows(self, sql: str) -> list[Any]:
        """What the database answers; nothing while there are no tables."""
        try:
            return ask(self.folder / "data" / "rollcast.db", sql)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error) or "unable to open" in str(error):
                return []
            raise

    def refitted(self, panel: str) -> Self:
        """Wait until the panel has a model, and a forecast from it."""
        wait_for(lambda: self._has_run("forecast", panel, "ok"), within=60)
        return self

    def refit_under_way(self, panel: str) -> Self:
        """Wait until a refit of the panel runs, and a worker is at it."""
        wait_for(lambda: self._has_run("refit", panel, "running"), within=60)
        wait_for(lambda: any(map(_is_busy, self._workers())), within=60)
        return self

    def children(self) -> list[psutil.Process]:
        """The processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals, within: float = 30) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(within)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started, as a terminal does."""
        os.killpg(self.process.pid, number)

    def _workers(self) -> set[psutil.Process]:
        """The children of the fork server, which is itself a child of the daemon."""
        daemon = psutil.Process(self.process.pid)
        return set(daemon.children(recursive=True)) - set(daemon.children())

    def _has_run(self, job: str, panel: str, outcome: str) -> bool:
        return (job, panel, outcome) in self.rows("SELECT job, panel, outcome FROM runs")

    def _ask(self, path: str) -> httpx2.Response:
        return httpx2.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def _status(self, path: str) -> int:
        assert self.process.poll() is None, self.log_file.read_text()
        try:
            return self._ask(path).status_code
        except httpx2.TransportError:
            return 0


def wait_for(condition: Callable[[], Any], within: float) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not so within {within} s"
        time.sleep(0.05)


def ask(database: Path, sql: str) -> list[Any]:
    """Read a database without a trace: SQLite mends nothing and tidies nothing up."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def free_port() -> int:
    """A port that nobody listens at."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def _environment(port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCAST_")}
    return kept | {"ROLLCAST_API__PORT": str(port), "HTTPS_PROXY": NO_NETWORK, "https_proxy": NO_NETWORK}


def _is_busy(process: psutil.Process) -> bool:
    try:
        return process.cpu_percent(0.05) > 20
    except psutil.NoSuchProcess:
        return False


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)


@contextmanager
def _run(
    folder: Path, *options: str, port: int | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    daemon = Daemon(folder, port or free_port(), options, environ or {})
    try:
        yield daemon
    except BaseException:
        sys.stderr.write(daemon.log_file.read_text())  # pytest shows it beside the failure
        raise
    finally:
        with suppress(ProcessLookupError):
            os.killpg(daemon.process.pid, signal.SIGKILL)  # itself and, should it have left any, its orphans
        daemon.process.wait()


@pytest.fixture(scope="session", name="wait_for")
def _wait_for() -> Callable[..., None]:
    """wait_for(condition, within=seconds)."""
    return wait_for


@pytest.fixture(scope="session", name="ask")
def _ask() -> Callable[..., list[Any]]:
    """ask(database, sql) reads a database without a trace."""
    return ask


@pytest.fixture(scope="session")
def is_gone() -> Callable[[psutil.Process], bool]:
    """Whether a process has ended. One that only waits for init to take note of its end has."""

    def check(process: psutil.Process) -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return check


@pytest.fixture(scope="session")
def slow() -> dict[str, Any]:
    """The settings of a panel whose fit takes some ten seconds at least, on `slow_series`."""
    return {"interval": "1m", "horizon": 60, "train_window": "1w"}


@pytest.fixture(scope="session")
def slow_series() -> dict[str, list[float]]:
    """Seven series of fifty hours of minutes."""
    return {f"slow{k}": [float(n * k % 17) for n in range(3_000)] for k in range(1, 8)}


@pytest.fixture(scope="session")
def run() -> Callable[..., Any]:
    """`with run(folder) as daemon:` starts a daemon there; it is killed at the end if the test has not stopped it.
    More words are options of `rollcast run`, and environ adds variables.
    """
    return _run


@pytest.fixture(scope="session")
def begin() -> Callable[..., subprocess.Popen[str]]:
    """begin(folder, "fetch", "oil") starts a command and does not wait for its end."""

    def start(folder: Path, *words: str, port: int | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*ROLLCAST, *words],
            cwd=folder,
            env=_environment(port or free_port()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture(scope="session")
def command(begin: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """command(folder, "fetch", "oil") runs a command to its end."""

    def complete(folder: Path, *words: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
        with begin(folder, *words, port=port) as process:
            try:
                out, err = process.communicate(timeout=60)
            finally:
                process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    return complete


@pytest.fixture(scope="session")
def configure() -> Callable[..., None]:
    """configure(folder, oil={...}) writes a configuration; panel oil reads oil.csv, unless it names a source."""

    def write(folder: Path, **panels: Mapping[str, Any]) -> None:
        lines = ["workers = 2"]
        for name, options in panels.items():
            lines.append(f"[panels.{name}]")
            for key, value in ({"source": {"type": "csv", "path": f"{name}.csv"}} | dict(options)).items():
                lines.append(f"{key} = {_toml(value)}")
        (folder / "rollcast.toml").write_text("\n".join(lines) + "\n")

    return write


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., None]:
    """write_csv(path, {"a": [1.0, 2.0]}, interval) writes series that end with the last whole interval before now."""

    def write(
        path: Path, series: Mapping[str, Sequence[float]], interval: timedelta, end: datetime | None = None
    ) -> None:
        seconds = interval.total_seconds()
        last = (end or datetime.now(UTC)).timestamp() // seconds * seconds - seconds
        lines = ["unique_id,ds,y"]
        for name, values in series.items():
            for k, value in enumerate(values):
                ts = datetime.fromtimestamp(last - (len(values) - 1 - k) * seconds, UTC)
                lines.append(f"{name},{ts:%Y-%m-%dT%H:%M:%SZ},{value!r}")
        new = path.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(path)

    return write
