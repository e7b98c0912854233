"""Classical forecasts and their mix."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.classical import N_RECENT, Last, SeasonMean, SeasonShift, Theta, from_words, mix, seasonal_parts, to_words
from models.errors import BadInputError

SEASONS = st.integers(2, 7)
CANDIDATES = st.one_of(
    st.just(Last()),
    st.builds(SeasonMean, SEASONS, st.integers(1, 3)),
    st.builds(SeasonShift, SEASONS, st.integers(1, 5)),
    st.builds(Theta, st.just(1), st.integers(3, 30), st.floats(0.05, 1.0), st.floats(0.0, 1.0)),
    st.builds(Theta, SEASONS, st.integers(14, 30), st.floats(0.05, 1.0)),
)
SEEDS = st.integers(0, 1000)


def drawn(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


@given(CANDIDATES, st.integers(1, 9), SEEDS)
def test_a_candidate_looks_at_no_more_values_than_it_says(candidate, horizon, seed):
    contexts = drawn(seed, 3, candidate.needs)
    longer = np.hstack([drawn(seed + 1, 3, 5), contexts])
    assert np.allclose(candidate(contexts, horizon), candidate(longer, horizon), rtol=1e-12, atol=1e-12)


@given(CANDIDATES, st.integers(1, 9), SEEDS, st.sampled_from([-3.0, 1e-9, 1e6]), st.sampled_from([0.0, -50.0, 1e3]))
def test_a_candidate_follows_unit_and_level_of_the_values(candidate, horizon, seed, a, b):
    contexts = drawn(seed, 3, candidate.needs + 2)
    expected = a * candidate(contexts, horizon) + b
    assert np.allclose(candidate(a * contexts + b, horizon), expected, rtol=1e-9, atol=1e-9 * abs(a))


@given(CANDIDATES, st.integers(1, 9))
def test_a_candidate_forecasts_a_constant_as_what_it_is(candidate, horizon):
    assert np.allclose(candidate(np.full((1, candidate.needs), 7.0), horizon), 7.0, rtol=1e-12)


@given(CANDIDATES)
def test_a_candidate_comes_back_from_its_words(candidate):
    assert from_words(json.loads(json.dumps(to_words(candidate)))) == candidate


@pytest.mark.parametrize("words", [[], ["Oracle"], ["Theta"], ["Last", 1]])
def test_words_that_are_no_candidate_are_refused(words):
    with pytest.raises(BadInputError, match="no candidate"):
        from_words(words)


def test_last_repeats_the_last_value():
    assert Last()(np.array([[1.0, 5.0, 3.0]]), 2).tolist() == [[3.0, 3.0]]


@given(SEASONS, st.integers(1, 3), st.integers(1, 20), SEEDS)
def test_the_season_mean_is_exact_where_the_same_season_returns(season, count, horizon, seed):
    values = np.resize(drawn(seed, season), season * count + 4 + horizon)
    made = SeasonMean(season, count)(values[None, :-horizon], horizon)[0]
    assert np.allclose(made, values[-horizon:], rtol=1e-12)


def test_the_season_mean_evens_out_what_was_different_in_one_season():
    assert SeasonMean(2, 2)(np.array([[9.0, 1.0, 10.0, 3.0, 20.0]]), 3).tolist() == [[2.0, 15.0, 2.0]]


@given(SEASONS, st.integers(1, 5), SEEDS)
def test_the_season_shift_is_exact_on_a_season_along_a_line(season, span, seed):
    n = season + span + 3
    values = np.resize(drawn(seed, season), n + season) + 0.5 * np.arange(n + season)
    assert np.allclose(SeasonShift(season, span)(values[None, :n], season)[0], values[n:])


def theta_by_loops(values, season, alpha, slope, horizon):
    """Season off, simple exponential smoothing, part of a straight line's slope, season on."""
    span = len(values)
    parts = seasonal_parts(values[None], season)[0] if season > 1 else np.zeros(1)
    y = [value - parts[t % season] for t, value in enumerate(values)]
    level = y[0]
    for value in y:
        level = alpha * value + (1.0 - alpha) * level
    b = np.polyfit(np.arange(span), y, 1)[0]
    lag = sum((1.0 - alpha) ** k for k in range(1, span))
    return [level + slope * b * (h + lag) + parts[(span + h - 1) % season] for h in range(1, horizon + 1)]


@given(st.integers(1, 5), st.integers(10, 25), st.floats(0.05, 1.0), st.floats(0.0, 1.0), SEEDS)
def test_theta_is_smoothing_and_part_of_the_slope(season, span, alpha, slope, seed):
    values = drawn(seed, span)
    made = Theta(season, span, alpha, slope)(values[None], 7)[0]
    assert np.allclose(made, theta_by_loops(values, season, alpha, slope, 7), atol=1e-9)


def test_smoothing_begins_at_the_first_value():
    assert np.allclose(Theta(1, 4, 1e-9, 0.0)(np.array([[3.0, 9.0, 9.0, 9.0]]), 1), 3.0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.999, 1.0])
def test_theta_continues_a_line_whose_slope_is_believed_whole(alpha):
    assert np.allclose(Theta(1, 20, alpha, 1.0)(np.arange(20.0)[None], 3), [[20.0, 21.0, 22.0]])


def test_theta_without_smoothing_adds_half_the_trend_to_the_last_value():
    assert np.allclose(Theta(1, 20, 1.0)(np.arange(20.0)[None], 3), [[19.5, 20.0, 20.5]])


@given(SEASONS, st.integers(0, 6), SEEDS)
def test_theta_is_exact_where_the_same_season_returns_at_one_level(season, more, seed):
    span = 2 * season + more
    values = np.resize(drawn(seed, season), span + 9)
    assert np.allclose(Theta(season, max(3, span), 0.3)(values[None, :span], 9)[0], values[span:], atol=1e-9)


@given(SEASONS, st.integers(0, 9), SEEDS)
def test_the_season_is_told_from_the_trend_exactly_where_that_is_a_line(season, more, seed):
    pattern = drawn(seed, season)
    values = np.resize(pattern, 2 * season + more) + 3.0 * np.arange(2 * season + more)
    assert np.allclose(seasonal_parts(values[None], season)[0], pattern - pattern.mean(), atol=1e-9)


MIXED = (Last(), SeasonMean(4), Theta(1, 10, 0.3))


def test_a_mix_of_one_is_that_one():
    contexts = drawn(0, 3, 20)
    made, mixed = mix(contexts, 5, [Last()], 2)
    assert (mixed == made[0]).all()


@given(st.integers(1, 6), st.integers(1, 5), SEEDS)
def test_the_mix_looks_at_the_recent_origins_and_no_further_back(horizon, spacing, seed):
    contexts = drawn(seed, 2, 10 + horizon + (N_RECENT - 1) * spacing)
    longer = np.hstack([drawn(seed + 1, 2, spacing + horizon), contexts])
    _, mixed = mix(contexts, horizon, MIXED, spacing)
    assert np.allclose(mix(longer, horizon, MIXED, spacing)[1], mixed, rtol=1e-6, atol=1e-6)


@given(st.integers(1, 6), SEEDS)
def test_the_mix_lies_between_its_candidates(horizon, seed):
    made, mixed = mix(drawn(seed, 4, 40), horizon, MIXED, 2)
    assert (made.min(axis=0) - 1e-12 <= mixed).all()
    assert (mixed <= made.max(axis=0) + 1e-12).all()


@given(SEEDS, st.sampled_from([0.5, 1e4, 1e9]), st.sampled_from([0.0, -30.0]))
def test_the_mix_follows_unit_and_level_of_the_values(seed, a, b):
    contexts = drawn(seed, 3, 40)
    assert np.allclose(mix(a * contexts + b, 4, MIXED, 2)[1], a * mix(contexts, 4, MIXED, 2)[1] + b, atol=1e-5 * a)


def test_a_candidate_with_twice_the_error_counts_a_sixteenth():
    # At the one origin that there is room for the truth is 2; the last value is 1, that of a season ago 0.
    made, mixed = mix(np.array([[0.0, 1.0, 2.0]]), 1, [Last(), SeasonMean(2)], 5)
    assert made[:, 0, 0].tolist() == [2.0, 1.0]
    assert mixed[0, 0] == pytest.approx((16 * 2.0 + 1.0) / 17, abs=1e-6)


def test_without_room_for_an_origin_all_count_the_same():
    _, mixed = mix(np.array([[0.0, 4.0]]), 3, [Last(), SeasonMean(2)], 1)
    assert mixed.tolist() == [[2.0, 4.0, 2.0]]


def test_the_candidate_that_was_right_of_late_serves():
    wave = np.resize([0.0, 3.0, 1.0, 7.0], 60)
    assert np.allclose(mix(wave[None], 4, MIXED, 2)[1], [[0.0, 3.0, 1.0, 7.0]], atol=1e-6)


def test_each_window_is_mixed_by_itself():
    wave, walk = np.resize([0.0, 3.0, 1.0, 7.0], 60), np.random.default_rng(3).normal(size=60).cumsum()
    together = mix(np.stack([wave, walk]), 4, MIXED, 2)[1]
    assert np.allclose(together[0], mix(wave[None], 4, MIXED, 2)[1], rtol=1e-12)
    assert np.allclose(together[1], mix(walk[None], 4, MIXED, 2)[1], rtol=1e-12)


def test_a_new_level_is_followed_once_a_horizon_has_shown_it():
    values = np.random.default_rng(0).normal(size=80) * 0.1
    values[-8:] += 50.0
    slow, quick = Theta(1, 60, 0.1, 0.0), Last()
    made, mixed = mix(values[None], 4, [slow, quick], 2)
    assert abs(mixed.mean() - 50.0) < 0.1 * abs(made[0].mean() - 50.0)


@settings(max_examples=10)
@given(st.integers(1, 3))
def test_a_constant_window_is_mixed_without_a_division_by_zero(n):
    with np.errstate(all="raise"):
        assert np.allclose(mix(np.zeros((n, 30)), 4, MIXED, 2)[1], 0.0)
