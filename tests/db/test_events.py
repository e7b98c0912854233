"""Events: kept in the order of writing, the newest of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from db import queries
from db.queries import NewEvent
from db.queries.events import AT_ONCE

T0 = datetime(2026, 1, 5, tzinfo=UTC)


def observed(count=1, panel="p", series="a"):
    return [NewEvent("observation", panel, series, json.dumps({"new": k})) for k in range(count)]


def in_state(status, series="a"):
    return NewEvent("state", "p", series, json.dumps({"status": status}))


@pytest.fixture
def few(monkeypatch):
    """Only the newest ten are kept, and each event looks after that."""
    monkeypatch.setattr("db.queries.events.EVENTS_KEPT", 10)
    monkeypatch.setattr("db.queries.events.AT_ONCE", 1)


def test_an_event_comes_back_as_it_was_written(session):
    queries.add_events(session, [NewEvent("refit", "p", None, '{"outcome":"failed"}')], T0)
    (event,) = queries.events_after(session, 0, 10)
    assert event == (1, "refit", "p", None, T0, '{"outcome":"failed"}')


def test_events_are_told_in_the_order_of_writing_from_an_event_on_and_no_more_than_asked_for(session):
    queries.add_events(session, observed(3), T0 + timedelta(hours=1))
    queries.add_events(session, observed(3), T0)  # by a clock that was set back
    assert [event.id for event in queries.events_after(session, 2, 3)] == [3, 4, 5]


def test_the_newest_event_is_nothing_while_there_is_none(session):
    assert queries.newest_event(session) == 0


def test_nothing_to_tell_writes_nothing(session):
    queries.add_events(session, [], T0)
    assert queries.newest_event(session) == 0


def test_what_is_undone_leaves_no_gap(sessions):
    with sessions() as session:
        queries.add_events(session, observed(3), T0)
        session.rollback()
    with sessions.begin() as session:
        queries.add_events(session, observed(), T0)
        assert queries.newest_event(session) == 1


def test_the_newest_are_kept_and_older_ones_forgotten(session, few):
    queries.add_events(session, observed(25), T0)
    queries.add_events(session, observed(3), T0)
    assert [event.id for event in queries.events_after(session, 0, 100)] == list(range(19, 29))


def test_it_looks_for_what_to_forget_only_now_and_then(session, monkeypatch):
    monkeypatch.setattr("db.queries.events.EVENTS_KEPT", 10)
    queries.add_events(session, observed(AT_ONCE - 1), T0)
    assert len(queries.events_after(session, 0, 2 * AT_ONCE)) == AT_ONCE - 1
    queries.add_events(session, observed(), T0)
    assert len(queries.events_after(session, 0, 2 * AT_ONCE)) == 10


def test_an_id_is_never_used_again(session, few):
    queries.add_events(session, observed(25), T0)
    session.connection().exec_driver_sql("DELETE FROM events")
    queries.add_events(session, observed(), T0)
    assert queries.newest_event(session) == 26


def test_the_newest_state_of_each_series_outlives_all_else(session, few):
    queries.add_events(session, [in_state("stale"), in_state("fresh"), in_state("expired", "b")], T0)
    queries.add_events(session, observed(50), T0)
    assert queries.newest_states(session) == {"a": "fresh", "b": "expired"}
    assert [event.id for event in queries.events_after(session, 0, 2)] == [2, 3]


def test_panels_stir_by_what_happens_and_not_by_the_telling_of_a_state(session):
    queries.add_events(session, [*observed(panel="old"), *observed(panel="q"), in_state("fresh")], T0)
    assert queries.stirred_panels(session, 1) == {"q"}


@pytest.fixture
def two(session):
    return queries.add_series(session, "a", "p"), queries.add_series(session, "b", "p")


def fail(session, series, since):
    series.failing_since = since
    session.flush()


def test_a_new_series_marks_its_panel(session, two):
    before = queries.source_marks(session)
    queries.add_series(session, "c", "p")
    assert queries.source_marks(session) != before


def test_a_series_that_begins_to_fail_and_one_that_fails_no_longer_mark_their_panel_at_once(session, two):
    first, second = two
    told = [queries.source_marks(session)]
    fail(session, first, T0)
    told.append(queries.source_marks(session))
    fail(session, first, None)
    fail(session, second, T0 + timedelta(hours=1))
    told.append(queries.source_marks(session))
    fail(session, second, None)
    told.append(queries.source_marks(session))
    assert len({str(each) for each in told}) == 3
    assert told[0] == told[-1]


def test_a_panel_is_at_work_while_one_of_the_jobs_runs_for_it(session):
    queries.start_run(session, "refit", "p", due=T0, started=T0)
    done = queries.start_run(session, "score", "p", due=T0, started=T0)
    queries.end_run(session, done, ended=T0, outcome="ok", reason="")
    queries.start_run(session, "forecast", "q", due=T0, started=T0)
    assert queries.panels_at_work(session, ("score", "forecast")) == {"q"}
