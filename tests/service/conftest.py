"""A small panel that has lived a little: fetched, fitted, forecast and scored. And the command, in this process."""

import os
import pickle
import sys
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest

from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import refit
from jobs.score import score
from service.cli import main

WALK = np.random.default_rng(0).normal(size=400).cumsum()


FITTED = {}


def fit_once(task):
    """Fit as `fit` does, but a task once for all tests: what comes of it depends on the task alone."""
    key = pickle.dumps(task)
    if key not in FITTED:
        FITTED[key] = fit(task)
    return FITTED[key]


@pytest.fixture
def lived(sessions, panel, source, clock, means):
    """Series `a` of panel `p`: 300 hours learnt, forecasts at five cutoffs, scored as far as the truth is known."""
    clock.advance(hours=300)
    source.put("a", WALK[:300])
    fetch(sessions, panel, clock, means)
    refit(sessions, panel, clock(), fit_once)
    for n in range(300, 305):
        source.put("a", WALK[:n])
        fetch(sessions, panel, clock, means)
        score(sessions, panel, clock)
        forecast(sessions, panel, clock)
        clock.advance(hours=1)
    clock.now -= timedelta(minutes=50)
    return panel


@pytest.fixture
def as_nobody():
    """Become another user for a while, who may not look into the folder of the test."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")

    @contextmanager
    def become():
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become


@pytest.fixture
def run_command(tmp_path, monkeypatch, capsys):
    """Run the command in a folder of its own; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["rollcast", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run
