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
def model(session, store_model):
    return store_model(session)


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


def test_revisions_come_in_order_of_time_and_of_when_they_were_learnt(session, series):
    queries.add_observations(session, series.id, at(2, 1), T0)
    queries.add_observations(session, series.id, [(to_us(T0 + HOUR), 9.0)], T0 + HOUR)
    assert [
        (from_us(ts) - T0, from_us(learnt) - T0, value) for ts, learnt, value in queries.revisions(session, series.id)
    ] == [
        (HOUR, timedelta(0), 1.0),
        (HOUR, HOUR, 9.0),
        (2 * HOUR, timedelta(0), 2.0),
    ]


def test_values_before_a_factor_are_read_in_the_measure_after_it(session, series):
    queries.add_observations(session, series.id, at(1, 2, 3, 4), T0)
    queries.add_factors(session, series.id, [(to_us(T0 + 3 * HOUR), 0.5), (to_us(T0 + 4 * HOUR), 0.1)], T0 + HOUR)
    after = queries.observations(session, series.id, as_of=T0 + HOUR)
    assert [value for _, value in after] == pytest.approx([1 * 0.05, 2 * 0.05, 3 * 0.1, 4.0])
    assert queries.observations(session, series.id, as_of=T0) == at(1, 2, 3, 4)
    early = queries.observations(session, series.id, as_of=T0 + HOUR, end=T0 + 2 * HOUR)
    assert early == after[:2]


def test_of_a_factor_that_is_revised_the_newest_known_one_counts(session, series):
    queries.add_observations(session, series.id, at(1, 2), T0)
    for hours, factor in ((1, 0.5), (2, 0.25)):
        queries.add_factors(session, series.id, [(to_us(T0 + 2 * HOUR), factor)], T0 + hours * HOUR)
    assert [queries.observations(session, series.id, as_of=T0 + k * HOUR)[0][1] for k in (0, 1, 2)] == [1, 0.5, 0.25]


def test_what_is_stored_is_told_as_it_was_brought_and_of_each_time_the_newest(session, series):
    other = queries.add_series(session, "b", "p")
    queries.add_observations(session, series.id, at(1, 2, 3), T0)
    queries.add_observations(session, series.id, [(to_us(T0 + 2 * HOUR), 9.0)], T0 + HOUR)
    queries.add_observations(session, other.id, at(2), T0)
    queries.add_factors(session, series.id, [(to_us(T0 + 3 * HOUR), 0.5)], T0)
    start, end = to_us(T0 + 2 * HOUR), to_us(T0 + 3 * HOUR)
    found = queries.stored_values(session, [series.id, other.id], as_of=T0 + 9 * HOUR, start=start, end=end)
    assert found == [(series.id, to_us(T0 + 2 * HOUR), 9.0), (series.id, *at(3)[0]), (other.id, *at(2)[0])]


def test_what_is_stored_under_a_later_moment_is_not_known_yet(session, series):
    """As after clocks have been set back."""
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    assert queries.stored_values(session, [series.id], as_of=T0, start=0, end=to_us(T0 + HOUR)) == []


def test_what_is_stored_of_any_number_of_series_is_told(session, series):
    queries.add_observations(session, series.id, at(1), T0)
    ids = list(range(300_000))  # SQLite takes at most 250,000 variables, or 32,766
    assert len(queries.stored_values(session, ids, as_of=T0, start=0, end=to_us(T0 + HOUR))) == 1


def test_the_newest_time_of_each_series_is_told_at_once(session, series):
    queries.add_series(session, "empty", "p")
    queries.add_observations(session, series.id, at(1, 2), T0)
    queries.add_observations(session, series.id, at(3), T0 + HOUR)
    assert queries.newest_times(session, "p", T0) == {series.id: T0 + 2 * HOUR}
    assert queries.newest_times(session, "q", T0) == {}


def test_a_source_s_state_holds_for_its_options_alone(session):
    queries.keep_source_state(session, "p", "digest", {"offset": 1})
    queries.keep_source_state(session, "p", "digest", {"offset": 2})
    assert queries.source_state(session, "p", "digest") == {"offset": 2}
    assert queries.source_state(session, "p", "another") is None
    assert queries.source_state(session, "q", "digest") is None


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


def test_versions_count_up_in_each_panel(session, store_model):
    assert [store_model(session, panel).version for panel in ("p", "p", "q")] == [1, 2, 1]


def test_the_champion_is_the_newest_promoted_model(session, store_model):
    store_model(session, at=T0 + 9000 * HOUR)  # by a clock that ran ahead
    second = store_model(session)
    store_model(session, promoted=False)
    assert queries.champion(session, "p").id == second.id


def test_a_model_that_is_promoted_again_is_champion_again(session, store_model):
    first, second = store_model(session), store_model(session)
    queries.promote(session, first, T0, "rolled back")
    assert queries.champion(session, "p").id == first.id
    assert queries.previous_champion(session, "p").id == second.id


def test_promotions_come_newest_first(session, store_model):
    first, second = store_model(session), store_model(session)
    store_model(session, "q")
    assert [promotion.model_id for promotion in queries.promotions(session, "p")] == [second.id, first.id]


def test_a_panel_without_a_promoted_model_has_no_champion(session, store_model):
    store_model(session, promoted=False)
    assert queries.champion(session, "p") is None
    assert queries.previous_champion(session, "p") is None


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
    assert queries.fill_scores(session, series.id, T0 + HOUR).count == 1
    summary = queries.score_summary(session, series.id)
    assert (summary.pending, summary.all.count, summary.all.mae, summary.all.naive_mae) == (1, 1, 0.5, 1.0)


def test_truth_learnt_later_than_now_does_not_score(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.5))
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    assert queries.fill_scores(session, series.id, T0).count == 0


def test_a_step_is_scored_once_against_the_first_value_learnt(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0))
    queries.add_observations(session, series.id, at(1), T0 + HOUR)
    queries.add_observations(session, series.id, [(to_us(T0 + HOUR), 50.0)], T0 + 2 * HOUR)
    assert queries.fill_scores(session, series.id, T0 + 2 * HOUR).count == 1
    assert queries.fill_scores(session, series.id, T0 + 2 * HOUR).count == 0
    assert queries.score_summary(session, series.id).all.mae == 0.0


def test_coverage_is_the_share_inside_each_level(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, steps(1.0, 3.5))
    queries.add_observations(session, series.id, at(1, 2), T0 + HOUR)
    queries.fill_scores(session, series.id, T0 + HOUR)
    assert queries.score_summary(session, series.id).all.coverage == {80: 0.5, 95: 1.0}


def live(session, series, model, as_of=T0 + 99 * HOUR, newest=10, **options):
    found = queries.live_forecasts(session, series.id, model.id, as_of=as_of, newest=newest, **options)
    return [(from_us(each.cutoff), each.unit, each.errors) for each in found]


@pytest.fixture
def issued(session, series, model):
    """Forecasts of two steps from hours 0, 1 and 2, and the truth up to hour 2."""
    for k in range(3):
        cutoff = T0 + k * HOUR
        queries.issue(session, series.id, model.id, cutoff, cutoff, steps(k + 1.5, k + 2.5, start=cutoff), unit=k + 1)
    queries.add_observations(session, series.id, at(1, 2), T0 + 2 * HOUR)
    queries.fill_scores(session, series.id, T0 + 2 * HOUR)


def test_live_forecasts_come_in_order_of_cutoff_with_what_is_known_of_their_errors(session, series, model, issued):
    assert live(session, series, model) == [
        (T0, 1.0, {1: -0.5, 2: -0.5}),
        (T0 + HOUR, 2.0, {1: -0.5}),
        (T0 + 2 * HOUR, 3.0, {}),
    ]


def test_live_forecasts_are_the_newest_before_a_cutoff(session, series, model, issued):
    assert live(session, series, model, before=T0 + 2 * HOUR, newest=1) == [(T0 + HOUR, 2.0, {1: -0.5})]


def test_as_of_a_moment_live_forecasts_were_issued_and_scored_by_then(session, series, model, issued):
    assert live(session, series, model, as_of=T0 + HOUR) == [(T0, 1.0, {}), (T0 + HOUR, 2.0, {})]


def test_live_forecasts_can_be_asked_for_since_they_were_issued(session, series, model, issued):
    assert [row[0] for row in live(session, series, model, issued_from=T0 + HOUR)] == [T0 + HOUR, T0 + 2 * HOUR]


def test_live_forecasts_of_another_model_or_without_a_unit_are_passed_over(session, series, model, issued, store_model):
    other = store_model(session)
    assert live(session, series, other) == []
    queries.issue(session, series.id, other.id, T0, T0, steps(1.0))
    assert live(session, series, other) == []


def test_of_two_forecasts_of_one_cutoff_the_champion_s_is_the_latest(session, series, model, store_model):
    newer = store_model(session)
    for each in (model, newer):
        queries.issue(session, series.id, each.id, T0, T0, steps(1.0))
    assert queries.latest_forecast(session, series.id)[1].id == newer.id
    queries.promote(session, model, T0, "rolled back")
    assert queries.latest_forecast(session, series.id)[1].id == model.id


def test_runs_left_over_from_a_dead_process_are_closed(session):
    run_id = queries.start_run(session, "refit", "p", due=T0, started=T0)
    done = queries.start_run(session, "refit", "p", due=T0, started=T0)
    queries.end_run(session, done, ended=T0, outcome="ok", reason="")
    assert queries.interrupt_runs(session, T0 + HOUR) == 1
    newest = queries.newest_runs(session, "p", "refit", 10)
    assert [(run.id, run.outcome) for run in newest] == [(done, "ok"), (run_id, "interrupted")]


def test_a_refit_whose_model_was_stored_is_not_closed_as_interrupted(session, store_model):
    queries.start_run(session, "refit", "p", due=T0, started=T0)
    store_model(session)
    queries.interrupt_runs(session, T0 + HOUR)
    assert queries.newest_runs(session, "p", "refit", 1)[0].outcome == "ok"


def test_a_million_microseconds_are_a_second():
    assert from_us(1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
