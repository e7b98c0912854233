"""A small panel that has lived a little: fetched, fitted, forecast and scored."""

from datetime import timedelta

import numpy as np
import pytest

from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import refit
from jobs.score import score

WALK = np.random.default_rng(0).normal(size=400).cumsum()


@pytest.fixture
def lived(sessions, panel, source, clock, tmp_path):
    """Series `a` of panel `p`: 300 hours learnt, forecasts at five cutoffs, scored as far as the truth is known."""
    clock.advance(hours=300)
    source.put("a", WALK[:300])
    fetch(sessions, panel, clock, tmp_path)
    refit(sessions, panel, clock(), fit)
    for n in range(300, 305):
        source.put("a", WALK[:n])
        fetch(sessions, panel, clock, tmp_path)
        score(sessions, panel, clock)
        forecast(sessions, panel, clock)
        clock.advance(hours=1)
    clock.now -= timedelta(minutes=50)
    return panel
