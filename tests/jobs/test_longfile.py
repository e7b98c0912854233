"""Files in the long format."""

import gzip
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest

from jobs.longfile import Columns, LongFileError, NoColumnError, read, write

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
def file(tmp_path):
    def write_text(text, name="sales.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write_text


@pytest.fixture
def parquet(tmp_path):
    def write_frame(**columns):
        path = tmp_path / "sales.parquet"
        pl.DataFrame(columns).write_parquet(path)
        return path

    return write_frame


def test_a_file_holds_a_series_for_each_id(file):
    series = read(file("unique_id,ds,y\nb,2026-01-01,5\na,2026-01-01,1\na,2026-01-02,2\n")).series
    assert {name: rows.values.tolist() for name, rows in series.items()} == {"a": [1, 2], "b": [5]}


@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz"])
def test_without_ids_a_file_holds_one_series_named_after_it(file, name):
    assert list(read(file("ds,y\n2026-01-01,1\n", name)).series) == ["sales"]


def test_rows_are_put_in_order_of_time(file):
    rows = read(file("ds,y\n2026-01-03,3\n2026-01-01,1\n2026-01-02,2\n")).series["sales"]
    assert rows.values.tolist() == [1, 2, 3]
    assert rows.places.tolist() == [1, 2, 0]


def test_integers_are_put_in_order_of_count_not_of_letters(file):
    rows = read(file("ds,y\n10,3\n9,1\n")).series["sales"]
    assert rows.values.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("written", "dated"),
    [
        ("2026-01-31", True),
        ("2026-01-31 10:00:00", True),
        ("2026-01-31T10:00:00.5Z", True),
        ("2026-01-31T10:00+09:00", True),
        ("20260131", True),
        ("17", False),
    ],
)
def test_times_come_in_many_forms(file, written, dated):
    found = read(file(f"ds,y\n{written},1\n"))
    assert (found.dated, str(found.ds[0])) == (dated, written)


def test_times_of_two_offsets_are_ordered_by_instant(file):
    rows = read(file("ds,y\n2026-01-01T00:30+01:00,2\n2026-01-01T00:00+02:00,1\n")).series["sales"]
    assert rows.values.tolist() == [1, 2]


def test_ids_and_times_stay_as_they_are_written(file):
    found = read(file("unique_id,ds,y\n007,001,1\nNA,2,1\n"))
    assert (found.ids.tolist(), found.ds.tolist()) == (["007", "NA"], ["001", "2"])


def test_rows_without_a_value_are_dropped_and_counted(file):
    found = read(file("ds,y\n1,1\n2,\n3,NaN\n4,4\n"))
    assert (found.series["sales"].values.tolist(), found.dropped) == ([1, 4], 2)


def test_values_are_read_to_the_last_digit(file):
    assert read(file("ds,y\n1,0.30000000000000004\n")).series["sales"].values[0] == 0.30000000000000004


@pytest.mark.parametrize(
    "ds",
    [
        [datetime(2026, 1, 1), datetime(2026, 1, 2)],  # noqa: DTZ001  what has no time zone is meant
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)],
        [datetime(2026, 1, 1, tzinfo=SEOUL), datetime(2026, 1, 2, tzinfo=SEOUL)],
        [date(2026, 1, 1), date(2026, 1, 2)],
        ["2026-01-01", "2026-01-02"],
        [1, 2],
    ],
)
def test_parquet_files_are_read_with_any_kind_of_time(parquet, ds):
    found = read(parquet(unique_id=["a", "a"], ds=ds, y=[1.0, 2.0]))
    assert found.series["a"].values.tolist() == [1, 2]
    assert found.ds.tolist() == list(ds)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Seoul"])
def test_times_that_are_read_from_parquet_are_written_as_they_were(tmp_path, parquet, unit, zone):
    ds = pl.Series([0, 3_600_000]).cast(pl.Datetime("ms", zone)).cast(pl.Datetime(unit, zone))
    found = read(parquet(ds=ds, y=[1, 2]))
    write(tmp_path / "made.parquet", iter([pd.DataFrame({"ds": found.ds})]))
    assert pl.read_parquet(tmp_path / "made.parquet")["ds"].equals(ds, check_dtypes=True)


@pytest.mark.parametrize("kind", [pl.Int64, pl.Categorical, pl.String, pl.Binary])
def test_parquet_files_are_read_with_any_kind_of_name(parquet, kind):
    found = read(parquet(unique_id=pl.Series(["7", "8"]).cast(kind), ds=[1, 1], y=[1, 2]))
    assert list(found.series) == ["7", "8"]


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2), pl.String])
def test_parquet_files_are_read_with_any_kind_of_number(parquet, kind):
    found = read(parquet(ds=[1, 2, 3], y=pl.Series([1, None, 3]).cast(kind)))
    assert (found.series["sales"].values.tolist(), found.dropped) == ([1, 3], 1)


@pytest.mark.parametrize(
    ("ds", "y", "told"),
    [
        ([1, None], [1, 2], "row 2: column ds: there is no time"),
        ([datetime(2026, 1, 1, tzinfo=UTC), None], [1, 2], "row 2: column ds: there is no time"),
        ([1.5, 2.5], [1, 2], "row 1: column ds: '1.5' is no ISO 8601 time"),
        ([2**63, 1], [1, 2], "row 1: column ds: integers this large cannot be read"),
        ([1, 2], [True, False], "row 1: column y: True is no number"),
        ([1, 2], [[1], [2]], "row 1: column y: [1] is no number"),
        ([1, 2], [None, None], "no number in column y"),
        ([], [], "has no rows"),
    ],
)
def test_what_cannot_be_used_of_a_parquet_file_is_told(parquet, ds, y, told):
    with pytest.raises(LongFileError) as raised:
        read(parquet(ds=ds, y=y))
    assert told in str(raised.value)


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path):
    write(tmp_path / "[a]*.parquet", iter([pd.DataFrame({"ds": [1], "y": [1.0]})]))
    assert list(read(tmp_path / "[a]*.parquet").series) == ["[a]*"]


def test_a_comma_at_the_end_of_each_row_does_no_harm(file):
    assert read(file("ds,y\n1,2,\n2,3,\n")).series["sales"].values.tolist() == [2, 3]


def test_columns_may_be_called_otherwise(file):
    found = read(file("sensor,timestamp,value\na,1,5\nb,1,6\n"), Columns("sensor", "timestamp", "value"))
    assert {name: rows.values.tolist() for name, rows in found.series.items()} == {"a": [5], "b": [6]}


def test_an_id_column_that_is_named_must_be_there(file):
    with pytest.raises(NoColumnError, match="has no column sensor, only ds, y; expected sensor, ds, y"):
        read(file("ds,y\n1,1\n"), Columns(id="sensor"))


def test_of_rows_with_the_same_time_the_last_one_counts_and_the_others_are_known(file):
    found = read(file("unique_id,ds,y\na,2,1\na,1,2\nb,2,3\na,2,4\na,2,5\na,3,6\n"))
    assert found.series["a"].values.tolist() == [2, 5, 6]
    assert found.repeated.tolist() == [0, 3]
    assert found.named(3) == ("a", "2")


def test_a_row_without_a_value_takes_the_place_of_none(file):
    found = read(file("ds,y\n1,1\n2,2\n3,3\n2,\n"))
    assert (found.series["sales"].values.tolist(), found.dropped, len(found.repeated)) == ([1, 2, 3], 1, 0)


def test_several_series_without_a_column_that_tells_them_apart_are_not_taken_for_one(file):
    with pytest.raises(
        NoColumnError, match=r"most of its times more than once, and no column unique_id .* shop, ds, y"
    ):
        read(file("shop,ds,y\na,1,1\na,2,2\nb,1,3\nb,2,4\n"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("unique_id,ds,y\n", "has no rows"),
        (
            "unique_id,time,y\na,1,1\n",
            "has no column ds, only unique_id, time, y; expected unique_id, ds, y, and a row",
        ),
        ("Unique_ID,DS,Y\na,1,1\n", "has no column ds, only Unique_ID, DS, Y"),
        ("ds, y\n1,1\n", "has no column y, only ds, ' y'"),
        ("ds,a,b,c,d,e,f,g,h,i\n1,1,1,1,1,1,1,1,1,1\n", "only ds, a, b, c, d, e, f, g and 2 more"),
        ("unique_id;ds;y\na;1;2,5\n", "has semicolons between its columns; expected commas, and numbers as in 1234.5"),
        ("sep=;\nunique_id;ds;y\na;1;2,5\n", "has semicolons between its columns"),
        ("unique_id\tds\ty\na\t1\t2\n", "has tabs between its columns"),
        ("ds,y\n1,2,5\n2,3,5\n", "has more fields in its rows than names in its header"),
        ("ds,y\n1,2\n2,3,5\n", "cannot be read as CSV"),
        ('ds,y\n1,"1,234"\n', "row 2: column y: 1,234 is no number, as in 12.5"),
        ("ds,y\n1,1\0.5\n", "row 2: column y: '1\\x00.5' is no number"),
        ("ds,y\n1,1.7976931348623157e308\n", "row 2: column y: 1.7976931348623157e+308 is too large"),
        ("ds,y\n31.01.2026,1\n", "row 2: column ds: '31.01.2026' is no ISO 8601 time, as in 2026-01-31T12:30:00"),
        ("ds,y\n2026-01-01,1\ntoday,1\n", "row 3: column ds: 'today' is no ISO 8601 time"),
        ("ds,y\n2026-01-01,1\n17,1\n", "row 3: column ds: '17' is no ISO 8601 time"),
        ("ds,y\n-0001-01-01,1\n", "row 2: column ds: -0001-01-01: expected a year from 1 to 9999"),
        ("ds,y\n" + "9" * 30 + ",1\n", "row 2: column ds: integers this large cannot be read"),
        ("ds,value\n1,1\n", "has no column y"),
        ("ds,y\n1,1\n2,many\n", "row 3: column y: many is no number, as in 12.5"),
        ("ds,y\n1,True\n2,False\n", "row 2: column y: True is no number"),
        ("ds,y\n1,1\n2,inf\n", "row 3: column y: inf is not finite"),
        ("ds,y\n1,\n", "has no number in column y"),
        ("ds,y\n,1\n", "row 2: column ds: there is no time"),
        ("ds,y\n2026-01-01,1\n2026-13-01,1\n", "row 3: column ds: '2026-13-01' is no ISO 8601 time"),
        ("ds,y\n2026-01-01T00:00Z,1\n2026-01-01T01:00,1\n", "row 3: column ds: '2026-01-01T01:00' has no offset"),
        ("unique_id,ds,y\na,1,1\n,2,1\n", "row 3: column unique_id: there is no name"),
        ('ds,y\n1,"1\n', "cannot be read as CSV"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(file, text, told):
    with pytest.raises(LongFileError) as raised:
        read(file(text))
    assert told in str(raised.value)
    assert "sales.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["sales.csv.gz", "sales.parquet"])
def test_a_file_of_another_kind_than_its_suffix_says_is_told(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"ds,y\n1,1\n")
    with pytest.raises(LongFileError, match="cannot be read as"):
        read(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04" + bytes(range(256)), "is an Excel file, or another archive; save it as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(range(256)), "is an Excel file; save it as CSV"),
        (gzip.compress(b"ds,y\n1,1\n", mtime=0), "is packed with gzip; name it .csv.gz"),
        (b"PAR1" + bytes(range(256)), "is a parquet file; name it .parquet"),
        ("ds,y\n1,1\n".encode("utf-16"), "is no text in UTF-8"),
        ("unique_id,ds,y\nKöln,1,1\n".encode("latin-1"), "is no text in UTF-8"),
    ],
)
def test_what_is_no_text_is_told_by_what_it_is(tmp_path, content, told):
    path = tmp_path / "sales.csv"
    path.write_bytes(content)
    with pytest.raises(LongFileError, match=told):
        read(path)


def test_a_packed_file_that_is_cut_short_is_told(tmp_path):
    path = tmp_path / "sales.csv.gz"
    path.write_bytes(gzip.compress(b"ds,y\n" + b"1,1\n" * 1000)[:-12])
    with pytest.raises(LongFileError, match="cannot be read as CSV"):
        read(path)


def test_a_folder_is_told(tmp_path):
    (tmp_path / "sales.csv").mkdir()
    with pytest.raises(LongFileError, match=r"sales\.csv is a folder; expected a file"):
        read(tmp_path / "sales.csv")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(LongFileError, match=r"there is no file .*nowhere\.csv"):
        read(tmp_path / "nowhere.csv")


def test_an_unknown_suffix_is_told_with_those_that_are_known(file):
    with pytest.raises(LongFileError, match=r"unknown suffix; expected \.csv, \.csv\.gz or \.parquet"):
        read(file("ds,y\n1,1\n", "sales.txt"))


@pytest.mark.parametrize("name", ["made.csv", "made.csv.gz", "made.parquet"])
def test_what_is_written_is_read_again_to_the_last_digit(tmp_path, name):
    parts = [pd.DataFrame({"ds": [k], "y": [0.1 + k]}) for k in range(3)]
    write(tmp_path / name, iter(parts))
    assert read(tmp_path / name).series["made"].values.tolist() == [0.1, 1.1, 2.1]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "made.csv"
    path.write_text("precious")

    def broken():
        yield pd.DataFrame({"ds": [1]})
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(path, broken())
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("made.csv", "precious")]
