"""The end of the daemon: asked for by a signal, or by kill -9, at rest or in the middle of a refit."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.slow

SIGNALS = [signal.SIGTERM, signal.SIGINT]
MINUTE = timedelta(minutes=1)
TO_END = 5  # seconds
FOR_CHILDREN = 3  # seconds


@pytest.fixture
def idle(
    tmp_path: Path, run: Callable[..., Any], configure: Callable[..., None], write_csv: Callable[..., None]
) -> Iterator[Any]:
    """A daemon whose refit is done: its worker processes wait for the next."""
    configure(tmp_path, quick={"interval": "1m", "horizon": 5})
    write_csv(tmp_path / "quick.csv", {"a": wave(200)}, MINUTE)
    with run(tmp_path) as daemon:
        yield daemon.ready().refitted("quick")


@pytest.fixture
def refitting(
    tmp_path: Path,
    run: Callable[..., Any],
    configure: Callable[..., None],
    write_csv: Callable[..., None],
    slow: dict[str, Any],
    slow_series: dict[str, list[float]],
) -> Iterator[Any]:
    """A daemon in the middle of two refits."""
    configure(tmp_path, first=slow, second=slow)
    for name in ("first", "second"):
        write_csv(tmp_path / f"{name}.csv", {f"{name}-{each}": values for each, values in slow_series.items()}, MINUTE)
    with run(tmp_path) as daemon:
        yield daemon.ready().refit_under_way("first").refit_under_way("second")


@pytest.fixture
def loading(
    tmp_path: Path,
    run: Callable[..., Any],
    configure: Callable[..., None],
    write_csv: Callable[..., None],
    wait_for: Callable[..., None],
) -> Iterator[Any]:
    """A daemon that is storing 200,000 observations, which takes seconds."""
    configure(tmp_path, long={"interval": "1m", "horizon": 5, "train_window": "1y"})
    write_csv(tmp_path / "long.csv", {"a": wave(200_000)}, MINUTE)
    with run(tmp_path) as daemon:
        daemon.ready()
        wait_for(lambda: daemon.rows("SELECT 1 FROM runs WHERE job = 'fetch' AND outcome = 'running'"), within=30)
        yield daemon


def wave(count: int) -> list[float]:
    return [round(50 + 10 * math.sin(k / 9) + k % 7, 3) for k in range(count)]


def refits(daemon: Any) -> list[tuple[str, str]]:
    return daemon.rows("SELECT panel, outcome FROM runs WHERE job = 'refit' ORDER BY panel")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_an_idle_daemon_within_five_seconds_without_an_error(idle: Any, number: signal.Signals) -> None:
    assert idle.end(number, within=TO_END) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_refitting_daemon_within_five_seconds_without_an_error(
    refitting: Any, number: signal.Signals
) -> None:
    assert refitting.end(number, within=TO_END) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_daemon_in_the_middle_of_a_long_fetch_within_five_seconds_without_an_error(
    loading: Any, number: signal.Signals
) -> None:
    assert loading.end(number, within=TO_END) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_the_workers_are_gone_soon_after_a_signal(
    refitting: Any, is_gone: Callable[..., bool], wait_for: Callable[..., None], number: signal.Signals
) -> None:
    children = refitting.children()
    refitting.end(number)
    wait_for(lambda: all(map(is_gone, children)), within=FOR_CHILDREN)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_refit_that_a_signal_cut_off_is_recorded_as_interrupted(refitting: Any, number: signal.Signals) -> None:
    refitting.end(number)
    assert refits(refitting) == [("first", "interrupted"), ("second", "interrupted")]


def test_a_second_ctrl_c_does_no_harm(refitting: Any) -> None:
    refitting.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    refitting.process.send_signal(signal.SIGINT)
    assert refitting.process.wait(TO_END) == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_reaches_the_workers_too_as_from_a_terminal_or_systemd_ends_it_as_well(
    refitting: Any, is_gone: Callable[..., bool], wait_for: Callable[..., None], sent: signal.Signals
) -> None:
    children = refitting.children()
    refitting.signal_all(sent)
    assert refitting.process.wait(TO_END) == 0
    wait_for(lambda: all(map(is_gone, children)), within=FOR_CHILDREN)
    assert refits(refitting) == [("first", "interrupted"), ("second", "interrupted")]


@pytest.mark.parametrize("busy", ["idle", "refitting"])
def test_kill_9_leaves_no_orphan(
    request: pytest.FixtureRequest, is_gone: Callable[[psutil.Process], bool], wait_for: Callable[..., None], busy: str
) -> None:
    daemon = request.getfixturevalue(busy)
    children = daemon.children()
    assert len(children) >= 3  # at the least a fork server, a tracker and a worker
    daemon.end(signal.SIGKILL)
    wait_for(lambda: all(map(is_gone, children)), within=TO_END)
