"""What the tests of the database share: a series, a model that serves its panel, and what the raw scores come to."""

import json

import pytest
from sqlalchemy import text

from db import queries
from db.queries import Tally

DAY = 86_400_000_000  # µs


@pytest.fixture
def series(session):
    return queries.add_series(session, "a", "p")


@pytest.fixture
def model(session, store_model):
    return store_model(session)


@pytest.fixture
def summed_up():
    """Sum up the raw scores one by one: (series_id, day or step) → Tally. For databases of every revision."""

    def sum_up(session, key):
        tallies = {}
        rows = session.execute(
            text("SELECT s.*, f.scale FROM scores s JOIN forecasts f ON f.id = s.forecast_id ORDER BY f.id, s.step")
        )
        for row in rows.all():
            at = row.step if key == "step" else row.target_ts // DAY * DAY
            tally = tallies.setdefault((row.series_id, at), Tally())
            tally.count += 1
            tally.error += abs(row.error)
            tally.naive_error += abs(row.naive_error)
            if row.scale:
                tally.scaled_count += 1
                tally.scaled_error += abs(row.error) / row.scale
            bounds = session.execute(
                text("SELECT level, lo, hi FROM forecast_bounds WHERE forecast_id = :id AND step = :step"),
                {"id": row.forecast_id, "step": row.step},
            )
            for level, lo, hi in bounds.all():
                inside, of = tally.inside.get(level, (0, 0))
                tally.inside[level] = (inside + (lo <= row.value <= hi), of + 1)
        return tallies

    return sum_up


@pytest.fixture
def stored_sums():
    """What the tables of sums hold: (series_id, day or step) → Tally."""
    return lambda session, key: {
        (series_id, at): queries.Tally(count, *errors, inside=_levels(inside))
        for series_id, at, count, *errors, inside in session.execute(text(f"SELECT * FROM score_{key}s")).all()  # noqa: S608
    }


def _levels(inside):
    return {int(level): tuple(each) for level, each in json.loads(inside).items()}
