"""The ensemble: an average that is given up where it errs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import ensemble as module
from models.classical import N_RECENT, Last, SeasonMean
from models.configuration import Configuration
from models.ensemble import TOLERANCE, Ensemble
from models.floors import floors_of
from models.learner import Effort, Learner

H = 4
PLAIN = Configuration("plain", (Last(), SeasonMean(4)), False, 1, 8, 4, 16, 2)
LOG = Configuration("log", (Last(), SeasonMean(4)), True, 1, 8, 4, 20, 2)


class Says:
    """A learner that says of each run of values what functions make of it, at every step."""

    def __init__(self, rnn, base=lambda values: values[-1], configuration=PLAIN):
        self.configuration = configuration
        self.answers = {"rnn": rnn, "base": base}

    def predict(self, pasts, floors):
        assert len(pasts) == len(floors)
        return {
            kind: np.repeat([[answer(values)] for values in pasts], H, axis=1) for kind, answer in self.answers.items()
        }


def mean(values):
    return values.mean()


def says(*answers, non_negative=False):
    return Ensemble(
        [Says(answer) for answer in answers], [(k, "rnn") for k in range(len(answers))], H, non_negative=non_negative
    )


def forecast(ensemble, *pasts):
    return ensemble.forecast(pasts, floors_of(pasts, 1))


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("seed", range(5))
def test_on_a_steady_series_the_average_is_trusted_whole(seed):
    values = 100.0 + noise(60, seed)
    assert np.allclose(forecast(says(mean), values), values[-says(mean).lookback :].mean())


@pytest.mark.parametrize("seed", range(5))
def test_after_a_change_of_level_the_average_is_given_up_within_two_horizons(seed):
    values = 100.0 + noise(60, seed)
    values[-2 * H :] += 50.0
    apart = np.abs(values[-1] - values[-says(mean).lookback :].mean())
    assert np.abs(forecast(says(mean), values) - values[-1]).max() < 0.2 * apart


@given(st.floats(1.0, 5.0), st.integers(0, 50))
def test_the_forecast_lies_between_the_average_and_what_is_steady(off, seed):
    values = noise(60, seed).cumsum()
    made = forecast(says(lambda past: past[-1] + off), values)
    assert (values[-1] - 1e-9 <= made).all()
    assert (made <= values[-1] + off + 1e-9).all()


def test_within_the_tolerance_it_is_trusted_whole():
    values = np.resize([0.0, 1.0], 60)  # the last value is off by a half, on average over the steps
    made = forecast(says(lambda past: past[-1] + (TOLERANCE - 1.0) * (0.5 - past[-1])), values)
    assert made[0, 0] == pytest.approx(1.0 + (TOLERANCE - 1.0) * -0.5)


def test_where_the_base_is_better_than_the_last_value_it_is_what_is_steady():
    values = np.r_[np.zeros(10), np.resize([0.0, 8.0], 50)]
    learner = Says(rnn=lambda past: past[-1] + 1e6, base=lambda past: past[-2:].mean())
    values[10:] += noise(50) * 0.1
    assert np.allclose(forecast(Ensemble([learner], [(0, "rnn")], H, non_negative=False), values), 4.0, atol=0.5)


def test_the_average_is_that_of_the_members_one_that_comes_twice_twice():
    learners = [Says(lambda past: past[-1] + 0.3), Says(lambda past: past[-1])]
    values = noise(60).cumsum() * 100.0
    made = forecast(Ensemble(learners, [(0, "rnn"), (0, "rnn"), (1, "rnn")], H, non_negative=False), values)
    assert np.allclose(made, values[-1] + 0.2)


def test_a_member_that_has_learnt_nothing_answers_with_its_base():
    values = 50.0 + noise(60)
    made = [
        forecast(Ensemble([Learner(PLAIN, H)], [(0, kind)], H, non_negative=False), values) for kind in ("base", "rnn")
    ]
    assert (made[0] == made[1]).all()


def test_a_window_too_short_to_look_back_in_trusts_the_average():
    assert forecast(says(lambda past: past[-1] + 9.0), np.array([1.0, 2.0])).tolist() == [[11.0] * H]


def test_each_window_is_hedged_by_itself():
    steady, moved = 100.0 + noise(60), 100.0 + noise(60, 1)
    moved[-2 * H :] += 50.0
    together = forecast(says(mean), steady, moved, steady[:5])
    for row, values in zip(together, (steady, moved, steady[:5]), strict=True):
        assert np.allclose(row, forecast(says(mean), values)[0])


def test_no_forecast_is_negative_where_no_value_was():
    values = np.r_[np.resize([9.0, 10.0], 50), 8.0, 6.0, 4.0, 2.0]
    line = says(lambda past: past[-1] - 9.0, non_negative=True)
    assert (forecast(line, values[:2]) == [[1.0] * H]).all()
    assert (forecast(line, values[-2:]) == 0.0).all()


def test_a_series_that_went_negative_since_is_followed():
    last = says(lambda past: past[-1], non_negative=True)
    assert (forecast(last, np.array([3.0, 2.0, -5.0])) == -5.0).all()


@pytest.mark.parametrize("n", range(1, 40))
def test_windows_of_every_length_are_forecast(n):
    learner = Learner(PLAIN, H)
    made = forecast(Ensemble([learner], [(0, "base")], H, non_negative=True), 50.0 + noise(n))
    assert made.shape == (1, H)
    assert np.isfinite(made).all()


@pytest.fixture(scope="module")
def fitted():
    """Two learners, one of logarithms, that learnt a little."""
    values = 50.0 + 10.0 * np.sin(np.arange(300) * 2 * np.pi / 5) + noise(300)
    learners = [Learner(PLAIN, H), Learner(LOG, H)]
    floors = floors_of([values], 1)
    for learner in learners:
        learner.fit([[values]], floors.log if learner.configuration.log else floors.raw, Effort(4, 20, 16, 2), (0,))
    return Ensemble(learners, [(0, "rnn"), (1, "rnn"), (1, "base")], H, non_negative=True)


def test_a_forecast_looks_at_no_more_values_than_it_says(fitted):
    values = 50.0 + noise(200)
    floors = floors_of([values], 1)
    whole, enough = (fitted.forecast([each], floors) for each in (values, values[-fitted.lookback :]))
    assert (whole == enough).all()


def test_the_lookback_reaches_to_the_oldest_origin(fitted):
    assert fitted.lookback == LOG.context + H + (N_RECENT - 1) * LOG.spacing


def test_forecasts_do_not_depend_on_how_many_are_made_at_once(fitted, monkeypatch):
    pasts = [50.0 + noise(n, n) for n in range(1, 41)]
    floors = floors_of(pasts, 1)
    together = fitted.forecast(pasts, floors)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert np.allclose(fitted.forecast(pasts, floors), together, rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e12])
def test_a_constant_series_stays_what_it_is(fitted, value):
    assert np.allclose(forecast(fitted, np.full(60, value)), value, rtol=1e-3, atol=1e-6)
