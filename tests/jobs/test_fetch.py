"""The data contract: what of a delivery becomes an observation."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from db import engine, queries
from db.times import to_us
from jobs.asking import Asking
from jobs.fetch import fetch
from jobs.pile import Pile
from jobs.sources.base import Delivery, SourceDownError
from jobs.storing import Storing
from tests.conftest import T0, MemorySource


@pytest.fixture
def stored(sessions, clock):
    """The values of a series as of now, or as of another moment."""

    def read(name="a", as_of=None):
        with sessions() as session:
            series = queries.find_series(session, name)
            pairs = [] if series is None else queries.observations(session, series.id, as_of=as_of or clock())
            return [value for _, value in pairs]

    return read


@pytest.fixture
def run(sessions, panel, clock, means):
    clock.advance(days=10)
    return lambda: fetch(sessions, panel, clock, means)


def test_what_a_source_brings_is_stored(run, source, stored):
    source.put("a", [1, 2, 3])
    assert run().new == 3
    assert stored() == [1, 2, 3]


def test_fetching_twice_stores_nothing_twice(run, source, stored):
    source.put("a", [1, 2, 3])
    run()
    again = run()
    assert (again.new, again.revised) == (0, 0)
    assert stored() == [1, 2, 3]


def test_a_changed_value_is_a_new_revision_and_the_old_one_stays(run, source, stored, clock):
    source.put("a", [1, 2, 3])
    run()
    before = clock()
    clock.advance(hours=1)
    source.put("a", [1, 20, 3])
    assert run().revised == 1
    assert stored() == [1, 20, 3]
    assert stored(as_of=before) == [1, 2, 3]


def test_a_bar_still_forming_is_not_stored_until_its_interval_has_ended(run, source, stored, clock):
    source.put("a", [1, 2], start=clock() - timedelta(minutes=90))
    assert run().dropped["still forming"] == 1
    assert stored() == [1]
    clock.advance(minutes=30)
    run()
    assert stored() == [1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_dropped_and_counted(run, source, stored, bad):
    source.put("a", [1, bad, 3])
    assert run().dropped["not finite"] == 1
    assert stored() == [1, 3]


def test_of_two_values_in_one_interval_the_later_counts(run, source, stored):
    times = pd.to_datetime(["2026-01-05T00:40Z", "2026-01-05T00:10Z", "2026-01-05T01:00Z"])
    source.values["a"] = pd.Series([2.0, 1.0, 3.0], index=times)
    run()
    assert stored() == [2.0, 3.0]


def test_a_day_is_labelled_by_its_date_in_the_source_s_own_zone(run, source, panel, sessions, clock, means):
    daily = replace(panel, interval=timedelta(days=1))
    index = pd.date_range("2025-03-07", periods=3, freq="D", tz="America/New_York")  # summer time begins on the 9th
    source.values["a"] = pd.Series([1.0, 2.0, 3.0], index=index)
    fetch(sessions, daily, clock, means)
    with sessions() as session:
        (series,) = queries.series_of_panel(session, "p")
        pairs = queries.observations(session, series.id, as_of=clock())
    assert [ts for ts, _ in pairs] == [to_us(pd.Timestamp(f"2025-03-0{day}", tz="UTC")) for day in (7, 8, 9)]


def test_times_without_a_zone_are_refused(run, source):
    source.values["a"] = pd.Series([1.0], index=pd.DatetimeIndex(["2026-01-05"]))
    with pytest.raises(SourceDownError, match="without a time zone"):
        run()


def test_no_rows_where_there_were_rows_is_a_failure(run, source, stored):
    source.put("a", [1, 2])
    run()
    source.put("a", [])
    with pytest.raises(SourceDownError, match="a: the source answered without rows"):
        run()
    assert stored() == [1, 2]


def test_a_series_that_is_no_longer_named_is_a_failure_of_that_series(run, source, sessions):
    source.put("a", [1])
    source.put("b", [1])
    run()
    del source.values["a"]
    assert run().failures == {"a": "the source no longer names this series"}


def test_a_source_that_is_down_marks_its_series_with_reason_and_since_when(run, source, sessions, clock):
    source.put("a", [1])
    run()
    source.down = "no route to host"
    first = clock()
    for _ in range(2):
        with pytest.raises(SourceDownError):
            run()
        clock.advance(minutes=5)
    with sessions() as session:
        series = queries.find_series(session, "a")
        assert (series.failure, series.failing_since) == ("no route to host", first)


def test_whatever_a_source_raises_marks_its_series(run, source, sessions, monkeypatch):
    source.put("a", [1])
    run()
    monkeypatch.setattr(type(source), "fetch", lambda *_: 1 / 0)
    with pytest.raises(SourceDownError, match="ZeroDivisionError: division by zero"):
        run()
    with sessions() as session:
        assert queries.find_series(session, "a").failure == "ZeroDivisionError: division by zero"


def test_symbols_that_all_fail_under_a_prefix_fail_the_fetch(source, sessions, panel, clock, means):
    source.failures = {"b": "too many requests"}
    with pytest.raises(SourceDownError, match="x-b: too many requests"):
        fetch(sessions, replace(panel, prefix="x-"), clock, means)


def test_the_moment_of_learning_is_read_once_the_write_lock_is_held(source, sessions, panel, clock, means, url):
    """Else a forecast could be issued in between that did not see what was, on record, known before it."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    source.put("a", [1])
    other = create_engine(url, connect_args={"timeout": 0})
    locked = []

    def asking():
        try:
            with other.connect() as connection:
                connection.execute(text("BEGIN IMMEDIATE"))
            locked.append(False)
        except OperationalError:
            locked.append(True)
        return clock()

    fetch(sessions, panel, asking, means)
    other.dispose()
    assert locked == [False, True]


def test_a_good_fetch_clears_the_failure(run, source, sessions):
    source.put("a", [1])
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        run()
    source.down = None
    run()
    with sessions() as session:
        assert queries.find_series(session, "a").failure is None


def test_one_failed_symbol_does_not_hold_the_others(run, source, stored):
    source.put("a", [1])
    source.failures["b"] = "unknown symbol"
    assert run().failures == {"b": "unknown symbol"}
    assert stored() == [1]


def test_symbols_that_all_fail_fail_the_fetch_with_the_reason_told_once(run, source):
    source.failures = {"b": "too many requests", "c": "too many requests"}
    with pytest.raises(SourceDownError, match=r"^b, c: too many requests$"):
        run()


def test_a_name_that_another_panel_has_is_told_with_the_remedy(run, source, sessions, panel, clock, means):
    source.put("a", [1])
    run()
    other = replace(panel, name="q")
    with pytest.raises(SourceDownError, match="the name belongs to panel p; give panel q a `prefix`"):
        fetch(sessions, other, clock, means)
    fetch(sessions, replace(other, prefix="q."), clock, means)
    with sessions() as session:
        assert queries.find_series(session, "q.a").panel == "q"


def test_a_source_is_told_the_newest_time_of_each_series_under_its_own_name(run, source, sessions, panel, clock, means):
    prefixed = replace(panel, prefix="x.")
    source.put("a", [1, 2])
    fetch(sessions, prefixed, clock, means)
    fetch(sessions, prefixed, clock, means)
    assert source.requests[-1].newest == {"a": source.values["a"].index[-1]}


def test_the_record_of_a_fetch_counts_everything(run, source):
    source.put("a", [1, np.nan, 3])
    source.failures["b"] = "unknown symbol"
    assert str(run()) == "2 new, 1 not finite; b: unknown symbol"


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_fetch_asks_for_all_that_the_panel_uses(run, source, clock):
    clock.advance(minutes=25)
    source.put("a", [1])
    run()
    assert source.requests[-1].since is None
    assert source.requests[-1].start == clock() - timedelta(days=365, minutes=25)  # the start of an interval


def test_a_later_fetch_asks_from_ten_intervals_before_the_newest(run, source):
    source.put("a", range(20))
    run()
    run()
    assert source.requests[-1].since == source.values["a"].index[-11]


def test_the_series_that_is_furthest_behind_decides_where_to_ask_from(run, source):
    source.put("a", range(20))
    source.put("b", range(15))
    run()
    run()
    assert source.requests[-1].since == source.values["a"].index[4]


def test_a_series_that_fails_does_not_have_all_others_asked_for_again(run, source):
    source.put("a", range(20))
    source.put("b", range(2))
    run()
    del source.values["b"]
    run()
    run()
    assert source.requests[-1].since == source.values["a"].index[-11]


def test_a_panel_in_local_time_asks_again_for_a_day_at_least(source, sessions, panel, clock, means):
    clock.advance(days=10)
    local = replace(panel, tz=ZoneInfo("Europe/Berlin"))
    source.put("a", range(100))
    fetch(sessions, local, clock, means)
    fetch(sessions, local, clock, means)
    assert source.requests[-1].since == source.values["a"].index[-25]


@pytest.mark.parametrize(("zone", "hour"), [("America/New_York", 5), ("UTC", 0), ("Asia/Seoul", -9)])
def test_a_daily_panel_asks_from_its_own_midnight(zone, hour, source, sessions, panel, clock, means):
    clock.advance(days=40)
    daily = replace(panel, interval=timedelta(days=1), tz=ZoneInfo(zone))
    source.put("a", range(30), freq="1D")
    fetch(sessions, daily, clock, means)
    fetch(sessions, daily, clock, means)
    newest = source.values["a"].index[-1].tz_convert(zone).normalize()
    midnight = newest - timedelta(days=10)
    assert source.requests[-1].since == midnight
    assert (source.requests[-1].since - T0) % timedelta(days=1) == timedelta(hours=hour) % timedelta(days=1)


def test_what_may_still_be_forming_is_told_and_begins_an_interval(run, source, clock):
    clock.advance(minutes=25)
    run()
    assert source.requests[-1].open_from == clock() - timedelta(minutes=85)


# ── what a source leaves behind ─────────────────────────────────────────────────────────────────────────────────────


def test_a_source_is_handed_back_where_it_stood(run, source):
    source.put("a", [1])
    source.more["state"] = {"offset": 7}
    run()
    run()
    assert [request.state for request in source.requests] == [{}, {"offset": 7}]


def test_a_source_with_other_options_starts_anew(run, source, sessions, panel, clock, means):
    source.put("a", [1])
    source.more["state"] = {"offset": 7}
    run()
    fetch(sessions, replace(panel, tz=ZoneInfo("Asia/Seoul")), clock, means)
    assert source.requests[-1].state == {}


def test_a_source_that_was_down_altogether_goes_on_where_it_stood(run, source):
    source.put("a", [1])
    source.more["state"] = {"offset": 7}
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        run()
    source.down = None
    run()
    assert source.requests[-1].state == {"offset": 7}


def test_a_fetch_that_serves_no_series_leaves_the_source_where_it_stood(run, source):
    source.put("a", [1])
    source.more["state"] = {"offset": 7}
    run()
    source.put("a", [])
    source.more["state"] = {"offset": 8}
    with pytest.raises(SourceDownError):
        run()
    source.put("a", [1])
    run()
    assert source.requests[-1].state == {"offset": 7}


def test_a_fetch_that_fails_leaves_the_source_where_it_stood(run, source):
    source.put("a", [1])
    source.put("b", [1])
    source.more["state"] = {"offset": 7}
    run()
    source.failures["b"] = source.values.pop("b") is None or "gone"
    run()
    assert source.requests[-1].state == {"offset": 7}


# ── news, no news, and silence ──────────────────────────────────────────────────────────────────────────────────────


def test_nothing_changed_is_no_failure(run, source, sessions):
    source.put("a", [1])
    run()
    source.values.clear()
    source.more["unchanged"] = True
    fetched = run()
    assert (fetched.failures, fetched.served, fetched.new) == ({}, 1, 0)


def test_of_an_increment_a_series_that_is_not_named_is_not_gone(run, source):
    source.put("a", [1])
    source.put("b", [1])
    run()
    del source.values["a"]
    source.more["complete"] = False
    assert run().failures == {}


def test_a_source_that_is_back_has_no_series_left_marked(run, source, sessions):
    source.put("a", [1])
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        run()
    source.down = None
    source.values.clear()
    source.more["unchanged"] = True
    run()
    with sessions() as session:
        assert queries.find_series(session, "a").failure is None


def test_a_series_that_comes_back_after_a_hole_is_asked_for_from_where_it_broke_off(run, source, stored, clock):
    source.put("a", range(200))
    source.put("b", range(3))
    run()
    del source.values["b"]
    run()
    source.values["b"] = source.values["a"].iloc[-5:]
    assert run().dropped["held until all since the series broke off is asked for"] == 5
    assert stored("b") == [0, 1, 2]
    source.values["b"] = source.values["a"]
    run()
    assert source.requests[-1].since == source.values["a"].index[0] - timedelta(hours=8)
    assert len(stored("b")) == 200


def test_after_days_of_downtime_the_missing_span_is_fetched(run, source, stored, clock):
    source.put("a", range(24))
    run()
    clock.advance(days=5)
    source.put("a", range(24 + 5 * 24))
    assert run().new == 5 * 24
    assert source.requests[-1].since == source.values["a"].index[13]


# ── factors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_split_makes_no_jump_and_changes_no_stored_value(run, source, stored, clock):
    source.put("a", [100, 102, 104])
    run()
    before = clock()
    clock.advance(hours=1)
    source.put("a", [100, 102, 104, 26.5])
    source.more["factors"] = {"a": pd.Series([0.25], index=source.values["a"].index[3:])}
    fetched = run()
    assert (fetched.new, fetched.revised) == (1, 0)
    assert stored() == [25, 25.5, 26, 26.5]
    assert stored(as_of=before) == [100, 102, 104]


def test_a_factor_that_is_known_is_not_stored_again(run, source, sessions):
    source.put("a", [100, 102, 26])
    source.more["factors"] = {"a": pd.Series([0.25], index=source.values["a"].index[2:])}
    run()
    run()
    with sessions() as session:
        assert session.scalar(text("SELECT count(*) FROM factors")) == 1


def test_factors_of_nonsense_do_not_break_a_fetch(run, source, stored):
    source.put("a", [100, 102, 104])
    source.more["factors"] = {"a": pd.Series([0.0, np.nan], index=source.values["a"].index[1:])}
    assert run().dropped["factors not finite"] == 1
    assert stored() == [100, 102, 104]


def test_a_day_s_factor_without_a_zone_is_the_date_s(source, sessions, panel, clock, means, stored):
    clock.advance(days=10)
    source.values["a"] = pd.Series([100.0, 50.0], index=pd.DatetimeIndex(["2026-01-05", "2026-01-06"]))
    source.more["factors"] = {"a": pd.Series([0.5], index=pd.DatetimeIndex(["2026-01-06"]))}
    daily = replace(panel, interval=timedelta(days=1), tz=ZoneInfo("America/New_York"))
    fetch(sessions, daily, clock, means)
    assert stored() == [50, 50]


# ── what goes wrong amid it ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_fetch_that_was_cut_off_amid_its_series_is_made_up_for(
    source, sessions, panel, clock, means, stored, monkeypatch
):
    clock.advance(days=100)
    for name in "abc":
        source.put(name, range(100))
    history = dict(source.values)
    deliver = source.fetch

    def what_was_asked_for(request):
        source.values = {name: values[values.index >= request.start] for name, values in history.items()}
        return deliver(request)

    source.fetch = what_was_asked_for
    keep = Storing.keep

    def killed(storing, session, batch, observed_at, **more):
        if queries.find_series(session, "a"):
            raise KeyboardInterrupt
        keep(storing, session, batch, observed_at, **more)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.fetch.AT_ONCE", 50)
        patch.setattr(Storing, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            fetch(sessions, panel, clock, means)
    assert [len(stored(name)) for name in "abc"] == [100, 0, 0]
    assert fetch(sessions, panel, clock, means).new == 200
    fetch(sessions, panel, clock, means)
    assert source.requests[-1].since == history["a"].index[-11]


def test_a_source_with_other_options_is_asked_for_all_that_the_panel_uses(run, source, sessions, panel, clock, means):
    """A query may name more series than before, whose history nobody has asked for."""
    source.put("a", range(20))
    run()
    run()
    fetch(sessions, replace(panel, tz=ZoneInfo("Asia/Seoul")), clock, means)
    assert source.requests[-1].since == clock() - panel.train_window


def test_a_new_token_is_no_other_option(source, sessions, panel, clock, means):
    clock.advance(days=10)

    @dataclass
    class Keyed(MemorySource):
        key: str = ""

    source.put("a", range(20))
    for key in ("hunter22", "swordfish"):
        keyed = Keyed(source.values, key=key)
        fetch(sessions, replace(panel, source=keyed, secrets=(key,)), clock, replace(means, asking=Asking()))
    assert keyed.requests[-1].since == source.values["a"].index[-11]


def test_values_from_a_clock_that_ran_ahead_are_learnt_again_once_it_is_set_back(run, source, stored, clock):
    source.put("a", [1, 2, 3])
    run()
    clock.advance(days=-3)
    assert stored() == []
    assert run().new == 3
    assert stored() == [1, 2, 3]
    assert run().new == 0


def test_of_a_series_that_came_back_long_after_all_parts_are_judged_alike(run, source, stored, clock, monkeypatch):
    monkeypatch.setattr("jobs.fetch.AT_ONCE", 10)
    source.put("a", range(100))
    source.put("b", range(3))
    run()
    del source.values["b"]
    run()
    source.values["b"] = source.values["a"]
    with monkeypatch.context() as patch:
        patch.setattr("jobs.fetch.Pile", partial(Pile, block=10))
        run()
    assert len(stored("b")) == 100


def test_a_series_without_a_row_that_can_be_used_fails(run, source, stored):
    source.put("a", [1, 2])
    source.put("b", [1, 2])
    run()
    source.put("a", [np.nan, np.inf])
    fetched = run()
    assert fetched.failures == {"a": "none of its rows can be used"}
    assert fetched.dropped["not finite"] == 2
    assert stored() == [1, 2]


def test_rows_of_a_series_that_failed_are_not_stored_and_counted(run, source, stored):
    source.put("a", [1])
    source.put("b", [1, 2])
    source.failures["b"] = "its second page was cut off"
    source.more["state"] = {"offset": 7}
    assert run().dropped["of series that failed"] == 2
    assert stored("b") == []
    run()
    assert source.requests[-1].state == {}  # they are to be brought again


def test_of_many_series_that_fail_alike_some_are_named_and_the_others_counted(run, source):
    source.failures = {f"s{k:03}": "too many requests" for k in range(1000)}
    with pytest.raises(SourceDownError, match=r"^s000, .*, s009 and 990 more: too many requests$"):
        run()


# ── jumps, secrets, trying ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_absurd_jump_is_kept_and_counted(run, source, stored):
    source.put("a", [*range(100, 120), 1e9])
    assert run().dropped["absurdly far from their neighbours, kept"] == 1
    assert stored()[-1] == 1e9


def test_an_absurd_jump_is_dropped_where_the_panel_says_so(source, sessions, panel, clock, means, stored):
    clock.advance(days=10)
    source.put("a", [*range(100, 120), 1e9])
    fetched = fetch(sessions, replace(panel, jumps="drop"), clock, means)
    assert fetched.dropped["absurdly far from their neighbours"] == 1
    assert stored()[-1] == 119


def test_a_jump_in_an_increment_is_judged_by_what_is_stored(run, source):
    source.put("a", range(100, 120))
    run()
    source.put("a", [1e9], start=source.values["a"].index[-1] + timedelta(hours=1))
    source.more["complete"] = False
    assert run().dropped["absurdly far from their neighbours, kept"] == 1


def test_no_secret_stands_in_an_error_or_a_row(source, sessions, panel, clock, means, caplog):
    secret = replace(panel, secrets=("hunter22",))
    source.put("a", [1])
    fetch(sessions, secret, clock, means)
    source.down = "GET /?token=hunter22 failed"
    with pytest.raises(SourceDownError, match=r"GET /\?token=\*\*\* failed") as caught:
        fetch(sessions, secret, clock, means)
    assert caught.value.__cause__ is None
    with sessions() as session:
        assert queries.find_series(session, "a").failure == "GET /?token=*** failed"


def test_no_secret_stands_in_the_log_of_an_error_that_nobody_foresaw(
    source, sessions, panel, clock, means, caplog, monkeypatch
):
    monkeypatch.setattr(type(source), "fetch", lambda *_: {}["hunter22"])
    with pytest.raises(SourceDownError, match=r"KeyError: '\*\*\*'"):
        fetch(sessions, replace(panel, secrets=("hunter22",)), clock, means)
    assert "KeyError" in caplog.text
    assert "hunter22" not in caplog.text


def test_no_secret_stands_in_the_failure_of_one_series(source, sessions, panel, clock, means):
    source.put("a", [1])
    source.failures["b"] = "key hunter22 has expired"
    assert fetch(sessions, replace(panel, secrets=("hunter22",)), clock, means).failures == {"b": "key *** has expired"}


def test_a_trial_tells_what_would_come_and_stores_nothing(source, sessions, panel, clock, means, stored):
    clock.advance(days=10)
    source.put("a", [1, 2, 3])
    fetched = fetch(sessions, panel, clock, means, store=False)
    assert (fetched.new, fetched.series["a"].first) == (3, source.values["a"].index[0])
    assert stored() == []
    with sessions() as session:
        assert queries.find_series(session, "a") is None


def test_a_trial_leaves_a_database_as_it_is(run, source, sessions, panel, clock, means, url, monkeypatch):
    def dump():
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return list(connection.iterdump())

    source.put("a", range(20))
    run()
    before = dump()
    monkeypatch.setattr("jobs.fetch.AT_ONCE", 5)  # in several transactions
    source.put("a", range(1, 30))
    source.put("b", range(30))
    source.failures["c"] = "unknown symbol"
    source.more |= {"state": {"offset": 7}, "factors": {"b": pd.Series([0.5], index=source.values["b"].index[3:4])}}
    fetched = fetch(sessions, panel, clock, means, store=False)
    assert (fetched.new, fetched.revised, fetched.failures) == (39, 20, {"c": "unknown symbol"})
    assert dump() == before


def test_a_trial_that_fails_marks_nothing(run, source, sessions, panel, clock, means):
    source.put("a", [1])
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        fetch(sessions, panel, clock, means, store=False)
    with sessions() as session:
        assert queries.find_series(session, "a").failure is None


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def new_sessions(tmp_path_factory):
    """Sessions on a new database each time: a copy of an empty one, which is quicker than to migrate it anew."""
    folder = tmp_path_factory.mktemp("databases")
    empty, path = folder / "empty.db", folder / "test.db"
    made = engine.writer(f"sqlite:///{empty}")
    engine.migrate(made)
    made.dispose()

    def copied():
        shutil.copy(empty, path)
        return engine.sessions(engine.writer(f"sqlite:///{path}"))

    return copied


# Rows of a series, at a quarter of an hour
HISTORY = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 3), st.floats(-1e9, 1e9)),
    min_size=1,
    max_size=30,
)
AGGREGATE = st.sampled_from(["last", "mean", "sum"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(history=HISTORY, rng=st.randoms(use_true_random=False), aggregate=AGGREGATE)
def test_whatever_comes_late_twice_revised_or_reordered_ends_in_the_same_view(
    history, rng, aggregate, panel, source, clock, means, new_sessions
):
    """Of one time the later value of a history is its revision. It is brought at once; and piecemeal, whole intervals
    at a time, some of them again, in any order, several parts a fetch.
    """
    final = {(name, hour, quarter): value for name, hour, quarter, value in history}
    pieces = []
    for interval in sorted({key[:2] for key in final}):
        whole = [(*key, value) for key, value in final.items() if key[:2] == interval]
        outdated = [(*key, value + 1000) for *key, value in whole]
        pieces.append([rng.choice([whole, outdated, outdated[:1]]) for _ in range(rng.randint(0, 2))] + [whole])
    order = [k for k, piece in enumerate(pieces) for _ in piece]
    rng.shuffle(order)
    parts = [rng.sample(part, len(part)) for part in (pieces[k].pop(0) for k in order)]
    fetches = []
    while parts:
        count = rng.randint(1, 3)
        fetches.append(parts[:count])
        parts = parts[count:]
    panel = replace(panel, aggregate=aggregate, prefix=rng.choice(["", "x."]))
    at_once = _view(new_sessions(), panel, source, clock, means, [[[(*key, value) for key, value in final.items()]]])
    assert _view(new_sessions(), panel, source, clock, means, fetches) == at_once


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    history=HISTORY,
    parts=st.integers(1, 4),
    aggregate=AGGREGATE,
    in_memory=st.integers(0, 20),
    block=st.integers(1, 10),
    at_once=st.integers(1, 10),
)
def test_in_how_many_parts_rows_come_and_are_stored_makes_no_difference(
    history, parts, aggregate, in_memory, block, at_once, panel, source, clock, means, new_sessions
):
    panel = replace(panel, aggregate=aggregate)
    whole = _view(new_sessions(), panel, source, clock, means, [[history]])
    split = [history[k * len(history) // parts : (k + 1) * len(history) // parts] for k in range(parts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jobs.fetch.Pile", partial(Pile, in_memory, block))
        patch.setattr("jobs.fetch.AT_ONCE", at_once)
        assert _view(new_sessions(), panel, source, clock, means, [split]) == whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    prices=st.lists(st.floats(1, 1000), min_size=2, max_size=8),
    splits=st.dictionaries(st.integers(1, 7), st.sampled_from([0.5, 0.25, 2.0, 1 / 3]), max_size=3),
)
def test_prices_as_of_any_moment_are_in_the_measure_of_the_splits_known_then(
    prices, splits, panel, clock, means, new_sessions
):
    sessions, source, start = new_sessions(), MemorySource(), clock()
    expected = {}
    for now in range(1, len(prices)):  # the bar that forms may begin with a split
        clock.now = T0 + timedelta(hours=now)
        source.put("a", prices[: now + 1])
        factors = [splits.get(k, 1.0) for k in range(now + 1)]
        source.more["factors"] = {"a": pd.Series(factors, index=source.values["a"].index)}
        fetch(sessions, replace(panel, source=source), clock, means)
        expected[clock()] = [prices[k] * np.prod(factors[k + 1 :]) for k in range(now)]
    with sessions() as session:
        series = queries.find_series(session, "a")
        for moment, values in expected.items():
            found = [value for _, value in queries.observations(session, series.id, as_of=moment)]
            assert found == pytest.approx(values)
    clock.now = start
    sessions.kw["bind"].dispose()


def _view(sessions, panel, source, clock, means, fetches):
    """What is known after some fetches, each of some deliveries. The last is repeated, which must change nothing; and
    as of each moment there is what was known then.
    """
    start = clock()

    def parts(_request):
        for rows in brought:
            values = {}
            for name, hour, quarter, value in rows:
                values.setdefault(name, []).append((T0 + timedelta(hours=hour, minutes=15 * quarter), value))
            yield Delivery(
                {
                    name: pd.Series([value for _, value in pairs], [ts for ts, _ in pairs])
                    for name, pairs in values.items()
                },
                complete=False,
            )

    def known(as_of):
        with sessions() as session:
            return {
                series.name.removeprefix(panel.prefix): queries.observations(session, series.id, as_of=as_of)
                for series in queries.series_of_panel(session, panel.name)
            }

    clock.advance(days=2)
    views = {}
    source.fetch = parts
    try:
        for brought in fetches:  # noqa: B007  the source above brings them
            fetch(sessions, panel, clock, means)
            views[clock()] = known(clock())
            clock.advance(seconds=1)
        again = fetch(sessions, panel, clock, means)
        assert (again.new, again.revised) == (0, 0)
        for moment, view in views.items():
            assert {name: pairs for name, pairs in known(moment).items() if pairs} == view
        return view
    finally:
        del source.fetch
        clock.now = start
        sessions.kw["bind"].dispose()
