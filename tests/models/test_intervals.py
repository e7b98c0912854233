"""Conformal intervals."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.floors import Floors
from models.intervals import (
    LEAST,
    MEMORY,
    N_POINTS,
    PRIOR,
    VOLATILITY_SPAN,
    Calibration,
    Scales,
    calibrate,
    conformal_radii,
    distribution,
    isotonic,
    rolling_radii,
    values_seen,
)
from models.selection import Origins, origins

LEVELS = [50, 80, 95]


def test_the_radius_is_the_conformal_rank_of_the_residuals():
    residuals = np.arange(1.0, 20.0)[:, None]  # 19: the rank of 95 % is ⌈20 · 0.95⌉ = 19, of 80 % it is 16
    assert conformal_radii(residuals, [80, 95]).ravel().tolist() == [16.0, 19.0]


def test_with_too_few_residuals_the_largest_stands_in():
    assert conformal_radii(np.array([[1.0], [-3.0]]), [95]).tolist() == [[3.0]]


@given(st.integers(1, 60), st.integers(1, 4), st.integers(0, 1000))
def test_a_higher_level_never_has_a_smaller_radius(n, horizon, seed):
    radii = conformal_radii(np.random.default_rng(seed).normal(size=(n, horizon)), [50, 80, 95, 99])
    assert (np.diff(radii, axis=0) >= 0).all()


def test_the_truth_falls_inside_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    radii = conformal_radii(rng.standard_t(4, size=(4000, 1)), [80, 95])
    fresh = np.abs(rng.standard_t(4, size=(4000, 1)))
    assert np.abs((fresh <= radii[0]).mean() - 0.80) < 0.02
    assert np.abs((fresh <= radii[1]).mean() - 0.95) < 0.01


@pytest.mark.parametrize("n", [19, 25, 40, 99])
def test_coverage_is_exact_for_samples_of_every_size(n):
    scores = np.abs(np.random.default_rng(n).standard_t(3, size=(n, 20_000)))  # so many samples, a column each
    fresh = np.abs(np.random.default_rng(n + 1).standard_t(3, size=20_000))
    inside = (fresh <= conformal_radii(scores, [80, 95])).mean(axis=1)
    exact = [-(-(n + 1) * level // 100) / (n + 1) for level in (80, 95)]
    assert inside == pytest.approx(exact, abs=0.012)


@given(st.integers(1, 6), st.integers(0, 1000))
def test_isotonic_rows_never_fall_keep_their_mean_and_stay_once_they_do_not_fall(horizon, seed):
    values = np.random.default_rng(seed).normal(size=(3, horizon))
    made = isotonic(values)
    assert (np.diff(made, axis=1) >= 0.0).all()
    assert np.allclose(made.mean(axis=1), values.mean(axis=1))
    assert (isotonic(made) == made).all()


@given(st.integers(2, 6), st.integers(0, 1000))
def test_isotonic_rows_are_the_nearest_of_all_that_never_fall(horizon, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(1, horizon))
    distance = ((isotonic(values) - values) ** 2).sum()
    others = np.sort(values + rng.normal(size=(200, horizon)) * 0.3, axis=1)
    assert (((others - values) ** 2).sum(axis=1) >= distance - 1e-12).all()


def test_a_step_that_falls_is_pooled_with_the_one_before_it():
    assert isotonic(np.array([[1.0, 4.0, 2.0, 5.0]])).tolist() == [[1.0, 3.0, 3.0, 5.0]]


def test_higher_levels_stay_wider_once_isotonic():
    radii = np.sort(np.random.default_rng(0).random((3, 8)), axis=0)
    assert (np.diff(isotonic(radii), axis=0) >= 0.0).all()


def nothing(horizon):
    return np.empty((0, horizon))


@given(st.integers(1, N_POINTS), st.integers(1, 4), st.integers(0, 1000))
def test_without_live_scores_the_radii_are_those_of_calibration(n, horizon, seed):
    scores = np.abs(np.random.default_rng(seed).normal(size=(n, horizon)))
    rolling = rolling_radii(distribution(scores), n, nothing(horizon), LEVELS)
    assert (rolling == conformal_radii(scores, LEVELS)).all()


def test_of_many_scores_the_kept_points_give_nearly_the_same_radii():
    scores = np.abs(np.random.default_rng(0).normal(size=(5000, 2)))
    points = distribution(scores)
    assert points.shape == (N_POINTS, 2)
    assert np.allclose(rolling_radii(points, 5000, nothing(2), LEVELS), conformal_radii(scores, LEVELS), rtol=0.05)


@given(st.integers(1, 900), st.integers(0, 100))
def test_the_kept_points_ascend_from_the_least_to_the_largest(n, seed):
    scores = np.random.default_rng(seed).random((n, 2))
    points = distribution(scores)
    assert len(points) == min(n, N_POINTS)
    assert (np.diff(points, axis=0) >= 0.0).all()
    assert (points[[0, -1]] == [scores.min(axis=0), scores.max(axis=0)]).all()


CALIBRATED = distribution(np.abs(np.random.default_rng(0).normal(size=(200, 1))))


def test_a_jump_of_the_errors_is_followed_within_some_tens_of_live_scores():
    jumped = np.full((60, 1), 10.0)
    radii = [rolling_radii(CALIBRATED, 200, jumped[:n], [80])[0, 0] for n in (0, 5, 20)]
    assert radii[0] < 2.0
    assert radii[2] == 10.0
    assert rolling_radii(CALIBRATED, 200, jumped[:10], [95])[0, 0] == 10.0


def test_an_old_jump_is_forgotten():
    live = np.r_[np.full(40, 10.0), np.abs(np.random.default_rng(1).normal(size=150))][:, None]
    assert rolling_radii(CALIBRATED, 200, live, [80])[0, 0] < 2.0


def test_live_scores_that_are_as_expected_change_little():
    live = np.abs(np.random.default_rng(2).normal(size=(500, 1)))
    before, after = (rolling_radii(CALIBRATED, 200, each, [80])[0, 0] for each in (nothing(1), live))
    assert after == pytest.approx(before, rel=0.35)


@given(st.integers(0, 60), st.integers(0, 100))
def test_a_truth_that_is_not_known_yet_is_as_if_it_were_not_there(n, seed):
    rng = np.random.default_rng(seed)
    live = rng.random((n, 1)) * 3.0
    holes = np.insert(live, rng.integers(0, n + 1, size=5), np.nan, axis=0)
    assert (rolling_radii(CALIBRATED, 200, live, LEVELS) == rolling_radii(CALIBRATED, 200, holes, LEVELS)).all()


def test_each_step_has_its_own_live_scores():
    points = np.repeat(CALIBRATED, 2, axis=1)
    live = np.column_stack([np.full(60, 10.0), np.full(60, np.nan)])
    radii = rolling_radii(points, 200, live, [80])[0]
    assert radii[0] == 10.0
    assert radii[1] == rolling_radii(CALIBRATED, 200, nothing(1), [80])[0, 0]


@given(st.integers(1, 100), st.integers(0, 60), st.integers(0, 100))
def test_a_higher_level_never_has_a_smaller_radius_live_either(n, n_live, seed):
    rng = np.random.default_rng(seed)
    radii = rolling_radii(distribution(rng.random((n, 2))), n, 2.0 * rng.random((n_live, 2)), LEVELS)
    assert (np.diff(radii, axis=0) >= 0.0).all()


def test_live_radii_hold_what_they_promise_where_nothing_changes():
    rng = np.random.default_rng(3)
    scores = np.abs(rng.normal(size=(1500, 1)))
    inside = [scores[n] <= rolling_radii(CALIBRATED, 200, scores[:n], [80, 95])[:, 0] for n in range(0, 1500, 2)]
    assert np.mean(inside, axis=0) == pytest.approx([0.80, 0.95], abs=0.04)


def test_the_first_live_score_leaves_calibration_its_weight():
    assert PRIOR * MEMORY > 20.0
    one = rolling_radii(CALIBRATED, 200, np.full((1, 1), 100.0), [80])[0, 0]
    assert one < 2.5


def known(scale, usual):
    scale, usual = np.atleast_1d(scale).astype(float), np.atleast_1d(usual).astype(float)
    return Scales(tuple("abcdefghij"[: len(scale)]), scale, usual, Floors(scale, scale))


def calibration(by_volatility=False, season=1, horizon=4):
    return Calibration(np.ones((1, horizon)), 1, np.ones(horizon), season, by_volatility)


def walk(n=300, seed=0):
    return np.random.default_rng(seed).normal(size=n).cumsum()


@pytest.mark.parametrize("by_volatility", [False, True])
@given(a=st.sampled_from([1e-6, 3.0, 1e9]), seed=st.integers(0, 50), season=st.integers(1, 12))
def test_the_unit_scales_with_the_values(by_volatility, a, seed, season):
    made, again = (
        calibration(by_volatility, season).units([unit * walk(100, seed)], known(unit, 2.0 * unit))[0]
        for unit in (1.0, a)
    )
    assert again == pytest.approx(a * made, rel=1e-2)


@pytest.mark.parametrize("by_volatility", [False, True])
@given(value=st.sampled_from([0.0, 5.0, -1e12, 1e-9]), n=st.integers(1, 300), season=st.integers(1, 12))
def test_the_unit_of_a_constant_series_is_positive_and_tiny(by_volatility, value, n, season):
    unit = calibration(by_volatility, season).units([np.full(n, value)], known(0.0, 0.0))[0]
    assert 0.0 < unit <= 1e-6 * abs(value) + 1e-9


def test_the_blend_is_the_geometric_mean_of_four_units():
    zigzag = np.resize([0.0, 2.0], 300)  # moves by 2, always: of late, and as volatility
    assert calibration().units([zigzag], known(8.0, 4.0))[0] == pytest.approx((8.0 * 4.0 * 2.0 * 2.0) ** 0.25)


def test_a_calm_stretch_does_not_make_the_unit_vanish():
    unit = calibration().units([np.r_[walk(), np.full(400, 5.0)]], known(1.0, 1.0))[0]
    assert unit == pytest.approx((LEAST**2) ** 0.25, rel=1e-3)


@pytest.mark.parametrize("n", range(2, 13))
def test_a_series_shorter_than_its_season_has_a_unit_of_its_own_size(n):
    values = 50.0 + 10.0 * np.sin(np.arange(n) * 2 * np.pi / 12)
    assert 0.5 < calibration(season=12).units([values], known(0.0, 0.0))[0] < 20.0


def test_the_unit_grows_with_what_happens_of_late():
    calm, wild = walk(), np.r_[walk()[:-20], walk()[-20:] * 10.0]
    units = calibration().units([calm, wild], known([1.0, 1.0], [1.0, 1.0]))
    assert units[1] > 1.5 * units[0]


@given(st.integers(1, 120), st.integers(1, 120), st.booleans(), st.integers(0, 100))
def test_the_unit_looks_at_no_more_values_than_it_says(season, horizon, by_volatility, seed):
    values = walk(values_seen(season, horizon) + 50, seed)
    made = calibration(by_volatility, season, horizon)
    units = made.units([values, values[-values_seen(season, horizon) :]], known([1.0, 1.0], [1.0, 1.0]))
    assert units[0] == units[1]
    assert values_seen(season, horizon) > VOLATILITY_SPAN


def test_radii_never_narrow_at_a_later_step():
    points = np.sort(np.random.default_rng(0).random((50, 6)), axis=0)
    made = Calibration(points, 50, points.mean(axis=0), 1, False)
    assert (np.diff(made.radii(LEVELS), axis=1) >= 0.0).all()
    assert (made.radii(LEVELS) == made.radii(LEVELS, np.empty((0, 6)))).all()


def test_a_series_of_the_fit_keeps_what_the_fit_knew():
    fit = known([1.0, 2.0], [3.0, 4.0])
    found = fit.of(["b", "a"], [walk(), walk()], 1)
    assert (found.scale.tolist(), found.usual.tolist(), found.floors.log.tolist()) == (
        [2.0, 1.0],
        [4.0, 3.0],
        [2.0, 1.0],
    )


def test_a_series_that_was_not_there_is_known_by_its_own_past():
    zigzag = np.resize([0.0, 2.0], 30)
    found = known([1.0, 1.0, 1.0], [3.0, 3.0, 9.0]).of(["new"], [zigzag], 1)
    assert found.scale.tolist() == [2.0]
    assert found.usual.tolist() == [6.0]  # the panel's median ratio
    assert found.floors.raw[0] > 0.0


def test_no_series_are_known_as_none():
    assert known([], []).of([], [], 1).scale.shape == (0,)


def panel(n_series=3, n=200, seed=0):
    return [10.0**k * walk(n, seed + k) for k in range(n_series)]


def naive_errors(found):
    return np.abs(found.targets() - np.array([past[-1] for past in found.pasts()])[:, None])


def scales(histories):
    return np.array([np.abs(np.diff(values)).mean() for values in histories])


def test_calibrated_intervals_hold_the_truth_of_what_they_were_calibrated_on():
    histories = panel()
    found = origins(histories, 4, list(range(4, 100, 4)), 20)
    errors = naive_errors(found)
    usual, made = calibrate(errors, found, scales(histories), 1)
    assert usual == pytest.approx([errors[found.series == k].mean() for k in range(3)])
    assert made.count == len(errors)
    assert made.expected.shape == (4,)
    units = made.units(found.pasts(), Scales(("x",) * len(errors), scales(histories)[found.series],
                                             usual[found.series], Floors(usual, usual)))  # fmt: skip
    inside = (errors <= made.radii([80])[0] * units[:, None]).mean()
    assert inside == pytest.approx(0.80, abs=0.05)


def test_calibration_does_not_depend_on_the_unit_of_the_values():
    first, second = panel(), [1e6 * values for values in panel()]
    made = []
    for histories in (first, second):
        found = origins(histories, 4, list(range(4, 100, 4)), 20)
        made.append(calibrate(naive_errors(found), found, scales(histories), 1)[1])
    assert made[0].by_volatility == made[1].by_volatility
    assert np.allclose(made[0].points, made[1].points, rtol=1e-3)


def test_no_error_scales_itself_nor_those_that_share_a_target_with_it():
    found = Origins([walk(100, seed=8)], 4, np.zeros(4, dtype=np.intp), np.array([4, 7, 8, 12]))
    errors = np.ones((4, 4))
    errors[0] = 1.5  # of back 4, which shares targets with back 7 alone
    _, made = calibrate(errors, found, np.ones(1), 1)
    assert not made.by_volatility
    others = [1.0, 1.0, 1.25, 3.5 / 3]  # the mean error of those that share no target
    units = [
        calibration().units([past], known(1.0, usual))[0] for past, usual in zip(found.pasts(), others, strict=True)
    ]
    assert made.points[:, 0] == pytest.approx(np.sort(errors[:, 0] / units))


def test_a_series_that_was_not_judged_is_expected_to_err_like_the_others():
    histories = [*panel(2, seed=3), walk(5)]
    found = origins(histories, 4, list(range(4, 60, 4)), 20)
    assert set(found.series) == {0, 1}
    scale = scales(histories)
    usual, _ = calibrate(naive_errors(found), found, scale, 1)
    ratios = naive_errors(found).mean(axis=1) / scale[found.series]
    assert usual[2] == pytest.approx(np.median(ratios) * scale[2])


def test_prices_whose_volatility_comes_in_clusters_are_measured_by_it():
    rng = np.random.default_rng(0)
    log_volatility = np.zeros(3000)
    for t in range(1, 3000):
        log_volatility[t] = 0.98 * log_volatility[t - 1] + 0.25 * rng.normal()
    prices = (np.exp(log_volatility) * rng.normal(size=3000)).cumsum()
    found = origins([prices], 1, list(range(1, 2500, 5)), 20)
    assert calibrate(naive_errors(found), found, scales([prices]), 1)[1].by_volatility


@pytest.mark.parametrize("value", [0.0, 7.0, 1e12])
def test_constant_series_are_calibrated_without_a_division_by_zero(value):
    histories = [np.full(50, value)] * 3
    found = origins(histories, 4, [4, 8, 12], 5)
    usual, made = calibrate(np.zeros((9, 4)), found, np.zeros(3), 1)
    assert (usual == 0.0).all()
    assert (made.radii(LEVELS) == 0.0).all()


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_origins_are_enough_to_answer(n):
    histories = [walk(30)]
    found = origins(histories, 4, [4, 8][:n], 5)
    _, made = calibrate(naive_errors(found), found, scales(histories), 1)
    assert np.isfinite(made.radii(LEVELS)).all()
    assert (made.units(histories, known(1.0, 1.0)) > 0.0).all()


def test_a_series_units_do_not_depend_on_the_others():
    made = calibration()
    pasts = [walk(50, 1), walk(9, 2), walk(300, 3)]
    together = made.units(pasts, known([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))
    alone = [made.units([past], known(k + 1.0, k + 4.0))[0] for k, past in enumerate(pasts)]
    assert together.tolist() == alone


def test_the_volatility_unit_follows_a_burst_and_fades_after_it():
    values = np.r_[walk(200), walk(200)[-1] + 20.0 * walk(10, 1), np.full(100, 0.0)]
    made = replace(calibration(), by_volatility=True)
    before, during, after = (made.units([values[:n]], known(1e-9, 1e-9))[0] for n in (200, 210, 310))
    assert all(a < b for a, b in pairwise([after, during]))
    assert during > 3.0 * before
