"""Which time comes next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.times import from_us, to_us
from jobs.calendars import DAY, DAY_US, EVERY_DAY, days, next_times, seasons, step_numbers

TRADING = (True, True, True, True, True, False, False)
FRIDAY = datetime(2026, 1, 9, tzinfo=UTC)


def daily(start, count, keep=lambda _: True):
    moments = [start + k * DAY for k in range(count)]
    return [to_us(moment) for moment in moments if keep(moment)]


def test_a_price_steps_over_trading_days():
    assert days(DAY, daily(FRIDAY, 60, lambda moment: moment.weekday() < 5)) == TRADING


def test_a_currency_steps_over_all_days():
    assert days(DAY, daily(FRIDAY, 60)) == EVERY_DAY


def test_a_few_values_say_nothing_about_weekdays():
    assert days(DAY, daily(FRIDAY, 3)) == EVERY_DAY


def test_other_intervals_have_no_weekdays():
    assert days(timedelta(hours=1), [0]) is None


def test_after_friday_comes_monday():
    following = [from_us(ts) for ts in next_times(to_us(FRIDAY), DAY, TRADING, 2)]
    assert following == [FRIDAY + 3 * DAY, FRIDAY + 4 * DAY]


def test_by_the_hour_the_next_hour_comes():
    assert next_times(to_us(FRIDAY), timedelta(hours=1), None, 1) == [to_us(FRIDAY + timedelta(hours=1))]


def test_a_weekend_is_no_gap_in_trading_days():
    times = daily(FRIDAY, 4, lambda moment: moment.weekday() < 5)
    assert step_numbers(times, DAY, TRADING).tolist() == [0, 1]


@given(st.integers(0, 20_000), st.integers(1, 20), st.lists(st.booleans(), min_size=7, max_size=7).filter(any))
def test_the_next_times_are_the_following_steps(day, count, weekmask):
    start = next_times(day * DAY_US, DAY, tuple(weekmask), 1)[0]
    following = next_times(start, DAY, tuple(weekmask), count)
    assert step_numbers([start, *following], DAY, tuple(weekmask)).tolist() == list(range(count + 1))


@pytest.mark.parametrize(
    ("interval", "weekmask", "expected"),
    [
        (timedelta(minutes=30), None, (48, 336)),
        (timedelta(hours=1), None, (24, 168)),
        (DAY, TRADING, (5,)),
        (DAY, EVERY_DAY, (7,)),
        (7 * DAY, None, (52,)),
        (timedelta(minutes=7), None, ()),
    ],
)
def test_the_interval_suggests_the_seasons(interval, weekmask, expected):
    assert seasons(interval, weekmask) == expected
