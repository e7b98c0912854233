"""Runs: which are told."""

import itertools
import random
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from db import queries
from db.schema import Run

T0 = datetime(2026, 1, 1, tzinfo=UTC)
PANELS, JOBS, OUTCOMES = ("p", "q", "r"), ("fetch", "refit", "score"), ("ok", "failed", "waiting")


@pytest.fixture
def recorded(session):
    """200 runs of three panels, in order of writing: most of them fetches of p that went well."""
    draw = random.Random(0)
    rows = [
        Run(
            panel=draw.choices(PANELS, [20, 3, 1])[0],
            job=draw.choices(JOBS, [20, 3, 1])[0],
            outcome=draw.choices(OUTCOMES, [20, 3, 1])[0],
            due=T0,
            started=T0,
            reason="",
        )
        for _ in range(200)
    ]
    session.add_all(rows)
    session.flush()
    return rows


@pytest.mark.parametrize("panel", [None, *PANELS, "none"])
@pytest.mark.parametrize("before", [None, 120])
def test_runs_come_newest_first_as_asked_for(session, recorded, panel, before):
    for job, outcome, limit in itertools.product((None, *JOBS), (None, *OUTCOMES), (1, 7, 500)):
        expected = [
            run
            for run in reversed(recorded)
            if (panel in (None, run.panel) and job in (None, run.job) and outcome in (None, run.outcome))
            and (before is None or run.id < before)
        ]
        found = queries.runs(session, panel=panel, job=job, outcome=outcome, before_id=before, limit=limit)
        assert found == expected[:limit], (job, outcome, limit)


def test_where_nothing_has_run_there_are_no_runs(session):
    assert queries.runs(session, limit=9) == queries.runs(session, panel="p", limit=9) == []
    assert queries.newest_runs_of_all(session, JOBS, 9) == {}


@pytest.mark.parametrize("limit", [1, 3, 500])
def test_the_newest_runs_of_all_are_those_of_each_panel_and_job(session, recorded, limit):
    expected = {
        (panel, job): queries.newest_runs(session, panel, job, limit) for panel in PANELS for job in ("fetch", "refit")
    }
    found = queries.newest_runs_of_all(session, ("fetch", "refit"), limit)
    assert found == {kind: runs for kind, runs in expected.items() if runs}


def test_a_run_is_found_by_its_id(session, recorded):
    assert queries.find_run(session, recorded[7].id) is recorded[7]
    assert queries.find_run(session, 4711) is None


def test_the_rarest_run_is_found_without_looking_at_the_others(session):
    """However many there are: SQLite counts the steps of its machine."""
    row = "INSERT INTO runs (panel, job, outcome, due, started, reason) VALUES (?, ?, ?, 0, 0, '')"
    common = [("p", "fetch", "ok"), ("p", "refit", "failed"), ("q", "fetch", "ok")]
    session.connection().exec_driver_sql(row, [("p", "fetch", "failed"), *(common * 20_000)])
    raw = session.connection().connection.dbapi_connection
    steps = itertools.count()
    raw.set_progress_handler(lambda: next(steps) and None, 100)  # each 100 instructions
    for asked in ({"panel": "p", "job": "fetch"}, {"panel": "p"}, {"job": "fetch"}, {}):
        assert [run.id for run in queries.runs(session, outcome="failed", **asked, limit=5)][-1:]
    raw.set_progress_handler(None, 0)
    assert session.scalar(text("SELECT count(*) FROM runs")) == 60_001
    assert next(steps) < 100
