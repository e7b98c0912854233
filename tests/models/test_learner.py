"""The learner: base + ridge + network."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models import learner as module
from models.classical import Last, SeasonMean, mix
from models.configuration import Configuration
from models.errors import BadInputError
from models.floors import floors_of
from models.learner import FEW_WINDOWS, MIN_WINDOWS, WINSOR, Effort, Learner, effort, features
from models.windows import newest_contexts

H = 3
PLAIN = Configuration("plain", (Last(), SeasonMean(4)), False, 1, 8, 4, 16, 2)
LOG = Configuration("log", (Last(), SeasonMean(4)), True, 1, 8, 4, 16, 2)
SEASONAL = Configuration("seasonal", (SeasonMean(4),), False, 4, 8, 4, 16, 4)
SMALL = Effort(hidden=4, n_steps=20, batch=16, seeds=2)


def wave(n, seed=0):
    """A season of 5, of which no candidate knows, and noise."""
    return 50.0 + 10.0 * np.sin(np.arange(n) * 2 * np.pi / 5) + np.random.default_rng(seed).normal(size=n)


def floors(configuration, *series):
    found = floors_of(series, configuration.season)
    return found.log if configuration.log else found.raw


def fitted(configuration, *series, seed=(0,), warm=None, size=SMALL, progress=None):
    learner = Learner(configuration, H)
    learner.fit([[values] for values in series], floors(configuration, *series), size, seed, progress, warm)
    return learner


@pytest.fixture(scope="module", params=[PLAIN, LOG, SEASONAL], ids=lambda configuration: configuration.name)
def learner(request):
    return fitted(request.param, wave(300), wave(200, seed=1))


def test_what_was_learnt_beats_the_base(learner):
    values = wave(403, seed=7)
    cutoffs = range(300, 400)
    pasts = [values[:cutoff] for cutoff in cutoffs]
    made = learner.predict(pasts, np.resize(floors(learner.configuration, values), len(pasts)))
    truth = np.stack([values[cutoff : cutoff + H] for cutoff in cutoffs])
    assert np.abs(made["rnn"] - truth).mean() < 0.5 * np.abs(made["base"] - truth).mean()


@pytest.mark.parametrize("n", [0, 1, 3, 5, 20, 50])
def test_with_too_few_windows_the_base_serves(n):
    learner = fitted(PLAIN, wave(n))
    assert learner.arrays() == {}
    assert set(learner.predict([wave(30)], np.ones(1))) == {"base"}


def test_from_so_many_windows_on_it_learns():
    enough = PLAIN.context + H + MIN_WINDOWS - 1  # of a series that is not padded
    long = fitted(PLAIN, wave(enough))
    assert set(long.predict([wave(30)], np.ones(1))) == {"base", "rnn"}
    assert not fitted(PLAIN, wave(enough - 1)).arrays()


def test_a_fit_to_too_little_forgets_what_was_learnt():
    learner = fitted(PLAIN, wave(300))
    learner.fit([[wave(20)]], np.ones(1), SMALL, (0,))
    assert not learner.arrays()


def test_the_base_is_the_mix_of_the_candidates():
    values = wave(60)
    _, expected = mix(values[None, -PLAIN.context :], H, PLAIN.candidates, PLAIN.spacing)
    assert (Learner(PLAIN, H).base([values]) == expected).all()


def test_the_base_of_logarithms_comes_back_in_the_unit_of_the_values():
    assert np.allclose(Learner(LOG, H).base([np.full(30, 7.0)]), 7.0)


def test_the_base_is_the_same_before_and_after_learning(learner):
    pasts = [wave(100, seed=4), wave(9, seed=5)]
    before = Learner(learner.configuration, H).base(pasts)
    assert (learner.predict(pasts, np.ones(2))["base"] == before).all()


def test_the_forecasts_of_a_window_depend_on_no_other_window(learner):
    pasts = [wave(100, seed=4), wave(9, seed=5), wave(40, seed=6)]
    others = [pasts[0], 1e9 * pasts[1], 1e-6 * pasts[2]]
    unit = floors(learner.configuration, wave(100))[0]
    first, second = (learner.predict(each, np.full(3, unit)) for each in (pasts, others))
    alone = learner.predict(pasts[:1], np.full(1, unit))
    for kind in ("base", "rnn"):
        assert np.allclose(first[kind][0], second[kind][0], rtol=1e-5)
        assert np.allclose(first[kind][0], alone[kind][0], rtol=1e-5)


def test_what_lies_before_the_context_changes_nothing(learner):
    values = wave(100)
    changed = values.copy()
    changed[: -learner.configuration.context] *= 3.0
    first, second = (learner.predict([each], np.ones(1))["rnn"] for each in (values, changed))
    assert (first == second).all()


def test_no_forecast_leaves_the_base_by_more_than_the_outliers_of_learning(learner):
    learner = Learner(learner.configuration, H, 100.0 * learner.coefficients, learner.parameters)
    wild = [np.random.default_rng(seed).standard_cauchy(50) ** 2 + 1.0 for seed in range(20)]
    unit = floors(learner.configuration, *wild)
    made = learner.predict(wild, unit)
    c = learner.configuration
    logs = [np.log(values) if c.log else values for values in wild]
    units = features(newest_contexts(logs, c.context, c.season), unit, c, H).unit
    apart = np.log(made["rnn"] / made["base"]) if c.log else made["rnn"] - made["base"]
    assert (np.abs(apart) <= WINSOR * units * (1.0 + 1e-9)).all()


@pytest.mark.parametrize("configuration", [PLAIN, SEASONAL])
def test_forecasts_follow_unit_and_level_of_the_values(configuration):
    first = fitted(configuration, wave(300)).predict([wave(90)], np.ones(1))["rnn"]
    moved = 1000.0 * wave(300) - 5000.0
    second = fitted(configuration, moved).predict([moved[:90]], np.full(1, 1000.0))["rnn"]
    assert np.allclose(second, 1000.0 * first - 5000.0, rtol=1e-2)


def test_what_is_fitted_to_values_follows_no_value_that_comes_after_them():
    values = wave(300)
    arrays = [fitted(PLAIN, each[:200]).arrays() for each in (values, np.r_[values[:200], 1e6 * values[200:]])]
    assert all((arrays[0][name] == arrays[1][name]).all() for name in ("coefficients", "flat"))


def test_a_segment_is_learnt_from_as_a_series_of_its_own():
    first, second = wave(150), wave(130, seed=1)
    learner = Learner(PLAIN, H)
    learner.fit([[first, second]], np.ones(1), SMALL, (0,))
    together = fitted(PLAIN, np.concatenate([first, second]))
    assert (learner.arrays()["flat"] != together.arrays()["flat"]).any()


def test_the_same_seed_gives_the_same_bits_and_another_others():
    first, second, third = (fitted(PLAIN, wave(200), seed=seed).arrays()["flat"] for seed in ((1, 2), (1, 2), (1, 3)))
    assert (first == second).all()
    assert (first != third).any()


def test_a_warm_start_begins_with_the_given_weights_and_leaves_them_as_they_are():
    start = fitted(PLAIN, wave(200))
    before = start.parameters.flat.copy()
    warm = fitted(PLAIN, wave(210), seed=(9,), warm=start)
    cold = fitted(PLAIN, wave(210), seed=(9,))
    assert (start.parameters.flat == before).all()
    moved, new = (np.abs(each.parameters.flat - before).mean() for each in (warm, cold))
    assert moved < 0.5 * new


@pytest.mark.parametrize("other", [replace(SMALL, hidden=5), replace(SMALL, seeds=3)])
def test_networks_of_another_size_are_no_start(other):
    start = fitted(PLAIN, wave(200), size=other)
    first, second = (fitted(PLAIN, wave(200), warm=each).arrays()["flat"] for each in (start, None))
    assert (first == second).all()


def test_a_learner_that_has_learnt_nothing_is_no_start():
    first, second = (fitted(PLAIN, wave(200), warm=each).arrays()["flat"] for each in (Learner(PLAIN, H), None))
    assert (first == second).all()


def test_a_warm_start_takes_half_the_steps():
    steps = []
    fitted(PLAIN, wave(200), warm=fitted(PLAIN, wave(200)), progress=lambda _done, of: steps.append(of))
    assert steps == [SMALL.n_steps // 2] * (SMALL.n_steps // 2)


def test_a_series_counts_the_same_whatever_its_length(monkeypatch):
    given = []
    fit = module.ridge.fit
    monkeypatch.setattr(module.ridge, "fit", lambda X, Y, weights: given.append(weights) or fit(X, Y, weights))
    fitted(PLAIN, wave(300), wave(60))
    weights = given[0]
    short = weights > weights.min()
    assert weights[short].sum() == pytest.approx(weights[~short].sum(), rel=1e-4)


def test_progress_is_told_step_by_step():
    told = []
    Learner(PLAIN, H).fit([[wave(200)]], np.ones(1), SMALL, (0,), lambda done, of: told.append((done, of)))
    assert told == [(step, 20) for step in range(1, 21)]


@pytest.mark.parametrize("configuration", [PLAIN, LOG, SEASONAL], ids=lambda each: each.name)
@pytest.mark.parametrize("value", [7.0, 1e-9, 1e12])
def test_a_constant_series_is_learnt_and_forecast_as_what_it_is(configuration, value):
    values = np.full(200, value)
    made = fitted(configuration, values).predict([values], floors(configuration, values))
    assert np.allclose(made["rnn"], value, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("end", [0.0, -3.0])
def test_a_value_without_a_logarithm_that_came_after_the_fit_is_survived(end):
    learner = fitted(LOG, wave(300))
    made = learner.predict([np.r_[wave(50), end], np.full(5, end)], floors(LOG, wave(300), wave(300)))
    assert all(np.isfinite(each).all() for each in made.values())
    assert (made["rnn"][0] < 2.0 * wave(50).max()).all()
    assert (made["rnn"][1] < 1e-6).all()


def test_a_value_without_a_logarithm_counts_as_the_least_that_has_one():
    values = np.array([8.0, 2.0, 5.0] * 10)
    assert np.allclose(Learner(LOG, H).base([np.r_[values, 0.0]]), Learner(LOG, H).base([np.r_[values, 2.0]]))


def test_the_candidates_are_further_patches_at_the_sequence_end():
    made = features(wave(16)[None], np.ones(1), PLAIN, H)
    assert made.patches.shape == (1, 2 + 2, 4)  # the lookback's, one for each candidate
    assert made.linear.shape == (1, 8 + 2 * H)
    assert (made.patches[:, 2:, H:] == 0.0).all()


def test_a_single_candidate_says_no_more_than_the_base():
    assert features(wave(16)[None], np.ones(1), SEASONAL, H).patches.shape == (1, 2, 4)


def test_a_calm_window_is_scaled_by_the_floor():
    for configuration in (PLAIN, SEASONAL):
        assert features(np.full((1, 16), 7.0), np.array([0.5]), configuration, H).unit.tolist() == [[0.5]]


def test_with_a_season_the_unit_is_the_mean_seasonal_move():
    contexts = np.r_[np.zeros(8), 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 3.0, 8.0][None]
    assert features(contexts, np.zeros(1), SEASONAL, H).unit.tolist() == [[1.5]]


def test_with_a_season_the_level_is_the_mean_of_the_last_one():
    contexts = np.resize([1.0, 2.0, 3.0, 6.0], 16)[None]
    assert features(contexts, np.ones(1), SEASONAL, H).linear.tolist() == [[-2.0, -1.0, 0.0, 3.0] * 2]


def test_inputs_do_not_depend_on_unit_and_level():
    first, second = (features(values[None], np.zeros(1), PLAIN, H) for values in (wave(16), 1e3 * wave(16) - 7.0))
    assert np.allclose(first.linear, second.linear, atol=1e-4)
    assert np.allclose(first.patches, second.patches, atol=1e-4)


def test_a_wild_value_is_clipped():
    contexts = np.zeros((1, 1000))
    contexts[0, 500] = 1e12
    wide = Configuration("wide", (Last(),), False, 1, 1000, 4, 1000, 2)
    assert np.abs(features(contexts, np.ones(1), wide, H).patches).max() == module.INPUT_CLIP


def test_restored_from_words_and_arrays_it_forecasts_the_same_bits(learner):
    again = Learner.restored(json.loads(json.dumps(learner.to_words())), H, learner.arrays())
    pasts = [wave(100), wave(9)]
    first, second = (each.predict(pasts, np.ones(2)) for each in (learner, again))
    assert all((first[kind] == second[kind]).all() for kind in ("base", "rnn"))


def test_one_that_has_learnt_nothing_is_restored_as_such():
    assert Learner.restored(Learner(PLAIN, H).to_words(), H, {}).arrays() == {}


def test_one_that_had_learnt_nothing_for_validation_is_restored_though_the_served_one_has(learner):
    assert Learner.restored(learner.to_words(), H, {}).arrays() == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda words, arrays: ({**words, "configuration": {}}, arrays),
        lambda words, arrays: ({**words, "sizes": {"inputs": 1}}, arrays),
        lambda words, arrays: (words, {**arrays, "flat": arrays["flat"][:, :-1]}),
        lambda words, arrays: (words, {"flat": arrays["flat"]}),
    ],
)
def test_damaged_words_or_arrays_are_refused(learner, damage):
    words, arrays = damage(learner.to_words(), learner.arrays())
    with pytest.raises((KeyError, TypeError, BadInputError)):
        Learner.restored(words, H, arrays)


def test_a_small_panel_is_less_work():
    small, large = effort(FEW_WINDOWS - 1), effort(FEW_WINDOWS)
    assert small.hidden * small.n_steps * small.seeds < large.hidden * large.n_steps * large.seeds
