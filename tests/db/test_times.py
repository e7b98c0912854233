"""Times in the database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.times import from_us, to_us


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_went(moment):
    assert from_us(to_us(moment)) == moment


def test_another_offset_is_the_same_instant():
    seoul = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert from_us(to_us(seoul)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001  the point of the test
