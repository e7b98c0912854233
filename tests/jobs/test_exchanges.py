"""The sessions of exchanges, and the steps in them."""

import subprocess
import sys
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.times import MICROSECOND, from_us, to_us
from jobs.exchanges import CalendarError, check, sessions, steps

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HALF = timedelta(minutes=30)

# Without a break, with one, before midnight UTC, with weekends of its own, round the clock.
exchanges = st.sampled_from(["XNYS", "XHKG", "XTKS", "XASX", "XSAU", "CMES"])
moments = st.integers(to_us(datetime(1998, 1, 1, tzinfo=UTC)), to_us(datetime(2040, 1, 1, tzinfo=UTC)))
minutes = st.sampled_from([1, 5, 7, 15, 30, 60, 90, 120, 240, 390, 720])


def day(year, month, of_month, *clock):
    return datetime(year, month, of_month, *clock, tzinfo=UTC)


def following(name, after, count, interval=DAY, offset=timedelta(0)):
    return [from_us(ts) for ts in steps(name, interval, offset).following(to_us(after), count)]


def numbers(name, moments, interval=DAY, offset=timedelta(0)):
    return steps(name, interval, offset).numbers([to_us(moment) for moment in moments]).tolist()


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_close_can_be_early_and_follows_summer_time():
    closes = [from_us(int(us)) for us in sessions("XNYS").closes]
    assert {day(2026, 7, 1, 20), day(2026, 11, 25, 21), day(2026, 11, 27, 18)} <= set(closes)
    assert not any(day(2026, 11, 26) <= close < day(2026, 11, 27) for close in closes)  # Thanksgiving


def test_a_break_is_no_trading():
    hong_kong = sessions("XHKG")
    place = np.searchsorted(hong_kong.starts, to_us(day(2026, 7, 2)))
    spans = [(from_us(int(hong_kong.starts[k])), from_us(int(hong_kong.stops[k]))) for k in (place, place + 1)]
    assert spans == [
        (day(2026, 7, 2, 1, 30), day(2026, 7, 2, 4)),
        (day(2026, 7, 2, 5), day(2026, 7, 2, 8)),
    ]


@pytest.mark.parametrize("year", [1955, 2060])  # it knows Hong Kong from 1960 to 2049
def test_beyond_what_the_library_knows_the_weekdays_go_on(year):
    dates = [moment for k in range(366) if (moment := day(year, 1, 1) + k * DAY).year == year]
    assert following("XHKG", dates[0] - DAY, 260)[:-1] == [moment for moment in dates if moment.weekday() < 5][:259]


def test_beyond_what_the_library_knows_the_usual_hours_go_on():
    hong_kong = sessions("XHKG")
    closes = hong_kong.closes[hong_kong.days >= to_us(day(2050, 1, 1))]
    assert {from_us(int(us)).time() for us in closes} == {time(8)}


@pytest.mark.parametrize("name", ["XNYS", "XHKG", "XTKS", "XSAU", "CMES"])
def test_sessions_come_one_after_the_other(name):
    found = sessions(name)
    for times in (found.days, found.closes, found.starts, found.stops):
        assert (np.diff(times) > 0).all()
    assert (found.starts < found.stops).all()
    assert (found.stops[:-1] <= found.starts[1:]).all()


@pytest.mark.parametrize(("name", "meant"), [("XNYZ", "did you mean .*XNYS"), ("nyse", "NYSE"), ("17", "as XNYS")])
def test_an_unknown_calendar_is_told_with_what_was_meant(name, meant):
    with pytest.raises(CalendarError, match=f"there is no exchange calendar '{name}': .*{meant}"):
        check(name)


@pytest.mark.parametrize("name", ["XNYS", "NYSE", "24/7"])
def test_names_aliases_and_round_the_clock_are_known(name):
    check(name)


@pytest.fixture
def broken():
    """A calendar of the library's that it cannot build, as there are with some versions of pandas."""
    import exchange_calendars

    class Broken(exchange_calendars.ExchangeCalendar):
        name, tz, open_times, close_times = "BROKEN", UTC, (), ()

        def __init__(self, *args, **options):
            raise NotImplementedError("implemented\nby subclasses")

    exchange_calendars.register_calendar_type("BROKEN", Broken)
    yield "BROKEN"
    exchange_calendars.deregister_calendar("BROKEN")


def test_a_calendar_that_the_library_cannot_build_is_told_in_one_line(broken):
    with pytest.raises(CalendarError, match=r"cannot build its calendar BROKEN .*Error: implemented by subclasses;"):
        check(broken)


WITHOUT_CALENDAR = """
import sys
from datetime import timedelta
import jobs.scheduler
from jobs import calendars
from jobs.due import fetched_by, schedule_of
from jobs.panel import Panel

hour, day = timedelta(hours=1), timedelta(days=1)
for interval in (hour, day):
    for calendar in (None, "24/7"):
        panel = Panel("p", None, interval, 3, hour, day, 100 * day, calendar=calendar)
        calendars.steps(panel, [0]).following(0, 1)
        fetched_by(panel, 0)
sys.exit("exchange_calendars" in sys.modules)
"""


def test_without_a_calendar_the_library_is_not_loaded():
    assert subprocess.run([sys.executable, "-c", WITHOUT_CALENDAR], check=False).returncode == 0


# ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_forecast_skips_holidays():
    thanksgiving = following("XNYS", day(2026, 11, 25), 2)
    assert thanksgiving == [day(2026, 11, 27), day(2026, 11, 30)]


def test_a_holiday_is_no_gap():
    assert numbers("XNYS", [day(2026, 11, 25), day(2026, 11, 27), day(2026, 12, 1)]) == [0, 1, 3]


def test_a_value_on_a_holiday_counts_for_the_step_that_comes_next():
    assert numbers("XNYS", [day(2026, 11, 25), day(2026, 11, 26), day(2026, 11, 27)]) == [0, 1, 1]
    assert following("XNYS", day(2026, 11, 26), 1) == [day(2026, 11, 27)]


def test_a_night_is_no_gap_between_bars():
    friday, monday = day(2026, 1, 9), day(2026, 1, 12)
    last, first = friday + 20 * HOUR + HALF, monday + 14 * HOUR + HALF
    assert following("XNYS", last, 2, HALF) == [first, first + HALF]
    assert numbers("XNYS", [last, first], HALF) == [0, 1]


def test_bars_end_at_an_early_close():
    first = day(2026, 11, 27, 14, 30)
    bars = following("XNYS", first - HALF, 8, HALF)
    assert bars == [*(first + k * HALF for k in range(7)), day(2026, 11, 30, 14, 30)]


def test_bars_lie_on_the_panels_grid():
    assert following("XNYS", day(2026, 1, 9), 7, HOUR) == [day(2026, 1, 9, 14 + k) for k in range(7)]
    assert following("XNYS", day(2026, 1, 9), 7, HOUR, HALF) == [day(2026, 1, 9, 14 + k, 30) for k in range(7)]


def test_a_lunch_break_is_no_gap():
    assert following("XHKG", day(2026, 7, 2, 3), 3, HALF) == [
        day(2026, 7, 2, 3, 30),
        day(2026, 7, 2, 5),
        day(2026, 7, 2, 5, 30),
    ]


def test_a_price_of_the_evening_counts_for_the_next_morning():
    closing, evening, opening = day(2026, 1, 8, 20, 30), day(2026, 1, 8, 23), day(2026, 1, 9, 14, 30)
    assert numbers("XNYS", [closing, evening, opening], HALF) == [0, 1, 1]


@pytest.mark.parametrize(
    ("name", "interval", "expected"),
    [
        ("XNYS", DAY, (5,)),
        ("XSAU", DAY, (5,)),
        ("XNYS", HALF, (13, 65)),
        ("XNYS", timedelta(hours=12), (5,)),
        ("XHKG", HALF, (11, 55)),
    ],
)
def test_the_seasons_are_a_session_and_a_week_of_them(name, interval, expected):
    assert steps(name, interval, timedelta(0)).seasons == expected


@given(exchanges, moments, st.integers(1, 60))
def test_the_following_days_are_all_sessions_and_no_other_day(name, after, count):
    found = steps(name, DAY, timedelta(0)).following(after, count)
    days = sessions(name).days
    assert found == days[(after < days) & (days <= found[-1])].tolist()


@given(exchanges, moments, st.integers(1, 60), minutes, st.integers(0, 59))
def test_the_following_bars_are_all_that_begin_in_sessions(name, after, count, length, shift):
    interval, offset = timedelta(minutes=length), timedelta(minutes=shift)
    found = steps(name, interval, offset).following(after, count)
    assert found == bars_between(name, after, found[-1], interval // MICROSECOND, offset // MICROSECOND)


def bars_between(name, after, last, step, shift):
    """All bars after one time and until another, one by one."""
    trading = sessions(name)
    near = (trading.stops > after - 2 * DAY // MICROSECOND) & (trading.starts <= last + 2 * DAY // MICROSECOND)
    begins = (
        begin
        for start, stop in zip(trading.starts[near].tolist(), trading.stops[near].tolist(), strict=True)
        for begin in range(start, stop, step)
    )
    return sorted({place for begin in begins if after < (place := (begin - shift) // step * step + shift) <= last})


@given(exchanges, moments, st.integers(1, 60), minutes | st.just(24 * 60))
def test_the_following_steps_are_consecutive(name, after, count, length):
    made = steps(name, timedelta(minutes=length), timedelta(0))
    start = made.following(after, 1)[0]
    assert start > after
    assert made.numbers([start, *made.following(start, count)]).tolist() == list(range(count + 1))


@given(exchanges, st.lists(moments, min_size=2, max_size=30).map(sorted), minutes | st.just(24 * 60))
def test_whatever_the_times_the_numbers_never_fall(name, times, length):
    assert (np.diff(steps(name, timedelta(minutes=length), timedelta(0)).numbers(times)) >= 0).all()


def test_the_far_past_and_future_have_steps_too():
    made = steps("XNYS", DAY, timedelta(0))
    old, new = to_us(day(1890, 1, 1)), to_us(day(2110, 1, 1))
    for start in (old, new):
        assert made.numbers([start, *made.following(start, 3)]).tolist() == [0, 1, 2, 3]
