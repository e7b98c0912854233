"""Where values lie in time, and which time comes next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.times import from_us, to_us
from jobs import calendars
from jobs.calendars import DAY, DAY_US, EVERY_DAY, Fixed, Months, Weekdays, days, end, ends, labels, seasons, steps
from jobs.exchanges import InSessions

TRADING = (True, True, True, True, True, False, False)
FRIDAY = datetime(2026, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONTH = timedelta(days=30.4375)
NO_OFFSET = timedelta(0)
NEW_YORK = ZoneInfo("America/New_York")
SEOUL = ZoneInfo("Asia/Seoul")

zones = st.sampled_from(
    ["UTC", "America/New_York", "Asia/Seoul", "America/Sao_Paulo", "Pacific/Kiritimati", "Australia/Lord_Howe"]
).map(ZoneInfo)
weekmasks = st.lists(st.booleans(), min_size=7, max_size=7).filter(any).map(tuple)
moments = st.integers(to_us(datetime(1990, 1, 1, tzinfo=UTC)), to_us(datetime(2035, 1, 1, tzinfo=UTC)))
grids = st.tuples(st.integers(1, 86_399).map(lambda s: timedelta(seconds=s)), st.just(0)) | st.sampled_from(
    [(DAY, 0), (7 * DAY, 0), (MONTH, 1), (3 * MONTH, 3), (12 * MONTH, 12)]
)


def daily(start, count, keep=lambda _: True):
    moments = [start + k * DAY for k in range(count)]
    return [to_us(moment) for moment in moments if keep(moment)]


def at(*texts, tz="UTC"):
    return pd.DatetimeIndex([pd.Timestamp(text, tz=tz) for text in texts])


def label(text, interval, months=0, offset=NO_OFFSET, tz=None, zone="UTC"):
    (found,) = labels(at(text, tz=zone), interval, months, offset, tz)
    return from_us(int(found))


def day(year, month, of_month, *clock):
    return datetime(year, month, of_month, *clock, tzinfo=UTC)


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_intraday_time_is_laid_on_the_grid():
    assert label("2026-01-09 15:47:11", HOUR) == day(2026, 1, 9, 15)


def test_the_grid_can_have_an_offset():
    assert label("2026-01-09 15:47", HOUR, offset=timedelta(minutes=30)) == day(2026, 1, 9, 15, 30)
    assert label("2026-01-09 15:29", HOUR, offset=timedelta(minutes=30)) == day(2026, 1, 9, 14, 30)


def test_a_day_is_the_date_where_the_value_is_from():
    assert label("2026-01-09 23:30", DAY, zone="America/New_York") == day(2026, 1, 9)


def test_the_panels_zone_decides_over_the_values_own():
    assert label("2026-01-09 23:30", DAY, tz=SEOUL) == day(2026, 1, 10)


@pytest.mark.parametrize(("months", "first"), [(1, (2026, 8, 1)), (3, (2026, 7, 1)), (12, (2026, 1, 1))])
def test_a_time_lies_in_its_month_quarter_and_year(months, first):
    assert label("2026-08-31 23:59", months * MONTH, months) == day(*first)


def test_the_month_is_that_of_the_local_date():
    assert label("2026-08-31 23:59", MONTH, 1, tz=SEOUL) == day(2026, 9, 1)


@given(st.lists(moments, min_size=1, max_size=20), grids, zones, st.integers(0, 86_399))
def test_a_label_is_its_own_label_and_its_interval_ends_after_it(times, grid, tz, offset):
    interval, months = grid
    found = labels(pd.DatetimeIndex(np.array(times, "M8[us]"), tz="UTC"), interval, months, timedelta(0, offset), tz)
    again = pd.DatetimeIndex(found.astype("M8[us]"))
    whole_days = months or interval % DAY == timedelta(0)
    again = again.tz_localize(
        tz if whole_days else UTC, nonexistent="shift_forward", ambiguous=np.ones(len(found), bool)
    )
    assert labels(again, interval, months, timedelta(0, offset), tz).tolist() == found.tolist()
    assert (ends(found, interval, months, tz) > found).all()


@given(moments, grids, zones)
def test_a_time_lies_before_the_end_of_its_interval_and_not_before_the_end_of_the_one_before(time, grid, tz):
    interval, months = grid
    index = pd.DatetimeIndex(np.array([time], "M8[us]"), tz="UTC")
    found = labels(index, interval, months, NO_OFFSET, tz)
    assert ends(found, interval, months, tz)[0] > time
    if months or interval < DAY:
        before = Months(months).following(int(found[0]), 1) if months else []
        earlier = found - interval // calendars.MICROSECOND if not months else labels_before(found, months)
        assert ends(earlier, interval, months, tz)[0] <= time
        assert before == [] or before[0] > found[0]


def labels_before(found, months):
    index = pd.DatetimeIndex((found - DAY_US).astype("M8[us]"), tz="UTC")
    return labels(index, months * MONTH, months, NO_OFFSET, None)


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def ended(label, interval, months=0, tz=None, calendar=None):
    return from_us(int(ends(np.array([to_us(label)]), interval, months, tz, calendar)[0]))


def test_a_day_ends_at_the_midnight_in_its_zone():
    assert ended(day(2026, 1, 9), DAY, tz=NEW_YORK) == day(2026, 1, 10, 5)
    assert ended(day(2026, 1, 9), DAY, tz=SEOUL) == day(2026, 1, 9, 15)
    assert ended(day(2026, 1, 9), DAY) == day(2026, 1, 10)


def test_the_days_of_a_clock_change_are_an_hour_shorter_and_longer():
    spring, autumn = day(2026, 3, 8), day(2026, 11, 1)
    assert ended(spring, DAY, tz=NEW_YORK) - ended(spring - DAY, DAY, tz=NEW_YORK) == timedelta(hours=23)
    assert ended(autumn, DAY, tz=NEW_YORK) - ended(autumn - DAY, DAY, tz=NEW_YORK) == timedelta(hours=25)


def test_a_day_without_a_midnight_begins_when_the_clocks_have_changed():
    sao_paulo = ZoneInfo("America/Sao_Paulo")  # on 4 November 2018 clocks went from 0:00 to 1:00
    assert ended(day(2018, 11, 3), DAY, tz=sao_paulo) == day(2018, 11, 4, 3)


def test_a_day_with_two_midnights_begins_at_the_first():
    havana = ZoneInfo("America/Havana")  # on 1 November 2026 clocks go from 1:00 to 0:00
    assert ended(day(2026, 10, 31), DAY, tz=havana) == day(2026, 11, 1, 4)


@pytest.mark.parametrize(("months", "after"), [(1, (2026, 2, 1)), (3, (2026, 4, 1)), (12, (2027, 1, 1))])
def test_months_end_where_the_next_ones_begin(months, after):
    assert ended(day(2026, 1, 1), months * MONTH, months) == day(*after)
    assert ended(day(2026, 1, 1), months * MONTH, months, tz=SEOUL) == day(*after) - timedelta(hours=9)


def test_an_hour_ends_after_an_hour_in_every_zone():
    assert ended(day(2026, 1, 9, 15), HOUR, tz=SEOUL) == day(2026, 1, 9, 16)


def test_a_session_ends_at_its_close():
    assert ended(day(2026, 1, 9), DAY, tz=NEW_YORK, calendar="XNYS") == day(2026, 1, 9, 21)
    assert ended(day(2026, 11, 27), DAY, tz=NEW_YORK, calendar="XNYS") == day(2026, 11, 27, 18)  # early


def test_a_day_without_a_session_ends_at_midnight():
    assert ended(day(2026, 1, 10), DAY, tz=NEW_YORK, calendar="XNYS") == day(2026, 1, 11, 5)
    assert ended(day(2026, 1, 10), DAY, calendar="24/7") == day(2026, 1, 11)


def test_bars_and_weeks_end_on_the_grid_whatever_the_calendar():
    assert ended(day(2026, 1, 9, 20), HOUR, calendar="XNYS") == day(2026, 1, 9, 21)
    assert ended(day(2026, 1, 5), 7 * DAY, calendar="XNYS") == day(2026, 1, 12)


def test_the_end_of_one_label_is_asked_by_panel(panel):
    prices = replace(panel, interval=DAY, calendar="XNYS", tz=NEW_YORK)
    assert end(prices, to_us(day(2026, 1, 9))) == to_us(day(2026, 1, 9, 21))
    assert end(replace(panel, months=1), to_us(day(2026, 2, 1))) == to_us(day(2026, 3, 1))


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_price_steps_over_trading_days():
    assert days(DAY, daily(FRIDAY, 60, lambda moment: moment.weekday() < 5)) == TRADING


def test_a_currency_steps_over_all_days():
    assert days(DAY, daily(FRIDAY, 60)) == EVERY_DAY


def test_a_few_values_say_nothing_about_weekdays():
    assert days(DAY, daily(FRIDAY, 3)) == EVERY_DAY


def test_other_intervals_have_no_weekdays():
    assert days(HOUR, [0]) is None


def test_after_friday_comes_monday():
    following = [from_us(ts) for ts in Weekdays(TRADING).following(to_us(FRIDAY), 2)]
    assert following == [FRIDAY + 3 * DAY, FRIDAY + 4 * DAY]


def test_by_the_hour_the_next_hour_comes():
    assert Fixed(HOUR).following(to_us(FRIDAY), 1) == [to_us(FRIDAY + HOUR)]


def test_a_weekend_is_no_gap_in_trading_days():
    times = daily(FRIDAY, 4, lambda moment: moment.weekday() < 5)
    assert Weekdays(TRADING).numbers(times).tolist() == [0, 1]


@pytest.mark.parametrize("early", range(5))
def test_a_week_that_is_dated_a_day_early_is_a_week_all_the_same(early):
    fridays = [to_us(FRIDAY + k * 7 * DAY - (DAY if k == early else NO_OFFSET)) for k in range(5)]
    assert Fixed(7 * DAY).numbers(fridays).tolist() == [0, 1, 2, 3, 4]


def test_after_february_comes_march_in_leap_years_too():
    assert Months(1).following(to_us(day(2028, 1, 1)), 2) == [to_us(day(2028, 2, 1)), to_us(day(2028, 3, 1))]


def test_years_stay_in_step_over_leap_years():
    years = [to_us(day(year, 1, 1)) for year in range(1960, 2027)]
    assert Months(12).numbers(years).tolist() == list(range(67))
    assert Months(12).following(years[0], 66) == years[1:]


def test_a_missing_quarter_is_a_gap_of_one():
    quarters = [to_us(day(2026, 1, 1)), to_us(day(2026, 4, 1)), to_us(day(2026, 10, 1))]
    assert Months(3).numbers(quarters).tolist() == [0, 1, 3]


@given(
    moments,
    st.integers(1, 40),
    st.builds(Weekdays, weekmasks)
    | st.builds(Fixed, st.integers(1, 10**6).map(lambda s: timedelta(seconds=s)))
    | st.builds(Months, st.sampled_from([1, 2, 3, 4, 6, 12])),
)
def test_the_following_times_are_consecutive_steps(time, count, made):
    start = made.following(time, 1)[0]
    following = made.following(start, count)
    assert made.numbers([start, *following]).tolist() == list(range(count + 1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Fixed(HOUR)),
        ({"calendar": "24/7"}, Fixed(HOUR)),
        ({"interval": DAY}, Weekdays(TRADING)),
        ({"interval": DAY, "calendar": "24/7"}, Weekdays(EVERY_DAY)),
        ({"interval": 7 * DAY, "calendar": "XNYS"}, Fixed(7 * DAY)),
        ({"interval": MONTH, "months": 1, "calendar": "XNYS"}, Months(1)),
    ],
)
def test_the_panel_says_what_its_steps_are(panel, options, expected):
    assert steps(replace(panel, **options), daily(FRIDAY, 60, lambda moment: moment.weekday() < 5)) == expected


@pytest.mark.parametrize("interval", [HOUR, DAY])
def test_an_exchange_has_steps_of_its_own(panel, interval):
    assert isinstance(steps(replace(panel, interval=interval, calendar="XNYS"), []), InSessions)


def test_after_christmas_eve_comes_the_monday_after(panel):
    prices = replace(panel, interval=DAY, calendar="XNYS")
    assert steps(prices, []).following(to_us(day(2026, 12, 24)), 1) == [to_us(day(2026, 12, 28))]


@pytest.mark.parametrize(
    ("interval", "weekmask", "expected"),
    [
        (timedelta(minutes=30), None, (48, 336)),
        (HOUR, None, (24, 168)),
        (DAY, TRADING, (5,)),
        (DAY, EVERY_DAY, (7,)),
        (7 * DAY, None, (52,)),
        (timedelta(minutes=7), None, ()),
    ],
)
def test_the_interval_suggests_the_seasons(interval, weekmask, expected):
    assert seasons(interval, weekmask) == expected


@pytest.mark.parametrize(("months", "expected"), [(1, (12,)), (3, (4,)), (12, ())])
def test_months_have_the_year_for_a_season(months, expected):
    assert Months(months).seasons == expected


def test_two_values_a_step_are_enough_but_for_bars_round_the_clock(panel):
    assert calendars.values_a_step(panel) == 2
    assert calendars.values_a_step(replace(panel, interval=DAY, calendar="XNYS")) == 2
    bars = replace(panel, calendar="XNYS")
    week = np.arange(to_us(day(2026, 1, 4)), to_us(day(2026, 1, 11)), HOUR // calendars.MICROSECOND)
    sessions = steps(bars, week).numbers(week)[-1] + 1
    assert calendars.values_a_step(bars) * sessions >= len(week)
