"""When a job is due next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.schema import Run
from db.times import to_us
from jobs import exchanges
from jobs.due import AfterClose, Every, fetched_by, next_due, schedule_of

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOURLY = Every(HOUR)
AFTER_CLOSE = AfterClose("XNYS", timedelta(minutes=30))


def ran(outcome, due, started=None):
    return Run(job="fetch", panel="p", due=due, started=started or due, outcome=outcome, reason="")


def test_a_job_that_never_ran_is_due_now():
    assert next_due([], HOURLY, NOW) == NOW


def test_after_a_good_run_it_is_due_one_period_after_it_was_due():
    late = ran("ok", NOW - HOUR, started=NOW - HOUR + timedelta(seconds=20))
    assert next_due([late], HOURLY, NOW) == NOW


def test_turns_that_were_missed_are_not_made_up_for():
    assert next_due([ran("ok", NOW - 10 * HOUR, started=NOW - timedelta(minutes=1))], HOURLY, NOW) == NOW


def test_a_job_that_was_due_while_the_daemon_was_down_is_due_at_once():
    assert next_due([ran("ok", NOW - 10 * HOUR)], HOURLY, NOW) <= NOW


def test_after_a_failure_it_is_tried_again_in_half_a_minute():
    assert next_due([ran("failed", NOW)], HOURLY, NOW) == NOW + timedelta(seconds=30)


def test_each_further_failure_doubles_the_wait():
    runs = [ran("failed", NOW), ran("interrupted", NOW - HOUR), ran("failed", NOW - HOUR), ran("ok", NOW - 2 * HOUR)]
    assert next_due(runs, HOURLY, NOW) == NOW + timedelta(minutes=2)


def test_the_wait_never_exceeds_the_period():
    assert next_due([ran("failed", NOW)] * 12, HOURLY, NOW) == NOW + HOUR


def test_a_run_whose_end_was_never_recorded_counts_as_a_failure():
    assert next_due([ran("running", NOW)], HOURLY, NOW) == NOW + timedelta(seconds=30)


@given(
    st.lists(
        st.tuples(st.sampled_from(["ok", "failed", "interrupted", "waiting", "running"]), st.integers(-(10**7), 10**7)),
        max_size=12,
    ),
    st.integers(1, 10**6),
)
def test_it_is_never_later_than_one_period_from_now_whatever_the_clock_did(history, seconds):
    every = timedelta(seconds=seconds)
    runs = [ran(outcome, NOW + timedelta(seconds=offset)) for outcome, offset in history]
    assert next_due(runs, Every(every), NOW) <= NOW + every


# ── after the close ─────────────────────────────────────────────────────────────────────────────────────────────────


def day(year, month, of_month, *clock):
    return datetime(year, month, of_month, *clock, tzinfo=UTC)


MONDAY = day(2026, 1, 5, 21, 30)  # half an hour after the close


def after_close(*runs, now):
    return next_due(runs, AFTER_CLOSE, now)


def test_after_a_good_run_it_is_due_after_the_next_close():
    assert after_close(ran("ok", MONDAY), now=MONDAY) == MONDAY + DAY


def test_it_is_not_due_on_days_without_a_session():
    wednesday = day(2026, 11, 25, 21, 30)
    friday = day(2026, 11, 27, 18, 30)  # after Thanksgiving the close is early
    assert after_close(ran("ok", wednesday), now=wednesday) == friday
    assert after_close(ran("ok", friday), now=friday) == day(2026, 11, 30, 21, 30)


def test_the_close_is_where_summer_time_puts_it():
    friday = day(2026, 3, 6, 21, 30)
    assert after_close(ran("ok", friday), now=friday) == day(2026, 3, 9, 20, 30)


def test_closes_that_were_missed_are_made_up_for_by_one_run():
    thursday = MONDAY + 3 * DAY
    now = thursday + HOUR
    assert after_close(ran("ok", MONDAY), now=now) == MONDAY + DAY  # at once
    late = ran("ok", MONDAY + DAY, started=now)
    assert after_close(late, ran("ok", MONDAY), now=now) == thursday + DAY


def test_a_run_between_two_closes_changes_nothing():
    by_hand = ran("ok", MONDAY + timedelta(hours=3))
    assert after_close(by_hand, ran("ok", MONDAY), now=MONDAY + timedelta(hours=3)) == MONDAY + DAY


def test_after_a_failure_it_is_tried_again_with_growing_waits_until_the_next_close():
    assert after_close(ran("failed", MONDAY), now=MONDAY) == MONDAY + timedelta(seconds=30)
    failures = [ran("failed", MONDAY)] * 3
    assert after_close(*failures, now=MONDAY) == MONDAY + timedelta(minutes=2)
    just_before = ran("failed", MONDAY + DAY - timedelta(minutes=1))
    assert after_close(*[just_before] * 11, now=just_before.started) == MONDAY + DAY


def test_without_any_run_it_is_due_now():
    assert after_close(now=NOW) == NOW


def test_a_clock_that_was_put_back_does_not_stop_it():
    assert after_close(ran("ok", day(2030, 1, 2)), now=MONDAY) == MONDAY + DAY


moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001
delays = st.integers(1, 48 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(moments, st.sampled_from(["XNYS", "XHKG", "XASX", "CMES"]), delays)
def test_the_next_turn_is_the_first_close_and_delay_ahead(after, calendar, delay):
    turn = AfterClose(calendar, delay).turn(after, after)
    closes = exchanges.sessions(calendar).closes + to_us(datetime(1970, 1, 1, tzinfo=UTC) + delay)
    assert to_us(turn) in closes
    assert turn > after
    assert not ((to_us(after) < closes) & (closes < to_us(turn))).any()


# ── of a panel ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_job_has_the_schedule_of_its_panel(panel):
    assert schedule_of(panel, "fetch") == Every(timedelta(minutes=5))
    assert schedule_of(panel, "refit") == Every(DAY)
    prices = replace(panel, calendar="XNYS", fetch_after_close=timedelta(minutes=30))
    assert schedule_of(prices, "fetch") == AFTER_CLOSE
    assert schedule_of(prices, "refit") == Every(DAY)
    assert schedule_of(replace(panel, calendar="XNYS", refit_after_close=HOUR), "refit") == AfterClose("XNYS", HOUR)


def test_a_value_is_fetched_by_the_next_turn_after_it_ended_and_settled(panel):
    assert fetched_by(panel, to_us(NOW)) == NOW + HOUR + timedelta(minutes=5)
    slow = replace(panel, settle=timedelta(minutes=2))
    assert fetched_by(slow, to_us(NOW)) == NOW + HOUR + timedelta(minutes=7)


@pytest.mark.parametrize("settle", [timedelta(0), timedelta(minutes=30)])
def test_a_close_is_fetched_after_the_delay_that_lets_it_settle(panel, settle):
    prices = replace(panel, interval=DAY, calendar="XNYS", fetch_after_close=timedelta(minutes=30), settle=settle)
    assert fetched_by(prices, to_us(day(2026, 1, 5))) == MONDAY
