"""Files in the long format."""

import gzip

import pandas as pd
import pytest

from jobs.longfile import LongFileError, read, write


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
        pd.DataFrame(columns).to_parquet(path)
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
        pd.date_range("2026-01-01", periods=2, freq="h"),
        pd.date_range("2026-01-01", periods=2, freq="h", tz="Asia/Seoul"),
        pd.date_range("2026-01-01", periods=2).date,
        ["2026-01-01", "2026-01-02"],
        [1, 2],
    ],
)
def test_parquet_files_are_read_with_any_kind_of_time(parquet, ds):
    found = read(parquet(unique_id=["a", "a"], ds=ds, y=[1.0, 2.0]))
    assert found.series["a"].values.tolist() == [1, 2]
    assert found.ds.tolist() == list(ds)


@pytest.mark.parametrize("kind", ["int64", "category", "str"])
def test_parquet_files_are_read_with_any_kind_of_name(parquet, kind):
    ids = pd.Series([7, 8]) if kind == "int64" else pd.Series(["7", "8"], dtype=kind)
    found = read(parquet(unique_id=ids, ds=[1, 1], y=[1, 2]))
    assert list(found.series) == ["7", "8"]
    assert found.ids.tolist() == ids.tolist()


def test_the_index_of_a_parquet_file_may_be_the_name(tmp_path):
    pd.DataFrame({"ds": [1], "y": [1.0]}, index=pd.Index(["a"], name="unique_id")).to_parquet(tmp_path / "x.parquet")
    assert list(read(tmp_path / "x.parquet").series) == ["a"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("unique_id,ds,y\n", "is empty"),
        ("unique_id,time,y\na,1,1\n", "has no column ds, only unique_id, time, y; expected the columns"),
        ("ds,value\n1,1\n", "has no column y"),
        ("ds,y\n1,1\n2,many\n", "row 3: column y: many is no number, as in 12.5"),
        ("ds,y\n1,True\n2,False\n", "row 2: column y: True is no number"),
        ("ds,y\n1,1\n2,inf\n", "row 3: column y: inf is not finite"),
        ("ds,y\n1,\n", "has no number in column y"),
        ("ds,y\n,1\n", "row 2: column ds: there is no time"),
        ("ds,y\n2026-01-01,1\n2026-13-01,1\n", "row 3: column ds: '2026-13-01' is no ISO 8601 time"),
        ("ds,y\n2026-01-01T00:00Z,1\n2026-01-01T01:00,1\n", "row 3: column ds: '2026-01-01T01:00' has no offset"),
        ("unique_id,ds,y\na,1,1\n,2,1\n", "row 3: column unique_id: there is no name"),
        ("unique_id,ds,y\na,1,1\nb,1,1\na,1,2\n", "row 4: column ds: series a has 1 already in row 2"),
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
