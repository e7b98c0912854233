"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.durations import parse, told


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("1y", timedelta(days=365)),
        (" 5 m ", timedelta(minutes=5)),
    ],
)
def test_a_duration_is_read(text, duration):
    assert parse(text) == duration


@pytest.mark.parametrize("text", ["", "5", "5 min", "-5m", "0s", "1.5h", "h", "200y", "99999999999999s"])
def test_anything_else_is_refused_with_what_is_accepted(text):
    with pytest.raises(ValueError, match="expected a duration as in 30s, 5m, 2h, 7d"):
        parse(text)


@given(st.integers(1, 10**8))
def test_what_is_told_is_within_a_fifth_of_the_truth(seconds):
    told_as = parse(told(timedelta(seconds=seconds)))
    assert abs(told_as.total_seconds() - seconds) <= max(0.5, 0.2 * seconds)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "90s"), (300, "5m"), (259_200, "3d"), (-300, "-5m")])
def test_a_duration_is_told_in_one_unit(seconds, text):
    assert told(timedelta(seconds=seconds)) == text
