"""Windows: which there are, what leads up to them, and that none crosses a gap."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import windows
from models.windows import MAX_OF_SERIES, MAX_WINDOWS, SHORTEST, TREND, cut, newest_contexts, pad

LENGTHS = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=3), min_size=1, max_size=3)
CONTEXTS, HORIZONS, SEASONS = st.integers(1, 12), st.integers(1, 5), st.integers(1, 4)


def panel(lengths):
    """Series of segments whose values tell where they are: 0, 1, 2…, with 1000 more for each further segment."""
    numbers = count()
    return [[1000.0 * next(numbers) + np.arange(float(n)) for n in segments] for segments in lengths]


@given(LENGTHS, CONTEXTS, HORIZONS, SEASONS)
def test_no_window_crosses_a_gap(lengths, context, horizon, season):
    histories = panel(lengths)
    found = cut(histories, context, horizon, season)
    for number, row in zip(found.series, found.targets, strict=True):
        k = int(row[0] // 1000.0)
        run = next(run for run in histories[number] if len(run) and run[0] == 1000.0 * k)
        first = int(row[0] - run[0])
        assert (run[first : first + horizon] == row).all()


@given(LENGTHS, CONTEXTS, HORIZONS, SEASONS)
def test_what_comes_right_before_a_target_is_the_end_of_its_context(lengths, context, horizon, season):
    found = cut(panel(lengths), context, horizon, season)
    assert (found.targets[:, 0] - found.contexts[:, -1] == 1.0).all()


@given(LENGTHS, CONTEXTS, HORIZONS, SEASONS)
def test_every_target_is_a_value_of_the_series_never_of_what_was_put_before_it(lengths, context, horizon, season):
    histories = panel(lengths)
    there = [set(np.concatenate(segments).tolist()) for segments in histories]
    found = cut(histories, context, horizon, season)
    assert all(set(row.tolist()) <= there[number] for number, row in zip(found.series, found.targets, strict=True))


@given(LENGTHS, CONTEXTS, HORIZONS, SEASONS)
def test_the_newest_window_of_each_series_is_always_there(lengths, context, horizon, season):
    histories = panel(lengths)
    found = cut(histories, context, horizon, season)
    for number, segments in enumerate(histories):
        newest = segments[-1]
        if len(newest) >= max(SHORTEST, 2 * horizon):
            assert (found.targets[found.series == number][-1] == newest[-horizon:]).all()


def test_half_of_a_short_series_is_forecast():
    found = cut([[np.arange(20.0)]], 100, 3, 1)
    assert found.targets[:, 0].tolist() == list(range(10, 18))


def test_a_long_series_without_padding_gives_every_window():
    found = cut([[np.arange(300.0)]], 5, 2, 1)
    assert found.targets[:, 0].tolist() == list(range(5, 299))


def test_windows_are_evenly_spread_where_there_are_too_many():
    firsts = cut([[np.arange(20_000.0)]], 5, 2, 1).targets[:, 0]
    assert len(firsts) == MAX_OF_SERIES
    assert firsts[[0, -1]].tolist() == [5.0, 19_998.0]
    assert set(np.diff(firsts)) <= {19.0, 20.0, 21.0}


def test_a_panel_has_no_more_windows_than_the_bound(monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 600)
    assert len(cut([[np.arange(400.0)] for _ in range(20)], 5, 2, 1).series) == 600
    assert MAX_WINDOWS >= MAX_OF_SERIES


def test_of_many_series_each_has_a_few_windows(monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 10)
    assert np.bincount(cut([[np.arange(50.0)] for _ in range(30)], 5, 2, 1).series).tolist() == [20] * 30


def test_of_very_many_series_each_has_two_windows(monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 10)
    found = cut([[np.arange(12.0)] for _ in range(1001)], 5, 2, 1)
    assert np.bincount(found.series).tolist() == [2] * 1001


def test_windows_come_in_the_order_of_series():
    found = cut(panel([[30], [2], [40, 9]]), 4, 2, 1)
    assert (np.diff(found.series) >= 0).all()
    assert np.unique(found.series).tolist() == [0, 2]


@pytest.mark.parametrize("histories", [[], [[]], [[np.empty(0)]], [[np.arange(3.0)], [np.arange(1.0)]]])
def test_where_there_is_too_little_there_are_no_windows(histories):
    found = cut(histories, 4, 2, 1)
    assert (found.contexts.shape, found.targets.shape, found.series.shape) == ((0, 4), (0, 2), (0,))


@given(st.integers(1, 60), st.integers(1, 30), st.integers(1, 7))
def test_after_padding_half_of_the_values_have_a_whole_context_before_them(n, context, season):
    values = np.arange(float(n))
    padded = pad(values, context, season)
    assert (padded[len(padded) - n :] == values).all()
    assert len(padded) - n == max(0, context - n // 2)


def test_what_is_long_enough_is_not_padded():
    values = np.arange(10.0)
    assert pad(values, 5, 1) is values


def test_a_repeated_season_leads_up_to_a_short_series_in_phase():
    assert pad(np.array([1.0, 5.0, 1.0, 5.0]), 7, 2).tolist() == [5.0, 1.0, 5.0, 1.0, 5.0, 1.0, 5.0, 1.0, 5.0]


def test_each_repeated_season_is_moved_by_half_of_the_trend():
    values = np.array([0.0, 10.0, 4.0, 14.0])  # 2 a step, of which half is believed: 2 a season
    assert TREND == 0.5
    assert pad(values, 6, 2).tolist() == [-4.0, 6.0, -2.0, 8.0, 0.0, 10.0, 4.0, 14.0]


@pytest.mark.parametrize("season", [1, 2, 24])
def test_a_single_value_is_repeated(season):
    assert pad(np.array([3.0]), 4, season).tolist() == [3.0] * 5


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 7))
def test_a_constant_is_preceded_by_itself(n, context, season):
    assert (pad(np.full(n, 7.0), context, season) == 7.0).all()


@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 7))
def test_what_is_put_before_a_series_changes_no_newest_context_that_is_there(n, context, season):
    values = np.arange(float(n))
    made = newest_contexts([values, values[:1]], context, season)
    assert made.shape == (2, context)
    assert (made[0, -n:] == values[-context:]).all()


@given(st.integers(0, 25), st.integers(1, 20), st.integers(1, 7), st.integers(0, 100))
def test_a_newest_context_that_is_full_depends_on_nothing_before_it(before, context, season, seed):
    values = np.random.default_rng(seed).normal(size=context + before)
    made = newest_contexts([values, values[-context:]], context, season)
    assert (made[0] == made[1]).all()
