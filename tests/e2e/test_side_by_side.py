"""Several processes on one folder: a second daemon, commands that start at once, commands beside the daemon."""

import json
import math
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
RUNS = "SELECT id, job, panel FROM runs ORDER BY id"


@pytest.fixture
def folder(tmp_path: Path, configure: Callable[..., None], write_csv: Callable[..., None]) -> Path:
    """A configuration whose only panel, oil, has everything it needs."""
    configure(tmp_path, oil={"interval": "1h", "horizon": 5, "fetch_every": "1h"})
    write_csv(tmp_path / "oil.csv", {"WTI": [round(math.sin(k / 9), 3) for k in range(400)]}, HOUR)
    return tmp_path


@pytest.fixture
def daemon(folder: Path, run: Callable[..., Any]) -> Iterator[Any]:
    """A daemon that has run every job once."""
    with run(folder) as daemon:
        daemon.ready().refitted("oil")
        yield daemon


@pytest.fixture
def elsewhere(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another folder with the same configuration."""
    other = tmp_path_factory.mktemp("elsewhere")
    for name in ("rollcast.toml", "oil.csv"):
        (other / name).write_bytes((folder / name).read_bytes())
    return other


def test_a_second_daemon_on_the_same_data_says_so_in_one_line(daemon: Any, command: Callable[..., Any]) -> None:
    second = command(daemon.folder, "run")
    assert (second.returncode, second.stdout, second.stderr.count("\n")) == (2, "", 1)
    assert f"a daemon (process {daemon.process.pid}) works on {daemon.folder / 'data'} already" in second.stderr


def test_a_second_daemon_on_the_same_port_says_so_in_one_line(
    daemon: Any, elsewhere: Path, command: Callable[..., Any]
) -> None:
    second = command(elsewhere, "run", port=daemon.port)
    assert (second.returncode, second.stdout, second.stderr.count("\n")) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1:{daemon.port}" in second.stderr


def test_a_second_daemon_does_not_disturb_the_first(daemon: Any, elsewhere: Path, command: Callable[..., Any]) -> None:
    before = daemon.rows(RUNS)
    command(daemon.folder, "run")
    command(elsewhere, "run", port=daemon.port)
    assert daemon.rows(RUNS) == before
    assert daemon.get("/readyz") == {"status": "ready"}
    assert daemon.end(signal.SIGTERM) == 0


def test_a_daemon_starts_on_the_data_of_one_that_was_killed(daemon: Any, run: Callable[..., Any]) -> None:
    daemon.end(signal.SIGKILL)
    with run(daemon.folder) as second:
        second.ready()


def test_commands_that_start_at_once_on_an_empty_folder_store_each_row_once(
    folder: Path, begin: Callable[..., subprocess.Popen[str]], ask: Callable[..., list[Any]]
) -> None:
    processes = [begin(folder, "fetch", "oil") for _ in range(3)]
    ended = [(process.communicate(timeout=60), process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0, 0], ended
    counts = "SELECT count(*), count(DISTINCT ts) FROM observations"
    assert ask(folder / "data" / "rollcast.db", counts) == [(400, 400)]


def test_of_daemons_that_start_at_once_on_an_empty_folder_one_stays(
    folder: Path, run: Callable[..., Any], wait_for: Callable[..., None]
) -> None:
    with run(folder) as first, run(folder) as second, run(folder) as third:
        daemons = [first, second, third]
        wait_for(lambda: [d.process.poll() for d in daemons].count(None) == 1, within=30)
        (left,) = (d for d in daemons if d.process.poll() is None)
        left.ready()
        assert sorted(d.process.poll() for d in daemons if d is not left) == [2, 2]


def test_a_refit_beside_the_daemon_stores_a_second_model(daemon: Any, command: Callable[..., Any]) -> None:
    refit = command(daemon.folder, "refit", "oil")
    assert refit.returncode == 0, refit
    assert daemon.rows("SELECT version FROM models ORDER BY id") == [(1,), (2,)]


def test_a_forecast_beside_the_daemon_is_what_the_daemon_serves(daemon: Any, command: Callable[..., Any]) -> None:
    command(daemon.folder, "refit", "oil")
    champion = daemon.rows("SELECT version FROM models WHERE id IN (SELECT model_id FROM promotions) ORDER BY id")[-1][
        0
    ]
    command(daemon.folder, "forecast", "oil")
    assert daemon.latest("WTI")["model_version"] == champion


def test_the_status_beside_the_daemon_is_what_the_daemon_answers(daemon: Any, command: Callable[..., Any]) -> None:
    told = json.loads(command(daemon.folder, "status", "--json").stdout)["series"]
    assert [(one["name"], one["status"], one["next"]) for one in told] == [
        (one["name"], one["status"], one["next"]) for one in daemon.series().values()
    ]
