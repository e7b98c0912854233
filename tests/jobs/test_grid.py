"""Observations as runs of consecutive steps."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.times import MICROSECOND
from jobs import exchanges
from jobs.calendars import DAY, DAY_US, Fixed, Weekdays
from jobs.grid import segments

HOUR = timedelta(hours=1)
HOUR_US = HOUR // MICROSECOND


def hourly(*hours):
    return [(hour * HOUR_US, float(hour)) for hour in hours]


HOURLY = Fixed(HOUR)


def runs(pairs, max_gap=1, steps=HOURLY, fill="last"):
    return [run.tolist() for run in segments(pairs, steps, max_gap, fill)]


def test_without_a_gap_there_is_one_run():
    assert runs(hourly(1, 2, 3)) == [[1, 2, 3]]


def test_a_short_gap_is_filled_with_the_last_value():
    assert runs(hourly(1, 3, 4)) == [[1, 1, 3, 4]]


def test_a_long_gap_ends_a_run():
    assert runs(hourly(1, 2, 5, 6)) == [[1, 2], [5, 6]]


def test_two_values_in_one_step_count_as_the_newer():
    trading = Weekdays((True,) * 5 + (False,) * 2)
    saturday = [(day * DAY_US, float(day)) for day in (8, 9, 11)]  # Friday, Saturday, Monday of January 1970
    assert runs(saturday, steps=trading) == [[8, 11]]


def test_a_holiday_of_an_exchange_is_no_gap():
    new_year = [(day * DAY_US, float(day)) for day in (-1, 1, 2)]  # the end of 1969; 2 and 3 January were sessions
    assert runs(new_year[:2], max_gap=0, steps=exchanges.steps("XNYS", DAY, timedelta(0))) == [[-1, 1]]


def test_a_gap_can_be_filled_with_a_straight_line():
    assert runs(hourly(1, 2, 6, 7), max_gap=3, fill="linear") == [[1, 2, 3, 4, 5, 6, 7]]


def test_a_gap_can_be_filled_with_zeros():
    assert runs(hourly(1, 2, 5), max_gap=2, fill="zero") == [[1, 2, 0, 0, 5]]


@pytest.mark.parametrize("fill", ["linear", "zero"])
def test_a_long_gap_is_not_filled_in_any_way(fill):
    assert runs(hourly(1, 3, 6, 7, 9), max_gap=1, fill=fill)[1][0] == 6.0
    assert [len(run) for run in runs(hourly(1, 3, 6, 7, 9), max_gap=1, fill=fill)] == [3, 4]


def test_no_observations_are_no_runs():
    assert runs([]) == []


fills = st.sampled_from(["last", "linear", "zero"])
some_hours = st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True)


@given(some_hours, st.integers(0, 5), fills)
def test_every_run_is_whole_and_ends_at_the_newest_value(hours, max_gap, fill):
    ordered = sorted(hours)
    found = runs(hourly(*ordered), max_gap, fill=fill)
    assert found[-1][-1] == ordered[-1]
    steps = sum(len(run) for run in found)
    gaps = [b - a - 1 for a, b in pairwise(ordered)]
    assert steps == len(ordered) + sum(gap for gap in gaps if gap <= max_gap)
    assert len(found) == 1 + sum(gap > max_gap for gap in gaps)


@given(some_hours, st.integers(0, 5), fills)
def test_what_was_observed_is_in_the_runs_as_it_was(hours, max_gap, fill):
    values = [(hour * HOUR_US, 1.0 / (hour + 1)) for hour in sorted(hours)]
    found = [value for run in runs(values, max_gap, fill=fill) for value in run]
    assert all(value in found for _, value in values)
