"""The daemon's event stream: what other processes do is told too, and it holds no end up."""

import json
import math
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

pytestmark = pytest.mark.slow

WITHIN = 20  # seconds
TO_END = 5  # seconds
MINUTE = timedelta(minutes=1)


def wave(count: int) -> list[float]:
    return [round(50 + 10 * math.sin(k / 9) + k % 7, 3) for k in range(count)]


@pytest.fixture
def end() -> datetime:
    """Up to when the first observations go."""
    return datetime.now(UTC) - 2 * MINUTE


@pytest.fixture
def daemon(
    tmp_path: Path,
    run: Callable[..., Any],
    configure: Callable[..., None],
    write_csv: Callable[..., None],
    end: datetime,
) -> Iterator[Any]:
    """A daemon that has forecast, and will fetch and refit again after hours only."""
    configure(tmp_path, quick={"interval": "1m", "horizon": 5, "fetch_every": "6h", "refit_every": "1d"})
    write_csv(tmp_path / "quick.csv", {"a": wave(200)}, MINUTE, end)
    with run(tmp_path) as started:
        yield started.ready().refitted("quick")


@contextmanager
def stream(daemon: Any, query: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream, one after the other."""
    url = f"http://127.0.0.1:{daemon.port}/api/v1/stream{query}"
    with httpx2.Client(trust_env=False, timeout=WITHIN) as client, client.stream("GET", url) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": here"
        yield (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


def test_a_life_is_told_from_the_first_fetch_on(daemon: Any) -> None:
    with stream(daemon, "?last_event_id=0") as events:
        told = []
        while ("state", "fresh") not in [(event["kind"], event.get("status")) for event in told]:
            told.append(next(events))
    kinds = [event["kind"] for event in told if event["kind"] != "state"]
    assert kinds[:3] == ["observation", "refit", "forecast"]
    assert [event["outcome"] for event in told if event["kind"] == "refit"] == ["promoted"]


def test_what_a_command_fetches_and_refits_beside_the_daemon_is_told_by_the_daemon(
    daemon: Any, tmp_path: Path, command: Callable[..., Any], write_csv: Callable[..., None], end: datetime
) -> None:
    with stream(daemon, "?kind=observation,refit") as events:
        write_csv(tmp_path / "quick.csv", {"a": wave(201)}, MINUTE, end + MINUTE)
        assert command(tmp_path, "fetch", "quick").returncode == 0
        observed = next(events)
        assert (observed["kind"], observed["series"], observed["new"]) == ("observation", "a", 1)
        assert observed["value"] == wave(201)[-1]
        assert command(tmp_path, "refit", "quick").returncode == 0
        refitted = next(events)
        assert (refitted["kind"], refitted["panel"], refitted["version"]) == ("refit", "quick", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_daemon_with_open_streams_within_five_seconds_and_the_streams_in_order(
    daemon: Any, number: signal.Signals
) -> None:
    with stream(daemon) as one, stream(daemon) as another:
        assert daemon.end(number, within=TO_END) == 0
        assert [*one, *another] == []  # a stream that is cut off raises an error
    log = daemon.log_file.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log.upper().replace("ERRORS", "")


def test_a_listener_that_does_not_read_does_not_hold_up_the_end(daemon: Any) -> None:
    tell = "INSERT INTO events (kind, panel, series, at, data) VALUES ('observation', 'quick', 'a', 0, '{\"new\":1}')"
    with closing(sqlite3.connect(daemon.folder / "data" / "rollcast.db", timeout=WITHIN)) as connection, connection:
        connection.executemany(tell, [()] * 50_000)  # more than socket and server take in for one listener
    with closing(socket.socket()) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect(("127.0.0.1", daemon.port))
        silent.sendall(b"GET /api/v1/stream?last_event_id=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert silent.recv(1) == b"H"
        time.sleep(1)  # until it is stuck
        assert daemon.end(signal.SIGTERM, within=TO_END) == 0
    assert "Traceback" not in daemon.log_file.read_text()
