"""Runs and their record."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from db import queries
from jobs.refit import NotReadyError
from jobs.runner import run
from jobs.sources.base import SourceDownError
from jobs.workers import StoppedError


@pytest.fixture
def record(sessions):
    def read():
        with sessions() as session:
            return queries.newest_runs(session, "p", "job", 1)[0]

    return read


def raising(error):
    def work():
        raise error

    return work


def test_a_good_run_is_recorded_with_its_result(sessions, clock, record):
    assert run(sessions, clock, "job", "p", lambda: 42).result == 42
    assert (record().outcome, record().reason) == ("ok", "42")


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (SourceDownError("no route to host"), "failed", "no route to host"),
        (NotReadyError("3 of 20"), "waiting", "3 of 20"),
        (StoppedError("stopped before it was done"), "interrupted", "stopped before it was done"),
        (ValueError("an\nodd  one"), "failed", "ValueError: an odd one"),
    ],
)
def test_whatever_goes_wrong_is_recorded_and_does_not_come_out(sessions, clock, record, error, outcome, reason):
    assert run(sessions, clock, "job", "p", raising(error)).result is None
    assert (record().outcome, record().reason) == (outcome, reason)


def test_a_run_is_on_record_while_it_runs(sessions, clock, record):
    def work():
        assert record().outcome == "running"
        return "done"

    assert run(sessions, clock, "job", "p", work).outcome == "ok"


def test_due_started_and_ended_are_recorded(sessions, clock, record):
    due = clock()
    clock.advance(seconds=5)
    run(sessions, clock, "job", "p", lambda: clock.advance(seconds=2), due=due)
    assert ((record().started - due).seconds, (record().ended - due).seconds) == (5, 7)


def test_ctrl_c_is_recorded_and_goes_on_its_way(sessions, clock, record):
    with pytest.raises(KeyboardInterrupt):
        run(sessions, clock, "job", "p", raising(KeyboardInterrupt()))
    assert record().outcome == "interrupted"


def test_a_database_that_does_not_answer_fails_the_job_and_does_not_come_out(clock, sessions, write_engine):
    with write_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE runs")
    assert run(sessions, clock, "job", "p", lambda: 42).outcome == "failed"


def test_a_run_that_cannot_be_recorded_is_handed_back_in_one_line_and_its_work_not_done(clock, sessions, write_engine):
    with write_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE runs")
    refused = run(sessions, clock, "job", "p", lambda: 1 / 0).unrecorded
    assert (refused.started, refused.outcome, refused.reason) == (
        clock(),
        "failed",
        "OperationalError: no such table: runs",
    )


def test_a_database_that_refuses_the_work_is_told_without_a_traceback(sessions, clock, caplog):
    refused = OperationalError("INSERT", {"a": 1}, sqlite3.OperationalError("database or disk is full"))
    run(sessions, clock, "job", "p", raising(refused))
    assert caplog.messages == ["p  job failed: OperationalError: database or disk is full"]
    assert caplog.records[0].exc_info is None


def test_an_idle_run_leaves_no_record_where_it_need_not(sessions, clock):
    run(sessions, clock, "job", "p", lambda: 0, keep_idle=False)
    with sessions() as session:
        assert queries.newest_runs(session, "p", "job", 1) == []


@pytest.mark.parametrize(("work", "told"), [(lambda: 42, "drift; 42"), (raising(ValueError("odd")), "drift; Value")])
def test_what_made_it_run_out_of_its_turn_is_told_before_how_it_ended(sessions, clock, record, work, told):
    run(sessions, clock, "job", "p", work, because="drift")
    assert record().reason.startswith(told)
