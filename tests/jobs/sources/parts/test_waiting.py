"""Rows that wait until they are stored."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.parts.waiting import LOST, Waiting

NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows(*hours, tz="UTC"):
    """A row at each of some hours after nine, its value that hour."""
    start = pd.Timestamp("2026-01-01 09:00", tz=tz)
    return pd.Series([float(hour) for hour in hours], index=pd.DatetimeIndex([start + hour * HOUR for hour in hours]))


@pytest.fixture
def request_at(make_request):
    def at(newest=None, **given):
        return make_request(**{"now": NINE + 24 * HOUR, "newest": {} if newest is None else {"a": newest}} | given)

    return at


@pytest.fixture
def begun(request_at):
    """Waiting rows that begin while nothing is stored."""
    return Waiting(1000, request_at())


def added(waiting, series, request):
    dropped = Counter()
    waiting.add({"a": series}, request, dropped)
    return +dropped


def values(waiting):
    return waiting.rows["a"].tolist() if waiting.rows else []


def test_rows_come_again_until_they_are_stored(begun, request_at):
    added(begun, rows(0, 1, 2), request_at())
    assert values(begun) == [0, 1, 2]
    added(begun, rows(), request_at())
    assert values(begun) == [0, 1, 2]


def test_of_what_is_stored_the_newest_interval_waits_on(begun, request_at):
    added(begun, rows(0, 0.5, 1, 1.5, 2), request_at())
    added(begun, rows(), request_at(newest=NINE + HOUR))
    assert values(begun) == [1, 1.5, 2]


def test_a_late_row_of_the_newest_stored_interval_comes_with_its_others(begun, request_at):
    added(begun, rows(1, 1.5), request_at())
    assert not added(begun, rows(1.25), request_at(newest=NINE + HOUR))
    assert values(begun) == [1, 1.5, 1.25]


def test_a_row_of_an_interval_before_the_newest_stored_one_is_too_late(begun, request_at):
    added(begun, rows(0, 1), request_at())
    assert added(begun, rows(0.5), request_at(newest=NINE + HOUR)) == {"too late": 1}
    assert values(begun) == [1]


def test_what_was_stored_before_we_listened_is_not_revised_by_a_part(request_at):
    stored = request_at(newest=NINE)
    waiting = Waiting(1000, stored)
    assert added(waiting, rows(0.5, 1), stored) == {"too late": 1}
    assert values(waiting) == [1]


def test_rows_older_than_the_history_are_too_late(begun, request_at):
    assert added(begun, rows(0, 20), request_at(history=timedelta(hours=10))) == {"too late": 1}


def test_a_day_is_kept_from_its_midnight_in_the_panel_s_zone(begun, request_at):
    day = {"interval": timedelta(days=1), "tz": ZoneInfo("Asia/Seoul")}  # 1 January begins at 15:00 UTC the day before
    added(begun, rows(-19, -18, 0), request_at(**day))
    added(begun, rows(), request_at(newest=datetime(2026, 1, 1, tzinfo=UTC), **day))
    assert values(begun) == [-18, 0]


def test_a_month_that_was_stored_before_ends_at_midnight_in_the_panel_s_zone(request_at):
    month = {"interval": timedelta(days=30), "months": 1, "tz": ZoneInfo("America/New_York")}
    stored = request_at(newest=datetime(2025, 12, 1, tzinfo=UTC), **month)
    waiting = Waiting(1000, stored)
    assert added(waiting, rows(-5, -4), stored) == {"too late": 1}  # January begins at 05:00 UTC


def test_times_without_a_zone_are_in_the_panel_s(begun, request_at):
    seoul = {"tz": ZoneInfo("Asia/Seoul")}
    added(begun, rows(0, 1, tz=None), request_at(**seoul))
    added(begun, rows(), request_at(newest=NINE - 8 * HOUR, **seoul))
    assert values(begun) == [1]


def test_times_with_and_without_a_zone_do_not_mix(begun, request_at):
    added(begun, rows(0), request_at())
    told = "with an offset where earlier ones have none, or without"
    assert added(begun, rows(1, tz=None), request_at()) == {told: 1}
    assert values(begun) == [0]


def test_of_more_rows_than_can_wait_the_oldest_are_lost_and_counted(request_at):
    waiting = Waiting(3, request_at())
    assert added(waiting, rows(4, 0, 1, 2, 3), request_at()) == {LOST: 2}
    assert values(waiting) == [4, 2, 3]


def test_of_more_rows_than_can_wait_the_stored_ones_go_first_and_all_of_them(request_at):
    waiting = Waiting(4, request_at())
    added(waiting, rows(0, 0.25, 0.5), request_at())
    assert not added(waiting, rows(1, 2), request_at(newest=NINE))
    assert values(waiting) == [1, 2]
    assert added(waiting, rows(0.75), request_at(newest=NINE)) == {"too late": 1}


QUARTERS = st.integers(0, 11).map(lambda quarter: ("comes", quarter / 4))
FETCHES = st.sampled_from([("fetch", True), ("fetch", False)])


def test_whatever_comes_when_and_however_fetches_fail_each_row_counts_once(make_request):
    """An interval ends when a row of a later one has come. What is stored of it is how many of its rows came."""

    @given(st.lists(QUARTERS | FETCHES, max_size=40))
    def each_row_counts_once(events):
        waiting, stored, heard = Waiting(1000, make_request(now=NINE)), {}, []
        came, too_late = [], 0
        for what, argument in [*events, ("fetch", True)]:
            if what == "comes":
                heard.append(argument)
                came.append(int(argument))
                continue
            newest = {"a": NINE + max(stored) * HOUR} if stored else {}
            dropped = Counter()
            waiting.add({"a": rows(*heard)} if heard else {}, make_request(now=NINE, newest=newest), dropped)
            too_late += dropped["too late"]
            heard = []
            waits = Counter(int(value) for value in values(waiting))
            if argument:  # else it fails after the rows were taken
                stored |= {hour: count for hour, count in waits.items() if hour < max(came)}
        still_open = waits[max(came, default=0)]
        assert sum(stored.values()) + still_open + too_late == len(came)
        assert all(count <= came.count(hour) for hour, count in stored.items())

    each_row_counts_once()
