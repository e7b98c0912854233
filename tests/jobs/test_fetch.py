"""The data contract: what of a delivery becomes an observation."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from db import engine, queries
from db.times import to_us
from jobs.fetch import fetch
from jobs.sources.base import Delivery, SourceDownError
from tests.conftest import T0


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


def test_a_source_that_was_down_altogether_starts_anew(run, source):
    source.put("a", [1])
    source.more["state"] = {"offset": 7}
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        run()
    source.down = None
    run()
    assert source.requests[-1].state == {}


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


def test_after_days_of_downtime_the_missing_span_is_fetched_and_no_forecast_is_invented(run, source, stored, clock):
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


def test_a_trial_that_fails_marks_nothing(run, source, sessions, panel, clock, means):
    source.put("a", [1])
    run()
    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        fetch(sessions, panel, clock, means, store=False)
    with sessions() as session:
        assert queries.find_series(session, "a").failure is None


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────

HISTORY = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(history=HISTORY, rng=st.randoms(use_true_random=False), aggregate=st.sampled_from(["last", "mean", "sum"]))
def test_whatever_comes_late_twice_revised_or_reordered_ends_in_the_same_view(
    history, rng, aggregate, panel, source, clock, means, tmp_path_factory
):
    """A history of rows (hour, quarter, value): of one time the later value is its revision. It is brought at once; and
    piecemeal, whole intervals at a time, some of them again, in any order, several parts a fetch.
    """
    rows = {}
    for hour, quarter, value in history:
        rows[hour, quarter] = float(value)
    final = [(hour, quarter, value) for (hour, quarter), value in rows.items()]
    pieces = []
    for hour in sorted({hour for hour, _, _ in history}):
        whole = [row for row in final if row[0] == hour]
        outdated = [(h, q, value + 1000) for h, q, value in whole]
        pieces.append([rng.choice([whole, outdated, outdated[:1]]) for _ in range(rng.randint(0, 2))] + [whole])
    order = [k for k, piece in enumerate(pieces) for _ in piece]
    rng.shuffle(order)
    queues = [list(piece) for piece in pieces]
    fetches = [[rng.sample(part, len(part)) for part in [queues[k].pop(0)]] for k in order]
    panel = replace(panel, aggregate=aggregate)
    at_once = _view(sessions_of(tmp_path_factory), panel, source, clock, means, [[final]])
    piecemeal = _view(sessions_of(tmp_path_factory), panel, source, clock, means, fetches)
    assert piecemeal == pytest.approx(at_once)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(history=HISTORY, parts=st.integers(1, 4), aggregate=st.sampled_from(["last", "mean", "sum"]))
def test_in_how_many_parts_a_delivery_comes_makes_no_difference(
    history, parts, aggregate, panel, source, clock, means, tmp_path_factory
):
    panel = replace(panel, aggregate=aggregate)
    whole = _view(sessions_of(tmp_path_factory), panel, source, clock, means, [[history]])
    split = [history[k * len(history) // parts : (k + 1) * len(history) // parts] for k in range(parts)]
    assert _view(sessions_of(tmp_path_factory), panel, source, clock, means, [split]) == whole


def sessions_of(tmp_path_factory):
    write_engine = engine.writer(f"sqlite:///{tmp_path_factory.mktemp('db')}/test.db")
    engine.migrate(write_engine)
    return engine.sessions(write_engine)


def _view(sessions, panel, source, clock, means, fetches):
    """What is known after some fetches, each of some deliveries; each fetch is repeated, which must change nothing."""
    start = clock()
    deliver = type(source).fetch

    def parts(_request):
        for rows in brought:
            index = pd.DatetimeIndex([T0 + timedelta(hours=hour, minutes=15 * quarter) for hour, quarter, _ in rows])
            values = pd.Series([float(value) for *_, value in rows], index=index)
            yield Delivery({"a": values} if rows else {}, complete=False)

    clock.advance(days=2)
    try:
        source.fetch = parts
        for brought in fetches:  # noqa: B007  the source above brings them
            fetch(sessions, panel, clock, means)
            clock.advance(seconds=1)
            again = fetch(sessions, panel, clock, means)
            assert (again.new, again.revised) == (0, 0)
            clock.advance(seconds=1)
        with sessions() as session:
            series = queries.find_series(session, "a")
            return dict(queries.observations(session, series.id, as_of=clock()))
    finally:
        source.fetch = deliver.__get__(source)
        clock.now = start
        sessions.kw["bind"].dispose()
