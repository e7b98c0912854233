"""A panel of sales in the folder of the test, which has lived a little, and the command that works on it."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from db import engine, queries
from db.times import to_us
from jobs.forecast import forecast
from jobs.refit import refit
from jobs.score import score
from service.settings import load
from tests.service.conftest import fit_once

CONFIG = """
[panels.sales]
source = { type = "csv", path = "sales.csv" }
interval = "1h"
horizon = 3
promote = "manual"
"""
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
VALUES = np.random.default_rng(0).normal(size=32).cumsum().tolist()


@pytest.fixture
def sold(tmp_path, run_command):
    """The command on a panel of sales."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    return run_command


@pytest.fixture
def others():
    """A folder that everybody may look into, as /etc and /var/lib are; what it has in data is for its owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "data").mkdir(mode=0o700)
        yield Path(name)


@pytest.fixture
def stored(tmp_path, sold):
    """Sessions on the database that the command works on."""
    writer = engine.writer(f"sqlite:///{tmp_path}/data/rollcast.db")
    engine.migrate(writer)
    yield engine.sessions(writer)
    writer.dispose()


@pytest.fixture
def history(stored, tmp_path):
    """Version 1 serves, version 2 waits; forecasts from hours 29 and 30, of which the truth is known up to hour 31."""
    (panel,) = load(tmp_path / "rollcast.toml", {}).build_panels()
    with stored.begin() as session:
        series = queries.add_series(session, "a", "sales")
    for n in (30, 31, 32):
        moment = START + n * HOUR
        with stored.begin() as session:
            pairs = [(to_us(START + k * HOUR), value) for k, value in enumerate(VALUES[:n])]
            queries.add_observations(session, series.id, pairs, moment)
        score(stored, panel, lambda moment=moment: moment)
        if n == 30:
            refit(stored, panel, moment, fit_once)
        if n < 32:
            forecast(stored, panel, lambda moment=moment: moment)
    refit(stored, panel, moment, lambda task: replace(fit_once(task), accepted=True))
    return VALUES
