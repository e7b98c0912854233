"""Frequencies, as the field writes them."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from jobs.frequencies import infer, parse


@pytest.mark.parametrize(
    ("aliases", "seasons"),
    [
        ("1h h H 1H 60min 60T", (24, 168)),
        ("30min 30T 30MIN 0.5h", (48, 336)),
        ("1h30min 90min 1.5h", (16, 112)),
        ("5min 5T", (288, 2016)),
        ("10s 10S", (8640, 60480)),
        ("7min", ()),
        ("D d 1D 24h", (7,)),
        ("B C b", (5,)),
        ("W w 1W W-SUN W-mon 7D", (52,)),
        ("M 1M MS ME me BM BME BMS WOM-2FRI", (12,)),
        ("2MS", (6,)),
        ("SME SMS", (24,)),
        ("Q QS QE QE-DEC QS-OCT BQ BQE 3ME", (4,)),
        ("Y A YS YE AS A-DEC YE-MAR BYE 12MS 2YS", ()),
        ("bh", (8, 40)),
        ("500ms 500L", (172800, 1209600)),
    ],
)
def test_an_alias_of_any_version_of_pandas_tells_the_seasons(aliases, seasons):
    assert {alias: parse(alias).seasons for alias in aliases.split()} == dict.fromkeys(aliases.split(), seasons)


@pytest.mark.parametrize(("alias", "days"), [("D", 1), ("W", 7), ("MS", 30.4), ("QE", 91.3), ("Y", 365.2), ("B", 1.4)])
def test_an_alias_tells_how_long_a_step_is(alias, days):
    assert parse(alias).span / timedelta(days=1) == pytest.approx(days, abs=0.1)


@pytest.mark.parametrize(
    "text",
    ["", "5", "hourly", "fortnight", "0h", "-1h", "1h2", "X", "W-FOO", "D-SUN", "1h 5M", "1.5M", "..5h", "0.0000001s"],
)
def test_what_is_no_alias_is_told_with_what_would_be(text):
    with pytest.raises(ValueError, match="expected"):
        parse(text)


@pytest.mark.parametrize("text", ["m", "Ms"])
def test_minutes_milliseconds_and_months_are_not_guessed_apart(text):
    with pytest.raises(ValueError, match="expected min for minutes, ms for milliseconds, MS or ME for months"):
        parse(text)


@pytest.mark.parametrize("freq", ["h", "30min", "D", "B", "W", "MS", "QS", "YS", "10s"])
def test_the_frequency_can_be_read_from_the_times(freq):
    times = pd.date_range("2020-01-01", periods=60, freq=freq).as_unit("us").asi8
    assert infer([times]).seasons == parse(freq).seasons


def test_a_gap_does_not_hide_the_frequency():
    times = np.arange(50) * 3_600_000_000
    assert infer([np.delete(times, [7, 20, 21])]).name == "1h"


def test_of_single_times_there_is_no_frequency():
    assert infer([np.array([5]), np.array([7])]) is None
