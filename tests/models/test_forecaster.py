"""The forecaster as its users meet it."""

import numpy as np
import pytest

from models.errors import BadInputError, BadModelBytesError, NotEnoughDataError
from models.forecaster import Forecaster, values_needed


def wave(n, noise=0.1, seed=0):
    return 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 24) + np.random.default_rng(seed).normal(size=n) * noise


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(6, seasons=(24,)).fit({"a": [wave(600)], "b": [wave(600, seed=1)]})


def test_a_wave_without_a_known_season_is_learnt_by_the_network():
    forecaster = Forecaster(6).fit({"wave": [wave(600)]})
    assert forecaster.kind_ == "rnn"
    truth = wave(606, noise=0.0)[600:]
    made = forecaster.forecast("wave", wave(600))
    assert np.abs(made.mean - truth).mean() < 0.2 * np.abs(made.naive - truth).mean()


def test_a_random_walk_is_served_by_the_naive():
    walk = np.random.default_rng(3).normal(size=800).cumsum()
    forecaster = Forecaster(5).fit({"walk": [walk]})
    assert forecaster.kind_ == "naive"
    assert (forecaster.forecast("walk", walk).mean == walk[-1]).all()


def test_a_season_is_found_where_the_data_have_it(fitted):
    assert fitted.season_ == 24


def test_a_season_is_not_believed_with_fewer_than_four_of_them():
    assert Forecaster(6, seasons=(24,)).fit({"a": [wave(90)]}).season_ == 1


def test_a_constant_series_is_forecast_as_what_it_is():
    made = Forecaster(3).fit({"flat": [np.full(200, 7.0)]}).forecast("flat", np.full(200, 7.0))
    assert (made.mean == 7.0).all()
    assert np.allclose(made.hi, 7.0, atol=1e-4)


def test_a_calm_start_does_not_make_later_intervals_absurd():
    values = np.zeros(60)
    values[45:] = np.random.default_rng(0).uniform(0, 100, 15)
    made = Forecaster(10).fit({"cpu": [values]}).forecast("cpu", values)
    assert np.abs(made.hi).max() < 1000


def test_bounds_enclose_the_mean_and_each_other(fitted):
    made = fitted.forecast("a", wave(600))
    assert (made.lo[1] <= made.lo[0]).all()
    assert (made.lo[0] <= made.mean).all()
    assert (made.mean <= made.hi[0]).all()
    assert (made.hi[0] <= made.hi[1]).all()


def test_intervals_hold_what_they_promise_out_of_sample():
    rng = np.random.default_rng(5)
    walk = rng.normal(size=6000).cumsum()
    forecaster = Forecaster(4).fit({"walk": [walk[:3000]]})
    inside = []
    for cutoff in range(3000, 5990, 10):
        made = forecaster.forecast("walk", walk[:cutoff])
        truth = walk[cutoff : cutoff + 4]
        inside.append((made.lo <= truth) & (truth <= made.hi))
    coverage = np.mean(inside, axis=(0, 2))
    assert np.abs(coverage - [0.80, 0.95]).max() < 0.04


def test_the_same_data_and_seed_give_the_same_bytes():
    first, second = (Forecaster(6, seed=4).fit({"a": [wave(400)]}).to_bytes({}) for _ in range(2))
    assert first == second


def test_another_seed_gives_other_weights():
    first, second = (Forecaster(6, seed=seed).fit({"a": [wave(400)]}) for seed in (1, 2))
    assert (first.parameters_.flat != second.parameters_.flat).any()


def test_saved_and_read_again_it_forecasts_the_same_bits(fitted):
    again, about = Forecaster.from_bytes(fitted.to_bytes({"cutoff": "2026-01-01"}))
    before, after = fitted.forecast("a", wave(600)), again.forecast("a", wave(600))
    assert about == {"cutoff": "2026-01-01"}
    for name in ("mean", "naive", "lo", "hi"):
        assert (getattr(before, name) == getattr(after, name)).all()


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda _: b"no model", lambda b: b[:-60]]
)
def test_damaged_bytes_are_refused(fitted, damage):
    with pytest.raises(BadModelBytesError, match="fit it again"):
        Forecaster.from_bytes(damage(fitted.to_bytes({})))


def test_flipped_bits_are_noticed(fitted):
    data = bytearray(fitted.to_bytes({}))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadModelBytesError):
        Forecaster.from_bytes(bytes(data))


def test_too_few_values_to_fit_are_told_with_how_many_are_needed():
    with pytest.raises(NotEnoughDataError, match=f"10 consecutive values, but a horizon of 5 needs {values_needed(5)}"):
        Forecaster(5).fit({"a": [np.arange(10.0)]})


def test_just_enough_values_give_a_naive_model():
    forecaster = Forecaster(5).fit({"a": [np.arange(float(values_needed(5)))]})
    assert forecaster.kind_ == "naive"


def test_too_short_a_context_is_told_with_how_many_are_needed(fitted):
    with pytest.raises(NotEnoughDataError, match=f"3 consecutive values, but the model takes in {fitted.lookback_}"):
        fitted.forecast("a", np.arange(3.0))


def test_a_context_that_is_not_finite_is_refused(fitted):
    with pytest.raises(BadInputError, match="NaN or infinity"):
        fitted.forecast("a", np.full(600, np.nan))


def test_a_series_that_was_not_in_the_fit_is_forecast_too(fitted):
    assert np.isfinite(fitted.forecast("new", wave(600)).hi).all()


def test_a_lookback_that_is_asked_for_is_taken():
    assert Forecaster(3, lookback=17).fit({"a": [wave(300)]}).lookback_ == 17


def test_a_lookback_beyond_the_data_is_told():
    with pytest.raises(NotEnoughDataError, match="a lookback of 500"):
        Forecaster(3, lookback=500).fit({"a": [wave(300)]})


def test_progress_is_told_step_by_step():
    told = []
    Forecaster(3, n_steps=5).fit({"a": [wave(300)]}, lambda done, total: told.append((done, total)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_a_challenger_that_has_learnt_more_outdoes_the_champion():
    data = {"a": [wave(900)]}
    champion = Forecaster(6, n_steps=1).fit({"a": [wave(900)[:300]]})
    won, reason = Forecaster(6).fit(data).outdoes(champion, data)
    assert won
    assert "better than the champion" in reason


def test_a_worse_challenger_does_not_outdo_the_champion():
    champion = Forecaster(6).fit({"a": [wave(800)]})
    won, reason = Forecaster(6, n_steps=1).fit({"a": [wave(900)]}).outdoes(champion, {"a": [wave(900)]})
    assert not won
    assert "not better than the champion" in reason


def test_a_champion_for_another_horizon_is_replaced():
    champion = Forecaster(5).fit({"a": [wave(300)]})
    assert Forecaster(6).fit({"a": [wave(300)]}).outdoes(champion, {"a": [wave(300)]})[0]


def test_a_naive_challenger_replaces_a_naive_champion_so_that_its_intervals_stay_calibrated():
    walk = np.random.default_rng(3).normal(size=900).cumsum()
    champion = Forecaster(5).fit({"a": [walk[:800]]})
    assert Forecaster(5).fit({"a": [walk]}).outdoes(champion, {"a": [walk]})[0]


def test_the_validation_span_changes_no_weight_and_no_scale():
    values = wave(600)
    changed = values.copy()
    changed[500:] += np.random.default_rng(1).normal(size=100) * 0.5
    first, second = Forecaster(6).fit({"a": [values]}), Forecaster(6).fit({"a": [changed]})
    assert first.floors_ == second.floors_
    assert first.kind_ == second.kind_ == "rnn"
    assert (first.parameters_.flat == second.parameters_.flat).all()


def ar2(seed, n=800):
    noise = np.random.default_rng(seed).normal(size=n)
    values = np.zeros(n)
    for t in range(2, n):
        values[t] = 1.6 * values[t - 1] - 0.9 * values[t - 2] + noise[t]
    return values


def test_a_series_that_falls_silent_does_not_keep_the_network_from_the_others():
    silent = ar2(9)
    silent[600:] = 0.0
    panel = {f"s{k}": [ar2(k)] for k in range(5)} | {"silent": [silent]}
    assert Forecaster(5).fit(panel).kind_ == "rnn"


def test_a_champion_with_a_longer_lookback_is_held_against_the_challenger_too():
    data = {"a": [ar2(0, 1500)]}
    champion = Forecaster(5).fit(data)
    won, reason = Forecaster(5, lookback=2, n_steps=1).fit(data).outdoes(champion, data)
    assert not won
    assert "not better than the champion" in reason


@pytest.mark.parametrize("season", [5, 7])
def test_every_length_from_the_least_on_can_be_fitted(season):
    for n in range(values_needed(5), values_needed(5) + 40):
        Forecaster(5, seasons=(season,), n_steps=1).fit({"a": [wave(n)]})
