"""The watch over the states of all series."""

import json
import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from db import engine, queries
from jobs.events import Observed, StateChanged
from jobs.fetch import fetch
from jobs.forecast import forecast
from jobs.sources.base import SourceDownError
from service.watch import ALL_AGAIN, PATIENCE, SURE, Judged, Watch, judge_of

STEP = timedelta(seconds=2)


class Court:
    """A judge that says what it was told to, and remembers what it was asked."""

    def __init__(self):
        self.states = {}
        self.asked = []

    def say(self, panel, series, status, until=None):
        self.states[panel, series] = Judged(panel, series, status, f"it is {status}", until)

    def __call__(self, panels):
        self.asked.append(sorted(panels))
        return [each for each in self.states.values() if each.panel in panels]


@pytest.fixture
def court():
    return Court()


@pytest.fixture
def watch(sessions, court, clock):
    with sessions.begin() as session:
        queries.add_series(session, "a", "p")
        queries.add_series(session, "b", "q")
    court.say("p", "a", "fresh")
    court.say("q", "b", "fresh")
    return Watch(sessions, court, clock)


@pytest.fixture
def look(watch, clock, court):
    """Look once more, a step later; returns the panels that were judged."""

    def once():
        clock.now += STEP
        court.asked.clear()
        watch.look()
        return court.asked[0] if court.asked else []

    return once


@pytest.fixture
def told(sessions):
    """The changes of states so far: series, status before and after."""

    def so_far():
        with sessions() as session:
            events = queries.events_after(session, 0, 1_000)
        data = [(event.series, json.loads(event.data)) for event in events if event.kind == "state"]
        return [(name, each["was"], each["status"]) for name, each in data]

    return so_far


@pytest.fixture
def happen(sessions, clock):
    """Something happens in a panel."""

    def write(panel):
        with sessions.begin() as session:
            queries.add_events(session, [Observed(clock(), 1.0, 1, 0).of(panel, "a")], clock())

    return write


def test_at_first_every_state_is_news(look, told):
    look()
    assert sorted(told()) == [("a", None, "fresh"), ("b", None, "fresh")]


def test_a_restart_repeats_nothing(look, told, sessions, court, clock):
    look()
    Watch(sessions, court, clock).look()
    assert len(told()) == 2


def test_what_changed_while_nobody_watched_is_told_after_a_restart(look, told, sessions, court, clock):
    look()
    court.say("p", "a", "stale")
    Watch(sessions, court, clock).look()
    assert told()[2:] == [("a", "fresh", "stale")]


def test_while_nothing_happens_nothing_is_judged(look):
    look()
    assert [look() for _ in range(5)] == [[]] * 5


def test_a_panel_is_judged_once_what_happens_in_it_has_come_to_rest(look, happen):
    look()
    happen("p")
    assert look() == []
    assert look() == ["p"]
    assert look() == []


def test_a_panel_that_does_not_come_to_rest_is_judged_all_the_same_after_a_while(look, happen):
    look()
    judged = []
    for _ in range(PATIENCE // STEP + 2):
        happen("p")
        judged += look()
    assert judged == ["p"]


def test_a_restless_panels_series_that_is_in_another_state_at_one_look_alone_is_no_news(look, happen, court, told):
    look()
    for n in range(PATIENCE // STEP + 20):
        court.say("p", "a", "stale" if n % 3 == 0 else "fresh")
        happen("p")
        look()
    assert told()[2:] == []


def test_a_restless_panels_series_that_stays_in_another_state_is_told(look, happen, court, told):
    look()
    court.say("p", "a", "stale")
    for _ in range(PATIENCE // STEP + 2 * SURE):
        happen("p")
        look()
    assert told()[2:] == [("a", "fresh", "stale")]


def test_a_panel_is_not_judged_between_an_observation_and_its_forecast(look, happen, sessions, clock):
    look()
    happen("p")
    with sessions.begin() as session:
        run = queries.start_run(session, "score", "p", due=clock(), started=clock())
    assert [look() for _ in range(3)] == [[]] * 3
    with sessions.begin() as session:
        queries.end_run(session, run, ended=clock(), outcome="ok", reason="")
    assert look() == ["p"]


def test_a_series_that_begins_to_fail_has_its_panel_judged_at_once(look, sessions, clock):
    look()
    with sessions.begin() as session:
        queries.find_series(session, "b").failing_since = clock()
    assert look() == ["q"]


def test_a_state_that_time_changes_is_told_when_it_is_time(look, told, court, clock):
    court.say("p", "a", "fresh", until=clock() + 3 * STEP)
    look()
    assert look() == []
    assert look() == []
    court.say("p", "a", "stale")
    assert look() == ["p"]
    assert told()[2:] == [("a", "fresh", "stale")]
    assert look() == []


def test_another_reason_for_the_same_status_is_no_news(look, told, court, happen):
    look()
    court.states["p", "a"] = Judged("p", "a", "fresh", "for another reason", None)
    happen("p")
    look()
    assert look() == ["p"]
    assert len(told()) == 2


def test_what_leaves_no_trace_is_seen_now_and_then(look, told, court, clock):
    look()
    court.say("p", "a", "expired")
    assert look() == []
    clock.now += ALL_AGAIN
    assert look() == ["p", "q"]
    assert told()[2:] == [("a", "fresh", "expired")]


def test_a_clock_that_was_set_back_has_everything_judged(look, clock):
    look()
    clock.now -= timedelta(hours=1)
    assert look() == ["p", "q"]


def test_what_could_not_be_judged_is_judged_the_next_time(look, told, watch, court, happen, monkeypatch):
    def fail(panels):
        raise RuntimeError("no luck")

    look()
    happen("p")
    court.say("p", "a", "stale")
    look()
    with monkeypatch.context() as patch:
        patch.setattr(watch, "_judge", fail)
        with pytest.raises(RuntimeError):
            look()
    assert look() == ["p"]
    assert told()[2:] == [("a", "fresh", "stale")]


def test_it_looks_by_itself_from_start_to_stop_and_lives_through_a_failure(sessions, court, clock, watch, monkeypatch):
    import threading

    monkeypatch.setattr("service.watch.EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr("service.watch.AFTER_A_FAILURE", timedelta(milliseconds=5))
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        raise RuntimeError("no luck")

    monkeypatch.setattr(watch, "look", look)
    watch.start()
    assert all(looked.acquire(timeout=10) for _ in range(3))
    watch.stop()
    assert not watch._thread.is_alive()


def test_a_full_disk_is_told_in_a_line_without_a_traceback(watch, monkeypatch, caplog):
    def look():
        watch._stopping.set()
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("service.watch.EVERY", timedelta(milliseconds=5))
    monkeypatch.setattr(watch, "look", look)
    watch._run()
    told = "another state: OperationalError: database or disk is full; again in 30 s"
    assert [(told in record.message, record.exc_info) for record in caplog.records] == [(True, None)]


@pytest.fixture
def judge(url, lived, clock):
    """Judges as the API answers."""
    read_engine = engine.reader(url)
    yield judge_of(engine.sessions(read_engine), lambda: {"p": lived}, clock)
    read_engine.dispose()


@pytest.fixture
def real(sessions, judge, clock):
    return Watch(sessions, judge, clock)


def test_a_series_is_fresh_until_its_next_observation_is_overdue_and_then_until_its_forecast_expires(
    real, told, clock, judge
):
    short = timedelta(seconds=20)  # so that it is not seen by the way, when all are judged
    for _ in range(2):
        (judged,) = judge(["p"])
        clock.now = judged.until - short
        real.look()
        clock.now = judged.until + short
        real.look()
    assert told() == [("a", None, "fresh"), ("a", "fresh", "stale"), ("a", "stale", "expired")]
    assert next(iter(judge(["p"]))).until is None


def test_a_source_that_goes_down_and_comes_back_is_told(real, told, sessions, lived, source, clock, means):
    real.look()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        fetch(sessions, lived, clock, means)
    real.look()
    source.down = None
    fetch(sessions, lived, clock, means)
    forecast(sessions, lived, clock)
    real.look()
    real.look()
    assert told() == [("a", None, "fresh"), ("a", "fresh", "source_down"), ("a", "source_down", "fresh")]


def test_a_state_tells_its_reason(real, sessions):
    real.look()
    with sessions() as session:
        (event,) = [each for each in queries.events_after(session, 0, 1_000) if each.kind == "state"]
    assert event.data == StateChanged("fresh", "made from the newest observation", None).of("p", "a").data


def test_panels_that_are_not_configured_are_not_judged(real, sessions, told):
    with sessions.begin() as session:
        queries.add_series(session, "z", "gone")
    real.look()
    assert [name for name, _, _ in told()] == ["a"]
