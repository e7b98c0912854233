"""Configurations: whatever the data are like, one that fits in itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classical import Last, SeasonMean, SeasonShift, Theta
from models.configuration import (
    MAX_PATCH,
    SEASONS_NEEDED,
    THETA_SPAN,
    Configuration,
    configurations,
    families,
)
from models.errors import BadInputError

SEASON_SETS = st.sampled_from(
    [(), (1,), (2,), (4,), (5,), (7,), (12,), (13,), (24,), (24, 168), (7, 365), (48, 336), (52,), (96, 672), (365,)]
)
LENGTHS, HORIZONS = st.integers(3, 3000), st.integers(1, 60)


def all_of(seasons, length, horizon, positive=True):
    return [
        (family, each)
        for family in families(seasons, length, horizon)
        for each in configurations(family, length, horizon, positive=positive)
    ]


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_the_context_holds_the_lookback_and_what_each_candidate_needs(seasons, length, horizon):
    for _, each in all_of(seasons, length, horizon):
        assert each.lookback <= each.context
        assert all(candidate.needs <= each.context for candidate in each.candidates)


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_several_candidates_can_be_compared_at_one_origin_at_least(seasons, length, horizon):
    for _, each in all_of(seasons, length, horizon):
        if len(each.candidates) > 1:
            assert max(candidate.needs for candidate in each.candidates) + horizon <= each.context


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_the_lookback_is_whole_patches_and_two_seasons_where_levels_are_taken_over_one(seasons, length, horizon):
    for family, each in all_of(seasons, length, horizon):
        assert 1 <= each.patch <= max(MAX_PATCH, horizon)
        assert each.lookback % each.patch == 0
        assert each.season == family.season
        if each.season > 1:
            assert each.lookback >= 2 * each.season


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_all_sizes_are_positive_and_no_candidate_comes_twice(seasons, length, horizon):
    for _, each in all_of(seasons, length, horizon):
        assert min(each.season, each.lookback, each.patch, each.context, each.spacing, len(each.candidates)) >= 1
        assert len(set(each.candidates)) == len(each.candidates)


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_theta_looks_over_two_whole_seasons_at_least(seasons, length, horizon):
    for _, each in all_of(seasons, length, horizon):
        for candidate in each.candidates:
            if isinstance(candidate, Theta) and candidate.season > 1:
                assert candidate.span % candidate.season == 0
                assert candidate.span >= 2 * candidate.season


@given(SEASON_SETS, LENGTHS, HORIZONS)
def test_a_context_is_not_much_longer_than_the_history_unless_the_history_is_tiny(seasons, length, horizon):
    for _, each in all_of(seasons, length, horizon):
        assert each.context <= max(length, each.lookback, 2 * horizon)


@given(SEASON_SETS, LENGTHS, HORIZONS, st.booleans())
def test_a_configuration_comes_back_from_its_words(seasons, length, horizon, positive):
    for _, each in all_of(seasons, length, horizon, positive):
        assert Configuration.from_words(json.loads(json.dumps(each.to_words()))) == each


@pytest.mark.parametrize(
    "change", [{"candidates": [["Oracle"]]}, {"lookbehind": 3}, {"candidates": None}, {"candidates": [3]}]
)
def test_words_that_are_no_configuration_are_refused(change):
    words = configurations(families((), 100, 5)[0], 100, 5, positive=True)[0].to_words()
    with pytest.raises((BadInputError, TypeError)):
        Configuration.from_words({**words, **change})


def test_there_is_always_a_family_that_knows_no_season():
    assert [(family.seasons, family.season) for family in families((), 10, 5)] == [((), 1)]


def test_a_season_is_tried_beside_a_wandering_level_and_as_the_mover():
    assert [(family.seasons, family.season) for family in families((24,), 100, 5)] == [((), 1), ((24,), 1), ((24,), 24)]


@given(st.integers(2, 50), HORIZONS)
def test_a_season_is_considered_from_so_many_whole_ones_before_a_horizon_on(season, horizon):
    enough = SEASONS_NEEDED * season + horizon
    assert len(families((season,), enough, horizon)) == 3
    assert len(families((season,), enough - 1, horizon)) == 1


def test_levels_are_taken_over_the_shortest_season_in_whatever_order_they_are_named():
    assert families((168, 24, 24), 2000, 5)[-1].season == 24


def test_logarithms_are_taken_where_all_values_are_positive_and_a_raw_twin_is_tried():
    family = families((), 200, 5)[0]
    assert [each.log for each in configurations(family, 200, 5, positive=True)] == [True] * 3 + [False] * 2
    assert not any(each.log for each in configurations(family, 200, 5, positive=False))


def test_names_are_told_apart():
    names = [each.name for each in configurations(families((), 200, 5)[0], 200, 5, positive=True)]
    assert len(set(names)) == len(names)


def test_without_a_season_the_last_value_and_a_level_are_the_plainest():
    first = configurations(families((), 200, 5)[0], 200, 5, positive=False)[0]
    assert first.candidates == (Last(), Theta(1, 10, 0.3, 0.0))


def test_what_a_season_moves_is_forecast_by_seasons():
    first = configurations(families((12,), 200, 5)[-1], 200, 5, positive=False)[0]
    assert first.candidates == (SeasonMean(12), SeasonMean(12, 2), SeasonMean(12, 3))


def test_beside_a_season_a_wandering_level_has_candidates_too():
    kinds = {type(each) for each in configurations(families((12,), 200, 5)[1], 200, 5, positive=False)[0].candidates}
    assert kinds == {Last, SeasonMean, SeasonShift}


def test_a_history_too_short_for_any_candidate_is_left_with_the_last_value():
    made = [each.candidates for _, each in all_of((), 3, 1, positive=False)]
    assert made[0] == (Last(),)


def test_theta_looks_no_further_back_than_it_says():
    theta = configurations(families((), 3000, 5)[0], 3000, 5, positive=False)[2]
    assert max(candidate.needs for candidate in theta.candidates) == THETA_SPAN
