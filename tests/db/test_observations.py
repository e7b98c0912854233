"""Observations of many series at once."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from db import queries
from db.times import to_us

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def many(session):
    """Ids of series of which some have been revised, some split, some have a few values and one has none."""
    draw = random.Random(0)
    ids = []
    for k in range(40):
        series_id = queries.add_series(session, f"s{k}", "p").id
        ids.append(series_id)
        for _ in range(draw.choice([1, 2, 30]) if k else 0):
            hours = draw.sample(range(20), draw.randrange(1, 5))
            pairs = [(to_us(T0 + hour * HOUR), draw.gauss(0, 1)) for hour in hours]
            queries.add_observations(session, series_id, pairs, T0 + draw.randrange(30) * HOUR)
        for _ in range(draw.choice([0, 0, 3])):
            factor = (to_us(T0 + draw.randrange(20) * HOUR), draw.choice([0.5, 0.1, 2.0]))
            queries.add_factors(session, series_id, [factor], T0 + draw.randrange(30) * HOUR)
    return ids


@pytest.mark.parametrize("newest", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("as_of", [-1, 3, 15, 40])
def test_the_newest_pairs_of_many_series_are_those_of_each(session, many, newest, as_of):
    moment = T0 + as_of * HOUR
    expected = {series_id: queries.observations(session, series_id, as_of=moment, newest=newest) for series_id in many}
    assert queries.newest_pairs(session, many, as_of=moment, newest=newest) == expected


def test_the_newest_pairs_are_of_the_series_asked_for(session, many):
    assert list(queries.newest_pairs(session, many[3:5], as_of=T0 + 40 * HOUR, newest=1)) == many[3:5]
    assert queries.newest_pairs(session, [], as_of=T0, newest=1) == {}
