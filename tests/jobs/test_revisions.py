"""Backtests of a panel's stored history, as it was known then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import queries
from db.times import from_us, to_us
from jobs.backtest import BacktestError, frames, replay
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import prepare, refit
from jobs.revisions import PanelHistory, read

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
WAVE = 50 + 10 * np.sin(np.arange(400) * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=400)


@pytest.fixture
def learn(sessions):
    """Store values of a series, the first at an hour from the start on, learnt at some moment."""

    def store(values, at, first=0, name="a", step=HOUR):
        with sessions.begin() as session:
            series = queries.find_series(session, name) or queries.add_series(session, name, "p")
            pairs = [(to_us(T0 + (first + k) * step), float(value)) for k, value in enumerate(values)]
            queries.add_observations(session, series.id, pairs, at)

    return store


@pytest.fixture
def history(sessions, panel):
    def make(cutoffs=1, stride=1, of=panel):
        with sessions() as session:
            return PanelHistory(of, read(session, of), cutoffs=cutoffs, stride=stride)

    return make


def seen(past, number, name="a"):
    return next(known for known in past.known(number) if known.name == name)


def test_a_revision_is_seen_only_from_when_it_was_learnt(learn, history):
    learn(range(20), at=T0)
    learn([99], first=5, at=T0 + 14 * HOUR + timedelta(minutes=5))
    learn([100], first=5, at=T0 + 16 * HOUR)
    past = history(cutoffs=6)  # after the values 11 … 16, each fetched an hour and five minutes later at the latest
    assert [from_us(seen(past, number).cutoff).hour for number in range(6)] == [11, 12, 13, 14, 15, 16]
    assert [seen(past, number).values[5] for number in range(6)] == [5, 5, 99, 99, 100, 100]


def test_history_that_was_learnt_late_counts_as_known_at_its_own_time(learn, history):
    learn(range(20), at=T0 + timedelta(days=900))
    past = history(cutoffs=2)
    assert seen(past, 0).values.tolist() == list(range(16))
    assert seen(past, 1).values.tolist() == list(range(17))


def test_truth_is_the_first_value_learnt(learn, history):
    learn(range(20), at=T0)
    learn([99], first=18, at=T0 + timedelta(days=1))
    assert seen(history(), 0).targets.tolist() == [17, 18, 19]


def test_truth_that_never_came_is_missing(learn, history):
    learn(range(18), at=T0)
    learn([19], first=19, at=T0)
    known = seen(history(), 0)
    assert from_us(known.cutoff) == T0 + 15 * HOUR
    assert known.targets.tolist() == [16, 17, pytest.approx(np.nan, nan_ok=True)]


def test_cutoffs_are_common_times_a_stride_apart(learn, history):
    learn(range(20), at=T0)
    learn(range(18), at=T0, name="b")
    past = history(cutoffs=3, stride=4)
    assert [past.moment(number) - T0 for number in range(3)] == [8 * HOUR, 12 * HOUR, 16 * HOUR]
    assert seen(past, 2, "b").targets.tolist()[0] == 17


def test_a_series_without_news_is_not_forecast_again(learn, history):
    learn(range(20), at=T0)
    learn(range(16), at=T0, name="b")
    past = history(cutoffs=3)
    assert [[known.name for known in past.known(number)] for number in range(3)] == [["a", "b"], ["a", "b"], ["a"]]


def test_a_trading_day_s_step_is_the_next_trading_day(learn, history, panel):
    days = [k for k in range(60) if (T0 + k * timedelta(days=1)).weekday() < 5]
    for k in days:
        learn([k], first=k, at=T0, step=timedelta(days=1))
    daily = replace(panel, interval=timedelta(days=1))
    past = history(of=daily)
    assert past.season == 5
    assert seen(past, 0).targets.tolist() == days[-3:]
    assert len(seen(past, 0).values) == len(days) - 3


def test_with_a_calendar_holidays_are_no_steps_and_values_are_known_after_the_close(learn, history, panel):
    for k in [0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 15, 16, 17, 18]:  # days since Monday the 5th; the 19th is a holiday
        learn([k], first=k, at=T0, step=24 * HOUR)
    fetched = T0 + 11 * 24 * HOUR + timedelta(hours=21, minutes=30)  # after the close of Friday the 16th
    learn([99], first=10, at=fetched, step=24 * HOUR)
    learn([100], first=10, at=fetched + timedelta(minutes=1), step=24 * HOUR)
    prices = replace(panel, interval=24 * HOUR, calendar="XNYS", fetch_after_close=timedelta(minutes=30))
    past = history(of=prices, cutoffs=2)
    assert from_us(seen(past, 0).cutoff) == T0 + 11 * 24 * HOUR
    assert seen(past, 0).targets.tolist() == [15, 16, 17]
    assert seen(past, 0).values.tolist() == [0, 1, 2, 3, 4, 7, 8, 9, 99, 11]


def test_a_fit_takes_the_train_window_back_from_the_cutoff(learn, history, panel):
    learn(range(50), at=T0)
    past = history(of=replace(panel, train_window=timedelta(hours=9)))
    assert past.observed(0).histories["a"][0].tolist() == list(range(37, 47))


def test_a_panel_with_too_few_values_says_how_many_are_needed(learn, history):
    learn(range(3), at=T0)
    with pytest.raises(BacktestError, match="panel p has values at 3 times, and a horizon of 3 needs 4"):
        history()


def test_a_backtest_makes_again_what_live_issued(sessions, panel, source, clock, means, history):
    """Live fetches, fits and forecasts; learns more, and a revision of the past; and looks back."""
    clock.now = T0 + 397 * HOUR + timedelta(minutes=2)
    source.put("a", WAVE[:397], start=T0)
    fetch(sessions, panel, clock, means)
    with sessions() as session:
        task = prepare(session, panel, clock())
    refit(sessions, panel, clock(), fit)
    steps = forecast(sessions, panel, clock).forecasts["a"]
    clock.advance(hours=3)
    source.put("a", np.r_[WAVE[:200], WAVE[200:400] + 5.0], start=T0)
    fetch(sessions, panel, clock, means)
    past = history()
    (made,) = frames(past, replay(past, 1))
    assert made["ds"].tolist() == [step.target_ts for step in steps]
    assert made["yhat"].tolist() == [step.mean for step in steps]
    assert made["lo_95"].tolist() == [step.bounds[95][0] for step in steps]
    assert past.observed(0).fingerprint == task.about["fingerprint"]


def test_a_split_is_no_jump_in_the_history_and_no_error_of_a_forecast(sessions, learn, history):
    """Of twenty values the fifth on are worth a quarter, and the nineteenth on a half of that."""
    values = [100.0 * (0.25 if k >= 5 else 1) * (0.5 if k >= 18 else 1) for k in range(20)]
    learn(values, at=T0 + timedelta(days=9))
    with sessions.begin() as session:
        series = queries.find_series(session, "a")
        known = [(to_us(T0 + 5 * HOUR), 0.25), (to_us(T0 + 18 * HOUR), 0.5)]
        queries.add_factors(session, series.id, known, T0 + timedelta(days=9))
    past = history()  # cutoff: the value of hour 16
    assert seen(past, 0).values.tolist() == [25.0] * 17
    assert seen(past, 0).targets.tolist() == [25.0] * 3
