"""The commands `rollcast models`, `promote`, `rollback`, `scores` and `status`, on a panel that has lived a little."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import engine, queries
from db.times import to_us
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import refit
from jobs.score import score
from service.settings import load

CONFIG = """
[panels.sales]
source = { type = "csv", path = "sales.csv" }
interval = "1h"
horizon = 3
promote = "manual"
"""
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def rollcast(tmp_path, run_command):
    """The command on a panel of sales."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    return run_command


@pytest.fixture
def sessions(tmp_path, rollcast):
    """Sessions on the database that the command works on."""
    writer = engine.writer(f"sqlite:///{tmp_path}/data/rollcast.db")
    engine.migrate(writer)
    yield engine.sessions(writer)
    writer.dispose()


@pytest.fixture
def lived(sessions, tmp_path):
    """Version 1 serves, version 2 waits; forecasts from hours 29 and 30, of which the truth is known up to hour 31."""
    (panel,) = load(tmp_path / "rollcast.toml", {}).build_panels()
    values = np.random.default_rng(0).normal(size=32).cumsum().tolist()
    with sessions.begin() as session:
        series = queries.add_series(session, "a", "sales")
    for n in (30, 31, 32):
        moment = START + n * HOUR
        with sessions.begin() as session:
            pairs = [(to_us(START + k * HOUR), value) for k, value in enumerate(values[:n])]
            queries.add_observations(session, series.id, pairs, moment)
        score(sessions, panel, lambda moment=moment: moment)
        if n == 30:
            refit(sessions, panel, moment, fit)
        if n < 32:
            forecast(sessions, panel, lambda moment=moment: moment)
    refit(sessions, panel, moment, lambda task: replace(fit(task), accepted=True))


@pytest.fixture
def standings(rollcast):
    def told():
        _, out, _ = rollcast("models", "sales", "--json")
        return [(model["version"], model["standing"]) for model in json.loads(out)["models"]]

    return told


def test_the_versions_are_listed_with_how_they_stand(rollcast, lived, standings):
    code, out, _ = rollcast("models", "sales")
    assert code == 0
    heading, newest, first = out.splitlines()
    assert heading.split() == ["version", "model", "trained", "cutoff", "standing", "verdict"]
    assert newest.split()[0] == "2"
    assert "2026-01-06 07:00:00Z  waiting" in newest
    assert "2026-01-06 05:00:00Z  serving" in first


def test_the_newest_that_waits_is_promoted_and_rolled_back(rollcast, lived, standings):
    assert rollcast("promote", "sales")[1].startswith("sales  version 2 (")
    assert standings() == [(2, "serving"), (1, "served")]
    assert "rolling back again undoes it" in rollcast("rollback", "sales")[1]
    assert standings() == [(2, "served"), (1, "serving")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("promote sales 7", "panel sales has no model of version 7; there are 1, 2"),
        ("promote sales 1", "version 1 of panel sales serves already"),
        ("rollback sales", "panel sales has no model to roll back to: only version 1 has served"),
        ("promote gas", "there is no panel 'gas'; there are sales"),
        ("scores b", "there is no series 'b'; there are a"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(rollcast, lived, words, told):
    assert rollcast(*words.split()) == (2, "", f"rollcast: {told}\n")


def test_before_the_first_run_there_is_nothing_to_promote(rollcast, tmp_path):
    code, _, err = rollcast("promote", "sales")
    assert (code, err.endswith("rollcast run makes it\n")) == (2, True)
    assert not (tmp_path / "data").exists()


def test_before_the_first_refit_there_is_no_version_to_list(rollcast, sessions):
    assert rollcast("models", "sales")[1] == "panel sales has no model yet; the first refit makes one\n"


def test_scores_are_shown_step_by_step(rollcast, lived):
    code, out, _ = rollcast("scores", "a")
    assert code == 0
    assert "a  all that is kept: 3 steps scored, 3 wait for their truth" in out
    words = " ".join(out.split())
    assert "step scored MAE naive skill MASE coverage 80 coverage 95 1 2 " in words
    assert " 2 1 " in words
    assert " all 3 " in words


def test_scores_as_json_are_the_api_s(rollcast, lived):
    window = json.loads(rollcast("scores", "a", "--json")[1])["windows"]["all"]
    assert [(step["step"], step["scored"]) for step in window["by_step"]] == [(1, 2), (2, 1)]


def test_status_tells_of_a_refit_that_drift_forced(rollcast, lived, sessions):
    reason = "drift: live error 2.4 × what validation promised, since 2026-01-06 00:00:00Z; rnn serves: better"
    with sessions.begin() as session:
        run = queries.start_run(session, "refit", "sales", due=START, started=START)
        queries.end_run(session, run, ended=START, outcome="ok", reason=reason)
    assert f"refit  sales: {reason}\n" in rollcast("status")[1]
