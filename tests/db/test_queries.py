"""Every read and write."""

from datetime import UTC, datetime, timedelta

import pytest

from db import queries
from db.queries import NewStep
from db.times import from_us, to_us

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def series(session):
    return queries.add_series(session, "a", "p")


@pytest.fixture
def model(session):
    return add_model(session)


def add_model(session, panel="p", promoted_at=T0):
    return queries.add_model(
        session, panel, kind="naive", cutoff=T0, trained_at=T0, promoted_at=promoted_at, verdict="", content=b"x"
    )


def steps(*means, start=T0):
    return [
        NewStep(start + k * HOUR, mean, 0.0, {80: (mean - 1, mean + 1), 95: (mean - 2, mean + 2)})
        for k, mean in enumerate(means, start=1)
    ]


def at(*hours):
    return [(to_us(T0 + hour * HOUR), float(hour)) for hour in hours]


def test_observations_come_in_order_of_time(session, series):
    queries.add_observations(session, series.id, at(3, 1, 2), T0)
    assert queries.observations(session, series.id, as_of=T0) == at(1, 2, 3)


def test_as_of_a_moment_shows_the_revision_known_then(session, series):
    queries.add_observations(session, series.id, at(1), T0)
    queries.add_observations(session, series.id, [(to_us(T0 + HOUR), 9.0)], T0 + HOUR)
    assert queries.observations(session, series.id, as_of=T0) == at(1)
    assert queries.observations(session, series.id, as_of=T0 + HOUR) == [(to_us(T0 + HOUR), 9.0)]


def test_what_was_learnt_later_is_not_shown(session, series):
    queries.add_observations(session, series.id, at(1), T0)
    queries.add_observations(session, series.id, at(2), T0 + HOUR)
    assert queries.observations(session, series.id, as_of=T0) == at(1)
    assert queries.newest_ts(session, series.id, T0) == T0 + HOUR


def test_the_newest_so_many_count_times_and_not_revisions(session, series):
    queries.add_observations(session, series.id, at(1, 2, 3), T0)
    for k in range(5):
        queries.add_observations(session, series.id, [(to_us(T0 + 3 * HOUR), 30.0 + k)], T0 + (k + 1) * HOUR)
    newest = queries.observations(session, series.id, as_of=T0 + 9 * HOUR, newest=2)
    assert newest == [*at(2), (to_us(T0 + 3 * HOUR), 34.0)]


def test_start_and_end_are_included(session, series):
    queries.add_observations(session, series.id, at(1, 2, 3, 4), T0)
    found = queries.observations(session, series.id, as_of=T0, start=T0 + 2 * HOUR, end=T0 + 3 * HOUR)
    assert found == at(2, 3)


def test_versions_count_up_in_each_panel(session):
    assert [add_model(session, panel).version for panel in ("p", "p", "q")] == [1, 2, 1]


def test_the_champion_is_the_newest_promoted_model(session):
    add_model(session, promoted_at=T0 + 9000 * HOUR)  # by a clock that ran ahead
    second = add_model(session, promoted_at=T0)
    add_model(session, promoted_at=None)
    assert queries.champion(session, "p").id == second.id


def test_a_panel_without_a_promoted_model_has_no_champion(session):
    add_model(session, promoted_at=None)
    assert queries.champion(session, "p") is None


def test_a_forecast_is_issued_once_per_series_cutoff_and_model(session, series, model):
    assert queries.issue(session, series.id, model.id, T0, T0, steps(1.0, 2.0))
    assert not queries.issue(session, series.id, model.id, T0, T0 + HOUR, steps(7.0, 8.0))
    (only,) = queries.forecasts(session, series.id, issued_after=None, limit=10)
    assert [step.mean for step in queries.steps_of(session, [only[0].id])[only[0].id]] == [1.0, 2.0]


def test_steps_come_with_their_bounds(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0))
    forecast, _ = queries.latest_forecast(session, series.id)
    (step,) = queries.steps_of(session, [forecast.id])[forecast.id]
    assert (step.target_ts, step.bounds) == (T0 + HOUR, {80: (0.0, 2.0), 95: (-1.0, 3.0)})


def test_the_latest_forecast_is_the_one_issued_last(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0))
    queries.issue(session, series.id, model.id, T0 + HOUR, T0 + HOUR, steps(2.0))
    assert queries.latest_forecast(session, series.id)[0].cutoff == T0 + HOUR


def test_forecasts_can_be_asked_for_from_a_moment_on(session, series, model):
    for k in range(3):
        queries.issue(session, series.id, model.id, T0 + k * HOUR, T0 + k * HOUR, steps(1.0))
    found = queries.forecasts(session, series.id, issued_after=T0, limit=10)
    assert [forecast.issued_at for forecast, _ in found] == [T0 + 2 * HOUR, T0 + HOUR]


def test_a_step_is_scored_when_its_truth_is_known(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.5, 2.5))
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    assert queries.fill_scores(session, series.id, T0 + HOUR) == 1
    summary = queries.score_summary(session, series.id)
    assert (summary.count, summary.pending, summary.mae, summary.naive_mae) == (1, 1, 0.5, 1.0)


def test_truth_learnt_later_than_now_does_not_score(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.5))
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    assert queries.fill_scores(session, series.id, T0) == 0


def test_a_step_is_scored_once_against_the_first_value_learnt(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0))
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    queries.add_observations(session, series.id, [(to_us(T0 + HOUR), 50.0)], T0 + 2 * HOUR)
    assert queries.fill_scores(session, series.id, T0 + 2 * HOUR) == 1
    assert queries.fill_scores(session, series.id, T0 + 2 * HOUR) == 0
    assert queries.score_summary(session, series.id).mae == 0.0


def test_coverage_is_the_share_inside_each_level(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0, 3.5))
    queries.add_observations(session, series.id, at(1, 2), T0 + HOUR)
    queries.fill_scores(session, series.id, T0 + HOUR)
    assert queries.score_summary(session, series.id).coverage == {80: 0.5, 95: 1.0}


def test_scores_can_be_asked_for_since_a_target(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0, 9.0))
    queries.add_observations(session, series.id, at(1, 2), T0 + HOUR)
    queries.fill_scores(session, series.id, T0 + HOUR)
    assert queries.score_summary(session, series.id, since=T0 + 2 * HOUR).mae == 7.0


def test_a_series_without_scores_says_so(session, series):
    summary = queries.score_summary(session, series.id)
    assert (summary.count, summary.mae, summary.coverage) == (0, None, {})


def test_runs_left_over_from_a_dead_process_are_closed(session):
    run_id = queries.start_run(session, "refit", "p", due=T0, started=T0)
    done = queries.start_run(session, "refit", "p", due=T0, started=T0)
    queries.end_run(session, done, ended=T0, outcome="ok", reason="")
    assert queries.interrupt_runs(session, T0 + HOUR) == 1
    newest = queries.newest_runs(session, "p", "refit", 10)
    assert [(run.id, run.outcome) for run in newest] == [(done, "ok"), (run_id, "interrupted")]


def test_a_refit_whose_model_was_stored_is_not_closed_as_interrupted(session):
    queries.start_run(session, "refit", "p", due=T0, started=T0)
    add_model(session)
    queries.interrupt_runs(session, T0 + HOUR)
    assert queries.newest_runs(session, "p", "refit", 1)[0].outcome == "ok"


def test_a_million_microseconds_are_a_second():
    assert from_us(1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
