"""Drift: are the live errors still what validation promised? Where they are not, a refit should not wait for its turn.

Every error, in the unit of its forecast's intervals, is divided by what validation made one expect at its step, so that
a series which only moves more than before, as its unit knows, is not taken for one that is not understood. A cutoff's
ratio is the mean over series and over
the steps whose truth is known: 1 as long as all is as it was. The ratios are watched by Page's and Hinkley's test: what
each exceeds 1 + TOLERANCE by is summed up, never below zero, and drift is a sum above THRESHOLD. So one bad day is
forgiven, and a lasting change is found soon: after 7 cutoffs where errors treble. Source: E. S. Page, Continuous
inspection schemes, Biometrika 41, 1954.

Forecasts of neighbouring cutoffs speak of the same targets, so that they say less than as many apart would: each counts
for 1 / √(how many cutoffs lie within one horizon), which makes their sum no noisier than that of as many apart.

Shape letters: n forecasts, H horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from db import queries
from db.schema import Run
from db.times import MICROSECOND, from_us
from jobs.calendars import Times
from jobs.forecast import serving
from jobs.live import REMEMBERED, errors_of
from jobs.panel import Panel
from models.arrays import Array

TOLERANCE = 0.5  # by which errors may exceed the promise for good: validation saw but a part of what happens
THRESHOLD = 10.0  # of the sum: stationary noise, even of Student's t with 3 degrees, reaches it once in 8,000 cutoffs
LARGEST = 5.0  # that a ratio counts for: no single outlier is drift
SHARE = 10  # a refit is not forced within a tenth of refit_every after another
REASON = "drift"  # how the reason of a run begins that drift forced


@dataclass(frozen=True)
class Rise:
    """Errors that have been too large for some time. since: the place of the first cutoff; ratio: the mean since."""

    since: int
    ratio: float


@dataclass(frozen=True)
class Drift:
    """Why a refit is forced."""

    since: datetime
    ratio: float

    def __str__(self) -> str:
        return (
            f"{REASON}: live error {self.ratio:.1f} × what validation promised, since {self.since:%Y-%m-%d %H:%M:%S}Z"
        )


def page_hinkley(
    ratios: Array, weight: float = 1.0, *, tolerance: float = TOLERANCE, threshold: float = THRESHOLD
) -> Rise | None:
    """Whether the newest of some ratios (n,), in order of time, belong to a lasting rise above 1.

    weight: of each, where they are not independent of one another.
    """
    if not len(ratios):
        return None
    counted = np.minimum(ratios, LARGEST)
    sums = np.append(0.0, np.cumsum(weight * (counted - 1.0 - tolerance)))
    lowest = int(np.argmin(sums))
    if sums[-1] - sums[lowest] <= threshold:
        return None
    return Rise(lowest, float(counted[lowest:].mean()))


def rise(cutoffs: Times, errors: Array, expected: Array, overlap: float) -> Rise | None:
    """Whether the errors of some forecasts rose above what was expected of them, and stayed there.

    cutoffs: (n,), of any series, in any order and unit; errors: (n, H), NaN where they are not known; expected: (H,);
    overlap: how many cutoffs lie within one horizon. The rise's place is a cutoff.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = errors / expected
    known = np.isfinite(relative) & (expected > 0.0)
    places, which = np.unique(cutoffs, return_inverse=True)
    sums = np.bincount(which, np.where(known, np.minimum(relative, LARGEST), 0.0).sum(axis=1), len(places))
    counts = np.bincount(which, known.sum(axis=1), len(places))
    there = counts > 0
    found = page_hinkley(sums[there] / counts[there], 1.0 / np.sqrt(max(1.0, overlap)))
    return None if found is None else Rise(int(places[there][found.since]), found.ratio)


def drift(session: Session, panel: Panel, now: datetime) -> Drift | None:
    """The drift of a panel's live errors, as known now, since its champion was promoted or a refit left it in place."""
    served = serving(session, panel)
    if served is None:
        return None
    champion, forecaster = served
    since = _since(session, panel)
    found = [
        errors_of(known, forecaster)
        for series in queries.series_of_panel(session, panel.name)
        if (
            known := queries.live_forecasts(
                session, series.id, champion.id, as_of=now, issued_from=since, newest=REMEMBERED
            )
        )
    ]
    if not found:
        return None
    cutoffs, errors = (np.concatenate(parts) for parts in zip(*found, strict=True))
    risen = rise(cutoffs, errors, forecaster.expected_, overlap(cutoffs, forecaster.horizon * panel.interval))
    return None if risen is None else Drift(from_us(risen.since), risen.ratio)


def overlap(cutoffs: Times, span: timedelta) -> float:
    """How many of the cutoffs (n,), microseconds, lie within the span of one horizon; as they usually follow."""
    places = np.unique(cutoffs)
    if len(places) < 2:
        return 1.0
    return span / (float(np.median(np.diff(places))) * MICROSECOND)


def cool_down(panel: Panel) -> timedelta:
    """How long after a refit drift forces no other: a horizon of new forecasts must be judged first."""
    return min(panel.refit_every, max(panel.horizon * panel.interval, panel.refit_every / SHARE))


def is_cool(panel: Panel, refits: Sequence[Run], now: datetime) -> bool:
    """Whether the newest of a panel's refits, newest first, is long enough ago."""
    return not refits or now - refits[0].started >= cool_down(panel)


def _since(session: Session, panel: Panel) -> datetime:
    """When the champion last proved itself: by its promotion, or in the newest refit that was done."""
    moments = [queries.promotions(session, panel.name)[0].promoted_at]
    refitted = queries.newest_good_run(session, panel.name, "refit")
    if refitted is not None:
        moments.append(refitted.started)
    return max(moments)
