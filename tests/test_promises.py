"""The seven promises of ARCHITECTURE.md, one after the other. Each test is named after the promise it could break.

Promises 5 and 6 are also tested on real processes, in tests/e2e.
"""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from db import engine, queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import context, forecast, make
from jobs.live import live_errors
from jobs.refit import refit
from jobs.score import score
from models.forecaster import Forecaster

HOUR = timedelta(hours=1)
SIGNAL = 50 + 10 * np.sin(np.arange(600) * 2 * np.pi / 17) + np.random.default_rng(0).normal(size=600)


@pytest.fixture
def live(sessions, panel, source, clock, means):
    """Live through some hours: each brings an observation, and some of them a revision of an old one or a refit."""

    def through(first, last, refit_at=(), revise=()):
        for n in range(first, last):
            clock.now = max(clock.now, source_start(clock) + n * HOUR)
            values = SIGNAL[:n].copy()
            for revised_at, position in revise:
                if n >= revised_at:
                    values[position] += 5.0
            source.put("a", values)
            fetch(sessions, panel, clock, means)
            score(sessions, panel, clock)
            if n in refit_at:
                refit(sessions, panel, clock(), fit)
            forecast(sessions, panel, clock)
            clock.advance(minutes=1)

    start = clock()

    def source_start(_):
        return start

    return through


def ledger(session, series):
    found = queries.forecasts(session, series.id, issued_after=None, limit=1000)
    steps = queries.steps_of(session, [made.id for made, _ in found])
    return [(made, model, steps[made.id]) for made, model in found]


def test_promise_1_any_forecast_in_the_ledger_can_be_made_again_bit_for_bit(sessions, panel, live):
    live(400, 430, refit_at=(400, 415), revise=[(405, 398), (420, 410), (425, 424)])
    with sessions() as session:
        (series,) = queries.series_of_panel(session, "p")
        entries = ledger(session, series)
        assert len(entries) >= 30
        assert {model.version for _, model, _ in entries} >= {1}
        known = 0
        for made, model, steps in entries:
            forecaster, _ = Forecaster.from_bytes(model.content)
            then = {"as_of": made.issued_at, "cutoff": made.cutoff}
            seen = context(session, panel, series.id, forecaster, **then)
            errors = live_errors(session, series.id, model.id, forecaster, **then)
            known += np.isfinite(errors).sum()
            again = make(forecaster, panel, "a", seen, errors)
            assert [(s.target_ts, s.mean, s.naive, dict(s.bounds)) for s in again.steps] == [
                (s.target_ts, s.mean, s.naive, s.bounds) for s in steps
            ]
            assert (again.unit, again.scale) == (made.unit, made.scale)
        assert known > 100  # live errors were seen, and in many forecasts


def test_promise_1_no_forecast_depends_on_what_came_after_it(sessions, panel, source, clock, means):
    """Two houses with the same past and different futures write the same forecasts, until the futures differ."""
    clock.advance(hours=400)
    source.put("a", SIGNAL[:400])
    fetch(sessions, panel, clock, means)
    refit(sessions, panel, clock(), fit)
    moment = clock()
    before = forecast(sessions, panel, lambda: moment).forecasts["a"]
    clock.advance(hours=200)
    source.put("a", np.concatenate([SIGNAL[:400] + 3.0, np.random.default_rng(9).normal(size=200) * 1000]))
    fetch(sessions, panel, clock, means)
    with sessions.begin() as session:
        session.execute(text("DELETE FROM pending_scores"))
        for table in ("forecast_bounds", "forecast_steps", "forecasts"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608  a name from the line above
    after = forecast(sessions, panel, lambda: moment).forecasts["a"]
    assert after == before


def test_promise_1_a_refit_as_of_then_gives_the_same_bytes_whatever_was_learnt_since(
    sessions, panel, source, clock, means
):
    clock.advance(hours=400)
    source.put("a", SIGNAL[:400])
    fetch(sessions, panel, clock, means)
    moment = clock()
    tasks = []
    refit(sessions, panel, moment, lambda task: tasks.append(task) or fit(task))
    clock.advance(hours=200)
    source.put("a", np.concatenate([SIGNAL[:400] + 3.0, np.random.default_rng(9).normal(size=200) * 1000]))
    fetch(sessions, panel, clock, means)
    with sessions.begin() as session:
        session.execute(text("DELETE FROM promotions"))
        session.execute(text("DELETE FROM models"))
    refit(sessions, panel, moment, lambda task: tasks.append(task) or fit(task))
    assert fit(tasks[0]).content == fit(tasks[1]).content


@pytest.mark.parametrize("table", ["forecasts", "forecast_steps", "forecast_bounds"])
def test_promise_2_the_ledger_is_append_only(sessions, panel, live, table):
    live(400, 402, refit_at=(400,))
    column = {"forecasts": "issued_at", "forecast_steps": "mean", "forecast_bounds": "lo"}[table]
    with sessions() as session, pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(f"UPDATE {table} SET {column} = 0"))  # noqa: S608  names from the lines above


def test_promise_2_one_forecast_per_series_cutoff_and_model(sessions, panel, live, clock):
    live(400, 405, refit_at=(400, 403))
    for _ in range(3):
        forecast(sessions, panel, clock)
    with sessions() as session:
        (series,) = queries.series_of_panel(session, "p")
        keys = [(made.cutoff, made.model_id) for made, _, _ in ledger(session, series)]
    assert len(keys) == len(set(keys))


def test_promise_3_every_answer_tells_its_age_and_state(sessions, panel, live, clock):
    from service import answers

    live(400, 402, refit_at=(400,))
    seen = []
    for _ in range(8):
        with sessions() as session:
            answer = answers.latest(session, {"p": panel}, "a", clock())
        assert answer.reason
        assert answer.ages.data_s is not None
        seen.append(answer.status)
        clock.advance(hours=1)
    assert seen == sorted(seen, key=["fresh", "stale", "expired"].index)
    assert seen[0] == "fresh"
    assert seen[-1] == "expired"


def test_promise_4_where_nothing_beats_the_naive_the_naive_serves_and_the_answer_says_so(
    sessions, panel, source, clock, means
):
    from service import answers

    clock.advance(hours=900)
    source.put("a", np.random.default_rng(3).normal(size=900).cumsum())
    fetch(sessions, panel, clock, means)
    refit(sessions, panel, clock(), fit)
    forecast(sessions, panel, clock)
    with sessions() as session:
        answer = answers.latest(session, {"p": panel}, "a", clock())
    assert answer.model == "naive"
    assert [step.mean for step in answer.steps] == [step.naive for step in answer.steps]


def test_promise_4_a_challenger_serves_only_if_it_wins_out_of_sample(sessions, panel, live):
    live(590, 591, refit_at=(590,))
    with sessions() as session:
        champion = queries.champion(session, "p")
    assert champion.kind == "rnn"
    assert "standard errors better" in champion.verdict


def test_promise_5_refits_run_in_another_process(sessions, panel, source, clock, tmp_path):
    import os

    from jobs.workers import Workers

    workers = Workers(1, timedelta(seconds=60))
    try:
        assert workers.call(_pid, None) != os.getpid()
    finally:
        workers.stop()


def _pid(_):
    import os

    return os.getpid()


def test_promise_6_every_job_done_twice_is_done_once(sessions, panel, live, clock, means):
    live(400, 405, refit_at=(400,))

    def contents():
        tables = (
            "observations",
            "forecasts",
            "forecast_steps",
            "forecast_bounds",
            "pending_scores",
            "scores",
            "models",
            "promotions",
        )
        with sessions() as session:
            return {table: session.execute(text(f"SELECT * FROM {table}")).all() for table in tables}  # noqa: S608

    before = contents()
    fetch(sessions, panel, clock, means)
    score(sessions, panel, clock)
    forecast(sessions, panel, clock)
    assert contents() == before


def test_promise_7_the_api_s_database_cannot_be_written_to(url, write_engine):
    with engine.sessions(engine.reader(url))() as session, pytest.raises(OperationalError, match="readonly"):
        session.execute(text("DELETE FROM forecasts"))


def test_promise_7_the_api_knows_no_method_but_get(url, panel, clock, write_engine):
    from service.api import create_app

    app = create_app({"p": panel}, engine.sessions(engine.reader(url)), clock, lambda: True)
    methods = {method for route in app.routes for method in getattr(route, "methods", ())}
    assert methods <= {"GET", "HEAD"}
