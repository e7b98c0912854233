"""Sparklines."""

import math

import pytest

from service.sparkline import BLOCKS, fitted, scale_of, sparkline


def test_the_least_value_is_the_lowest_block_and_the_greatest_the_highest():
    assert sparkline(range(8), 0, 7) == BLOCKS


def test_values_that_are_all_the_same_lie_amid_the_row():
    assert sparkline([5.0, 5.0], *scale_of([5.0, 5.0])) == "▄▄"


def test_a_value_that_is_not_finite_is_a_blank():
    values = [0.0, math.nan, math.inf, 1.0]
    assert sparkline(values, *scale_of(values)) == "▁  █"


def test_nothing_is_an_empty_row():
    assert sparkline([], *scale_of([])) == ""


def test_the_largest_numbers_there_are_have_a_scale():
    values = [-1.7e308, 0.0, 1.7e308]
    assert sparkline(values, *scale_of(values)) == "▁▅█"


def test_a_value_beyond_the_scale_stays_on_the_row():
    assert sparkline([-9.0, 9.0], 0.0, 1.0) == "▁█"


@pytest.mark.parametrize("count", [10, 20, 999])
def test_more_values_than_there_is_room_for_become_means_of_parts(count):
    shrunk = fitted(range(count), 10)
    assert len(shrunk) == 10
    assert shrunk == sorted(shrunk)
    assert sum(shrunk) / 10 == pytest.approx((count - 1) / 2, rel=0.05)


def test_fewer_values_than_there_is_room_for_stay_as_they_are():
    assert fitted([1.0, 2.0], 10) == [1.0, 2.0]


def test_a_part_that_is_missing_whole_is_missing():
    assert math.isnan(fitted([math.nan, math.nan, 1.0, 3.0], 2)[0])
    assert fitted([math.nan, math.nan, 1.0, 3.0], 2)[1] == 2.0
