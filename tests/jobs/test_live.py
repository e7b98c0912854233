"""Live errors, as the ledger shows them."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from db import queries
from db.queries import NewStep
from db.times import to_us
from jobs.live import REMEMBERED, live_errors

HOUR = timedelta(hours=1)
FORECASTER = SimpleNamespace(horizon=2, live_errors=lambda errors, units: np.abs(errors) / units)


@pytest.fixture
def errors(sessions, clock, store_model):
    """What a forecast from some hour may know of the errors of those before it, where the truth is known up to another.

    They speak of a line, in units of 2: off by 1 at step 1, by 4 at step 2.
    """
    start = clock()

    def known(count, truth, cutoff, as_of=None):
        with sessions.begin() as session:
            series, model = queries.add_series(session, "a", "p"), store_model(session)
            for k in range(count):
                moment = start + k * HOUR
                steps = [NewStep(moment + h * HOUR, k + mean, 0.0, {80: (0, 1)}) for h, mean in ((1, 2.0), (2, 6.0))]
                queries.issue(session, series.id, model.id, moment, moment, steps, unit=2.0)
            pairs = [(to_us(start + k * HOUR), float(k)) for k in range(truth + 1)]
            queries.add_observations(session, series.id, pairs, start)
            queries.fill_scores(session, series.id, start + truth * HOUR)
            moments = {"cutoff": start + cutoff * HOUR, "as_of": start + (cutoff if as_of is None else as_of) * HOUR}
            return live_errors(session, series.id, model.id, FORECASTER, **moments)

    return known


def test_they_come_oldest_first_in_units_with_nan_where_the_truth_is_not_known(errors):
    np.testing.assert_array_equal(errors(count=5, truth=3, cutoff=3), [[0.5, 2.0], [0.5, 2.0], [0.5, np.nan]])


def test_what_was_scored_later_is_not_known(errors):
    assert np.isnan(errors(count=5, truth=4, cutoff=3)).all()


def test_without_any_forecast_there_is_none(errors):
    assert errors(count=0, truth=3, cutoff=3).shape == (0, 2)


def test_of_many_the_newest_are_remembered(errors):
    assert errors(count=REMEMBERED + 9, truth=REMEMBERED + 5, cutoff=REMEMBERED + 5).shape == (REMEMBERED, 2)
