"""When a job is due next."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from db.schema import Run
from jobs.due import next_due

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ran(outcome, due, started=None):
    return Run(job="fetch", panel="p", due=due, started=started or due, outcome=outcome, reason="")


def test_a_job_that_never_ran_is_due_now():
    assert next_due([], HOUR, NOW) == NOW


def test_after_a_good_run_it_is_due_one_period_after_it_was_due():
    late = ran("ok", NOW - HOUR, started=NOW - HOUR + timedelta(seconds=20))
    assert next_due([late], HOUR, NOW) == NOW


def test_turns_that_were_missed_are_not_made_up_for():
    assert next_due([ran("ok", NOW - 10 * HOUR, started=NOW - timedelta(minutes=1))], HOUR, NOW) == NOW


def test_a_job_that_was_due_while_the_daemon_was_down_is_due_at_once():
    assert next_due([ran("ok", NOW - 10 * HOUR)], HOUR, NOW) <= NOW


def test_after_a_failure_it_is_tried_again_in_half_a_minute():
    assert next_due([ran("failed", NOW)], HOUR, NOW) == NOW + timedelta(seconds=30)


def test_each_further_failure_doubles_the_wait():
    runs = [ran("failed", NOW), ran("interrupted", NOW - HOUR), ran("failed", NOW - HOUR), ran("ok", NOW - 2 * HOUR)]
    assert next_due(runs, HOUR, NOW) == NOW + timedelta(minutes=2)


def test_the_wait_never_exceeds_the_period():
    assert next_due([ran("failed", NOW)] * 12, HOUR, NOW) == NOW + HOUR


def test_a_run_whose_end_was_never_recorded_counts_as_a_failure():
    assert next_due([ran("running", NOW)], HOUR, NOW) == NOW + timedelta(seconds=30)


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
    assert next_due(runs, every, NOW) <= NOW + every
