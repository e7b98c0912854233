"""Event streams: what so many that are open cost the server in memory, and how soon an event has reached them all.

    python -m benchmarks.streams                # 200 streams
    python -m benchmarks.streams --streams 1000

The server is the API as the daemon runs it, in a process of its own, on an empty database; the listeners are sockets.
Those who do not read at all show what a slow client may hold on to.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from db import engine, queries
from db.engine import Sessions
from db.queries import newest_event
from jobs.events import Observed

STREAMS = 200
ROUNDS = 20  # single events whose way is timed
MANY = 20_000  # events at once
REQUEST = b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def serve(url: str, port: int) -> None:
    """The API as the daemon runs it."""
    import gc

    import uvicorn

    from service.api import create_app

    app = create_app(dict, engine.sessions(engine.reader(url)), lambda: datetime.now(UTC), lambda: True)
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off", server_header=False)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    app.state.is_stopping = lambda: server.should_exit
    gc.freeze()
    server.run()


@contextmanager
def serving(url: str) -> Iterator[tuple[int, psutil.Process]]:
    """A server of that database: its port and its process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = int(listener.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.streams", "--serve", url, "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        while True:
            with suppress(OSError):
                opened(port).close()
                break
            if process.poll() is not None:
                raise SystemExit("the server has ended")
            time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def opened(port: int, window: int | None = None) -> socket.socket:
    """A stream that has begun. window: bytes that the kernel may hold for a listener that does not read."""
    listener = socket.socket()
    if window is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    listener.connect(("127.0.0.1", port))
    listener.sendall(REQUEST)
    heard(listener, b"id: ")
    return listener


def heard(listener: socket.socket, words: bytes) -> None:
    """Wait until a listener hears some words."""
    told = b""
    while words not in told:
        more = listener.recv(1 << 20)
        if not more:
            raise SystemExit(f"a stream ended: {told[-500:]!r}")
        told = told[-100:] + more


def write(sessions: Sessions, count: int) -> bytes:
    """Write events; returns the line that tells the id of the last."""
    told = Observed(NOW, 1.5, 1, 0)
    with sessions.begin() as session:
        queries.add_events(session, [told.of("panel", f"series-{k}") for k in range(count)], NOW)
        return b"id: %d\n" % newest_event(session)


def took(sessions: Sessions, listeners: Sequence[socket.socket], count: int) -> float:
    """Seconds from the commit of some events until the last of all listeners has heard the last of them."""
    line = write(sessions, count)
    began = time.perf_counter()
    for listener in listeners:
        heard(listener, line)
    return time.perf_counter() - began


def megabytes(process: psutil.Process) -> float:
    """What of the process is in memory."""
    return float(process.memory_info().rss) / 1e6


def measure(streams: int, folder: Path) -> None:
    """Open so many, and tell what they cost."""
    url = f"sqlite:///{folder}/streams.db"
    write_engine = engine.writer(url)
    engine.migrate(write_engine)
    sessions = engine.sessions(write_engine)
    with serving(url) as (port, process):
        with closing(opened(port)) as first:  # what the first one alone costs, others do not
            took(sessions, [first], 10)
        time.sleep(1)
        before = megabytes(process)
        listeners = [opened(port) for _ in range(streams)]
        print(f"{streams} open streams: {megabytes(process) - before:.1f} MB more than {before:.0f} MB")
        times = [took(sessions, listeners, 1) for _ in range(ROUNDS)]
        print(f"an event has reached all after {statistics.median(times):.2f} s (at most {max(times):.2f} s)")
        print(f"{MANY:,} events have reached all after {took(sessions, listeners, MANY):.1f} s")
        print(f"with these events in memory: {megabytes(process) - before:.1f} MB more than before")
        for listener in listeners:
            listener.close()
        time.sleep(1)
        before = megabytes(process)
        listeners = [opened(port, window=4096) for _ in range(streams)]
        write(sessions, MANY)
        time.sleep(10)
        more = megabytes(process) - before
        print(f"{streams} that do not read {MANY:,} events: {more:.1f} MB more than {before:.0f} MB")
        for listener in listeners:
            listener.close()


def main() -> None:
    """Measure, or serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(asked.streams, Path(folder))


if __name__ == "__main__":
    main()
