"""A panel's segments, and where each series is judged."""

import numpy as np
import pytest

from models.errors import BadInputError
from models.panel import ORIGINS_NEEDED, Panel, origins_of, values_needed

LONG, SHORT = np.arange(40.0), np.arange(3.0)


def test_a_panel_of_one_with_just_enough_values_has_just_enough_origins():
    assert origins_of([values_needed(5)], 5) == ORIGINS_NEEDED
    assert origins_of([values_needed(5) - 1], 5) == ORIGINS_NEEDED - 1


def test_a_series_is_judged_by_its_newest_segment_that_is_long_enough():
    panel = Panel({"a": [LONG, LONG + 1.0, SHORT]}, 5)
    assert panel.judged[0][0] == 1.0
    assert panel.later == [3]


def test_where_none_is_long_enough_it_is_judged_by_the_longest():
    assert Panel({"a": [SHORT, LONG[:9], SHORT]}, 5).lengths == [9]


def test_a_series_without_a_value_is_none_of_the_panel():
    assert Panel({"a": [LONG], "b": [], "c": [np.zeros(0)]}, 5).names == ["a"]


def test_without_the_span_nothing_is_left_that_came_after_it():
    left = Panel({"a": [SHORT, LONG, SHORT]}, 5).without(10)
    assert [len(values) for values in left[0]] == [3, 30]


def test_the_scale_of_less_than_a_season_is_taken_from_step_to_step():
    assert Panel({"a": [2.0 * SHORT]}, 1).scales(24).tolist() == [2.0]


def test_the_unit_of_a_constant_series_is_positive():
    assert Panel({"a": [np.full(40, 7.0)]}, 5).units(1)[0] > 0.0


def test_a_value_that_is_not_finite_is_refused_with_the_series_name():
    with pytest.raises(BadInputError, match="series a holds NaN"):
        Panel({"a": [np.array([1.0, np.nan])]}, 5)
