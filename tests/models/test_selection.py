"""Who serves: origins, the judge, the average's members, the gate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.selection import (
    MANY_SERIES,
    MAX_MEMBERS,
    MAX_ORIGINS,
    PAIRS_WANTED,
    PROOF,
    Judge,
    evidence,
    evidence_groups,
    gate,
    greedy,
    origins,
    spread_backs,
)

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=40)
HORIZONS = st.integers(1, 30)


@given(LENGTHS, HORIZONS)
def test_the_truth_of_every_validation_origin_is_known_and_the_newest_truth_is_used(lengths, horizon):
    backs = spread_backs(lengths, horizon)
    assert backs == sorted(set(backs))
    assert backs[0] == horizon
    assert len(backs) <= MAX_ORIGINS


@given(LENGTHS, HORIZONS)
def test_validation_takes_no_more_than_a_quarter_of_the_median_history_or_a_horizon(lengths, horizon):
    assert spread_backs(lengths, horizon)[-1] <= max(horizon, np.median(lengths) / 4)


def test_many_series_are_judged_at_four_origins_a_horizon_apart():
    assert spread_backs([500] * MANY_SERIES, 5) == [5, 10, 15, 20]


def test_a_single_series_is_judged_at_as_many_origins_as_there_may_be():
    assert len(spread_backs([5000], 5)) == MAX_ORIGINS
    assert len(spread_backs([5000] * 4, 5)) == PAIRS_WANTED // 4


def test_where_the_history_is_short_origins_lie_closer_together():
    assert spread_backs([50], 5) == list(range(5, 11))


@given(LENGTHS, st.integers(1, 5), st.integers(2, 9))
def test_an_origin_has_the_values_asked_for_before_it_and_only_those_after_it_as_targets(lengths, horizon, at_least):
    histories = [100.0 * k + np.arange(n) / 10 for k, n in enumerate(lengths)]
    found = origins(histories, horizon, [horizon, horizon + 3], at_least)
    assert len(found.series) == sum(n - back >= at_least for n in lengths for back in (horizon, horizon + 3))
    for past, target, series in zip(found.pasts(), found.targets(), found.series, strict=True):
        assert len(past) >= at_least
        assert (histories[series][len(past) : len(past) + horizon] == target).all()


def test_a_target_that_has_not_come_yet_is_nan():
    found = origins([np.arange(5.0)], 3, [2], 1)
    assert found.targets()[0, :2].tolist() == [3.0, 4.0]
    assert np.isnan(found.targets()[0, 2])


def test_without_a_series_long_enough_there_is_no_origin():
    found = origins([np.arange(5.0)], 3, [3], 4)
    assert (len(found.series), found.pasts(), found.targets().shape) == (0, [], (0, 3))


TARGETS = np.random.default_rng(0).uniform(1.0, 2.0, size=(30, 4))


def test_the_reference_itself_scores_one():
    reference = TARGETS + 0.5
    assert Judge(TARGETS, np.ones(30), reference).score(reference) == pytest.approx(1.0)


def test_positive_targets_are_judged_by_mase_and_smape_half_each():
    judge = Judge(np.array([[1.0], [3.0]]), np.array([1.0, 2.0]), np.array([[2.0], [5.0]]))
    # MASE: 2 and 1, the reference's 1 and 1; sMAPE over 200: 2/4 and 2/4, the reference's 1/3 and 2/8.
    assert judge.errors(np.array([[3.0], [1.0]])) == pytest.approx([1 + 0.25 * 24 / 7, 0.5 + 0.25 * 24 / 7])


@pytest.mark.parametrize("least", [0.0, -1.0])
def test_where_one_target_is_not_positive_mase_judges_alone(least):
    targets = TARGETS.copy()
    targets[3, 2] = least
    judge = Judge(targets, np.full(30, 2.0), targets + 0.5)
    errors = judge.errors(targets - 1.0)
    assert errors == pytest.approx(np.full(30, 2.0))


def test_a_reference_without_error_divides_by_no_zero():
    judge = Judge(TARGETS, np.ones(30), TARGETS)
    assert judge.score(TARGETS) == 0.0
    assert np.isfinite(judge.score(TARGETS + 1.0))


def drawn(seed, n_networks=4, n_bases=4):
    rng = np.random.default_rng(seed)
    keys = [(k, "rnn") for k in range(n_networks)] + [(k, "base") for k in range(n_bases)]
    return {key: TARGETS + rng.normal(size=TARGETS.shape) * rng.uniform(0.1, 1.0) for key in keys}


def judge():
    return Judge(TARGETS, np.ones(30), TARGETS + 0.5)


@given(st.integers(0, 200))
def test_the_average_is_never_worse_than_the_best_alone(seed):
    forecasts = drawn(seed, n_networks=0)
    members = greedy(forecasts, judge())
    average = np.mean([forecasts[key] for key in members], axis=0)
    assert judge().score(average) <= min(judge().score(made) for made in forecasts.values()) + 1e-12


@given(st.integers(0, 200))
def test_the_first_member_is_the_best_alone(seed):
    forecasts = drawn(seed)
    assert greedy(forecasts, judge())[0] == min(forecasts, key=lambda key: judge().score(forecasts[key]))


@given(st.integers(0, 200), st.integers(1, 4))
def test_the_best_network_joins_in_any_case(seed, n_networks):
    forecasts = drawn(seed, n_networks)
    networks = [key for key in forecasts if key[1] == "rnn"]
    members = greedy(forecasts, judge())
    assert members[-1] == min(networks, key=lambda key: judge().score(forecasts[key]))
    assert len(members) <= MAX_MEMBERS + 1


def test_two_that_err_to_opposite_sides_are_averaged():
    forecasts = {(0, "base"): TARGETS + 0.5, (1, "base"): TARGETS - 0.5, (2, "base"): TARGETS + 0.4}
    assert set(greedy(forecasts, judge())) == {(1, "base"), (2, "base")}


def test_a_member_must_earn_its_place():
    forecasts = {(0, "base"): TARGETS + 0.5, (1, "base"): TARGETS + 0.4999}
    assert greedy(forecasts, judge()) == [(1, "base")]


def rated(**errors):
    return {name: np.asarray(values, dtype=np.float64) for name, values in errors.items()}


GROUPS = np.arange(40)


def test_who_beats_the_yardstick_every_time_serves():
    verdict = gate(rated(naive=np.ones(40), rnn=np.full(40, 0.5)), GROUPS)
    assert verdict.winner == "rnn"
    assert verdict.reason.startswith("rnn (0.500) against naive (1.000)")
    assert verdict.errors == {"naive": 1.0, "rnn": 0.5}


def test_on_a_tie_the_yardstick_serves():
    verdict = gate(rated(naive=np.ones(40), rnn=np.ones(40)), GROUPS)
    assert (verdict.winner, verdict.reason) == ("naive", "nothing beats the naive (1.000)")


def test_the_seasonal_naive_serves_where_it_beats_the_naive_beyond_chance():
    verdict = gate(rated(naive=np.ones(40), seasonal_naive=np.full(40, 0.9), rnn=np.full(40, 0.95)), GROUPS)
    assert verdict.winner == "seasonal_naive"
    assert verdict.reason.startswith("seasonal naive (0.900) against naive (1.000)")


def test_a_seasonal_naive_that_is_better_within_chance_leaves_the_naive_the_yardstick():
    lucky = np.ones(40)
    lucky[0] = 0.5
    verdict = gate(rated(naive=np.ones(40), seasonal_naive=lucky, rnn=np.ones(40)), GROUPS)
    assert verdict.winner == "naive"


def test_where_several_beat_the_naive_the_lower_error_serves():
    slightly = np.full(40, 0.5)
    slightly[:3] = 0.1
    verdict = gate(rated(naive=np.ones(40), seasonal_naive=np.full(40, 0.5), rnn=slightly), GROUPS)
    assert verdict.winner == "rnn"


def test_of_several_candidates_the_best_is_held_against_the_yardstick():
    assert gate(rated(naive=np.ones(40), rnn=np.full(40, 0.6), base=np.full(40, 0.5)), GROUPS).winner == "base"


@pytest.mark.parametrize("groups", [np.zeros(40, dtype=int), GROUPS % 2])
def test_with_too_few_groups_the_yardstick_serves(groups):
    verdict = gate(rated(naive=np.ones(40), rnn=np.full(40, 0.5)), groups)
    assert verdict.winner == "naive"
    assert "too few forecasts to tell" in verdict.reason


def test_a_gain_within_chance_is_not_enough():
    gains = np.random.default_rng(0).normal(size=40)
    gains += 0.9 * PROOF * gains.std(ddof=1) / np.sqrt(40) - gains.mean()
    verdict = gate(rated(naive=3.0 + gains, rnn=np.full(40, 3.0)), GROUPS)
    assert verdict.winner == "naive"
    assert f"only {0.9 * PROOF:.1f} standard errors better" in verdict.reason


def test_where_no_candidate_is_better_than_the_naive_it_rarely_serves():
    rng = np.random.default_rng(0)
    wins = [gate(rated(naive=a, rnn=b), GROUPS).winner == "rnn" for a, b in rng.random((2000, 2, 40))]
    assert np.mean(wins) < 0.02


@given(st.integers(3, 60), st.integers(0, 100))
def test_evidence_has_the_sign_of_the_mean_gain(n, seed):
    gains = np.random.default_rng(seed).normal(size=n)
    proof = evidence(gains, np.arange(n))
    assert np.sign(proof) == np.sign(gains.mean())
    assert evidence(-gains, np.arange(n)) == pytest.approx(-proof)
    assert evidence(1e6 * gains, np.arange(n)) == pytest.approx(proof)


def test_evidence_is_the_mean_over_its_standard_error():
    assert evidence(np.array([1.0, 2.0, 3.0]), np.arange(3)) == pytest.approx(2.0 / (1.0 / np.sqrt(3.0)))


def test_forecasts_of_one_group_are_one_piece_of_evidence():
    gains = np.random.default_rng(0).normal(size=10)
    assert evidence(np.repeat(gains, 7), np.repeat(np.arange(10), 7)) == pytest.approx(evidence(gains, np.arange(10)))


def test_two_groups_are_no_evidence():
    assert np.isnan(evidence(np.ones(9), np.arange(9) % 2))


@pytest.mark.parametrize(("gain", "proof"), [(1.0, np.inf), (-1.0, -np.inf), (0.0, 0.0)])
def test_the_same_gain_everywhere_is_certain(gain, proof):
    assert evidence(np.full(5, gain), np.arange(5)) == proof


def test_of_many_series_each_is_one_piece_of_evidence():
    found = origins([np.arange(50.0)] * MANY_SERIES, 5, [5, 10], 2)
    assert (evidence_groups(found) == found.series).all()


def test_of_few_series_each_horizon_is_one_piece_of_evidence():
    found = origins([np.arange(50.0)] * 2, 5, [5, 7, 9, 10, 14, 15], 2)
    groups = evidence_groups(found)
    blocks = {tuple(found.back[(groups == group) & (found.series == 0)]) for group in set(groups[found.series == 0])}
    assert blocks == {(5, 7, 9), (10, 14), (15,)}
    assert not set(groups[found.series == 0]) & set(groups[found.series == 1])
