"""Another configuration for the real daemon: by SIGHUP or --watch, good or wrong, at rest or amid a refit."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.service_manager import Manager

pytestmark = pytest.mark.slow

MINUTE = timedelta(minutes=1)
QUICK = {"interval": "1m", "horizon": 5, "fetch_every": "1s"}
PATIENCE = 30  # seconds


@pytest.fixture
def folder(tmp_path: Path, configure: Callable[..., None], write_csv: Callable[..., None]) -> Path:
    """A configuration of panel `first`; the data of `first`, `second` and `third`."""
    configure(tmp_path, first=QUICK)
    for name in ("first", "second", "third"):
        write_csv(tmp_path / f"{name}.csv", {f"of-{name}": wave(200)}, MINUTE)
    return tmp_path


@pytest.fixture
def daemon(folder: Path, run: Callable[..., Any]) -> Iterator[Any]:
    with run(folder) as started:
        yield started.ready().refitted("first")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(str(tmp_path / "notify")) as made:
        yield made


def wave(count: int) -> list[float]:
    return [round(50 + 10 * math.sin(k / 9) + k % 7, 3) for k in range(count)]


def taken(daemon: Any) -> int:
    """How many configurations were taken so far."""
    return daemon.log_file.read_text().count("configuration taken")


def reload(daemon: Any, wait_for: Callable[..., None]) -> None:
    """Send SIGHUP, and wait until the configuration is taken."""
    before = taken(daemon)
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: taken(daemon) > before, within=PATIENCE)


def fetches(daemon: Any, panel: str) -> int:
    return dict(daemon.rows("SELECT panel, count(*) FROM runs WHERE job = 'fetch' GROUP BY panel")).get(panel, 0)


def test_a_panel_that_is_added_starts(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, first=QUICK, second=QUICK)
    reload(daemon, wait_for)
    daemon.refitted("second")
    assert "configuration taken; new: second" in daemon.log_file.read_text()
    assert daemon.latest("of-second")["panel"] == "second"


def test_a_panel_that_is_removed_is_fetched_no_more_and_its_data_stay(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, second=QUICK)
    reload(daemon, wait_for)
    wait_for(lambda: not daemon.rows("SELECT 1 FROM runs WHERE outcome = 'running' AND panel = 'first'"), within=10)
    before = fetches(daemon, "first")
    wait_for(lambda: fetches(daemon, "second") >= 3, within=PATIENCE)
    assert fetches(daemon, "first") == before
    assert "of-first" not in daemon.series()
    assert daemon.rows(
        "SELECT count(*) FROM forecasts JOIN series ON series.id = series_id WHERE name = 'of-first'"
    ) != [(0,)]


def test_a_panel_that_is_changed_takes_its_new_settings(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, first=QUICK | {"levels": [50]})
    reload(daemon, wait_for)
    configure(daemon.folder, first=QUICK | {"expire_after": "never", "fetch_every": "1h"})
    reload(daemon, wait_for)
    assert daemon.log_file.read_text().count("configuration taken; changed: first") == 2
    wait_for(lambda: not daemon.rows("SELECT 1 FROM runs WHERE outcome = 'running'"), within=10)
    time.sleep(1)
    before = fetches(daemon, "first")
    time.sleep(2)
    assert fetches(daemon, "first") == before


def test_a_panel_that_is_as_it_was_is_not_refitted(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, first=QUICK, second=QUICK)
    reload(daemon, wait_for)
    daemon.refitted("second")
    assert daemon.rows("SELECT count(*) FROM runs WHERE job = 'refit' AND panel = 'first'") == [(1,)]


def test_a_wrong_configuration_leaves_the_last_good_one_at_work(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, first=QUICK | {"horizon": 0}, second=QUICK)
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the last good one stays" in daemon.log_file.read_text(), within=PATIENCE)
    (line,) = [line for line in daemon.log_file.read_text().splitlines() if "the last good one stays" in line]
    assert "panels.first.horizon = 0: input should be greater than or equal to 1" in line
    before = fetches(daemon, "first")
    wait_for(lambda: fetches(daemon, "first") >= before + 2, within=PATIENCE)
    assert fetches(daemon, "second") == 0
    configure(daemon.folder, first=QUICK, second=QUICK)
    reload(daemon, wait_for)
    wait_for(lambda: fetches(daemon, "second"), within=PATIENCE)


def test_many_hang_ups_in_a_row_do_no_harm(
    daemon: Any, configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    configure(daemon.folder, first=QUICK, second=QUICK)
    for _ in range(100):
        daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: taken(daemon), within=PATIENCE)
    daemon.refitted("second")
    assert daemon.log_file.read_text().count("new: second") == 1
    assert daemon.end(signal.SIGTERM, within=5) == 0


def test_a_hang_up_right_after_the_start_does_not_end_it(folder: Path, run: Callable[..., Any]) -> None:
    with run(folder) as started:
        wait_until_it_heeds(started, signal.SIGHUP)
        started.process.send_signal(signal.SIGHUP)
        started.process.send_signal(signal.SIGHUP)
        started.ready()


def wait_until_it_heeds(daemon: Any, number: signal.Signals) -> None:
    """Wait until the process has a handler for the signal, as the kernel tells it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
        if caught >> (number - 1) & 1:
            return
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def refit_held(daemon: Any, panel: str, wait_for: Callable[..., None]) -> Iterator[None]:
    """Amid a refit: the worker processes stand still meanwhile, so that it lasts as long as it must."""
    wait_for(lambda: under_way(daemon, panel) and len(workers(daemon)) == 2, within=PATIENCE)
    held = workers(daemon)
    for process in held:
        process.suspend()
    assert under_way(daemon, panel)
    yield
    assert under_way(daemon, panel)
    for process in held:
        process.resume()


def workers(daemon: Any) -> list[psutil.Process]:
    """Its worker processes: the children of its fork server."""
    direct = psutil.Process(daemon.process.pid).children()
    return [process for process in daemon.children() if process not in direct]


def under_way(daemon: Any, panel: str) -> bool:
    return refits(daemon, panel) == ["running"]


def refits(daemon: Any, panel: str) -> list[str]:
    """How the refits of a panel ended."""
    runs = daemon.rows("SELECT panel, outcome FROM runs WHERE job = 'refit' ORDER BY id")
    return [outcome for of, outcome in runs if of == panel]


def test_a_reload_in_the_middle_of_a_refit_leaves_the_refit_alone(
    folder: Path, run: Callable[..., Any], configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    with run(folder) as daemon:
        with refit_held(daemon.ready(), "first", wait_for):
            configure(folder, first=QUICK, second=QUICK)
            reload(daemon, wait_for)
            configure(folder, first=QUICK | {"fetch_every": "10s"}, second=QUICK)
            reload(daemon, wait_for)
        daemon.refitted("second").refitted("first")
        assert refits(daemon, "first") == ["ok"]


def test_a_panel_that_is_removed_in_the_middle_of_its_refit_ends_with_it(
    folder: Path, run: Callable[..., Any], configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    with run(folder) as daemon:
        with refit_held(daemon.ready(), "first", wait_for):
            configure(folder, second=QUICK)
            reload(daemon, wait_for)
        daemon.refitted("second")
        wait_for(lambda: refits(daemon, "first") == ["ok"], within=PATIENCE)
        assert daemon.rows("SELECT count(*) FROM runs WHERE job = 'forecast' AND panel = 'first'") == [(0,)]
        assert daemon.end(signal.SIGTERM, within=5) == 0


def test_with_watch_a_file_that_changes_is_taken(
    folder: Path, run: Callable[..., Any], configure: Callable[..., None], wait_for: Callable[..., None]
) -> None:
    with run(folder, "--watch") as daemon:
        daemon.ready()
        configure(folder, first=QUICK, third=QUICK)
        daemon.refitted("third")
        assert taken(daemon) == 1


def test_without_a_file_there_is_nothing_to_watch(tmp_path: Path, command: Callable[..., Any]) -> None:
    ended = command(tmp_path, "run", "--watch")
    assert ended.returncode == 2
    assert ended.stderr == (
        "rollcast: there is no configuration file to watch, only the built-in one; rollcast init writes one\n"
    )


def test_a_service_manager_is_told_of_start_reload_and_end(
    folder: Path, run: Callable[..., Any], manager: Manager
) -> None:
    with run(folder, environ={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}) as daemon:
        assert manager.next_of("READY") == "1"
        daemon.refitted("first")
        assert manager.next_of("WATCHDOG") == "1"
        manager.until("STATUS", "1 panel, 1 series")
        daemon.process.send_signal(signal.SIGHUP)
        assert manager.next_of("RELOADING") == "1"
        assert manager.next_of("READY") == "1"
        assert daemon.end(signal.SIGTERM) == 0
        assert manager.next_of("STOPPING") == "1"
