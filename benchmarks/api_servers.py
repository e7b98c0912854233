"""The servers that are measured, as real processes on loopback: Rollcast's daemon, and datasette on the same rows."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

ROOT = Path(__file__).parent.parent
DATASETTE = ROOT / ".venv-bench-api" / "bin" / "datasette"
NO_DATASETTE = f"there is no {DATASETTE.relative_to(ROOT)}: `make bench-api` installs it"
PATIENCE = 60.0  # seconds for a start
PORT = "{port}"  # in a command

# Nothing is joined or worked out when a request comes: the rows are as they are served, in the order of their key.
ROWS = """
    CREATE TABLE latest (
        series TEXT, step INTEGER, target_ts TEXT, mean REAL, naive REAL, lo_80 REAL, hi_80 REAL, lo_95 REAL,
        hi_95 REAL, PRIMARY KEY (series, step)
    ) WITHOUT ROWID"""

FILLED = """
    INSERT INTO latest
    SELECT x.name, s.step, strftime('%Y-%m-%dT%H:%M:%SZ', s.target_ts / 1000000, 'unixepoch'), s.mean, s.naive,
        b80.lo, b80.hi, b95.lo, b95.hi
    FROM stored.series x
    JOIN stored.forecasts f ON f.id = (
        SELECT id FROM stored.forecasts WHERE series_id = x.id ORDER BY cutoff DESC, id DESC LIMIT 1
    )
    JOIN stored.forecast_steps s ON s.forecast_id = f.id
    JOIN stored.forecast_bounds b80 ON b80.forecast_id = f.id AND b80.step = s.step AND b80.level = 80
    JOIN stored.forecast_bounds b95 ON b95.forecast_id = f.id AND b95.step = s.step AND b95.level = 95
    ORDER BY x.name, s.step"""

QUERY = "SELECT step, target_ts, mean, naive, lo_80, hi_80, lo_95, hi_95 FROM latest WHERE series = :series"


@dataclass(frozen=True)
class Server:
    """A running one."""

    url: str
    process: psutil.Process
    log: Path

    def get(self, path: str) -> httpx2.Response:
        """What it answers. Raises where that is an error."""
        return httpx2.get(self.url + path, timeout=30, trust_env=False).raise_for_status()

    def answers(self, path: str) -> bool:
        """Whether it does, and without an error."""
        try:
            return self.get(path).status_code == 200
        except httpx2.HTTPError:
            return False

    def memory(self) -> float:
        """Resident memory of the process itself, in MB."""
        return float(self.process.memory_info().rss) / 1e6

    def files(self) -> int:
        """How many file descriptors it has open."""
        return int(self.process.num_fds())


@contextmanager
def rollcast(folder: Path, path: str = "/readyz", **variables: str) -> Iterator[Server]:
    """The daemon on a folder with a rollcast.toml; there once it answers 200 to the path."""
    with _run([sys.executable, "-m", "service", "run"], folder, path, **variables) as server:
        yield server


def make_rows(database: Path, path: Path) -> None:
    """The rows of each series' latest forecast, from a database of Rollcast's, for datasette."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH DATABASE ? AS stored", (str(database),))
        connection.execute(ROWS)
        connection.execute(FILLED)
        connection.commit()
        connection.execute("DETACH DATABASE stored")
        connection.execute("VACUUM")


@contextmanager
def datasette(rows: Path, options: Sequence[str], path: str) -> Iterator[Server]:
    """datasette on these rows, with a canned query `steps`."""
    metadata = rows.with_name("metadata.json")
    metadata.write_text(json.dumps({"databases": {rows.stem: {"queries": {"steps": {"sql": QUERY}}}}}))
    command = [str(DATASETTE), "serve", "--port", PORT, "--metadata", str(metadata), *options]
    with _run(command, rows.parent, path) as server:
        yield server


@contextmanager
def _run(command: Sequence[str], folder: Path, path: str, **variables: str) -> Iterator[Server]:
    """Start a server, wait until it answers, and end it by its process id."""
    port = free_port()
    log = folder / f"{Path(command[0]).name}.log"
    # With PYTHONDONTWRITEBYTECODE each start would compile anew.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLCAST_", "PYTHONDONT"))}
    environ = kept | {"ROLLCAST_API__PORT": str(port), "PYTHONPATH": str(ROOT)} | variables
    words = [word.replace(PORT, str(port)) for word in command]
    with log.open("ab") as file:
        process = subprocess.Popen(words, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    server = Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid), log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.answers(path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.005)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens at."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])
