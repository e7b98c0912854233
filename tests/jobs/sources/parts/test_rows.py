"""Rows in whatever form, made into series."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.parts.rows import UNITS, Columns, check_time_format, expression, picked, series_of, time_told

NOON = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)


def read(times, time_format="auto"):
    """The times of rows of one series, in order, and what was left out."""
    found, dropped = series_of(Columns(["a"] * len(times), times, range(len(times))), time_format)
    return (list(found["a"].index) if found else []), dict(dropped)


def values_of(values):
    """The values of rows of one series, and what was left out."""
    found, dropped = series_of(Columns(["a"] * len(values), ["2026-01-05"] * len(values), values))
    return (found["a"].tolist() if found else []), dict(dropped)


def test_each_name_becomes_a_series_in_the_order_of_its_rows():
    times = ["2026-01-06", "2026-01-05", "2026-01-05", "2026-01-06"]
    found, dropped = series_of(Columns(["a", "b", "a", "a"], times, [1, 2.5, 3, 4]))
    assert {name: values.tolist() for name, values in found.items()} == {"a": [1.0, 3.0, 4.0], "b": [2.5]}
    assert list(found["a"].index.day) == [6, 5, 6]
    assert not dropped


def test_no_rows_make_no_series():
    assert series_of(Columns([], [], [])) == ({}, {})


def test_a_number_may_be_a_name():
    found, _ = series_of(Columns([7, "7"], ["2026-01-05", "2026-01-06"], [1, 2]))
    assert found["7"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", [None, "", True, float("nan"), {"a": 1}, ["a"]])
def test_a_row_without_a_name_is_left_out(name):
    found, dropped = series_of(Columns([name, "a"], ["2026-01-05"] * 2, [1, 2]))
    assert found["a"].tolist() == [2.0]
    assert dropped == {"without a name": 1}


@pytest.mark.parametrize("value", [" 1.5 ", "1.5", 1.5, "15e-1"])
def test_a_number_may_be_written_as_text(value):
    assert values_of([value]) == ([1.5], {})


@pytest.mark.parametrize("value", [None, "", "NaN", "null", "N/A", float("nan")])
def test_a_missing_value_is_nan(value):
    found, dropped = values_of([value])
    assert np.isnan(found).all()
    assert len(found) == 1
    assert not dropped


@pytest.mark.parametrize("value", ["Infinity", 10**400, float("inf")])
def test_a_value_beyond_all_numbers_is_infinite(value):
    assert values_of([value]) == ([np.inf], {})


@pytest.mark.parametrize("value", ["1,5", "high", True, [1], {"v": 1}])
def test_what_is_no_number_is_left_out(value):
    assert values_of([value, 2]) == ([2.0], {"no number": 1})


def test_each_row_counts_once():
    _, dropped = series_of(Columns([None, "a"], ["x", "x"], ["x", "x"]))
    assert dropped == {"without a name": 1, "without a readable time": 1}


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05T12:30:00Z",
        "2026-01-05 13:30:00+01:00",
        "2026-01-05T07:00-0530",
        "20260105T123000Z",
        int(NOON.timestamp()),
        NOON.timestamp(),
        str(int(NOON.timestamp())),
        int(NOON.timestamp()) * 10**3,
        int(NOON.timestamp()) * 10**6,
        int(NOON.timestamp()) * 10**9,
    ],
)
def test_a_time_is_read_in_all_its_forms(time):
    assert read([time]) == ([NOON], {})


@pytest.mark.parametrize("time", ["2026-01-05T12:30:00", "2026-01-05 12:30", "2026-01-05T12:30:00.000"])
def test_a_time_without_an_offset_is_in_no_zone(time):
    times, _ = read([time])
    assert times == [pd.Timestamp("2026-01-05 12:30")]
    assert times[0].tzinfo is None


@pytest.mark.parametrize("time", ["2026-01-05", "20260105"])
def test_a_date_is_a_time(time):
    assert read([time]) == ([pd.Timestamp("2026-01-05")], {})


@pytest.mark.parametrize(
    "time", ["soon", "", None, True, 0, 20260105, 202601051230, 20260105123000, -5e9, float("nan"), 10**400, [1]]
)
def test_a_time_that_is_none_or_in_doubt_is_left_out(time):
    assert read([time]) == ([], {"without a readable time": 1})


def test_a_count_in_a_named_unit_may_be_any_time():
    assert read([0, "-86400", 1e9], "unix")[0] == [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
    ]


def test_a_count_in_a_named_unit_is_no_date():
    assert read(["2026-01-05"], "unix_ms") == ([], {"without a readable time": 1})


def test_a_count_beyond_all_years_is_left_out():
    assert read([1e30, 10**18], "unix") == ([], {"without a readable time": 2})


def test_iso_knows_no_counts():
    assert read([1767571200, "2026-01-05"], "iso") == ([pd.Timestamp("2026-01-05")], {"without a readable time": 1})


@pytest.mark.parametrize(
    ("time", "time_format"),
    [("05.01.2026 12:30", "%d.%m.%Y %H:%M"), ("01/05/26 12:30 PM", "%m/%d/%y %I:%M %p"), (202601051230, "%Y%m%d%H%M")],
)
def test_a_format_of_strptimes_is_read(time, time_format):
    assert read([time, "x"], time_format) == ([pd.Timestamp("2026-01-05 12:30")], {"without a readable time": 1})


def test_a_format_of_strptimes_may_have_an_offset():
    assert read(["05.01.2026 13:30 +0100"], "%d.%m.%Y %H:%M %z") == ([NOON], {})


def test_a_time_without_an_offset_among_others_is_left_out():
    times, dropped = read(["2026-01-05T12:30:00", "2026-01-05T12:30:00Z"])
    assert times == [NOON]
    assert dropped == {"with an offset missing that other rows have": 1}


def test_days_stay_what_they_are_when_the_offset_changes():
    times, _ = read(["2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"])
    assert [time.day for time in times] == [28, 29, 30]


def test_days_stay_what_they_are_in_the_west():
    times, _ = read(["2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00", "2026-03-10T00:00:00-04:00"])
    assert [time.day for time in times] == [8, 9, 10]


# Until 2255 a float can tell one µs from the next.
MOMENTS = st.datetimes(datetime(2001, 9, 10), datetime(2255, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(list(UNITS)))
def test_auto_reads_counts_as_their_unit_does(moment, unit):
    count = int(time_told(moment, unit, None))
    assert read([count]) == read([count], unit)


@given(MOMENTS, st.sampled_from(["auto", "iso", *UNITS, "%Y-%m-%d %H:%M:%S%z"]))
def test_a_moment_is_told_to_the_second_or_better(moment, time_format):
    (read_back,), _ = read([time_told(moment, time_format, None)], time_format)
    # Counts are read as floats, which round a count of ns.
    assert timedelta(microseconds=-1) <= moment - read_back < timedelta(seconds=1)


def test_a_moment_without_an_offset_is_told_in_the_zone_of_the_rows():
    assert time_told(NOON, "%d.%m.%Y %H:%M", ZoneInfo("Asia/Seoul")) == "05.01.2026 21:30"


@pytest.mark.parametrize("time_format", ["unixx", "", "%q", "%d.%m.%Y %"])
def test_what_is_no_format_of_times_is_refused(time_format):
    with pytest.raises(ValueError, match="expected auto, iso, unix, unix_ms, unix_us, unix_ns, or as strptime has it"):
        check_time_format("time_format", time_format)


def test_a_jmespath_finds_something_in_each_row():
    assert picked("a.b[0] || c", [{"a": {"b": [1]}}, {"c": 2}, {}, None]) == [1, 2, None, None]


def test_a_row_that_a_jmespath_does_not_fit_is_empty():
    assert picked("length(a)", [{"a": "xyz"}, {}, {"a": 5}]) == [3, None, None]


def test_what_is_no_jmespath_is_refused():
    with pytest.raises(ValueError, match=r"value = 'a\[' is no JMESPath"):
        expression("value", "a[")


@pytest.mark.parametrize("word", ["now", "today"])
def test_a_word_that_pandas_takes_for_a_time_is_none(word):
    _, dropped = series_of(Columns(["a"], [word], [1]))
    assert +dropped == {"without a readable time": 1}
