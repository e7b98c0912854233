"""The measures of a backtest."""

import numpy as np
import pytest

from jobs.backtest import CutoffForecasts, Known, Replayed
from jobs.refit import Asked
from jobs.summary import coverages, interval_scores, smapes, summarise
from models import metrics

RNG = np.random.default_rng(0)
TARGETS, MEAN = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))
LO, HI = MEAN[:, None] - RNG.random((5, 2, 4)), MEAN[:, None] + RNG.random((5, 2, 4))


class Told:
    """As much of a history as the measures ask for."""

    season = 1

    def __init__(self, horizon, levels=(80,)):
        self.asked = Asked("t", horizon, levels, 0)


def made(*pairs):
    """One cutoff's forecasts: of each pair the history, the targets, and the forecast with its bounds."""
    known = []
    for number, (history, targets, *_) in enumerate(pairs):
        values = np.array([*history, *targets], dtype=float)
        known.append(
            Known(str(number), values, len(history), np.array(targets, float), 0, np.zeros(len(targets), np.int64))
        )
    mean, lo, hi = (np.array([pair[k] for pair in pairs], dtype=float) for k in (2, 3, 4))
    return Replayed(made=[CutoffForecasts(known, mean, lo[:, None], hi[:, None])])


def test_the_measures_of_many_pairs_are_those_of_each():
    for k in range(5):
        assert smapes(TARGETS, MEAN)[k] == pytest.approx(metrics.smape(TARGETS[k], MEAN[k]))
        for place, level in enumerate((80, 95)):
            bounds = LO[k, place], HI[k, place]
            scores = interval_scores(TARGETS, LO, HI, (80, 95))
            assert scores[k, place] == pytest.approx(metrics.msis(TARGETS[k], *bounds, level, 1.0))
            assert coverages(TARGETS, LO, HI)[k, place] == metrics.coverage(TARGETS[k], *bounds)


def test_a_step_without_truth_is_passed_over():
    targets = np.where(np.arange(4) < 3, TARGETS, np.nan)
    assert smapes(targets, MEAN) == pytest.approx(smapes(TARGETS[:, :3], MEAN[:, :3]))
    assert coverages(targets, LO, HI) == pytest.approx(coverages(TARGETS[:, :3], LO[..., :3], HI[..., :3]))


def test_an_exact_zero_costs_nothing():
    assert smapes(np.zeros((1, 2)), np.zeros((1, 2))).tolist() == [0.0]


def test_the_measures_of_a_hand_computed_example():
    """History 1 3 2: scale (2 + 1) / 2 = 1.5, naive 2. Truth 3 and 1, forecast 4 and 1 within 3…5 and 2…3 at 80 %."""
    found = summarise(Told(2), made(([1, 3, 2], [3, 1], [4, 1], [3, 2], [5, 3])))
    model, naive = found.measures["model"], found.measures["naive"]
    assert model.smape == pytest.approx(200 * (1 / 7 + 0) / 2)
    assert model.mase == pytest.approx(0.5 / 1.5)
    assert model.msis[80] == pytest.approx((2 + 1 + 10 * 1) / 2 / 1.5)
    assert model.coverage == {80: 0.5}
    assert naive.smape == pytest.approx(200 * (1 / 5 + 1 / 3) / 2)
    assert naive.mase == pytest.approx(1 / 1.5)
    assert model.owa == pytest.approx(0.5 * (model.smape / naive.smape + model.mase / naive.mase))
    assert naive.owa == 1.0
    assert found.left_out == 0


def test_means_are_over_all_pairs():
    pairs = made(([1, 2], [3], [3], [3], [3]), ([1, 2], [3], [6], [5], [7]))
    model = summarise(Told(1), pairs).measures["model"]
    assert (model.mase, model.coverage[80]) == (1.5, 0.5)


def test_a_constant_history_is_left_out_of_what_is_scaled_by_it():
    pairs = made(([5, 5], [6], [7], [5], [9]), ([1, 2], [3], [4], [2], [5]))
    found = summarise(Told(1), pairs)
    assert (found.scored, found.left_out) == (2, 1)
    assert found.measures["model"].mase == 1.0
    assert found.measures["model"].msis[80] == 3.0
    assert found.measures["model"].smape == pytest.approx(200 * (1 / 13 + 1 / 7) / 2)
    assert found.measures["model"].owa == pytest.approx(0.5 * ((1 / 7) / (1 / 5) + 1.0))


def test_without_any_scale_there_is_no_mase_but_smape_all_the_same():
    model = summarise(Told(1), made(([5, 5], [6], [6], [5], [9]))).measures["model"]
    assert np.isnan([model.mase, model.owa, model.msis[80]]).all()
    assert model.smape == 0.0


def test_a_yardstick_without_a_long_enough_history_has_no_interval():
    found = summarise(Told(1), made((range(10), [10], [10], [9], [11])))
    assert np.isnan([found.measures["naive"].msis[80], found.measures["naive"].coverage[80]]).all()


def test_a_pair_whose_truth_is_not_known_yet_is_not_scored():
    pairs = made(([1, 2], [np.nan], [3], [3], [3]), ([1, 2], [3], [3], [2], [4]))
    found = summarise(Told(1), pairs)
    assert (found.scored, found.measures["model"].mase) == (1, 0.0)
