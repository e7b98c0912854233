"""Scoring."""

from datetime import timedelta

import pytest

from db import queries
from db.queries import NewStep
from db.times import to_us
from jobs.score import score

HOUR = timedelta(hours=1)


@pytest.fixture
def line(sessions, clock, store_model):
    """A series whose value at hour t is t, and a model that knows it: every forecast is exact."""
    with sessions.begin() as session:
        series = queries.add_series(session, "line", "p")
        model = store_model(session, kind="exact")
        for k in range(10):
            cutoff = clock() + k * HOUR
            steps = [
                NewStep(cutoff + h * HOUR, float(k + h), float(k), {80: (k + h - 1, k + h + 1)}) for h in (1, 2, 3)
            ]
            queries.issue(session, series.id, model.id, cutoff, cutoff + HOUR, steps, unit=1.0, scale=1.0)
    return series


def learn(sessions, series, clock, hours):
    with sessions.begin() as session:
        pairs = [(to_us(clock() + hour * HOUR), float(hour)) for hour in hours]
        queries.add_observations(session, series.id, pairs, clock())


def test_a_forecaster_exact_on_y_equals_t_scores_zero_at_every_step(sessions, panel, clock, line):
    learn(sessions, line, clock, range(14))
    assert score(sessions, panel, clock).steps == 30
    with sessions() as session:
        summary = queries.score_summary(session, line.id, by_step=True)
    assert (summary.all.mae, summary.all.naive_mae, summary.all.coverage) == (0.0, 2.0, {80: 1.0})
    assert {step: (each.count, each.mae, each.mase, each.naive_mae) for step, each in summary.by_step.items()} == {
        step: (10, 0.0, 0.0, float(step)) for step in (1, 2, 3)
    }


def test_scoring_twice_scores_nothing_twice(sessions, panel, clock, line):
    learn(sessions, line, clock, range(14))
    score(sessions, panel, clock)
    assert score(sessions, panel, clock).steps == 0


def test_truth_that_comes_late_is_scored_late(sessions, panel, clock, line):
    learn(sessions, line, clock, [1, 3])
    assert score(sessions, panel, clock).steps == 1 + 3
    clock.advance(hours=30)
    with sessions.begin() as session:
        queries.add_observations(session, line.id, [(to_us(clock() - 28 * HOUR), 2.0)], clock())
    assert score(sessions, panel, clock).steps == 2


def test_only_the_panel_s_own_series_are_scored(sessions, panel, clock, line):
    from dataclasses import replace

    learn(sessions, line, clock, range(14))
    assert score(sessions, replace(panel, name="q"), clock).steps == 0


def test_a_split_between_cutoff_and_target_is_no_error_of_the_forecast(sessions, panel, clock, line):
    """From hour 11 on a quarter of the value is brought: the first forecasts speak of the measure before."""
    with sessions.begin() as session:
        pairs = [(to_us(clock() + hour * HOUR), hour * (0.25 if hour >= 11 else 1.0)) for hour in range(14)]
        queries.add_factors(session, line.id, [(to_us(clock() + 11 * HOUR), 0.25)], clock() + 13 * HOUR)
        queries.add_observations(session, line.id, pairs, clock() + 13 * HOUR)
    clock.advance(hours=14)
    score(sessions, panel, clock)
    with sessions() as session:
        assert queries.score_summary(session, line.id).all.mae == 0.0


def test_a_split_that_was_known_when_the_forecast_was_issued_is_in_its_measure_already(sessions, panel, clock, line):
    with sessions.begin() as session:
        queries.add_factors(session, line.id, [(to_us(clock() + HOUR), 0.25)], clock())
        queries.add_observations(session, line.id, [(to_us(clock() + HOUR), 1.0)], clock() + HOUR)
    clock.advance(hours=2)
    score(sessions, panel, clock)
    with sessions() as session:
        assert queries.score_summary(session, line.id).all.mae == 0.0
