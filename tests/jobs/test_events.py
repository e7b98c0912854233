"""What the jobs tell as events, each in the transaction of what it tells."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import IntegrityError

from db import queries
from jobs.events import Observed
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.pile import Pile
from jobs.promote import promote, roll_back
from jobs.refit import NotReadyError, refit
from jobs.runner import run
from jobs.score import score

WALK = np.random.default_rng(0).normal(size=400).cumsum()


@pytest.fixture
def told(sessions):
    """The events of a kind so far, in order: series and data."""

    def of(kind):
        with sessions() as session:
            events = queries.events_after(session, 0, 1_000)
        return [(event.series, json.loads(event.data)) for event in events if event.kind == kind]

    return of


@pytest.fixture
def learn(sessions, panel, source, clock, means):
    """Fetch so many hours of some series."""

    def put(n, *names):
        clock.now = max(clock.now, (pd.Timestamp("2026-01-05", tz="UTC") + n * timedelta(hours=1)).to_pydatetime())
        for name in names or ("a",):
            source.put(name, WALK[:n])
        return fetch(sessions, panel, clock, means)

    return put


@pytest.fixture
def lived(sessions, panel, clock, learn):
    """300 hours learnt, a model, a forecast, and the hour after it."""
    learn(300)
    refit(sessions, panel, clock(), fit)
    forecast(sessions, panel, clock)
    learn(301)


def test_a_first_fetch_is_one_event_a_series_with_its_newest_observation(learn, told):
    learn(300, "a", "b")
    newest = {"ts": "2026-01-17T11:00:00Z", "value": WALK[299], "new": 300, "revised": 0}
    assert told("observation") == [("a", newest), ("b", newest)]


def test_a_fetch_that_brings_nothing_new_is_no_event(learn, told):
    learn(10)
    learn(10)
    assert len(told("observation")) == 1


def test_a_revision_of_an_older_value_is_told_beside_the_newest_value(
    learn, source, sessions, panel, clock, means, told
):
    learn(10)
    source.values["a"].iloc[7] = 99.0
    fetch(sessions, panel, clock, means)
    assert told("observation")[1] == (
        "a",
        {"ts": "2026-01-05T09:00:00Z", "value": WALK[9], "new": 0, "revised": 1},
    )


def test_values_from_before_the_newest_are_told_beside_that(learn, source, sessions, panel, clock, means, told):
    learn(10)
    source.put("a", [5.0], start=pd.Timestamp("2026-01-04", tz="UTC"))
    source.more["complete"] = False
    fetch(sessions, panel, clock, means)
    assert told("observation")[1][1] == {"ts": "2026-01-05T09:00:00Z", "value": WALK[9], "new": 1, "revised": 0}


def test_a_series_that_takes_several_transactions_is_told_of_once_with_all_that_came(learn, told, monkeypatch):
    monkeypatch.setattr("jobs.fetch.AT_ONCE", 30)
    monkeypatch.setattr("jobs.fetch.Pile", partial(Pile, in_memory=50, block=40))
    learn(100, "a", "b")
    assert [(name, data["new"]) for name, data in told("observation")] == [("a", 100), ("b", 100)]


def test_a_series_that_was_held_back_is_no_event(sessions, panel, source, clock, means, told, learn):
    with sessions.begin() as session:
        queries.add_series(session, "a", "other")
    learn(10, "a", "b")
    assert [name for name, _ in told("observation")] == ["b"]


def test_a_dry_run_tells_nothing(sessions, panel, source, clock, means, told):
    clock.advance(hours=10)
    source.put("a", range(10))
    fetch(sessions, panel, clock, means, store=False)
    assert told("observation") == []


def test_a_forecast_is_told_with_its_model_and_first_step(lived, sessions, told):
    ((name, data),) = told("forecast")
    with sessions() as session:
        series = queries.find_series(session, "a")
        (entry, model), *_ = queries.forecasts(session, series.id, issued_after=None, limit=1)
        step = queries.steps_of(session, [entry.id])[entry.id][0]
    assert name == "a"
    assert data == {
        "cutoff": "2026-01-17T11:00:00Z",
        "issued_at": "2026-01-17T12:00:00Z",
        "model": model.kind,
        "model_version": 1,
        "next": {
            "step": 1,
            "target_ts": "2026-01-17T12:00:00Z",
            "mean": step.mean,
            "naive": step.naive,
            "intervals": {str(level): list(bounds) for level, bounds in step.bounds.items()},
        },
    }


def test_a_forecast_that_was_issued_before_is_not_told_again(lived, sessions, panel, clock, told):
    forecast(sessions, panel, clock)
    forecast(sessions, panel, clock)
    assert len(told("forecast")) == 2


def test_scores_are_told_with_the_errors_of_the_steps_just_scored(lived, sessions, panel, clock, told):
    score(sessions, panel, clock)
    with sessions() as session:
        series = queries.find_series(session, "a")
        summary = queries.score_summary(session, series.id)
    assert told("score") == [("a", {"scored": 1, "mae": summary.all.mae, "naive_mae": summary.all.naive_mae})]


def test_where_nothing_was_scored_nothing_is_told(lived, sessions, panel, clock, told):
    score(sessions, panel, clock)
    score(sessions, panel, clock)
    assert len(told("score")) == 1


@pytest.mark.parametrize(
    ("promotions", "accepted", "outcome"),
    [("managed", True, "promoted"), ("managed", False, "rejected"), ("manual", True, "waiting")],
)
def test_a_refit_is_told_with_what_became_of_it(lived, sessions, panel, clock, told, promotions, accepted, outcome):
    asked = replace(panel, promote=promotions)
    fitted = refit(sessions, asked, clock(), lambda task: replace(fit(task), accepted=accepted)).fitted
    assert told("refit")[1] == (
        None,
        {"outcome": outcome, "version": 2, "model": fitted.kind, "reason": fitted.verdict},
    )


def test_a_refit_that_failed_is_told_with_its_reason(sessions, clock, told):
    def broken():
        raise ValueError("no luck")

    run(sessions, clock, "refit", "p", broken, because="drift")
    assert told("refit") == [
        (None, {"outcome": "failed", "version": None, "model": None, "reason": "drift; ValueError: no luck"})
    ]


def test_a_refit_that_has_too_little_data_and_a_fetch_that_failed_are_no_refit_events(sessions, clock, told):
    def too_early():
        raise NotReadyError("3 of the 24")

    def broken():
        raise ValueError("no luck")

    run(sessions, clock, "refit", "p", too_early)
    run(sessions, clock, "fetch", "p", broken)
    assert told("refit") == []


def test_a_promotion_and_a_rollback_by_command_are_told_as_refits_are(lived, sessions, panel, clock, told):
    refit(sessions, replace(panel, promote="manual"), clock(), fit)
    promote(sessions, panel, 2, clock)
    roll_back(sessions, panel, clock)
    assert [(data["outcome"], data["version"], data["reason"]) for _, data in told("refit")[2:]] == [
        ("promoted", 2, "promoted by command"),
        ("promoted", 1, "rolled back from version 2 by command"),
    ]


@pytest.fixture
def jobs(sessions, panel, clock, learn):
    """Each job, by the table that it writes to."""
    return {
        "observations": lambda: learn(302),
        "scores": lambda: score(sessions, panel, clock),
        "models": lambda: refit(sessions, panel, clock(), fit),
        "forecasts": lambda: forecast(sessions, panel, clock),
    }


@pytest.mark.parametrize("table", ["observations", "scores", "models", "forecasts"])
def test_what_cannot_be_told_is_not_done_either(lived, sessions, jobs, table):
    def count():
        with sessions() as session:
            return session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()  # noqa: S608

    with sessions.begin() as session:
        session.connection().exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    before = count()
    with pytest.raises(IntegrityError, match="no room"):
        jobs[table]()
    assert count() == before


def test_a_value_that_is_no_number_is_told_as_null(clock):
    assert json.loads(Observed(clock(), float("nan"), 1, 0).of("p", "a").data)["value"] is None
