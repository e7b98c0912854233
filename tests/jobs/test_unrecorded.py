"""Runs that the database did not take."""

from datetime import timedelta

import pytest

from db.schema import Run
from jobs.due import RUNS_LOOKED_AT, Every, next_due
from jobs.unrecorded import Unrecorded
from tests.conftest import T0


@pytest.fixture
def refused():
    def make(seconds=0, reason="the disk is full"):
        moment = T0 + timedelta(seconds=seconds)
        return Run(job="fetch", panel="p", due=moment, started=moment, outcome="failed", reason=reason)

    return make


def test_the_wait_doubles_with_each_run_that_is_refused(refused):
    kept, waits = Unrecorded(), []
    for moment in (0, 30, 90):
        kept.note("fetch", "p", refused(moment))
        now = T0 + timedelta(seconds=moment)
        waits.append((next_due(kept.before("fetch", "p", []), Every(timedelta(days=1)), now) - now).total_seconds())
    assert waits == [30, 60, 120]


def test_a_run_on_record_ends_the_waiting(refused):
    kept = Unrecorded()
    kept.note("fetch", "p", refused())
    kept.note("fetch", "p", None)
    assert kept.before("fetch", "p", []) == []


def test_the_runs_of_other_jobs_and_panels_are_others(refused):
    kept = Unrecorded()
    kept.note("fetch", "p", refused())
    assert (kept.before("refit", "p", []), kept.before("fetch", "q", [])) == ([], [])


def test_no_more_are_kept_than_are_looked_at(refused):
    kept = Unrecorded()
    for _ in range(2 * RUNS_LOOKED_AT):
        kept.note("fetch", "p", refused())
    assert len(kept.before("fetch", "p", [])) == RUNS_LOOKED_AT


def test_what_is_refused_again_for_the_same_reason_is_logged_once(refused, caplog):
    kept = Unrecorded()
    for reason in ("full", "full", "locked"):
        kept.note("fetch", "p", refused(reason=reason))
    assert [told.rpartition(" ")[2] for told in caplog.messages] == ["full", "locked"]
