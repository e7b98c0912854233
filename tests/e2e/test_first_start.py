"""The first minute: an empty folder, the built-in configuration, no network."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any]) -> Iterator[Any]:
    with run(tmp_path_factory.mktemp("empty")) as daemon:
        yield daemon.ready()


@pytest.mark.parametrize(("series", "horizon"), [("WTI", 5), ("nyc-taxi", 48)])
def test_a_sample_series_has_a_forecast_within_a_minute(
    daemon: Any, wait_for: Callable[..., None], series: str, horizon: int
) -> None:
    wait_for(lambda: series in daemon.series(), within=PATIENCE)
    wait_for(lambda: daemon.latest(series)["steps"], within=PATIENCE)
    assert [step["step"] for step in daemon.latest(series)["steps"]] == list(range(1, horizon + 1))


@pytest.mark.parametrize("series", ["AAPL", "MSFT", "BTC-USD"])
def test_a_stock_says_that_its_source_is_down_and_why(daemon: Any, wait_for: Callable[..., None], series: str) -> None:
    wait_for(lambda: series in daemon.series(), within=PATIENCE)
    answer = daemon.latest(series)
    assert answer["status"] == "source_down"
    assert "Yahoo does not answer" in answer["reason"]


def test_the_machine_itself_is_observed(daemon: Any, wait_for: Callable[..., None]) -> None:
    wait_for(
        lambda: {"cpu_percent", "memory_percent", "network_bytes_per_s"} <= daemon.series().keys(), within=PATIENCE
    )


def test_it_is_ready_though_a_source_is_down(daemon: Any, wait_for: Callable[..., None]) -> None:
    wait_for(lambda: "AAPL" in daemon.series(), within=PATIENCE)
    assert daemon.get("/readyz") == {"status": "ready"}


def test_the_daemon_says_nothing_on_standard_output(daemon: Any) -> None:
    assert daemon.output_file.read_text() == ""
