"""The command `rollcast latest`."""

import csv
import json

import pytest

from db import queries


def test_the_state_comes_first_then_the_steps(sold, history):
    code, out, _ = sold("latest", "a")
    state, issued, heading, *steps = out.splitlines()
    assert code == 0
    assert state.startswith("a  expired: the forecast expired at 2026-01-06 10:00:00Z")
    assert issued.startswith("issued 2026-01-06 07:00:00Z by ")
    assert heading.split() == ["step", "target", "mean", "80", "%", "95", "%", "naive"]
    assert [line.split()[0] for line in steps] == ["1", "2", "3"]


def test_as_csv_it_has_the_field_s_columns_and_the_state_goes_to_standard_error(sold, history):
    code, out, err = sold("latest", "a", "--csv")
    latest = json.loads(sold("latest", "a", "--json")[1])
    heading, *rows = csv.reader(out.splitlines())
    assert code == 0
    assert heading == ["unique_id", "ds", "cutoff", "yhat", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert [row[:3] for row in rows] == [
        ["a", f"2026-01-06T{hour:02}:00:00Z", "2026-01-06T06:00:00Z"] for hour in (7, 8, 9)
    ]
    step = latest["steps"][0]
    assert [float(cell) for cell in rows[0][3:]] == [step["mean"], *step["intervals"]["80"], *step["intervals"]["95"]]
    assert err.startswith("a  expired: ")


def test_json_and_csv_exclude_each_other(sold, history):
    assert sold("latest", "a", "--csv", "--json")[2] == "rollcast: --json and --csv exclude each other; leave one out\n"


@pytest.mark.parametrize("option", [[], ["--json"], ["--csv"]])
def test_a_series_without_a_forecast_says_why_there_is_none(sold, stored, option):
    with stored.begin() as session:
        queries.add_series(session, "a", "sales")
    code, out, err = sold("latest", "a", *option)
    assert code == 0
    assert "no observation yet" in out + err
