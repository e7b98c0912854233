"""Tables written to parquet files in parts."""

import errno

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import parquet

NAMES = ["unique_id", "ds", "y"]


def table(first, rows):
    numbers = range(first, first + rows)
    ds = pd.DatetimeIndex([pd.Timestamp(2026, 1, 1, tz="UTC") + pd.Timedelta(hours=n) for n in numbers], tz="UTC")
    return pd.DataFrame({"unique_id": [f"s{n}" for n in numbers], "ds": ds, "y": [n / 2 for n in numbers]})


def tables(sizes):
    return [table(sum(sizes[:k]), size) for k, size in enumerate(sizes)]


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8), part=st.integers(1, 7))
def test_however_rows_are_parted_they_are_written_in_order(tmp_path_factory, sizes, part):
    path = tmp_path_factory.mktemp("parts") / "made.parquet"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet, "PART_ROWS", part)
        parquet.write_all(path, iter(tables(sizes)))
    found, names = parquet.read(path, NAMES)
    assert names == NAMES
    assert found["unique_id"].tolist() == [f"s{n}" for n in range(sum(sizes))]
    assert found["y"].tolist() == [n / 2 for n in range(sum(sizes))]


def test_what_is_needed_meanwhile_is_gone_once_all_is_written(tmp_path):
    parquet.write_all(tmp_path / "made.parquet", iter(tables([2, 3])))
    assert [file.name for file in tmp_path.iterdir()] == ["made.parquet"]


def test_what_is_needed_meanwhile_is_gone_where_the_rows_end_in_an_error(tmp_path):
    def broken():
        yield table(0, 2)
        raise ValueError("no more rows")

    with pytest.raises(ValueError, match="no more rows"):
        parquet.write_all(tmp_path / "made.parquet", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path, monkeypatch):
    told = "parquet: File out of specification: underlying IO error: No space left on device (os error 28)"

    def full(*_words, **_options):
        raise pl.exceptions.ComputeError(told)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        parquet.write_all(tmp_path / "a.parquet", [table(0, 3)])
    assert caught.value.errno == errno.ENOSPC
