"""A second start on the same data: it serves at once, and does nothing over again."""

import math
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

MODELS = "SELECT * FROM models ORDER BY id"
FORECASTS = "SELECT * FROM forecasts ORDER BY id"
DUE_WORK = "SELECT id, job, panel FROM runs WHERE job IN ('fetch', 'refit') AND panel != 'host' ORDER BY id"
HOST_FETCHES = "SELECT count(*) FROM runs WHERE job = 'fetch' AND panel = 'host' AND outcome = 'ok'"


@dataclass
class Starts:
    """What the two starts showed."""

    before: dict[str, list[Any]]  # of each query its answer when the first daemon had ended
    after: dict[str, list[Any]]  # and when the second had
    served: dict[str, Any]  # the second daemon's first answers


@pytest.fixture(scope="module")
def starts(
    tmp_path_factory: pytest.TempPathFactory,
    run: Callable[..., Any],
    configure: Callable[..., None],
    write_csv: Callable[..., None],
    wait_for: Callable[..., None],
) -> Starts:
    folder: Path = tmp_path_factory.mktemp("warm")
    csv = {"interval": "1h", "horizon": 5, "fetch_every": "1h", "refit_every": "1d"}
    host = {"source": {"type": "host"}, "interval": "1s", "horizon": 5, "fetch_every": "1s"}
    configure(folder, left=csv, right=csv, host=host)
    for name in ("left", "right"):
        write_csv(folder / f"{name}.csv", {name: [round(math.sin(k / 9), 3) for k in range(400)]}, timedelta(hours=1))
    with run(folder) as daemon:
        daemon.ready().refitted("left").refitted("right")
        wait_for(lambda: len(daemon.rows(FORECASTS)) == 2, within=30)
        daemon.end(signal.SIGTERM)
        before = {sql: daemon.rows(sql) for sql in (MODELS, FORECASTS, DUE_WORK, HOST_FETCHES)}
    with run(folder) as daemon:
        daemon.ready()
        served = {name: daemon.latest(name) for name in ("left", "right")}
        # By now all that was due at the start has run: the host's first fetches came after it.
        wait_for(lambda: daemon.rows(HOST_FETCHES)[0][0] >= before[HOST_FETCHES][0][0] + 3, within=30)
        daemon.end(signal.SIGTERM)
        after = {sql: daemon.rows(sql) for sql in (MODELS, FORECASTS, DUE_WORK)}
    return Starts(before, after, served)


@pytest.mark.parametrize("series", ["left", "right"])
def test_the_first_answer_holds_the_forecast_made_before(starts: Starts, series: str) -> None:
    assert (starts.served[series]["status"], len(starts.served[series]["steps"])) == ("fresh", 5)


def test_no_fetch_and_no_refit_that_was_not_due_is_run_again(starts: Starts) -> None:
    assert starts.after[DUE_WORK] == starts.before[DUE_WORK]


def test_the_models_are_the_same(starts: Starts) -> None:
    assert starts.after[MODELS] == starts.before[MODELS]


def test_no_forecast_is_issued_again(starts: Starts) -> None:
    assert starts.after[FORECASTS] == starts.before[FORECASTS]
