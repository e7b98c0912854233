"""Live errors: how far off a model's forecasts of a series have been so far, as known at some moment.

A forecast's intervals roll on them, and drift is measured by them. Shape letters: n forecasts, H horizon.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.queries import LiveForecast
from jobs.calendars import Times
from models.arrays import Array
from models.forecaster import Forecaster

REMEMBERED = 200  # forecasts of a series: what came before says little of now


def live_errors(
    session: Session, series_id: int, model_id: int, forecaster: Forecaster, *, as_of: datetime, cutoff: datetime
) -> Array:
    """The errors of a model's forecasts of a series from earlier cutoffs, as a forecast at this cutoff may know them.

    Returns (n, H) in order of cutoff, NaN where the truth was not known at `as_of`.
    """
    known = queries.live_forecasts(session, series_id, model_id, as_of=as_of, before=cutoff, newest=REMEMBERED)
    return errors_of(known, forecaster)[1]


def errors_of(known: Sequence[LiveForecast], forecaster: Forecaster) -> tuple[Times, Array]:
    """Of forecasts of one series, in order of cutoff: the cutoffs (n,), and the errors (n, H)."""
    errors = np.full((len(known), forecaster.horizon), np.nan)
    for row, each in zip(errors, known, strict=True):
        row[[step - 1 for step in each.errors]] = list(each.errors.values())
    cutoffs = np.array([each.cutoff for each in known], dtype=np.int64)
    units = np.array([each.unit for each in known]).reshape(-1, 1)
    return cutoffs, forecaster.live_errors(errors, units)
