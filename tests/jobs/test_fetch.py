"""The data contract: what of a delivery becomes an observation."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import queries
from db.times import to_us
from jobs.fetch import fetch
from jobs.sources.base import SourceDownError


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
def run(sessions, panel, clock, tmp_path):
    clock.advance(days=10)
    return lambda: fetch(sessions, panel, clock, tmp_path)


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


def test_a_day_is_labelled_by_its_date_in_the_source_s_own_zone(run, source, panel, sessions, clock, tmp_path):
    daily = replace(panel, interval=timedelta(days=1))
    index = pd.date_range("2025-03-07", periods=3, freq="D", tz="America/New_York")  # summer time begins on the 9th
    source.values["a"] = pd.Series([1.0, 2.0, 3.0], index=index)
    fetch(sessions, daily, clock, tmp_path)
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
    with pytest.raises(ZeroDivisionError):
        run()
    with sessions() as session:
        assert queries.find_series(session, "a").failure == "ZeroDivisionError: division by zero"


def test_symbols_that_all_fail_under_a_prefix_fail_the_fetch(source, sessions, panel, clock, tmp_path):
    source.failures = {"b": "too many requests"}
    with pytest.raises(SourceDownError, match="x-b: too many requests"):
        fetch(sessions, replace(panel, prefix="x-"), clock, tmp_path)


def test_the_moment_of_learning_is_read_once_the_write_lock_is_held(source, sessions, panel, clock, tmp_path, url):
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

    fetch(sessions, panel, asking, tmp_path)
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


def test_a_name_that_another_panel_has_is_told_with_the_remedy(run, source, sessions, panel, clock, tmp_path):
    source.put("a", [1])
    run()
    other = replace(panel, name="q")
    with pytest.raises(SourceDownError, match="the name belongs to panel p; give panel q a `prefix`"):
        fetch(sessions, other, clock, tmp_path)
    fetch(sessions, replace(other, prefix="q."), clock, tmp_path)
    with sessions() as session:
        assert queries.find_series(session, "q.a").panel == "q"


def test_a_source_is_told_the_newest_time_of_each_series_under_its_own_name(
    run, source, sessions, panel, clock, tmp_path
):
    prefixed = replace(panel, prefix="x.")
    source.put("a", [1, 2])
    fetch(sessions, prefixed, clock, tmp_path)
    fetch(sessions, prefixed, clock, tmp_path)
    assert source.requests[-1].newest == {"a": source.values["a"].index[-1]}


def test_the_record_of_a_fetch_counts_everything(run, source):
    source.put("a", [1, np.nan, 3])
    source.failures["b"] = "unknown symbol"
    assert str(run()) == "2 new, 1 not finite; b: unknown symbol"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(deliveries=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True), min_size=1, max_size=5))
def test_late_repeated_and_reordered_deliveries_end_in_the_same_view(deliveries, panel, clock, tmp_path_factory):
    """Whatever comes in which order, in the end each time has its value once."""
    from db import engine

    folder = tmp_path_factory.mktemp("db")
    write_engine = engine.writer(f"sqlite:///{folder}/test.db")
    engine.migrate(write_engine)
    sessions = engine.sessions(write_engine)
    start = clock() - timedelta(days=5)
    for hours in deliveries:
        index = pd.DatetimeIndex([start + timedelta(hours=hour) for hour in hours])
        panel.source.values = {"a": pd.Series([float(hour) for hour in hours], index=index)}
        fetch(sessions, panel, clock, folder)
        clock.advance(seconds=1)
    with sessions() as session:
        series = queries.find_series(session, "a")
        pairs = queries.observations(session, series.id, as_of=clock())
    write_engine.dispose()
    assert [value for _, value in pairs] == sorted({float(hour) for hours in deliveries for hour in hours})
