"""The command `rollcast export`."""

import io
import json
from datetime import timedelta

import pandas as pd
import polars as pl
import pytest

from db import export, queries
from db.times import to_us
from jobs import longfile
from tests.service.commands.conftest import HOUR, START, VALUES

CUTOFFS = ["2026-01-06T05:00:00Z", "2026-01-06T06:00:00Z"]
HEADING = "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95"


@pytest.fixture
def table(sold, history):
    """What is exported to standard output, as a table."""

    def read(*words):
        code, out, _ = sold("export", *words)
        assert code == 0
        return pd.read_csv(io.StringIO(out))

    return read


def test_observations_are_unique_id_ds_y(sold, history):
    code, out, err = sold("export")
    heading, first, *_, last = out.splitlines()
    assert (code, err) == (0, "")
    assert heading == "unique_id,ds,y"
    assert first == f"a,2026-01-05T00:00:00Z,{VALUES[0]}"
    assert last == f"a,2026-01-06T07:00:00Z,{VALUES[31]}"


def test_forecasts_are_the_ledger(sold, table):
    found = table("--what", "forecasts")
    assert ",".join(found.columns) == HEADING
    assert found["cutoff"].tolist() == [cutoff for cutoff in CUTOFFS for _ in range(3)]
    latest = json.loads(sold("latest", "a", "--json")[1])["steps"]
    newest = found[found["cutoff"] == CUTOFFS[1]]
    assert newest["yhat"].tolist() == [step["mean"] for step in latest]
    assert newest["hi_95"].tolist() == [step["intervals"]["95"][1] for step in latest]


def test_scores_are_the_steps_whose_truth_is_known_with_it(table):
    found = table("--what", "scores")
    assert ",".join(found.columns) == f"{HEADING},y"
    assert found["ds"].tolist() == ["2026-01-06T06:00:00Z", "2026-01-06T07:00:00Z", "2026-01-06T07:00:00Z"]
    assert found["y"].tolist() == [VALUES[30], VALUES[31], VALUES[31]]


def test_start_and_end_are_included(table):
    found = table("a", "--start", "2026-01-05T03:00:00+01:00", "--end", "2026-01-05T04:00")
    assert found["ds"].tolist() == [f"2026-01-05T0{hour}:00:00Z" for hour in (2, 3, 4)]


def test_as_of_a_moment_it_is_what_was_known_then(table):
    assert len(table("--as-of", "2026-01-06T06:30:00Z")) == 30
    assert table("--as-of", "2026-01-06T06:30:00Z", "--what", "forecasts")["cutoff"].unique().tolist() == CUTOFFS[:1]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_file_holds_what_standard_output_would(sold, table, tmp_path, suffix):
    code, out, err = sold("export", "--out", f"all{suffix}")
    assert (code, out, err) == (0, "", f"all{suffix}: 32 rows of 1 series\n")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"all{suffix}"), table())


def test_parquet_has_times_of_their_own_type(sold, history, tmp_path):
    assert sold("export", "--what", "scores", "--out", "all.parquet")[0] == 0
    found = pl.read_parquet(tmp_path / "all.parquet")
    assert found.columns == [*HEADING.split(","), "y"]
    assert found["ds"].dtype == pl.Datetime("us", "UTC")
    assert len(found) == 3


def test_what_is_exported_can_be_read_for_a_backtest(sold, history, tmp_path):
    for name in ("all.csv", "all.parquet"):
        sold("export", "--out", name)
        assert longfile.read(tmp_path / name).series["a"].values.tolist() == VALUES


def test_microseconds_are_told_where_there_are_some(sold, history, stored):
    with stored.begin() as session:
        moment = START + 40 * HOUR + timedelta(microseconds=1)
        queries.add_observations(session, 1, [(to_us(moment), 1.0)], START)
    *_, before, last = sold("export")[1].splitlines()
    assert before.startswith("a,2026-01-06T07:00:00Z,")
    assert last == "a,2026-01-06T16:00:00.000001Z,1.0"


def test_series_come_in_order_of_panel_and_name_each_once(sold, history, stored, monkeypatch):
    monkeypatch.setattr(export, "ROWS", 3)
    with stored.begin() as session:
        other = queries.add_series(session, "B, quoted", "sales")
        queries.add_observations(session, other.id, [(to_us(START), 5.0)], START)
    found = pd.read_csv(io.StringIO(sold("export", "a", "B, quoted", "a")[1]))
    assert found["unique_id"].tolist() == ["B, quoted", *["a"] * 32]


@pytest.mark.parametrize("what", ["observations", "forecasts", "scores"])
def test_where_there_is_nothing_there_is_the_heading(sold, stored, tmp_path, what):
    code, out, _ = sold("export", "--what", what)
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("unique_id,ds,")
    assert sold("export", "--what", what, "--out", "none.parquet")[0] == 0
    assert pl.read_parquet(tmp_path / "none.parquet").is_empty()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("b", "there is no series 'b'; there are a"),
        ("--panel gas", "there is no panel 'gas'; there are sales"),
        ("--out all.txt", "--out all.txt has an unknown suffix; expected .csv, .csv.gz or .parquet"),
        ("--out nowhere/all.csv", "--out nowhere/all.csv lies in nowhere, which is no folder; expected the name of a"),
        ("--start soon", "--start soon: expected an ISO 8601 time, as in 2026-01-31 or 2026-01-31T12:30:00Z"),
        ("--start 2026-02-01 --end 2026-01-01", "--start 2026-02-01 00:00:00Z comes after --end 2026-01-01 00:00:00Z"),
        ("--what all", "invalid value for '--what': 'all' is not one of 'observations', 'forecasts', 'scores'"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(sold, history, words, told):
    code, out, err = sold("export", *words.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"rollcast: {told}")
    assert err.count("\n") == 1
