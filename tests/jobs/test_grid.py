"""Observations as runs of consecutive steps."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from db.times import MICROSECOND
from jobs.calendars import DAY, DAY_US
from jobs.grid import segments

HOUR = timedelta(hours=1)
HOUR_US = HOUR // MICROSECOND


def hourly(*hours):
    return [(hour * HOUR_US, float(hour)) for hour in hours]


def runs(pairs, max_gap=1, interval=HOUR, weekmask=None):
    return [run.tolist() for run in segments(pairs, interval, weekmask, max_gap)]


def test_without_a_gap_there_is_one_run():
    assert runs(hourly(1, 2, 3)) == [[1, 2, 3]]


def test_a_short_gap_is_filled_with_the_last_value():
    assert runs(hourly(1, 3, 4)) == [[1, 1, 3, 4]]


def test_a_long_gap_ends_a_run():
    assert runs(hourly(1, 2, 5, 6)) == [[1, 2], [5, 6]]


def test_two_values_in_one_step_count_as_the_newer():
    trading = (True,) * 5 + (False,) * 2
    saturday = [(day * DAY_US, float(day)) for day in (8, 9, 11)]  # Friday, Saturday, Monday of January 1970
    assert runs(saturday, interval=DAY, weekmask=trading) == [[8, 11]]


def test_no_observations_are_no_runs():
    assert runs([]) == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True), st.integers(0, 5))
def test_every_run_is_whole_and_ends_at_the_newest_value(hours, max_gap):
    ordered = sorted(hours)
    found = runs(hourly(*ordered), max_gap)
    assert found[-1][-1] == ordered[-1]
    steps = sum(len(run) for run in found)
    gaps = [b - a - 1 for a, b in pairwise(ordered)]
    assert steps == len(ordered) + sum(gap for gap in gaps if gap <= max_gap)
    assert len(found) == 1 + sum(gap > max_gap for gap in gaps)
