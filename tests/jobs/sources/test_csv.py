"""Series from files."""

import gzip
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import parquet
from jobs.sources import csv
from jobs.sources.base import SourceDownError
from jobs.sources.csv import CsvSource
from jobs.sources.parts import growing, textfile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "unique_id,ds,y\n"


@dataclass
class Brought:
    """All deliveries of one fetch."""

    values: dict[str, pd.Series] = field(default_factory=dict)
    dropped: Counter = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    state: dict = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    complete: bool = True
    unchanged: bool = False

    @classmethod
    def by(cls, source, request):
        brought = cls()
        for delivery in source.fetch(request):
            for name, values in delivery.values.items():
                brought.values[name] = pd.concat([brought.values[name], values]) if name in brought.values else values
            brought.sizes += [sum(map(len, delivery.values.values()))] if delivery.values else []
            brought.dropped.update(delivery.dropped)
            brought.failures |= delivery.failures
            brought.complete &= delivery.complete
            brought.unchanged |= delivery.unchanged
            brought.state = json.loads(json.dumps(delivery.state))
        return brought

    def rows(self):
        """The values by name."""
        return {name: values.tolist() for name, values in self.values.items()}


@pytest.fixture
def fetch(make_request):
    """Fetch from files, as much of them as what is known of them says."""

    def fetch(path, *, known=None, request=(), **options):
        given = {} if known is None else {"state": known.state, "newest": dict.fromkeys(known.values, NOW)}
        return Brought.by(CsvSource(path, **options), make_request(**(given | dict(request))))

    return fetch


@pytest.fixture
def read(tmp_path, fetch):
    """What a file of some text holds."""

    def read(text, *, request=(), **options):
        path = tmp_path / "prices.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return fetch(path, request=request, **options)

    return read


def hours(first, last, value=1.0, name="a"):
    """A row an hour, counted from now."""
    return "".join(f"{name},{at(hour)},{value}\n" for hour in range(first, last))


def at(hour):
    return (NOW + hour * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


def append(path, text):
    with path.open("a") as file:
        file.write(text)
    age(path, at=textfile.identity_of(path).mtime_ns + 1_000_000)


def age(path, *, at):
    """Let it have been written at a time, in ns."""
    os.utime(path, ns=(at, at))


def quiet_since(path, moment):
    age(path, at=int(moment.timestamp() * 1e9))


# ── what a file holds ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_file_holds_a_series_for_each_id(read):
    brought = read("unique_id,ds,y\na,2026-01-01,1\nb,2026-01-01,5\na,2026-01-02,2\n")
    assert brought.rows() == {"a": [1, 2], "b": [5]}


def test_a_file_without_ids_is_named_after_itself(read):
    assert list(read("ds,y\n2026-01-01,1\n").values) == ["prices"]


def test_a_file_without_ids_can_be_given_a_name(read):
    assert list(read("ds,y\n2026-01-01,1\n", name="gold").values) == ["gold"]


def test_columns_can_have_other_names(read):
    assert read("t,price\n2026-01-01,1\n", time_column="t", value_column="price").rows() == {"prices": [1]}


def test_columns_can_have_any_order_and_others_between_them(read):
    assert read("y,note,ds,unique_id\n1,x,2026-01-01,a\n").rows() == {"a": [1]}


def test_ids_that_look_like_numbers_stay_as_they_are_written(read):
    assert list(read("unique_id,ds,y\n007,2026-01-01,1\n").values) == ["007"]


def test_an_id_that_looks_like_a_missing_value_is_a_name(read):
    assert list(read("unique_id,ds,y\nNA,2026-01-01,1\n").values) == ["NA"]


def test_a_wide_file_holds_a_series_a_column(read):
    brought = read("ds,a,b\n2026-01-01,1,5\n2026-01-02,2,6\n", layout="wide")
    assert brought.rows() == {"a": [1, 2], "b": [5, 6]}


def test_columns_of_a_wide_file_can_be_chosen(read):
    assert read("ds,a,note\n2026-01-01,1,x\n", layout="wide", columns=["a"]).rows() == {"a": [1]}


def test_a_chosen_column_that_is_not_there_is_told(read):
    with pytest.raises(SourceDownError, match="has no column 'c'; its columns are ds, a"):
        read("ds,a\n2026-01-01,1\n", layout="wide", columns=["c"])


def test_a_column_without_a_name_is_no_series(read):
    assert list(read("ds,a,\n2026-01-01,1,\n", layout="wide").values) == ["a"]


def test_separator_and_decimal_mark_can_be_others(read):
    assert read("ds;y\n2026-01-01;1,5\n2026-01-02;n/a!\n", separator=";", decimal=",").rows() == {"prices": [1.5]}


def test_a_packed_file_is_read_whatever_its_name(tmp_path, fetch):
    for name in ("a.csv.gz", "b.csv"):
        (tmp_path / name).write_bytes(gzip.compress(b"ds,y\n2026-01-01,1\n"))
    assert fetch(tmp_path).rows() == {"a": [1], "b": [1]}


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_what_is_in_a_file(read):
    assert read("\ufeffunique_id,ds,y\r\na,2026-01-01,1\r\n\r\nb,2026-01-01,2\r\n").rows() == {"a": [1], "b": [2]}


def test_quoted_fields_may_hold_separators_and_quotation_marks(read):
    assert read('unique_id,ds,y\n"a, ""b""","2026-01-01", "1"\n').rows() == {'a, "b"': [1]}


def test_a_long_table_of_parquet_is_read(tmp_path, fetch):
    times = [datetime(2026, 1, 1, 9, tzinfo=ZoneInfo("Asia/Seoul")) + hour * HOUR for hour in range(3)]
    table = pl.DataFrame({"unique_id": ["a", "a", None], "ds": times, "y": [1.0, None, 3.0]})
    table.write_parquet(tmp_path / "a.parquet")
    brought = fetch(tmp_path / "a.parquet")
    assert brought.values["a"].index.tolist() == [NOW, NOW + HOUR]
    assert brought.values["a"].isna().tolist() == [False, True]
    assert brought.dropped == {"without unique_id": 1}


def test_a_wide_table_of_parquet_is_read(tmp_path, fetch):
    frame = pd.DataFrame({"ds": [date(2026, 1, 1), date(2026, 1, 2)], "a": [1, 2], "b": ["x", "6"]})
    parquet.write(tmp_path / "a.parquet", frame)
    brought = fetch(tmp_path / "a.parquet", layout="wide")
    assert brought.rows() == {"a": [1, 2], "b": [6]}
    assert brought.dropped == {"no number": 1}


def test_a_broken_table_of_parquet_is_told(tmp_path, fetch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing that makes sense")
    with pytest.raises(SourceDownError, match=r"a\.parquet cannot be read: "):
        fetch(tmp_path / "a.parquet")


def test_a_long_history_comes_in_several_deliveries(read, monkeypatch):
    monkeypatch.setattr(textfile, "BLOCK", 200)
    monkeypatch.setattr(csv, "AT_ONCE", 20)
    brought = read(HEADER + "".join(f"{name},{at(-hour)},{hour}\n" for hour in range(50) for name in "ab"))
    assert brought.rows() == {"a": list(range(50)), "b": list(range(50))}
    assert max(brought.sizes) < 30


def test_a_long_table_of_parquet_comes_in_several_deliveries(tmp_path, fetch, monkeypatch):
    monkeypatch.setattr("jobs.sources.parts.reading.CELLS", 30)
    monkeypatch.setattr(csv, "AT_ONCE", 10)
    frame = pd.DataFrame({"unique_id": ["a", "b"] * 50, "ds": [date(2026, 1, 1)] * 100, "y": range(100)})
    parquet.write(tmp_path / "a.parquet", frame)
    brought = fetch(tmp_path / "a.parquet")
    assert brought.rows() == {"a": list(range(0, 100, 2)), "b": list(range(1, 100, 2))}
    assert brought.sizes == [10] * 10


# ── which files ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_directory_holds_all_its_files_of_rows_in_order(tmp_path, fetch):
    (tmp_path / "2.csv").write_text("unique_id,ds,y\na,2026-01-02,2\n")
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"unique_id,ds,y\na,2026-01-01,1\n"))
    (tmp_path / "notes.txt").write_text("not for us")
    (tmp_path / "folder.csv").mkdir()
    assert fetch(tmp_path).rows() == {"a": [1, 2]}


def test_files_without_ids_are_a_series_each(tmp_path, fetch):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("ds,y\n2026-01-01,1\n")
    assert list(fetch(tmp_path).values) == ["a", "b"]


def test_files_without_ids_are_one_series_where_that_has_a_name(tmp_path, fetch):
    for day in (1, 2):
        (tmp_path / f"log.{day}.csv").write_text(f"ds,y\n2026-01-0{day},{day}\n")
    assert fetch(tmp_path / "log.*", name="load").rows() == {"load": [1, 2]}


def test_a_pattern_over_folders_names_series_by_folder_and_file(tmp_path, fetch):
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "temperature.csv").write_text("ds,y\n2026-01-01,1\n")
    assert list(fetch(tmp_path / "*" / "*.csv").values) == ["north/temperature", "south/temperature"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path, fetch):
    (tmp_path / "a[1].csv").write_text("ds,y\n2026-01-01,1\n")
    assert list(fetch(tmp_path / "a[1].csv").values) == ["a[1]"]


def test_an_empty_file_among_others_is_no_fault(tmp_path, fetch):
    (tmp_path / "a.csv").write_text("ds,y\n2026-01-01,1\n")
    (tmp_path / "b.csv").write_text("")
    (tmp_path / "c.csv").write_text("ds,y\n")
    assert fetch(tmp_path).rows() == {"a": [1]}


def test_a_file_of_one_series_without_the_right_columns_does_not_hold_up_others(tmp_path, fetch):
    (tmp_path / "a.csv").write_text("ds,y\n2026-01-01,1\n")
    (tmp_path / "b.csv").write_text("ds,price\n2026-01-01,1\n")
    brought = fetch(tmp_path)
    assert brought.rows() == {"a": [1]}
    assert brought.failures == {"b": f"{tmp_path}/b.csv has no column 'y'; its columns are ds, price"}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("none.csv", r"there is no file .*none\.csv"),
        ("*.csv", r"there is no file that .*\*\.csv fits"),
        (".", r"there is no \.csv, \.csv\.gz or \.parquet file in "),
    ],
)
def test_that_there_is_no_file_is_told(tmp_path, fetch, path, told):
    with pytest.raises(SourceDownError, match=told):
        fetch(tmp_path / path)


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_naive_times_stay_so_and_the_delivery_names_their_zone(tmp_path, make_request):
    (tmp_path / "a.csv").write_text("ds,y\n2026-01-01T09:00:00,1\n")
    delivery = next(iter(CsvSource(tmp_path / "a.csv", tz="Asia/Seoul").fetch(make_request())))
    assert delivery.tz == "Asia/Seoul"
    assert delivery.values["a"].index.tolist() == [pd.Timestamp("2026-01-01T09:00")]


def test_times_with_an_offset_keep_their_instant(read):
    assert read("ds,y\n2026-01-01T09:00:00+09:00,1\n").values["prices"].index.tolist() == [NOW]


def test_offsets_may_change_with_daylight_saving(read):
    brought = read("ds,y\n2025-10-26T02:30:00+02:00,1\n2025-10-26T02:30:00+01:00,2\n", tz="Europe/Berlin")
    assert brought.values["prices"].index.tz_convert("UTC").hour.tolist() == [0, 1]


def test_a_day_with_an_offset_is_a_day_in_the_zone_of_the_panel(read):
    request = {"interval": timedelta(days=1), "tz": ZoneInfo("Asia/Seoul")}
    brought = read("ds,y\n2026-01-01T20:00:00Z,1\n", request=request)
    assert brought.values["prices"].index[0].isoformat() == "2026-01-02T05:00:00+09:00"


def test_a_day_with_an_offset_keeps_its_date_where_no_zone_is_known(read):
    request = {"interval": timedelta(days=1), "tz": None}
    brought = read("ds,y\n2026-03-29T00:00:00+01:00,1\n2026-03-30T00:00:00+02:00,2\n", request=request)
    assert [str(day.date()) for day in brought.values["prices"].index] == ["2026-03-29", "2026-03-30"]


def test_files_with_and_without_offsets_come_apart(tmp_path, fetch):
    (tmp_path / "a.csv").write_text("ds,y\n2026-01-01T09:00,1\n")
    (tmp_path / "b.csv").write_text("ds,y\n2026-01-01T09:00Z,1\n")
    assert {name: str(values.index.tz) for name, values in fetch(tmp_path).values.items()} == {"a": "None", "b": "UTC"}


def test_rows_without_the_offset_that_others_have_are_counted(read):
    brought = read("ds,y\n2026-01-01T00:00:00Z,1\n2026-01-02T00:00:00,2\nsoon,3\n")
    assert brought.rows() == {"prices": [1]}
    assert brought.dropped == {"with an offset missing that other rows have": 1, "without a readable time": 1}


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("1767225600", {}),
        ("1767225600000", {}),
        ("1767225600", {"time_format": "unix"}),
        ("1767225600000000000", {"time_format": "unix_ns"}),
        ("01.01.2026 01:00 +0100", {"time_format": "%d.%m.%Y %H:%M %z"}),
    ],
)
def test_times_can_be_written_in_other_ways(read, written, options):
    assert read(f"ds,y\n{written},1\n", **options).values["prices"].index.tolist() == [NOW]


# ── rows that cannot be made out ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("a,soon,2", "without a readable time"),
        ("a,now,2", "without a readable time"),
        ("a,,2", "without a readable time"),
        (",2026-01-02,2", "without unique_id"),
        ("a,2026-01-02,n/a!", "no number"),
        ("a,2026-01-02,True", "no number"),
        ("a,2026-01-02", "with too few fields"),
        ("a,2026-01-02,2,3", "with too many fields"),
        ('"a,2026-01-02,2', "with quotation marks that do not enclose a field"),
        ('5" pipe, 3" wide,2026-01-02,2', "with quotation marks that do not enclose a field"),
    ],
)
def test_a_row_that_cannot_be_made_out_is_counted_and_the_others_are_brought(read, row, what):
    brought = read(f"unique_id,ds,y\na,2026-01-01,1\n{row}\nb,2026-01-01,3\n")
    assert brought.rows() == {"a": [1], "b": [3]}
    assert brought.dropped == {what: 1}


def test_a_missing_value_comes_as_nan(read):
    brought = read("ds,y\n2026-01-01,1\n2026-01-02,\n2026-01-03,NULL\n")
    assert brought.values["prices"].isna().tolist() == [False, True, True]
    assert not brought.dropped


def test_a_row_with_a_line_break_in_it_is_counted_for_each_of_its_lines(read):
    brought = read('unique_id,ds,y\n"a\nb",2026-01-01,1\nc,2026-01-01,3\n')
    assert brought.rows() == {"c": [3]}
    assert brought.dropped == {"with quotation marks that do not enclose a field": 2}


def test_a_name_that_is_not_in_utf_8_is_counted(read):
    brought = read(b"unique_id,ds,y\nM\xfcnchen,2026-01-01,1\nKiel,2026-01-01,2\n")
    assert brought.rows() == {"Kiel": [2]}
    assert brought.dropped == {"with a name that is not in UTF-8": 1}


def test_one_bad_cell_of_a_wide_file_does_not_cost_its_row(read):
    brought = read("ds,a,b\n2026-01-01,1,x\n2026-01-02,2,6\n", layout="wide")
    assert brought.rows() == {"a": [1, 2], "b": [6]}
    assert brought.dropped == {"no number": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no rows"),
        ("ds,y\n", "has no rows"),
        ("ds,price\n2026-01-01,1\n", "has no column 'y'; its columns are ds, price"),
        ("ds;y\n2026-01-01;1\n", "has no column 'ds'; with semicolons between its columns, give separator = ';'"),
        ("ds,y,y\n2026-01-01,1,2\n", "has 2 columns 'y'; expected one"),
        ("ds,y\n\nsoon,1\n", r"has no row that can be used, of 1: row 3: 'soon' is no time as in 2026-01-31T12:30:00Z"),
        ("ds,y\n2026-01-01,much\n", "row 2: 'much' is no number, as in 12.5"),
        ("unique_id,ds,y\n,2026-01-01,1\n", "row 2: there is no name of the series"),
        ("ds,y\n2026-01-01\n", "row 2: 1 fields, where the header has 2"),
        (b"\xff\xfed\x00s\x00", "is text in UTF-16; save it in UTF-8"),
        (b"PK\x03\x04", "is an Excel file, or another archive; save it as CSV"),
        (b"\x00\x9f\xe2\n", "is no text in UTF-8"),
        (gzip.compress(HEADER.encode() * 100, mtime=0)[:-10], r"prices\.csv cannot be read: "),
    ],
)
def test_a_file_without_anything_usable_is_told(read, text, told):
    with pytest.raises(SourceDownError, match=told):
        read(text)


def test_a_file_without_line_ends_is_told(read, monkeypatch):
    monkeypatch.setattr(textfile, "BLOCK", 200)
    with pytest.raises(SourceDownError, match="a line of more than 200 bytes"):
        read("ds,y\n" + "2026-01-01,1;" * 100 + "\n")


def test_an_id_column_that_was_asked_for_must_be_there(read):
    with pytest.raises(SourceDownError, match="has no column 'sensor'"):
        read("ds,y\n2026-01-01,1\n", id_column="sensor")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tz": "Europe/Berln"}, "tz = 'Europe/Berln' is no time zone"),
        ({"separator": ", "}, "separator = ', ' is none: expected one character"),
        ({"decimal": ";"}, "decimal = ';' is none"),
        ({"decimal": ","}, "decimal = ',' is none"),
        ({"columns": ["a"]}, 'columns are chosen of a wide file: expected layout = "wide"'),
        ({"columns": [], "layout": "wide"}, r"columns = \[\] leaves none"),
        ({"time_format": "day"}, "time_format = 'day' is no format of times"),
    ],
)
def test_an_option_that_is_wrong_is_refused_at_once(tmp_path, options, told):
    with pytest.raises(ValueError, match=told):
        CsvSource(tmp_path / "a.csv", **options)


# ── growing files ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def log(tmp_path):
    """A file of 30 past hours of the series a, which is settled up to 12 hours ago."""
    path = tmp_path / "log.csv"
    path.write_text(HEADER + hours(-30, 0))
    age(path, at=1)
    return path


def test_the_first_fetch_brings_all(log, fetch):
    brought = fetch(log)
    assert len(brought.values["a"]) == 30
    assert brought.complete


def test_of_a_file_that_has_grown_only_what_is_not_settled_comes_again(log, fetch):
    first = fetch(log)
    append(log, hours(0, 1))
    second = fetch(log, known=first)
    assert second.values["a"].index[0] == NOW - 12 * HOUR
    assert second.values["a"].index[-1] == NOW
    assert not second.complete
    assert not second.unchanged


def test_what_has_settled_since_then_does_not_come_again(log, fetch):
    first = fetch(log)
    later = {"now": NOW + 3 * HOUR}
    second = fetch(log, known=first, request=later)
    append(log, hours(0, 1))
    assert second.values["a"].index[0] == NOW - 12 * HOUR
    assert fetch(log, known=second, request=later).values["a"].index[0] == NOW - 9 * HOUR


def test_a_file_that_has_settled_and_has_not_changed_is_said_to_be_unchanged(log, fetch):
    first = fetch(log, request={"now": NOW + 20 * HOUR})
    second = fetch(log, known=first, request={"now": NOW + 21 * HOUR})
    assert second.unchanged
    assert not second.values
    assert second.state == first.state


def test_an_unchanged_file_is_not_opened(log, fetch, monkeypatch):
    first = fetch(log, request={"now": NOW + 20 * HOUR})
    monkeypatch.setattr("pathlib.Path.open", None)
    assert fetch(log, known=first, request={"now": NOW + 21 * HOUR}).unchanged


def test_a_file_that_was_only_touched_has_not_changed(log, fetch):
    first = fetch(log, request={"now": NOW + 20 * HOUR})
    age(log, at=2)
    assert fetch(log, known=first, request={"now": NOW + 21 * HOUR}).unchanged


def test_rows_after_a_settled_file_grows_again_are_brought_alone(log, fetch):
    first = fetch(log, request={"now": NOW + 20 * HOUR})
    append(log, hours(18, 19))
    assert fetch(log, known=first, request={"now": NOW + 20 * HOUR}).rows() == {"a": [1]}


def test_a_revised_row_has_all_read_anew(log, fetch):
    first = fetch(log)
    log.write_text(HEADER + hours(-30, -29, value=2.0) + hours(-29, 0))
    age(log, at=2)
    second = fetch(log, known=first)
    assert second.rows() == {"a": [2, *[1] * 29]}
    assert second.complete


def test_a_file_that_was_begun_anew_is_read_anew(log, fetch):
    first = fetch(log)
    log.write_text(HEADER + hours(-2, 0))
    age(log, at=2)
    second = fetch(log, known=first)
    assert second.rows() == {"a": [1, 1]}
    assert second.complete


def test_a_row_that_comes_late_has_all_read_anew(log, fetch):
    first = fetch(log)
    append(log, hours(-20, -19, value=2.0))
    second = fetch(log, known=first)
    assert len(second.values["a"]) == 31
    assert second.complete


def test_a_row_that_comes_a_little_late_does_not(log, fetch):
    first = fetch(log)
    append(log, hours(-11, -10, value=2.0))
    second = fetch(log, known=first)
    assert second.values["a"].index[-1] == NOW - 11 * HOUR
    assert not second.complete


def test_the_history_of_a_new_series_does_not(log, fetch):
    first = fetch(log)
    append(log, hours(-30, 0, name="b"))
    second = fetch(log, known=first)
    assert {name: len(values) for name, values in second.values.items()} == {"a": 12, "b": 30}


def test_a_file_with_one_series_after_the_other_is_not_read_anew_each_time(tmp_path, fetch):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + hours(-30, 0) + hours(-30, 0, name="b"))
    second = fetch(path, known=fetch(path))
    assert {name: values.index[0] for name, values in second.values.items()} == dict.fromkeys("ab", NOW - 12 * HOUR)
    assert not second.complete


def test_bad_rows_are_counted_once(log, fetch):
    append(log, "a,soon,1\n")
    first = fetch(log)
    append(log, "b,soon,1\nb,later,1\n")
    assert first.dropped == {"without a readable time": 1}
    assert fetch(log, known=first).dropped == {"without a readable time": 2}


def test_bad_rows_alone_are_no_fault_of_a_file_that_was_good(log, fetch):
    first = fetch(log, request={"now": NOW + 20 * HOUR})
    append(log, "a,soon,1\n")
    second = fetch(log, known=first, request={"now": NOW + 20 * HOUR})
    assert second.unchanged
    assert second.dropped == {"without a readable time": 1}


def test_a_packed_file_may_grow_too(log, fetch):
    packed = log.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    first = fetch(packed)
    with gzip.open(packed, "a") as file:
        file.write(hours(0, 1).encode())
    second = fetch(packed, known=first)
    assert len(second.values["a"]) == 13
    assert not second.complete


def test_of_a_table_of_parquet_that_has_not_changed_only_what_is_not_settled_comes_again(tmp_path, fetch):
    path = tmp_path / "a.parquet"
    times = pd.date_range(NOW - 30 * HOUR, periods=30, freq="h").as_unit("us")
    parquet.write(path, pd.DataFrame({"ds": times, "y": range(30)}))
    first = fetch(path)
    second = fetch(path, known=first)
    assert second.rows() == {"a": list(range(18, 30))}
    assert not second.complete
    assert fetch(path, known=second, request={"now": NOW + 20 * HOUR}).rows() == {"a": list(range(18, 30))}


def test_a_table_of_parquet_that_has_changed_is_read_anew(tmp_path, fetch):
    path = tmp_path / "a.parquet"
    parquet.write(path, pd.DataFrame({"ds": [date(2025, 12, 1)], "y": [1]}))
    first = fetch(path)
    parquet.write(path, pd.DataFrame({"ds": [date(2025, 12, 1), date(2025, 12, 2)], "y": [1, 2]}))
    second = fetch(path, known=first)
    assert second.rows() == {"a": [1, 2]}
    assert second.complete


def test_text_in_the_place_of_a_table_of_parquet_is_read_anew(tmp_path, fetch):
    path = tmp_path / "a.parquet"
    parquet.write(path, pd.DataFrame({"ds": [date(2025, 12, 1)] * 30, "y": range(30)}))
    first = fetch(path)
    path.write_text("ds,y\n2025-12-01,7\n")
    assert fetch(path, known=first).rows() == {"a": [7]}


# ── last lines without an end ───────────────────────────────────────────────────────────────────────────────────────


def test_a_last_line_without_its_end_waits(log, fetch):
    append(log, f"a,{at(0)},12.3")
    quiet_since(log, NOW - timedelta(seconds=1))
    first = fetch(log)
    assert first.values["a"].index[-1] == NOW - HOUR
    assert first.dropped["left for the next fetch, in a last line without its end"] == 1
    append(log, "4\n")
    assert fetch(log, known=first).values["a"].iloc[-1] == 12.34


def test_a_last_line_without_its_end_counts_once_nobody_has_written_for_a_while(log, fetch):
    append(log, f"a,{at(0)},12.3")
    quiet_since(log, NOW - timedelta(seconds=1))
    first = fetch(log)
    second = fetch(log, known=first, request={"now": NOW + timedelta(seconds=10), "open_from": NOW - 2 * HOUR})
    assert second.values["a"].iloc[-1] == 12.3


def test_a_header_without_its_end_waits(tmp_path, fetch):
    path = tmp_path / "a.csv"
    path.write_text("ds")
    quiet_since(path, NOW)
    with pytest.raises(SourceDownError, match="has no rows"):
        fetch(path)


def test_a_last_line_that_goes_on_after_it_has_counted_has_all_read_anew(log, fetch):
    append(log, f"a,{at(0)},12.3")
    quiet_since(log, NOW - HOUR)
    later = {"now": NOW + 20 * HOUR}
    first = fetch(log, request=later)
    assert first.values["a"].iloc[-1] == 12.3
    append(log, "4\n")
    assert fetch(log, known=first, request=later).values["a"].iloc[-1] == 12.34


def test_a_line_after_a_last_line_without_its_end_is_read_alone(log, fetch):
    append(log, f"a,{at(0)},12.3")
    quiet_since(log, NOW - HOUR)
    later = {"now": NOW + 20 * HOUR}
    first = fetch(log, request=later)
    append(log, f"\na,{at(17)},5\n")
    assert fetch(log, known=first, request=later).rows() == {"a": [5]}


# ── several files that grow ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def logs(tmp_path):
    """Files of 30 past hours of a series each."""
    for number in range(5):
        path = tmp_path / f"{number}.csv"
        path.write_text(HEADER + hours(-30, 0, name=str(number)))
        age(path, at=1 + number)
    return tmp_path


def test_a_new_file_is_read_alone(logs, fetch):
    first = fetch(logs, request={"now": NOW + 20 * HOUR})
    (logs / "5.csv").write_text(HEADER + hours(-30, 0, name="5"))
    second = fetch(logs, known=first, request={"now": NOW + 20 * HOUR})
    assert list(second.values) == ["5"]
    assert not second.complete


def test_a_file_that_is_gone_has_all_read_anew(logs, fetch):
    first = fetch(logs)
    (logs / "0.csv").unlink()
    second = fetch(logs, known=first)
    assert list(second.values) == ["1", "2", "3", "4"]
    assert second.complete


def test_what_is_known_of_many_files_at_rest_is_small(logs, fetch, monkeypatch):
    monkeypatch.setattr(growing, "KEPT", 2)
    first = fetch(logs, request={"now": NOW + 20 * HOUR})
    assert list(first.state["files"]) == ["3.csv", "4.csv"]
    second = fetch(logs, known=first, request={"now": NOW + 20 * HOUR})
    assert second.unchanged
    assert second.state == first.state


def test_a_file_at_rest_that_changes_has_all_read_anew(logs, fetch, monkeypatch):
    monkeypatch.setattr(growing, "KEPT", 2)
    first = fetch(logs, request={"now": NOW + 20 * HOUR})
    (logs / "0.csv").write_text(HEADER + hours(-30, -29, name="0", value=2.0))
    second = fetch(logs, known=first, request={"now": NOW + 20 * HOUR})
    assert second.values["0"].tolist() == [2]
    assert second.complete


def test_a_new_file_as_old_as_those_at_rest_has_all_read_anew(logs, fetch, monkeypatch):
    monkeypatch.setattr(growing, "KEPT", 2)
    first = fetch(logs, request={"now": NOW + 20 * HOUR})
    (logs / "5.csv").write_text(HEADER + hours(-30, 0, name="5"))
    age(logs / "5.csv", at=1)
    assert len(fetch(logs, known=first, request={"now": NOW + 20 * HOUR}).values) == 6


def test_a_file_that_changes_while_many_rest_is_read_alone(logs, fetch, monkeypatch):
    monkeypatch.setattr(growing, "KEPT", 2)
    first = fetch(logs, request={"now": NOW + 20 * HOUR})
    append(logs / "4.csv", hours(18, 19, name="4"))
    assert fetch(logs, known=first, request={"now": NOW + 20 * HOUR}).rows() == {"4": [1]}


def test_what_another_version_left_counts_for_nothing(log, fetch):
    known = Brought(state={"offset": 5})
    assert fetch(log, known=known).complete


# ── clocks that are set back ────────────────────────────────────────────────────────────────────────────────────────

BERLIN = ZoneInfo("Europe/Berlin")
SET_BACK = datetime(2025, 10, 26, 1, tzinfo=UTC)


def wall_clock(first, last):
    """Naive rows, an hour each, from and to so many hours after the clocks were set back in Berlin."""
    moments = (SET_BACK + hour * HOUR for hour in range(first, last))
    return "".join(f"a,{moment.astimezone(BERLIN):%Y-%m-%dT%H:%M:%S},1\n" for moment in moments)


def test_what_is_new_about_an_hour_that_clocks_repeat_comes_with_the_hours_before(tmp_path, fetch):
    (tmp_path / "a.csv").write_text(HEADER + wall_clock(-48, 10))
    request = {"now": SET_BACK + 12 * HOUR, "tz": BERLIN}  # what is settled ends in the second pass
    second = fetch(tmp_path / "a.csv", known=fetch(tmp_path / "a.csv", request=request), request=request)
    assert second.values["a"].index[0] == pd.Timestamp("2025-10-25T15:00")


def test_no_delivery_divides_the_passes_through_an_hour_that_clocks_repeat(tmp_path, make_request, monkeypatch):
    monkeypatch.setattr(textfile, "BLOCK", 30)  # a row
    monkeypatch.setattr(csv, "AT_ONCE", 1)
    (tmp_path / "a.csv").write_text(HEADER + wall_clock(-48, 48))
    deliveries = CsvSource(tmp_path / "a.csv").fetch(make_request(tz=BERLIN))
    parts = [delivery.values["a"].index for delivery in deliveries if delivery.values]
    assert len(parts) > 10
    assert [sum(index.hour == 2) for index in parts if ((index.hour == 2) & (index.day == 26)).any()] == [2]


# ── the law ─────────────────────────────────────────────────────────────────────────────────────────────────────────

rows = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60 * 40), st.integers(0, 9)), max_size=6)
steps = st.tuples(rows, st.integers(0, 12), st.integers(0, 40), st.integers(0, 30))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=8))
def test_however_a_file_grows_the_intervals_come_out_as_if_it_were_read_at_once(tmp_path, make_request, steps):
    path, source = tmp_path / "grown.csv", CsvSource(tmp_path / "grown.csv")
    text = HEADER + "a,2025-12-30T00:00:00Z,10\n"
    now, state, stored, version = NOW - 40 * HOUR, {}, {}, 0
    for rows, passed, cut, revised in steps:
        now += passed * HOUR
        if revised < 10:
            text = text[: len(HEADER)] + f"a,2025-12-30T00:00:00Z,1{revised}" + text[text.index("\n", len(HEADER)) :]
        added = "".join(f"{name},{minutes_on(minutes)},{value}\n" for name, minutes, value in rows)
        for content in (text + added[:-cut] if cut else text, text + added):  # a part of it first
            path.write_text(content)
            version += 1
            age(path, at=int(now.timestamp() * 1e9) + version)
            newest = dict.fromkeys({name for name, _ in stored}, now)
            brought = Brought.by(source, make_request(now=now, state=state, newest=newest))
            state = brought.state
            stored |= means(brought.values, until=now - HOUR)
        text += added
    at_once = means(Brought.by(source, make_request(now=now)).values, until=now - HOUR)
    assert {key: stored.get(key) for key in at_once} == at_once


def minutes_on(minutes):
    return (NOW - 48 * HOUR + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def means(values, until):
    """The mean of each series and hour that begins before, of the last value of each time: as the contract has it."""
    found = {}
    for name, series in values.items():
        last = series[~series.index.duplicated(keep="last")]
        for hour, mean in last.groupby(last.index.floor("h")).mean().items():
            if hour < until:
                found[name, hour] = mean
    return found
