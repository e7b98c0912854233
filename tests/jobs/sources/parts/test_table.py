"""Rows made of lines and of columns."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.sources.parts import columns
from jobs.sources.parts.table import Layout, header_of, parse

# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────────

AWKWARD = st.text(alphabet="a1,\" \t\r'\\\x00ü", max_size=6)


@given(st.lists(AWKWARD.filter(str.strip), min_size=1, max_size=5))
def test_any_name_that_a_csv_writer_writes_is_read_as_it_was(names):
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows((name, "2026-01-01", 1) for name in names)
    header = header_of(["unique_id", "ds", "y"], Layout(), Path("a.csv"))
    found = parse(written.getvalue().encode(), header, Layout(), "a", 0, 2)
    # Blanks before a name count only within quotation marks.
    assert [found.names[number].lstrip(" ") for number in found.series] == [name.lstrip(" ") for name in names]
    assert not found.dropped


@given(st.lists(AWKWARD.map(lambda line: line * 3), min_size=1, max_size=5), st.booleans())
@example(['a "b,c",d'], False)
@example(['"a"b"c,d",e'], True)
def test_a_line_that_is_called_good_is_a_row_for_pandas_too(texts, ends):
    data = ("\n".join(texts) + ("\n" if ends else "")).encode()
    header = header_of(["ds", "y", "x"], Layout(), Path("a.csv"))
    parse(data, header, Layout(), "a", 0, 2)  # raises where pandas finds another number of rows


def test_the_place_of_each_row_in_the_file_is_known():
    data = b"2026-01-01,1\r\n\r\nsoon,2\r\n2026-01-02,3\r\n"
    found = parse(data, header_of(["ds", "y"], Layout(), Path("a.csv")), Layout(), "a", 100, 2)
    assert found.places.tolist() == [100, 100 + data.index(b"2026-01-02")]


def test_numbers_are_read_to_the_last_digit_beside_bad_ones_too():
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.random.default_rng(1).integers(-20, 20, 1000)
    lines = "".join(f"2026-01-01,{value!r}\n" for value in values.tolist())
    header = header_of(["ds", "y"], Layout(), Path("a.csv"))
    for data in (lines, lines + "2026-01-01,none of these\n"):
        assert parse(data.encode(), header, Layout(), "a", 0, 2).values.tolist() == values.tolist()


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def times(*texts, time_format="auto"):
    return columns.times_of(pd.Series(texts, dtype=object), time_format)


@pytest.mark.parametrize(
    ("text", "time_format"),
    [
        ("2026-01-31 12:30", "auto"),
        ("20260131T123000", "auto"),
        ("1769862600", "auto"),
        ("1769862600000", "auto"),
        ("1769862600000000", "auto"),
        ("1769862600000000000", "auto"),
        ("1769862600.0", "unix"),
        ("31.01.2026 12:30", "%d.%m.%Y %H:%M"),
    ],
)
def test_a_time_is_read(text, time_format):
    index, _ = times(text, time_format=time_format)
    assert index.tz_localize(None)[0] == pd.Timestamp("2026-01-31T12:30")


@pytest.mark.parametrize("text", ["", "soon", "today", "12", "17698626001", "2026-02-30", "2026-01-31 12:30 UTC"])
def test_what_is_no_time_is_not_read(text):
    assert times(text)[0].isna().all()


def test_a_count_is_no_time_where_others_are_dates():
    assert times("2026-01-31", "2026-02-01", "1769862600")[0].isna().tolist() == [False, False, True]


def test_a_date_is_no_time_where_others_are_counts():
    assert times("1769862600", "1769862601", "2026")[0].isna().tolist() == [False, False, True]


def test_times_with_several_offsets_are_in_the_easternmost():
    index, strays = times("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00", "2026-03-30", "soon", None)
    assert index[0].isoformat() == "2026-03-29T01:00:00+02:00"
    assert strays.tolist() == [False, False, True, False, False]
    assert index.isna().tolist() == [False, False, True, True, True]
