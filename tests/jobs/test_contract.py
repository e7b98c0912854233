"""The data contract: each of its rules, on the rows of one delivery."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import contract
from jobs.contract import Names
from jobs.pile import Pile
from jobs.sources.base import Delivery, SourceDownError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


@pytest.fixture
def lay(panel):
    """What becomes of rows (time, value) of one series: pairs (time, value), and what was counted."""

    def of(rows, *, now=NOW, source_tz=None, **changes):
        index = pd.DatetimeIndex([pd.Timestamp(time) for time, _ in rows])
        series = pd.Series([float(value) for _, value in rows], index=index)
        changed = replace(panel, **changes)
        dropped, names = Counter(), Names()
        with Pile() as pile:
            pile.put(contract.rows_of(Delivery({"a": series}, tz=source_tz), names, changed, dropped))
            laid = [contract.lay(block, names.zones, changed, now, dropped) for block in pile.blocks()]
        pairs = [
            (str(np.datetime64(ts, "us").astype("datetime64[m]")), value)
            for each in laid
            for ts, value in zip(each.times.tolist(), each.values.tolist(), strict=True)
        ]
        return pairs, dict(+dropped)

    return of


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_naive_times_are_in_the_panel_s_zone(lay):
    assert lay([("2026-01-05T09:00", 1)], tz=BERLIN) == ([("2026-01-05T08:00", 1)], {})


def test_the_source_s_own_zone_goes_before_the_panel_s(lay):
    assert lay([("2026-01-05T09:00", 1)], tz=BERLIN, source_tz="Asia/Seoul") == ([("2026-01-05T00:00", 1)], {})


def test_naive_times_without_any_zone_are_refused_with_the_remedy(lay):
    with pytest.raises(SourceDownError, match='without a time zone; say which they are in: tz = "Europe/Berlin"'):
        lay([("2026-01-05T09:00", 1)])


def test_dates_need_no_zone(lay):
    assert lay([("2026-01-05", 1), ("2026-01-06", 2)], interval=DAY)[0] == [
        ("2026-01-05T00:00", 1),
        ("2026-01-06T00:00", 2),
    ]


def test_an_hour_that_comes_twice_is_summer_time_first_and_winter_time_then(lay):
    rows = [("2025-10-26T01:00", 1), ("2025-10-26T02:00", 2), ("2025-10-26T02:00", 3), ("2025-10-26T03:00", 4)]
    pairs, dropped = lay(rows, tz=BERLIN)
    assert pairs == [
        (f"2025-10-2{day}", value)
        for day, value in zip(("5T23:00", "6T00:00", "6T01:00", "6T02:00"), (1, 2, 3, 4), strict=True)
    ]
    assert dropped == {}


def test_quarters_of_a_doubled_hour_are_told_apart_by_the_step_back(lay):
    times = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45", "03:00"]
    rows = [(f"2025-10-26T{time}", value) for value, time in enumerate(times)]
    pairs, _ = lay(rows, tz=BERLIN, interval=timedelta(minutes=15))
    assert [value for _, value in pairs] == list(range(10))
    assert pairs[0][0] == "2025-10-25T23:45"
    assert pairs[-1][0] == "2025-10-26T02:00"


def test_a_doubled_hour_is_read_right_where_the_newest_comes_first(lay):
    rows = [("2025-10-26T03:00", 4), ("2025-10-26T02:00", 3), ("2025-10-26T02:00", 2), ("2025-10-26T01:00", 1)]
    assert [value for _, value in lay(rows, tz=BERLIN)[0]] == [1, 2, 3, 4]


def test_a_time_that_clocks_skip_is_dropped_and_counted(lay):
    rows = [("2026-03-29T01:00", 1), ("2026-03-29T02:00", 2), ("2026-03-29T03:00", 3)]
    assert lay(rows, tz=BERLIN) == (
        [("2026-03-29T00:00", 1), ("2026-03-29T01:00", 3)],
        {"in an hour that the clocks skip": 1},
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.integers(1, 60), start=st.integers(0, 24 * 365))
def test_a_whole_record_in_local_time_comes_back_as_it_was(lay, hours, start):
    """Whatever clocks did in between: an hour is there twice, or not at all."""
    index = pd.date_range(pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(hours=start), periods=hours, freq="1h")
    began_amid = index[0].tz_convert(BERLIN).fold == 1  # then nothing tells that this is the second pass
    local = index.tz_convert(BERLIN).tz_localize(None)
    pairs, dropped = lay([(time, k) for k, time in enumerate(local)], tz=BERLIN)
    if not began_amid:
        assert (len(pairs), dropped) == (hours, {})
        assert pairs[0][0] == str(index[0].tz_localize(None).to_datetime64().astype("datetime64[m]"))


def test_offsets_that_change_leave_the_instants_alone(lay):
    rows = [("2026-01-05T09:00+01:00", 1), ("2026-01-05T10:00+01:00", 2)]
    moved = [("2026-01-05T17:00+09:00", 1), ("2026-01-05T18:00+09:00", 2)]
    assert lay(rows) == lay(moved)


# ── the grid ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("aggregate", "value"), [("last", 6.0), ("mean", 4.0), ("sum", 12.0)])
def test_several_values_in_one_interval_become_one_by_the_panel_s_rule(lay, aggregate, value):
    rows = [("2026-01-05T09:50Z", 6), ("2026-01-05T09:10Z", 2), ("2026-01-05T09:30Z", 4)]
    assert lay(rows, aggregate=aggregate)[0] == [("2026-01-05T09:00", value)]


def test_an_offset_moves_the_grid(lay):
    rows = [("2026-01-05T14:30Z", 1), ("2026-01-05T15:30Z", 2)]
    assert [time for time, _ in lay(rows, offset=timedelta(minutes=30))[0]] == ["2026-01-05T14:30", "2026-01-05T15:30"]


def test_a_row_that_comes_twice_counts_once(lay):
    rows = [("2026-01-05T09:00Z", 2), ("2026-01-05T09:00Z", 2)]
    assert lay(rows, aggregate="sum") == ([("2026-01-05T09:00", 2)], {"twice": 1})


def test_of_two_values_of_one_time_the_later_row_counts(lay):
    rows = [("2026-01-05T09:00Z", 2), ("2026-01-05T09:00Z", 3)]
    assert lay(rows) == ([("2026-01-05T09:00", 3)], {"replaced by a later row of the same time": 1})


def test_a_month_is_labelled_by_its_first_day(lay):
    rows = [("2026-01-31", 1), ("2026-02-28", 2)]
    pairs, _ = lay(rows, interval=timedelta(days=30), months=1)
    assert pairs == [("2026-01-01T00:00", 1), ("2026-02-01T00:00", 2)]


# ── what counts ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (np.nan, "not finite"),
        (np.inf, "not finite"),
        (-np.inf, "not finite"),
        (1e101, "too large"),
        (-1e300, "too large"),
    ],
)
def test_what_is_no_usable_number_is_dropped_and_counted(lay, bad, told):
    assert lay([("2026-01-05T09:00Z", bad), ("2026-01-05T10:00Z", 1)]) == ([("2026-01-05T10:00", 1)], {told: 1})


def test_a_bar_that_started_between_two_grid_times_must_have_ended_itself(lay):
    bar = [("2026-01-05T14:30Z", 1)]
    assert lay(bar, now=datetime(2026, 1, 5, 15, 29, tzinfo=UTC)) == ([], {"still forming": 1})
    assert lay(bar, now=datetime(2026, 1, 5, 15, 30, tzinfo=UTC))[0] == [("2026-01-05T14:00", 1)]


def test_samples_count_as_soon_as_their_interval_has_ended(lay):
    rows = [("2026-01-05T14:58Z", 1), ("2026-01-05T14:59Z", 3)]
    assert lay(rows, aggregate="mean", now=datetime(2026, 1, 5, 15, 0, tzinfo=UTC))[0] == [("2026-01-05T14:00", 2)]


def test_an_interval_settles_before_it_counts(lay):
    rows = [("2026-01-05T14:00Z", 1)]
    settle = timedelta(minutes=10)
    assert lay(rows, settle=settle, now=datetime(2026, 1, 5, 15, 9, tzinfo=UTC)) == ([], {"still forming": 1})
    assert len(lay(rows, settle=settle, now=datetime(2026, 1, 5, 15, 10, tzinfo=UTC))[0]) == 1


@pytest.mark.parametrize(
    ("zone", "ended"),
    [("Asia/Seoul", "2026-01-05T15:00Z"), ("UTC", "2026-01-06T00:00Z"), ("America/New_York", "2026-01-06T05:00Z")],
)
def test_a_day_ends_at_midnight_where_it_is_a_day(lay, zone, ended):
    moment = pd.Timestamp(ended).to_pydatetime()
    rows = [("2026-01-05", 1)]
    assert lay(rows, interval=DAY, tz=ZoneInfo(zone), now=moment - timedelta(seconds=1))[0] == []
    assert len(lay(rows, interval=DAY, tz=ZoneInfo(zone), now=moment)[0]) == 1


def test_a_day_of_an_exchange_has_ended_at_its_close(lay):
    rows = [("2026-01-05", 1)]
    close = datetime(2026, 1, 5, 21, tzinfo=UTC)
    traded = {"interval": DAY, "tz": ZoneInfo("America/New_York"), "calendar": "XNYS"}
    assert lay(rows, now=close - timedelta(seconds=1), **traded)[0] == []
    assert len(lay(rows, now=close, **traded)[0]) == 1


NEVER = ["NaT", "0001-01-01", "9999-12-31"]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("interval", [timedelta(seconds=1), timedelta(hours=1), DAY, 7 * DAY])
def test_a_time_that_is_none_is_dropped_and_counted(panel, zone, interval):
    index = pd.DatetimeIndex(np.array([*NEVER, "1969-12-31"], "datetime64[us]"))
    rows = pd.Series(1.0, index=index if zone is None else index.tz_localize("UTC").tz_convert(zone))
    dropped = Counter()
    placed = contract.rows_of(
        Delivery({"a": rows}), Names(), replace(panel, interval=interval, tz=ZoneInfo("UTC")), dropped
    )
    assert (len(placed), dropped["without a time"], dropped["not of the years 1000 to 9000"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pd.Series(["1.5", "x"]), {"no number": 1}),
        (pd.Series([Decimal("1.5"), None]), {"no number": 1}),
        (pd.Series([{}, 10**400], dtype=object), {"no number": 2}),
        (pd.Series(pd.to_datetime(["2026", "2027"])), {"no number": 2}),
        (pd.Series([1 + 2j, 2j]), {"no number": 2}),
        (pd.Series([1, None], dtype="Int64"), {"not finite": 1}),
        (pd.Series([True, False]), {}),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pd.Series) else "",
)
def test_values_of_any_type_are_numbers_or_dropped_and_counted(panel, values, told):
    dropped = Counter()
    index = pd.date_range("2026-01-05", periods=2, freq="1h", tz="UTC")
    placed = contract.rows_of(Delivery({"a": pd.Series(values.array, index=index)}), Names(), panel, dropped)
    assert dict(+dropped) == told
    assert len(placed) == 2 - sum(told.values())


@pytest.mark.parametrize("name", ["", "a\nb", "half of a character \ud800"])
def test_a_name_that_is_no_line_of_text_holds_no_other_series(panel, name):
    dropped, names = Counter(), Names()
    rows = pd.Series([1.0], index=pd.DatetimeIndex(["2026-01-05T00:00Z"]))
    assert len(contract.rows_of(Delivery({name: rows, "Gas\u00a0A °C": rows}), names, panel, dropped)) == 1
    assert (names.names, dict(+dropped)) == (["Gas\u00a0A °C"], {"under a name that is empty or no line of text": 1})


def test_what_a_source_counts_is_told_without_secrets(panel):
    dropped = Counter()
    contract.rows_of(Delivery(dropped={"under hunter22": 2}), Names(), replace(panel, secrets=("hunter22",)), dropped)
    assert dict(+dropped) == {"under ***": 2}


# ── factors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def factors(panel):
    """What becomes of factors of one series: by time, and what was counted."""

    def of(values, times, **changes):
        dropped, names = Counter(), Names()
        delivery = Delivery(factors={"a": pd.Series(values, index=pd.DatetimeIndex(times))})
        with Pile() as pile:
            pile.put(contract.factors_of(delivery, names, replace(panel, **changes), dropped))
            laid = [contract.products(block) for block in pile.blocks()]
        times, values = (np.concatenate([getattr(each, part) for each in laid]) for part in ("times", "values"))
        return dict(zip(times.astype("datetime64[us]").astype(str), values, strict=True)), dict(+dropped)

    return of


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 1e-300, 1e300])
def test_a_factor_that_would_spoil_all_values_before_it_is_dropped_and_counted(factors, bad):
    found, dropped = factors([bad, 0.5], ["2026-01-05T01:00Z", "2026-01-05T02:00Z"])
    assert list(found.values()) == [0.5]
    assert sum(dropped.values()) == 1
    assert next(iter(dropped)).startswith("factors ")


def test_several_factors_in_one_interval_are_multiplied(factors):
    times = ["2026-01-05T01:00Z", "2026-01-05T01:20Z", "2026-01-05T01:20Z"]
    assert factors([0.5, 0.2, 0.1], times)[0] == {"2026-01-05T01:00:00.000000": pytest.approx(0.05)}


def test_dates_of_factors_need_no_zone_and_are_the_dates_of_values(factors):
    found, _ = factors([0.5], ["2026-01-05"], interval=DAY, tz=ZoneInfo("America/New_York"))
    assert list(found) == ["2026-01-05T00:00:00.000000"]


def test_naive_times_of_factors_are_in_the_panel_s_zone(factors):
    assert list(factors([0.5], ["2026-01-05T09:00"], tz=BERLIN)[0]) == ["2026-01-05T08:00:00.000000"]


# ── jumps ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_a_thousand_times_as_far_as_usual_is_absurd():
    usual = np.array([100.0, 101.0, 99.0, 100.5, 99.5] * 4)
    assert contract.absurd(np.array([100.0, 110.0, 10_000.0, -10_000.0]), usual).tolist() == [False, False, True, True]


def test_among_values_that_are_all_alike_their_own_size_is_usual():
    assert contract.absurd(np.array([6.0, 6000.0]), np.full(20, 5.0)).tolist() == [False, True]


def test_where_all_is_zero_or_little_is_known_nothing_is_absurd():
    assert not contract.absurd(np.array([1e9]), np.zeros(20)).any()
    assert not contract.absurd(np.array([1e9]), np.ones(5)).any()
