"""Errors."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bases import naive2
from models.metrics import coverage, mase, msis, naive_scale, owa, scaled_errors, smape


def test_the_scale_of_mase_is_the_mean_seasonal_move():
    assert naive_scale(np.array([1.0, 2.0, 4.0, 8.0]), 2) == 4.5


def test_too_few_values_have_no_scale():
    assert math.isnan(naive_scale(np.array([1.0]), 1))


def test_each_window_is_scored_in_its_own_unit():
    errors = scaled_errors(np.zeros((2, 2)), np.array([[1.0, 3.0], [10.0, 30.0]]), np.array([1.0, 10.0]))
    assert errors.tolist() == [2.0, 2.0]


def test_smape_is_the_error_in_percent_of_the_mean_size():
    assert smape(np.array([100.0, 100.0]), np.array([100.0, 50.0])) == pytest.approx(100.0 / 3.0)


def test_smape_of_a_silent_series_forecast_as_silent_is_zero():
    assert smape(np.zeros(3), np.zeros(3)) == 0.0


@given(seed=st.integers(0, 999))
def test_smape_lies_between_0_and_200(seed):
    rng = np.random.default_rng(seed)
    assert 0.0 <= smape(rng.normal(size=5), rng.normal(size=5)) <= 200.0


def test_mase_of_the_naive_forecast_of_a_straight_line_grows_with_the_horizon():
    line = np.arange(20.0)
    assert mase(line[10:13], np.full(3, line[9]), naive_scale(line[:10], 1)) == 2.0


def test_msis_of_an_interval_that_holds_all_is_its_width():
    assert msis(np.zeros(2), np.full(2, -1.0), np.full(2, 3.0), 95, scale=2.0) == 2.0


def test_msis_pays_forty_times_for_what_lies_outside_95_percent():
    assert msis(np.array([4.0]), np.array([-1.0]), np.array([3.0]), 95, scale=1.0) == pytest.approx(4.0 + 40.0)


def test_coverage_counts_the_bounds_themselves():
    assert coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 1.0), np.full(4, 2.0)) == 0.5


def test_naive2_itself_has_an_owa_of_one():
    assert owa(8.8, 3.12, 8.8, 3.12) == 1.0


@pytest.mark.parametrize(
    ("file", "horizon", "season", "published"),
    [("m4_weekly_dev", 13, 1, (8.80, 3.120)), ("m4_hourly_dev", 48, 24, (16.72, 2.232))],
)
def test_naive2_on_m4_has_its_known_errors(file, horizon, season, published):
    path = Path(__file__).parents[3] / "shared" / "data" / f"{file}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: it is not part of the project")
    errors = []
    for _, series in pd.read_csv(path).groupby("unique_id"):
        values = series["y"].to_numpy(dtype=float)
        past, targets = values[:-horizon], values[-horizon:]
        made = naive2(past, season, horizon)
        errors.append((smape(targets, made), mase(targets, made, naive_scale(past, season))))
    assert np.mean(errors, axis=0) == pytest.approx(published, abs=0.005)
