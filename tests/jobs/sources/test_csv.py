"""Series from CSV files."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.sources.base import Request, SourceDownError
from jobs.sources.csv import CsvSource


@pytest.fixture
def read(tmp_path):
    def fetch(text, **options):
        path = tmp_path / "prices.csv"
        path.write_text(text)
        request = Request(datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1), timedelta(days=1), {}, tmp_path)
        return CsvSource(path, **options).fetch(request).values

    return fetch


def test_a_long_file_holds_a_series_for_each_id(read):
    values = read("unique_id,ds,y\na,2026-01-01,1\nb,2026-01-01,5\na,2026-01-02,2\n")
    assert {name: series.tolist() for name, series in values.items()} == {"a": [1, 2], "b": [5]}


def test_a_file_without_ids_is_named_after_itself(read):
    assert list(read("ds,y\n2026-01-01,1\n")) == ["prices"]


def test_columns_can_have_other_names(read):
    values = read("t,price\n2026-01-01,1\n", time_column="t", value_column="price")
    assert values["prices"].tolist() == [1]


def test_ids_that_look_like_numbers_stay_as_they_are_written(read):
    assert list(read("unique_id,ds,y\n007,2026-01-01,1\n")) == ["007"]


def test_naive_times_are_in_the_zone_that_is_given(read):
    values = read("ds,y\n2026-01-01T09:00:00,1\n", tz="Asia/Seoul")
    assert values["prices"].index[0] == datetime(2026, 1, 1, tzinfo=UTC)


def test_times_with_an_offset_keep_their_instant(read):
    values = read("ds,y\n2026-01-01T09:00:00+09:00,1\n")
    assert values["prices"].index[0] == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_value_that_is_no_number_comes_as_nan(read):
    assert read("ds,y\n2026-01-01,1\n2026-01-02,n/a!\n")["prices"].isna().tolist() == [False, True]


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SourceDownError, match="there is no file"):
        CsvSource(tmp_path / "none.csv").fetch(None)


def test_a_missing_column_is_told_with_those_there_are(read):
    with pytest.raises(SourceDownError, match="has no column 'y'; its columns are ds, price"):
        read("ds,price\n2026-01-01,1\n")


def test_a_time_that_is_none_is_told_with_its_row(read):
    with pytest.raises(SourceDownError, match="row 3: 'soon' is no ISO 8601 time"):
        read("ds,y\n2026-01-01,1\nsoon,2\n")


def test_an_empty_file_is_told(read):
    with pytest.raises(SourceDownError, match="cannot be read as CSV"):
        read("")


def test_an_hour_that_daylight_saving_doubles_is_told_with_the_remedy(read):
    with pytest.raises(SourceDownError, match="write such times with their offset"):
        read("ds,y\n2025-11-02T01:30:00,1\n", tz="America/New_York")


def test_offsets_may_change_with_daylight_saving(read):
    values = read("ds,y\n2025-10-26T02:30:00+02:00,1\n2025-10-26T02:30:00+01:00,2\n", tz="Europe/Berlin")
    assert values["prices"].index.tz_convert("UTC").hour.tolist() == [0, 1]


def test_a_day_with_an_offset_is_a_day_in_the_panel_s_zone(read):
    values = read("ds,y\n2026-01-02T00:00:00+09:00,1\n", tz="Asia/Seoul")
    assert values["prices"].index[0].isoformat() == "2026-01-02T00:00:00+09:00"


def test_offsets_on_some_rows_only_are_told(read):
    with pytest.raises(SourceDownError, match="row 3: '2026-01-02T00:00:00' has no offset, as other rows have"):
        read("ds,y\n2026-01-01T00:00:00Z,1\n2026-01-02T00:00:00,2\n")


def test_a_row_without_an_id_is_told(read):
    with pytest.raises(SourceDownError, match="row 3: there is no unique_id"):
        read("unique_id,ds,y\na,2026-01-01,1\n,2026-01-02,2\n")


def test_a_zone_that_is_none_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="tz = 'Europe/Berln' is no time zone"):
        CsvSource(tmp_path / "a.csv", tz="Europe/Berln")
