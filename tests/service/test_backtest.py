"""The command `rollcast backtest`, as a person types it."""

import json
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from db import engine, queries
from db.times import to_us
from service.cli import main

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
def rollcast(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rollcast", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def rows(n, name="a", freq="h", seed=0):
    y = 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 24) + np.random.default_rng(seed).normal(size=n)
    times = pd.date_range("2026-01-05", periods=n, freq=freq).strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"unique_id": name, "ds": times, "y": y})


@pytest.fixture
def sales(tmp_path):
    """Two series of an hour a row."""
    table = pd.concat([rows(150), rows(120, "b", seed=1)])
    table.to_csv(tmp_path / "sales.csv", index=False)
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


def test_metrics_forecasts_and_a_table_come_of_a_file(rollcast, sales, tmp_path):
    code, out, err = rollcast(
        "backtest", "--json", "m.json", "sales.csv", "--horizon", 3, "--cutoffs", 2, "--out", "f.csv"
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert [line.split("  ")[0] for line in out.splitlines()[1:5]] == ["model", "naive", "seasonal naive", "naive2"]
    assert "2 fits at every cutoff" in out
    assert "4 forecasts of 2 series at 2 cutoffs, horizon 3, season 24, interval 1h; " in out
    assert out.endswith("metrics in m.json\nforecasts in f.csv\n")
    made = pd.read_csv("f.csv")
    assert made.columns.tolist() == ["unique_id", "ds", "cutoff", "yhat", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert len(made.merge(sales, on=["unique_id", "ds"])) == len(made) == 12


def test_the_metrics_tell_all_that_was_measured(rollcast, sales, tmp_path):
    rollcast("backtest", "sales.csv", "--horizon", 3, "--level", 90, "--season", 1, "--seed", 7, "--json", "m.json")
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


def test_the_metrics_are_those_of_the_forecasts_that_are_written(rollcast, sales, tmp_path):
    rollcast("backtest", "sales.csv", "--horizon", 3, "--cutoffs", 4, "--json", "m.json", "--out", "f.parquet")
    both = pd.read_parquet("f.parquet").merge(sales, on=["unique_id", "ds"])
    told = json.loads((tmp_path / "m.json").read_text())
    inside = (both["lo_80"] <= both["y"]) & (both["y"] <= both["hi_80"])
    assert told["coverage"]["80"] == pytest.approx(inside.mean())
    smape = 200 * ((both["y"] - both["yhat"]).abs() / (both["y"].abs() + both["yhat"].abs())).mean()
    assert told["smape"] == pytest.approx(smape)


def test_what_has_no_value_is_null(rollcast, tmp_path):
    pd.DataFrame({"ds": range(40), "y": 5.0}).to_csv(tmp_path / "flat.csv", index=False)
    code, out, err = rollcast("backtest", "flat.csv", "--horizon", 3, "--json", "m.json")
    assert code == 0
    assert "1 of 1 pairs are left out of MASE, MSIS and OWA" in err
    told = json.loads((tmp_path / "m.json").read_text())
    assert (told["mase"], told["owa"], told["msis"]["80"], told["interval"]) == (None, None, None, None)
    assert "–" in out


def test_dropped_rows_and_missing_pairs_are_told(rollcast, sales, tmp_path):
    sales.loc[sales["unique_id"] == "b", "y"] = np.nan
    pd.concat([sales, rows(4, "c")]).to_csv(tmp_path / "sales.csv", index=False)
    _, _, err = rollcast("backtest", "sales.csv", "--horizon", 3)
    assert "sales.csv: 120 rows without a value in column y are left out" in err
    assert "1 of 2 pairs of a series and a cutoff are left out: too little history" in err


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
        ("sales.csv --horizon 3 --level 100", "--level 100: expected percent, from 1 to 99"),
        ("sales.csv --horizon 149", "the longest, a, has 150 rows, and a horizon of 149 needs 151"),
        ("sales.csv --horizon 3 --out made.xls", "made.xls has an unknown suffix"),
        ("sales.csv --horizon 3 --json no/m.json", "--json no/m.json lies in no, which is no folder"),
        ("counts.csv --horizon 3 --refit-every 1d", "ds are no times; expected a number of cutoffs"),
        ("sales.csv --panel sales", "FILE cannot go with --panel"),
        ("--panel sales --horizon 3", "--horizon cannot go with --panel"),
        ("--panel sales --interval 1h", "--interval cannot go with --panel"),
        ("--panel bread", "there is no panel 'bread'; there are sales"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(rollcast, sales, stored, tmp_path, words, told):
    (tmp_path / "counts.csv").write_text("ds,y\n" + "".join(f"{k},{k}\n" for k in range(40)))
    code, out, err = rollcast("backtest", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("rollcast: ")
    assert told in err


def test_a_panel_is_replayed_as_it_is_configured(rollcast, stored, tmp_path):
    code, _, _ = rollcast("backtest", "--panel", "sales", "--cutoffs", 4, "--json", "m.json", "--out", "f.csv")
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
    for option in ("FILE", "--interval", "--cutoffs", "--refit-every", "--panel", "--json", "--out"):
        assert option in out
