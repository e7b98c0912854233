"""The command `rollcast backtest`, as a person types it."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from db import engine, queries
from db.times import to_us

CONFIG = """
[panels.sales]
source = { type = "csv", path = "sales.csv" }
interval = "1h"
horizon = 3
levels = [50, 90]
seed = 4
"""
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def rollcast(run_command):
    return run_command


def rows(n, name="a", freq="h", seed=0):
    y = 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 24) + np.random.default_rng(seed).normal(size=n)
    times = pd.date_range("2026-01-05", periods=n, freq=freq).strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"unique_id": name, "ds": times, "y": y})


@pytest.fixture
def sales(tmp_path):
    """Two series of an hour a row: too short for a network, which would take most of the time."""
    return written(tmp_path, rows(90), rows(80, "b", seed=1))


@pytest.fixture
def much_sold(tmp_path):
    """Two series that a network is fitted on."""
    return written(tmp_path, rows(150), rows(120, "b", seed=1))


def written(folder, *tables):
    table = pd.concat(tables)
    table.to_csv(folder / "sales.csv", index=False)
    return table


@pytest.fixture
def stored(tmp_path):
    """The configured panel with 60 hours in its database."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    writer = engine.writer(f"sqlite:///{tmp_path}/data/rollcast.db")
    engine.migrate(writer)
    with engine.sessions(writer).begin() as session:
        series = queries.add_series(session, "a", "sales")
        pairs = [(to_us(START + k * timedelta(hours=1)), y) for k, y in enumerate(rows(60)["y"].tolist())]
        queries.add_observations(session, series.id, pairs, START + timedelta(days=10))
    writer.dispose()


def test_metrics_forecasts_and_a_table_come_of_a_file(rollcast, much_sold, tmp_path):
    code, out, err = rollcast(
        "backtest", "--metrics", "m.json", "sales.csv", "--horizon", 3, "--cutoffs", 2, "--out", "f.csv"
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines()[1:5]] == ["model", "naive", "seasonal naive", "naive2"]
    assert "2 fits at every cutoff" in out
    assert "4 forecasts of 2 series at 2 cutoffs, horizon 3, season 24, interval 1h; " in out
    assert out.endswith("metrics in m.json\nforecasts in f.csv\n")
    made = pd.read_csv("f.csv")
    assert made.columns.tolist() == ["unique_id", "ds", "cutoff", "yhat", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert len(made.merge(much_sold, on=["unique_id", "ds"])) == len(made) == 12


def test_the_metrics_tell_all_that_was_measured(rollcast, sales, tmp_path):
    rollcast("backtest", "sales.csv", "--horizon", 3, "--level", 90, "--season", 1, "--seed", 7, "--metrics", "m.json")
    told = json.loads((tmp_path / "m.json").read_text())
    figures = {name: told[name] for name in ("smape", "mase", "owa", "msis", "coverage")}
    assert told["model"] == figures
    for name in ("model", "naive", "seasonal_naive", "naive2"):
        assert told[name].keys() == figures.keys()
        assert told[name]["msis"].keys() == told[name]["coverage"].keys() == {"90"}
    assert told["naive2"]["owa"] == 1.0
    assert sum(told["kinds"].values()) == told["fits"] == told["promoted"] == 1
    rest = {"series": 2, "cutoffs": 1, "forecasts": 2, "scored": 2, "left_out": 0, "not_forecast": 0}
    rest |= {"horizon": 3, "season": 1, "interval": "1h", "seed": 7}
    assert {name: told[name] for name in rest} == rest
    assert told["seconds"] > 0


def test_json_prints_the_metrics_and_nothing_else(rollcast, sales):
    code, out, err = rollcast("backtest", "sales.csv", "--horizon", 3, "--json", "--metrics", "m.json")
    assert (code, err) == (0, "metrics in m.json\n")
    assert json.loads(out) == json.loads(Path("m.json").read_text())


def test_the_metrics_are_those_of_the_forecasts_that_are_written(rollcast, sales, tmp_path):
    rollcast("backtest", "sales.csv", "--horizon", 3, "--cutoffs", 4, "--metrics", "m.json", "--out", "f.parquet")
    both = pd.DataFrame(pl.read_parquet("f.parquet").to_dict(as_series=False)).merge(sales, on=["unique_id", "ds"])
    told = json.loads((tmp_path / "m.json").read_text())
    inside = (both["lo_80"] <= both["y"]) & (both["y"] <= both["hi_80"])
    assert told["coverage"]["80"] == pytest.approx(inside.mean())
    smape = 200 * ((both["y"] - both["yhat"]).abs() / (both["y"].abs() + both["yhat"].abs())).mean()
    assert told["smape"] == pytest.approx(smape)


def test_what_has_no_value_is_null(rollcast, tmp_path):
    pd.DataFrame({"ds": range(40), "y": 5.0}).to_csv(tmp_path / "flat.csv", index=False)
    code, out, err = rollcast("backtest", "flat.csv", "--horizon", 3, "--metrics", "m.json")
    assert code == 0
    assert "1 of 1 pairs are left out of MASE, MSIS and OWA" in err
    told = json.loads((tmp_path / "m.json").read_text())
    assert (told["mase"], told["owa"], told["msis"]["80"], told["interval"]) == (None, None, None, None)
    assert "–" in out


def test_dropped_rows_and_missing_pairs_are_told(rollcast, sales, tmp_path):
    sales.loc[sales["unique_id"] == "b", "y"] = np.nan
    pd.concat([sales, rows(4, "c")]).to_csv(tmp_path / "sales.csv", index=False)
    _, _, err = rollcast("backtest", "sales.csv", "--horizon", 3)
    assert "sales.csv: left out 80 rows without a value in y\n" in err
    assert "1 of 2 pairs of a series and a cutoff are left out: too little history" in err


def test_rows_that_a_later_one_replaces_are_told_and_the_first_of_them_named(rollcast, sales, tmp_path):
    table = pd.concat([sales, sales.iloc[[120, 7]]])
    table.to_csv(tmp_path / "sales.csv", index=False)
    code, _, err = rollcast("backtest", "sales.csv", "--horizon", 3)
    told = "left out 2 rows with a later row of the same series and time, the first of a at 2026-01-05T07:00:00Z"
    assert (code, err) == (0, f"sales.csv: {told}\n")


def test_a_file_may_call_its_columns_otherwise_and_forecasts_keep_their_names(rollcast, sales, tmp_path):
    sales.columns = ["shop", "timestamp", "value"]
    sales.to_csv(tmp_path / "sales.csv", index=False)
    named = ("--id-column", "shop", "--time-column", "timestamp", "--value-column", "value")
    code, out, _ = rollcast("backtest", "sales.csv", *named, "--horizon", 3, "--out", "f.csv")
    assert code == 0
    assert "2 series" in out
    assert pd.read_csv("f.csv").columns.tolist()[:4] == ["unique_id", "ds", "cutoff", "yhat"]


def test_more_cutoffs_than_there_are_rows_are_as_many_as_can_be(rollcast, tmp_path):
    rows(40).to_csv(tmp_path / "sales.csv", index=False)
    code, out, err = rollcast("backtest", "sales.csv", "--horizon", 3, "--cutoffs", 1_000_000, "--refit-every", 100)
    assert code == 0
    assert "999,986 of 1,000,000 pairs of a series and a cutoff are left out: too little history" in err
    assert "1 fit every 100 cutoffs" in out


@pytest.mark.parametrize(
    ("interval", "season"),
    [
        ("5m", 288),
        ("5min", 288),
        ("1h", 24),
        ("H", 24),
        ("1d", 7),
        ("7d", 52),
        ("B", 5),
        ("M", 12),
        ("1y", 1),
        ("QS", 4),
    ],
)
def test_the_interval_tells_the_season_in_this_project_s_words_and_in_pandas(rollcast, sales, interval, season):
    _, out, _ = rollcast("backtest", "sales.csv", "--horizon", 3, "--interval", interval)
    assert f"season {season}, interval {interval};" in out


def test_refits_that_drift_forced_are_counted(rollcast, tmp_path):
    phase = np.concatenate([np.arange(200) / 24, 200 / 24 + np.arange(40) / 7])
    y = 50 + 10 * np.sin(2 * np.pi * phase) + np.random.default_rng(0).normal(size=240)
    pd.DataFrame({"ds": range(240), "y": y}).to_csv(tmp_path / "broken.csv", index=False)
    words = "broken.csv --horizon 3 --season 24 --cutoffs 38 --refit-every 100 --metrics m.json"
    _, out, _ = rollcast("backtest", *words.split())
    told = json.loads((tmp_path / "m.json").read_text())
    assert told["fits"] == told["drift_refits"] + 1 >= 2
    assert f"; {told['drift_refits']} forced by drift)" in out


def test_a_refit_can_be_asked_for_by_time(rollcast, sales):
    _, out, _ = rollcast("backtest", "sales.csv", "--horizon", 3, "--cutoffs", 9, "--stride", 4, "--refit-every", "1d")
    assert "2 fits every 1d" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "expected a FILE to read, or --panel NAME"),
        ("sales.csv", "--horizon is missing"),
        ("nowhere.csv --horizon 3", "there is no file nowhere.csv"),
        ("sales.txt --horizon 3", "sales.txt has an unknown suffix; expected .csv, .csv.gz or .parquet"),
        ("sales.csv --horizon 0", "--horizon 0: expected a whole number, at least 1"),
        ("sales.csv --horizon 3 --refit-every 0", "--refit-every 0: expected at least 1 cutoff"),
        ("sales.csv --horizon 3 --refit-every often", "--refit-every often: expected a frequency as in 1h"),
        ("sales.csv --horizon 3 --interval hourly", "--interval hourly: expected a frequency as in 1h, 30min"),
        ("sales.csv --horizon 10001", "--horizon 10001: expected at most 10,000 steps"),
        ("sales.csv --horizon 3 --season 9999999999", "--season 9999999999: expected at most 1,000,000,000 steps"),
        ("sales.csv --horizon 3 --seed -1", "--seed -1: expected a whole number, at least 0"),
        ("sales.csv --horizon 3 --level 100", "--level 100: expected percent, from 1 to 99"),
        ("sales.csv --horizon 89", "the longest, a, has 90 rows, and a horizon of 89 needs 91"),
        ("sales.csv --horizon 3 --out made.xls", "made.xls has an unknown suffix"),
        ("sales.csv --horizon 3 --metrics no/m.json", "--metrics no/m.json lies in no, which is no folder"),
        (
            "sales.csv --horizon 3 --metrics sales.csv",
            "--metrics sales.csv is the file to read; expected the name of a file",
        ),
        ("sales.csv --horizon 3 --out ./sales.csv", "--out sales.csv is the file to read"),
        ("sales.csv --horizon 3 --metrics m.csv --out m.csv", "--out m.csv is what --metrics writes"),
        (
            "nab.csv --horizon 3",
            "nab.csv has no column ds, only timestamp, value; expected unique_id, ds, y, and a row",
        ),
        ("nab.csv --horizon 3", "; --id-column, --time-column and --value-column tell what they are called"),
        ("one.csv --horizon 3", "the longest, one, has 1 row, and a horizon of 3 needs 5\n"),
        ("data --horizon 3", "data has an unknown suffix"),
        ("counts.csv --horizon 3 --refit-every 1d", "ds are no times; expected a number of cutoffs"),
        ("sales.csv --panel sales", "FILE cannot go with --panel"),
        ("--panel sales --horizon 3", "--horizon cannot go with --panel"),
        ("--panel sales --interval 1h", "--interval cannot go with --panel"),
        ("--panel sales --time-column t", "--time-column cannot go with --panel"),
        ("--panel bread", "there is no panel 'bread'; there are sales"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(rollcast, sales, stored, tmp_path, words, told):
    (tmp_path / "nab.csv").write_text("timestamp,value\n2026-01-01,1\n")
    (tmp_path / "one.csv").write_text("ds,y\n2026-01-01,1\n")
    (tmp_path / "counts.csv").write_text("ds,y\n" + "".join(f"{k},{k}\n" for k in range(40)))
    code, out, err = rollcast("backtest", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("rollcast: ")
    assert told in err


@pytest.mark.parametrize(("option", "name"), [("--metrics", "m.json"), ("--out", "f.csv")])
def test_what_cannot_be_written_is_told_before_the_work(rollcast, sales, monkeypatch, option, name):
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    code, _, err = rollcast("backtest", "sales.csv", "--horizon", 3, option, name)
    assert (code, err) == (2, f"rollcast: {option} {name} cannot be written; expected the name of a file to write\n")


def test_a_panel_is_refitted_as_often_as_live_unless_told(rollcast, stored, tmp_path):
    (tmp_path / "rollcast.toml").write_text(CONFIG + 'refit_every = "2h"\n')
    _, out, _ = rollcast("backtest", "--panel", "sales", "--cutoffs", 5)
    assert "3 fits every 2h" in out
    _, out, _ = rollcast("backtest", "--panel", "sales", "--cutoffs", 5, "--refit-every", 5)
    assert "1 fit every 5 cutoffs" in out


def test_a_panel_is_replayed_as_it_is_configured(rollcast, stored, tmp_path):
    code, _, _ = rollcast("backtest", "--panel", "sales", "--cutoffs", 4, "--metrics", "m.json", "--out", "f.csv")
    assert code == 0
    told = json.loads((tmp_path / "m.json").read_text())
    assert (told["interval"], told["horizon"], told["season"], told["seed"]) == ("1h", 3, 24, 4)
    assert told["coverage"].keys() == {"50", "90"}
    assert told["cutoffs"] == 4
    assert pd.read_csv(tmp_path / "f.csv")["ds"].iloc[-1] == "2026-01-07 11:00:00+00:00"


def test_replaying_a_panel_writes_nothing_to_the_database(rollcast, stored, tmp_path):
    def contents():
        return {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}

    before = contents()
    rollcast("backtest", "--panel", "sales", "--cutoffs", 2)
    assert contents()["rollcast.db"] == before["rollcast.db"]


def test_before_the_first_fetch_a_panel_says_what_to_do(rollcast, tmp_path):
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    code, _, err = rollcast("backtest", "--panel", "sales")
    assert code == 2
    assert "rollcast run makes it" in err


def test_the_help_tells_the_options(rollcast):
    code, out, _ = rollcast("backtest", "--help")
    assert code == 0
    for option in ("FILE", "--interval", "--cutoffs", "--refit-every", "--panel", "--metrics", "--out"):
        assert option in out
