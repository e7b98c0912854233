"""Observations, and fewer points of many that look the same."""

from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair
from db.times import from_us
from service.answers.seeing import Panels, find
from service.shapes import ObservationAnswer, ObservationsAnswer

DOWNSAMPLED = 500_000  # observations that are looked at for a few points: the newest ones


def observations(
    session: Session,
    panels: Panels,
    name: str,
    now: datetime,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    as_of: datetime | None = None,
    limit: int,
    points: int | None = None,
) -> ObservationsAnswer:
    """The newest `limit` observations between two times, both included, as known at a moment, by default now.

    points: all of them instead, in about so many. Raises NoSeriesError.
    """
    series = find(session, panels, name)
    moment = now if as_of is None else min(as_of, now)
    newest = limit if points is None else DOWNSAMPLED
    pairs = queries.observations(session, series.id, as_of=moment, start=start, end=end, newest=newest)
    if points is not None:
        pairs = downsampled(pairs, points)
    return ObservationsAnswer(series.name, moment, [ObservationAnswer(from_us(ts), value) for ts, value in pairs])


def downsampled(pairs: list[Pair], points: int) -> list[Pair]:
    """At most `points` of the pairs, from 2 on: the first, the last, and of each of equal parts lowest and highest.

    Drawn as a line, extremes are what must not be lost (Jugel et al., M4: A Visualization-Oriented Time Series Data
    Aggregation, VLDB 2014).
    """
    if len(pairs) <= points:
        return pairs
    values = np.array([value for _, value in pairs])
    kept = {0, len(pairs) - 1}
    parts = (points - 2) // 2
    if parts:
        for part in np.array_split(np.arange(1, len(pairs) - 1), parts):
            kept |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    return [pairs[k] for k in sorted(kept)]
