"""Scores, and the sums that they are told from."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from db import queries
from db.queries import NewStep
from db.times import to_us

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def issue(session, series, model, *means, cutoff=T0, spread=1.0, **options):
    """A forecast of as many hours, whose naive says 0."""
    steps = [
        NewStep(
            cutoff + k * HOUR,
            mean,
            0.0,
            {80: (mean - spread, mean + spread), 95: (mean - 2 * spread, mean + 2 * spread)},
        )
        for k, mean in enumerate(means, start=1)
    ]
    assert queries.issue(session, series.id, model.id, cutoff, cutoff, steps, **options)


def learn(session, series, *hours, at=T0):
    """The value of each hour is its number."""
    queries.add_observations(session, series.id, [(to_us(T0 + hour * HOUR), float(hour)) for hour in hours], at)


def live_a_little(session, draw, all_series, model):
    """Forecasts, truth that comes late and in any order, and scorings in between, of some days around 1970."""
    start = datetime(1969, 12, 30, tzinfo=UTC)
    hours = {series.id: list(range(120)) for series in all_series}
    for k in range(60):
        series = draw.choice(all_series)
        cutoff = start + draw.randrange(100) * HOUR
        if not queries.is_issued(session, series.id, cutoff, model.id):
            means = [draw.gauss(0, 2) for _ in range(draw.randrange(1, 30))]
            scale = draw.choice([None, 0.0, 0.5, 3.0])
            issue(session, series, model, *means, cutoff=cutoff, spread=draw.random() * 3, scale=scale)
        learnt = [hours[series.id].pop(draw.randrange(len(hours[series.id]))) for _ in range(2)]
        pairs = [(to_us(start + hour * HOUR), draw.gauss(0, 2)) for hour in learnt]
        queries.add_observations(session, series.id, pairs, T0 + k * HOUR)
        if draw.random() < 0.4:
            queries.fill_scores(session, draw.choice(all_series).id, T0 + k * HOUR)


def approximately(tally):
    """The same counts, and sums that may differ in their last digits, because they were added up in another order."""
    return vars(tally) | {
        name: pytest.approx(getattr(tally, name)) for name in ("error", "naive_error", "scaled_error")
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_sums_are_what_the_scores_come_to(session, series, model, summed_up, stored_sums, seed):
    live_a_little(session, random.Random(seed), [series, queries.add_series(session, "b", "p")], model)
    for key in ("day", "step"):
        expected, stored = summed_up(session, key), stored_sums(session, key)
        assert len(expected) > 5
        assert {at: vars(tally) for at, tally in stored.items()} == {
            at: approximately(tally) for at, tally in expected.items()
        }


@pytest.fixture
def scored(session, series, model):
    """A forecast of 30 hours from the evening before T0, all of which are known; the error is 1 on T0's day, else 3."""
    means = [hour + (1 if 0 <= hour < 24 else 3) for hour in range(-3, 27)]
    issue(session, series, model, *means, cutoff=T0 - 4 * HOUR, scale=2.0)
    learn(session, series, *range(-3, 27))
    return queries.fill_scores(session, series.id, T0)


def test_scoring_tells_what_has_just_been_scored(scored):
    assert (scored.count, scored.error, scored.scaled_error) == (30, 24 * 1 + 6 * 3, 12 + 9)
    assert scored.inside == {80: (24, 30), 95: (24, 30)}


def test_a_window_begins_at_midnight_of_its_first_day(session, series, scored):
    for hours in (0, 9, 23):
        assert queries.score_summary(session, series.id, since=T0 + hours * HOUR).all.count == 27
    assert queries.score_summary(session, series.id, since=T0 - 1 * HOUR).all.count == 30
    assert queries.score_summary(session, series.id, since=T0 + DAY).all.mae == 3.0


def test_without_a_window_all_that_was_ever_scored_counts(session, series, scored):
    told = queries.score_summary(session, series.id).all
    assert vars(told) == vars(scored)


def test_step_by_step_is_told_where_it_is_asked_for(session, series, scored):
    assert queries.score_summary(session, series.id).by_step == {}
    assert queries.score_summary(session, series.id, T0).by_step == {}
    by_step = queries.score_summary(session, series.id, by_step=True).by_step
    assert {step: each.error for step, each in by_step.items()} == {k: 1 if 4 <= k < 28 else 3 for k in range(1, 31)}


def test_step_by_step_of_a_window_is_what_was_scored_in_it(session, series, scored):
    whole = queries.score_summary(session, series.id, by_step=True).by_step
    summary = queries.score_summary(session, series.id, T0 + 5 * HOUR, by_step=True)
    assert summary.by_step == {step: tally for step, tally in whole.items() if step >= 4}
    assert summary.all.count == sum(tally.count for tally in summary.by_step.values())


def test_sums_stay_when_forecasts_are_forgotten(session, series, scored):
    (forecast, _), *_ = queries.forecasts(session, series.id, limit=1)
    queries.delete_forecasts(session, [forecast.id])
    for since in (None, T0 - DAY):
        assert queries.score_summary(session, series.id, since).all.count == 30


def test_scoring_nothing_leaves_no_trace(session, series, scored, stored_sums):
    before = stored_sums(session, "day")
    assert queries.fill_scores(session, series.id, T0 + DAY).count == 0
    assert stored_sums(session, "day") == before


def test_coverage_is_the_share_inside_each_level_of_each_step(session, series, model):
    for k in range(2):
        issue(session, series, model, k + 1.5, k + 5.0, cutoff=T0 + k * HOUR, scale=2.0)
    learn(session, series, 1, 2, 3)
    queries.fill_scores(session, series.id, T0)
    by_step = queries.score_summary(session, series.id, by_step=True).by_step
    assert {step: (each.count, each.mae, each.mase) for step, each in by_step.items()} == {
        1: (2, 0.5, 0.25),
        2: (2, 3.0, 1.5),
    }
    assert [each.coverage for each in by_step.values()] == [{80: 1.0, 95: 1.0}, {80: 0.0, 95: 0.0}]


@pytest.mark.parametrize("scale", [None, 0.0])
def test_a_forecast_without_a_scale_is_left_out_of_mase(session, series, model, scale):
    issue(session, series, model, 2.0, scale=scale)
    issue(session, series, model, 5.0, cutoff=T0 + HOUR, scale=10.0)
    learn(session, series, 1, 2)
    queries.fill_scores(session, series.id, T0)
    total = queries.score_summary(session, series.id).all
    assert (total.count, total.mae, total.mase) == (2, 2.0, 0.3)


def test_a_series_without_scores_says_so(session, series):
    for summary in (
        queries.score_summary(session, series.id),
        queries.score_summary(session, series.id, T0, by_step=True),
        queries.score_glances(session, [series.id], T0)[series.id],
    ):
        assert (summary.pending, summary.by_step, summary.all.count, summary.all.mae) == (0, {}, 0, None)
        assert (summary.all.mase, summary.all.coverage) == (None, {})


def test_pending_are_the_steps_of_the_window_whose_truth_is_unknown(session, series, model):
    issue(session, series, model, *range(30), cutoff=T0 - 4 * HOUR)
    learn(session, series, 0)
    queries.fill_scores(session, series.id, T0)
    pending = [queries.score_summary(session, series.id, since).pending for since in (None, T0 + HOUR, T0 + DAY)]
    assert pending == [29, 26, 3]


def test_at_a_glance_each_series_is_told_what_it_is_told_alone(session, series, model, scored):
    other = queries.add_series(session, "b", "p")
    issue(session, other, model, 1.5, 3.5)
    learn(session, other, 1)
    queries.fill_scores(session, other.id, T0)
    idle = queries.add_series(session, "c", "p")
    glances = queries.score_glances(session, [idle.id, other.id, series.id], T0 + 5 * HOUR)
    assert glances == {
        each.id: queries.score_summary(session, each.id, T0 + 5 * HOUR) for each in (idle, other, series)
    }
