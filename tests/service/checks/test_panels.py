"""Checks of the panels: of sources that answer, fail and hang; of champions that lived; of series in each state."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import queries
from db.times import to_us
from jobs.due import AfterClose, Every
from jobs.fetch import fetch
from jobs.sources.base import Delivery, SourceDownError
from jobs.sources.mqtt import MqttSource
from jobs.storing import Fetched
from service import answers
from service.checks import panels
from tests.conftest import T0, MemorySource
from tests.jobs.sources.mqtt_broker import Broker

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SHORT = timedelta(seconds=0.2)


@pytest.fixture
def ask(sessions, clock, means):
    """Ask as the command does."""
    return lambda panel: fetch(sessions, panel, clock, means, store=False)


@pytest.fixture
def champion(sessions, clock):
    """What is found of a panel's champion."""

    def found(panel, daemon_runs=True):
        with sessions() as session:
            (finding,) = panels.champions(session, [panel], clock(), daemon_runs=daemon_runs)
        return finding

    return found


@pytest.fixture
def refitted(sessions):
    """Record a refit."""

    def record(at, outcome="ok", reason="naive serves"):
        with sessions.begin() as session:
            run = queries.start_run(session, "refit", "p", due=at, started=at)
            queries.end_run(session, run, ended=at, outcome=outcome, reason=reason)

    return record


class HangingSource:
    """Answers once it may."""

    def __init__(self):
        self.may = threading.Event()

    def fetch(self, request):
        self.may.wait(10)
        yield Delivery({})


class DrippingSource:
    """Goes on answering until it must not."""

    def __init__(self):
        self.stop = threading.Event()

    def fetch(self, request):
        while not self.stop.wait(0.02):
            yield Delivery({}, unchanged=True)


# ── sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_that_answers_is_well_and_what_it_brings_is_told(panel, source, ask, clock):
    clock.advance(hours=9)
    source.put("a", range(5))
    (found,) = panels.sources([panel], ask)
    assert (found.level, found.found) == ("ok", "it answers; 5 new")


def test_a_source_that_fails_is_told_beside_one_that_does_not(panel, source, ask, clock):
    clock.advance(hours=9)
    source.put("a", range(5))
    down = replace(panel, name="q", source=MemorySource(down="no route to host"))
    good, bad = panels.sources([panel, down], ask)
    assert (good.level, bad.level, bad.found) == ("ok", "bad", "no route to host")
    assert "rollcast fetch q --dry-run" in bad.cure


def test_a_source_of_which_some_series_fail_is_to_be_looked_at(panel, source, ask, clock):
    clock.advance(hours=9)
    source.put("a", range(5))
    source.failures["b"] = "unknown symbol"
    (found,) = panels.sources([panel], ask)
    assert (found.level, "b: unknown symbol" in found.found) == ("look", True)


def test_a_source_that_hangs_is_left_behind(panel, ask):
    hanging = HangingSource()
    (found,) = panels.sources([replace(panel, source=hanging)], ask, longest=SHORT)
    hanging.may.set()
    assert (found.level, found.found) == ("bad", "no answer within 0.2 s")


def test_the_panel_s_own_limit_counts_where_it_is_shorter(panel, ask):
    hanging = HangingSource()
    (found,) = panels.sources([replace(panel, source=hanging, fetch_timeout=SHORT)], ask)
    hanging.may.set()
    assert found.found == "no answer within 0.2 s"


def test_a_source_that_goes_on_answering_is_waited_for_no_longer_than_a_while(panel, ask):
    dripping = DrippingSource()
    (found,) = panels.sources([replace(panel, source=dripping)], ask, longest=SHORT, grace=0.0)
    dripping.stop.set()
    assert (found.level, found.found) == ("look", "it answers, but not to the end so far")


def test_no_secret_is_told(panel):
    def ask(_panel):
        raise ValueError("cannot open https://host/?key=hunter22")

    (found,) = panels.sources([replace(panel, secrets=("hunter22",))], ask)
    assert found.found == "ValueError: cannot open https://host/?key=***"


@pytest.fixture
def broker(tmp_path, monkeypatch):
    monkeypatch.setattr("jobs.sources.parts.broker.FIRST_MESSAGE", 0.2)
    monkeypatch.setattr("jobs.sources.parts.broker.QUIET", 0.05)
    made = Broker(tmp_path, {})
    yield made
    made.stop()
    made.close()


def test_what_a_broker_keeps_for_the_daemon_is_still_there_after_the_check(broker, panel, sessions, clock, means):
    """The first fetch subscribes; then the daemon is away while two messages come, and the check is made."""
    clock.advance(hours=9)

    def daemons():
        return replace(panel, source=MqttSource(broker.url, ["a"], value="value", time="at"))

    def ask(asked, store=False):
        try:
            return fetch(sessions, asked, clock, means, store=store)
        finally:
            means.asking.leave(asked.source)

    ask(daemons(), store=True)
    broker.publish(*(("a", {"at": (T0 + k * HOUR).isoformat(), "value": k}) for k in (1, 2)))
    (found,) = panels.sources([daemons()], ask)
    assert found.level == "ok"
    assert ask(daemons(), store=True).new == 2


# ── champions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_champion_that_was_refitted_of_late_is_well(lived, champion, refitted, clock):
    refitted(clock() - HOUR)
    found = champion(lived)
    assert (found.level, found.found.endswith(" v1, last refit 1h ago")) == ("ok", True)


def test_a_champion_that_was_not_refitted_for_three_turns_is_stale(lived, champion, refitted, clock):
    refitted(clock() - 3 * DAY - HOUR)
    refitted(clock() - HOUR, "failed", "out of memory")
    found = champion(lived)
    assert found.level == "bad"
    assert found.found.endswith(
        "the last good refit was 3d ago, 3 turns were missed; the last one: failed: out of memory"
    )
    assert found.cure.startswith("rollcast refit p")
    assert "rollcast run" in champion(lived, daemon_runs=False).cure


def test_a_champion_whose_third_turn_is_yet_to_come_is_well(lived, champion, refitted, clock):
    refitted(clock() - 3 * DAY + HOUR)
    assert champion(lived).level == "ok"


def test_a_refit_that_made_up_for_a_long_pause_has_missed_nothing(lived, champion, sessions, clock):
    with sessions.begin() as session:
        run = queries.start_run(session, "refit", "p", due=clock() - 10 * DAY, started=clock() - HOUR)
        queries.end_run(session, run, ended=clock() - HOUR, outcome="ok", reason="naive serves")
    assert champion(lived).level == "ok"


def test_turns_after_closes_are_counted_in_sessions(refitted, sessions):
    friday = datetime(2026, 1, 9, 22, tzinfo=UTC)
    refitted(friday)
    with sessions() as session:
        good = queries.newest_good_run(session, "p", "refit")
    assert panels.missed(good, Every(DAY)) == friday + 3 * DAY
    assert panels.missed(good, AfterClose("XNYS", HOUR)) == datetime(2026, 1, 14, 22, tzinfo=UTC)


def test_a_champion_that_this_version_cannot_read_is_told(panel, champion, sessions, store_model):
    with sessions.begin() as session:
        store_model(session, content=b"of another time")
    found = champion(panel)
    assert (found.level, found.found) == ("bad", "naive v1 cannot be read by this version")


def test_before_the_first_refit_there_is_nothing_to_say_of_a_champion(panel, champion):
    assert (champion(panel).level, champion(panel).found) == ("ok", "none yet")


@pytest.mark.parametrize(("outcome", "level"), [("waiting", "ok"), ("failed", "bad"), ("interrupted", "bad")])
def test_a_first_refit_that_failed_is_told(panel, champion, refitted, outcome, level):
    refitted(T0, outcome, "why")
    assert (champion(panel).level, champion(panel).found) == (level, f"none yet; the last refit: {outcome}: why")


def test_drift_is_told(lived, champion, sessions, clock):
    """Truth that is far off all forecasts, for as many cutoffs as it takes."""
    from jobs.forecast import forecast
    from jobs.score import score

    with sessions() as session:
        series = queries.find_series(session, "a").id
        newest = to_us(queries.newest_ts(session, series, clock()))
    rng = np.random.default_rng(1)
    level = 0.0
    for k in range(1, 41):
        level += float(rng.choice([-1, 1])) * 200.0
        with sessions.begin() as session:
            queries.add_observations(
                session, series, [(newest + k * (HOUR // timedelta(microseconds=1)), level)], clock()
            )
        clock.advance(hours=1)
        score(sessions, lived, clock)
        forecast(sessions, lived, clock)
    found = champion(lived)
    assert (found.level, "drift: live error" in found.found) == ("look", True)


# ── series ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def data(sessions, clock):
    """What is found of a panel's series."""

    def found(panel):
        with sessions() as session:
            series = answers.all_series(session, {"p": panel}, clock())
        (finding,) = panels.data([panel], {"p": series})
        return finding

    return found


def test_fresh_series_are_well(lived, data):
    assert (data(lived).level, data(lived).found) == ("ok", "1 fresh")


def test_stale_series_are_to_be_looked_at(lived, data, clock):
    clock.advance(hours=2, minutes=15)
    found = data(lived)
    assert (found.level, found.found.startswith("1 stale; a: no observation since")) == ("look", True)


def test_expired_series_are_bad(lived, data, clock):
    clock.advance(days=2)
    assert data(lived).level == "bad"


def test_series_whose_source_is_down_are_bad(lived, data, source, sessions, clock, means):
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        fetch(sessions, lived, clock, means)
    found = data(lived)
    assert (found.level, found.found.startswith("1 source_down; a: the source fails since")) == ("bad", True)


def test_series_without_a_model_are_to_be_looked_at(panel, data, source, sessions, clock, means):
    clock.advance(hours=100)
    source.put("a", range(100))
    fetch(sessions, panel, clock, means)
    found = data(panel)
    assert (found.level, found.cure) == ("look", "rollcast refit p")


def test_series_with_too_few_observations_have_but_to_wait(panel, data, source, sessions, clock, means):
    clock.advance(hours=5)
    source.put("a", range(3))
    fetch(sessions, panel, clock, means)
    assert (data(panel).level, data(panel).found) == ("ok", "1 insufficient_data")


def test_the_worst_of_several_states_is_told(lived, data, source, sessions, clock, means):
    with sessions.begin() as session:
        queries.add_series(session, "b", "p")
    clock.advance(days=2)
    found = data(lived)
    assert (found.level, found.found.startswith("1 expired, 1 insufficient_data; a: ")) == ("bad", True)


def test_a_panel_without_series_is_to_be_looked_at(panel, data):
    assert data(panel).level == "look"


def test_what_a_fetch_would_bring_is_told_as_the_dry_run_tells_it(panel):
    (found,) = panels.sources([panel], lambda _panel: Fetched())
    assert found.found == "it answers; 0 new"


def test_what_nobody_can_compare_with_what_is_stored_is_not_called_new(panel):
    (found,) = panels.sources([panel], lambda _panel: Fetched(), compared=False)
    assert found.found == "it answers"
