"""What is answered of panels with a calendar; the other answers are tested where they are given."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import queries
from db.times import to_us
from jobs import calendars
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import refit
from service import answers

DAY = timedelta(days=1)
HALF = timedelta(minutes=30)


def at(*when):
    return datetime(*when, tzinfo=UTC)


@pytest.fixture
def prices(panel):
    """A daily price of New York's, fetched half an hour after the close."""
    return replace(panel, interval=DAY, calendar="XNYS", fetch_after_close=HALF, refit_after_close=HALF)


@pytest.fixture
def learn(sessions, clock):
    """Store values of a panel's 100 steps up to a time, and forecast from them half an hour after its interval."""

    def store(panel, newest, steps=100, forecast_too=True):
        labels = calendars.steps(panel, []).following(to_us(newest - 200 * panel.interval), 400)
        labels = [label for label in labels if label <= to_us(newest)][-steps:]
        values = np.random.default_rng(0).normal(size=len(labels)).cumsum()
        clock.now = datetime.fromtimestamp(calendars.end(panel, labels[-1]) / 1e6, UTC) + HALF
        with sessions.begin() as session:
            series = queries.add_series(session, "a", panel.name)
            queries.add_observations(session, series.id, list(zip(labels, values.tolist(), strict=True)), clock())
        if forecast_too:
            refit(sessions, panel, clock(), fit)
            forecast(sessions, panel, clock)

    return store


@pytest.fixture
def status(sessions, clock):
    def ask(panel, now):
        clock.now = now
        with sessions() as session:
            return answers.one_series(session, {panel.name: panel}, "a", now).status

    return ask


def test_a_daily_price_is_not_stale_over_a_holiday_weekend(learn, status, prices):
    learn(prices, at(2026, 12, 24))  # a Thursday; Friday is Christmas
    assert status(prices, at(2026, 12, 29, 18)) == "fresh"  # Tuesday, during the session


def test_a_daily_price_is_stale_a_day_after_a_session_brought_none(learn, status, prices):
    learn(prices, at(2026, 12, 24))
    assert status(prices, at(2026, 12, 29, 23)) == "stale"


def test_without_its_calendar_it_would_be_stale_at_the_weekend(learn, status, prices):
    learn(prices, at(2026, 12, 24))
    assert status(replace(prices, calendar=None), at(2026, 12, 28, 12)) == "stale"


def test_bars_are_not_stale_in_the_night(learn, status, panel):
    bars = replace(panel, interval=HALF, calendar="XNYS")
    learn(bars, at(2026, 1, 9, 20, 30))  # the last bar of a Friday
    assert status(bars, at(2026, 1, 12, 14)) == "fresh"  # Monday, before the open
    assert status(bars, at(2026, 1, 12, 16)) == "stale"


def test_months_are_stale_after_the_month_that_should_have_come(learn, status, panel):
    months = replace(panel, interval=timedelta(days=30.4375), months=1, train_window=3650 * DAY)
    learn(months, at(2026, 1, 1), steps=60)
    assert status(months, at(2026, 3, 30)) == "fresh"
    assert status(months, at(2026, 4, 2)) == "stale"


def test_the_age_of_a_price_counts_from_its_close(learn, sessions, prices):
    learn(prices, at(2026, 1, 9))
    with sessions() as session:
        answer = answers.one_series(session, {"p": prices}, "a", at(2026, 1, 9, 23))
    assert answer.data_age_s == 2 * 3600


def test_the_next_step_is_the_one_whose_session_has_not_closed(learn, sessions, prices):
    learn(prices, at(2026, 1, 8))
    for now, target in ((at(2026, 1, 9, 20), at(2026, 1, 9)), (at(2026, 1, 9, 22), at(2026, 1, 12))):
        with sessions() as session:
            assert answers.one_series(session, {"p": prices}, "a", now).next.target_ts == target


def test_a_forecast_expires_when_the_last_session_it_speaks_of_has_closed(learn, status, prices):
    learn(prices, at(2026, 12, 23))
    last = at(2026, 12, 29, 21)  # the 24th, the 28th and the 29th
    assert status(prices, last) != "expired"
    assert status(prices, last + timedelta(seconds=1)) == "expired"


def test_the_next_refit_comes_after_the_next_close(learn, sessions, prices):
    learn(prices, at(2026, 1, 9))
    ran = at(2026, 1, 9, 21, 30)
    with sessions.begin() as session:
        queries.end_run(
            session, queries.start_run(session, "refit", "p", due=ran, started=ran), ended=ran, outcome="ok", reason=""
        )
    with sessions() as session:
        answer = answers.one_series(session, {"p": prices}, "a", at(2026, 1, 10))
    assert answer.next_refit == at(2026, 1, 12, 21, 30)


def test_what_a_first_model_waits_for_is_told_in_sessions(learn, sessions, prices):
    learn(prices, at(2026, 1, 9), steps=10, forecast_too=False)
    with sessions() as session:
        answer = answers.one_series(session, {"p": prices}, "a", at(2026, 1, 10))
    assert answer.reason.startswith("10 of the 24 consecutive observations")
    assert answer.reason.endswith("; 3w to go")  # 14 sessions, with three weekends and a holiday
