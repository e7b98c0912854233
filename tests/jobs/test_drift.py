"""Drift: when live errors are no longer what validation promised."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from db import queries
from db.schema import Run
from jobs.drift import Drift, cool_down, drift, is_cool, overlap, page_hinkley, rise
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.forecast import forecast
from jobs.refit import refit
from jobs.score import score

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOISES = {
    "normal": lambda rng, n: np.abs(rng.normal(size=n)) / np.sqrt(2 / np.pi),
    "heavy tails": lambda rng, n: np.abs(rng.standard_t(4, size=n)),  # whose mean is 1
    "a promise that is a tenth too low": lambda rng, n: 1.1 * np.abs(rng.normal(size=n)) / np.sqrt(2 / np.pi),
}


def alarms(ratios, weight=1.0):
    """The lengths at which the newest of the ratios so far are a rise."""
    return [n for n in range(1, len(ratios) + 1) if page_hinkley(ratios[:n], weight)]


@pytest.mark.parametrize("noise", NOISES)
def test_thousands_of_cutoffs_of_stationary_noise_raise_no_alarm(noise):
    assert alarms(NOISES[noise](np.random.default_rng(0), 4000)) == []


def test_forecasts_that_overlap_raise_no_alarm_either():
    """Of a random walk, 24 steps ahead from every step: one error says much of the next."""
    walk = np.random.default_rng(1).normal(size=4024).cumsum()
    errors = np.stack([np.abs(walk[k : k + 4000] - walk[:4000]) for k in range(1, 25)], axis=1)
    ratios = (errors / errors.mean(axis=0)).mean(axis=1)
    assert alarms(ratios, 24**-0.5) == []
    assert alarms(ratios) != []


def test_errors_that_treble_raise_an_alarm_within_a_few_cutoffs():
    assert alarms(np.repeat([1.0, 3.0], [100, 20]))[0] == 107


@pytest.mark.parametrize("seed", range(5))
def test_noisy_errors_that_treble_raise_an_alarm_soon(seed):
    ratios = NOISES["normal"](np.random.default_rng(seed), 300)
    ratios[200:] *= 3
    assert 200 < alarms(ratios)[0] <= 225


def test_one_outlier_raises_no_alarm_however_large():
    assert alarms(np.repeat([1.0, 1e9, 1.0], [50, 1, 50])) == []


def test_errors_that_calm_down_again_end_the_alarm():
    lengths = alarms(np.repeat([1.0, 3.0, 0.5], [20, 10, 50]))
    assert 20 < lengths[0] <= 30 <= lengths[-1] < 50


def test_it_is_told_since_when_and_by_how_much():
    found = page_hinkley(np.repeat([1.0, 3.0], [100, 20]))
    assert (found.since, found.ratio) == (100, 3.0)


def test_errors_below_what_was_promised_are_no_drift():
    assert alarms(np.full(1000, 0.01)) == []


def test_without_a_ratio_there_is_no_drift():
    assert page_hinkley(np.zeros(0)) is None


def test_each_step_is_held_against_its_own_expectation():
    errors = np.tile([1.0, 2.0, 4.0], (50, 1))
    assert rise(np.arange(50), errors, np.array([1.0, 2.0, 4.0]), 1.0) is None
    assert rise(np.arange(50), errors, np.array([1.0, 1.0, 1.0]), 1.0).ratio == pytest.approx(7 / 3)


def test_a_cutoff_counts_once_however_many_series_it_has():
    cutoffs = np.repeat(np.arange(6), 10)
    assert rise(cutoffs, np.full((60, 1), 3.0), np.ones(1), 1.0) is None
    cutoffs = np.repeat(np.arange(7) * 100, 10)
    assert rise(cutoffs, np.full((70, 1), 3.0), np.ones(1), 1.0).since == 0


def test_cutoffs_may_come_in_any_order():
    cutoffs = np.random.default_rng(0).permutation(40)
    errors = np.where(cutoffs < 30, 1.0, 3.0)[:, None]
    assert rise(cutoffs, errors, np.ones(1), 1.0).since == 30


def test_what_is_not_known_or_has_no_expectation_is_passed_over():
    errors = np.column_stack([np.full(20, 3.0), np.full(20, np.nan), np.full(20, 1e9)])
    assert rise(np.arange(20), errors, np.array([1.0, 1.0, 0.0]), 1.0).ratio == 3.0
    assert rise(np.arange(20), np.full((20, 1), np.nan), np.ones(1), 1.0) is None


def test_the_overlap_is_how_many_cutoffs_lie_within_a_horizon():
    hours = np.array([0, 1, 2, 3, 3, 10]) * 3_600_000_000
    assert overlap(hours, 12 * HOUR) == 12.0
    assert overlap(hours[:1], 12 * HOUR) == 1.0


def test_after_a_refit_none_is_forced_before_a_horizon_and_a_tenth_of_the_usual_time(panel):
    assert cool_down(replace(panel, refit_every=timedelta(days=10))) == timedelta(days=1)
    assert cool_down(replace(panel, horizon=48, refit_every=timedelta(days=10))) == timedelta(days=2)
    assert cool_down(replace(panel, horizon=48)) == timedelta(days=1)  # never longer than refit_every


def test_the_cool_down_begins_with_the_newest_refit_however_it_ended(panel):
    refits = [Run(job="refit", panel="p", due=T0, started=T0, outcome="failed", reason="")]
    assert not is_cool(panel, refits, T0 + 2 * HOUR)
    assert is_cool(panel, refits, T0 + 3 * HOUR)
    assert is_cool(panel, [], T0)


def test_the_reason_is_told_in_words():
    assert str(Drift(T0, 2.4)) == "drift: live error 2.4 × what validation promised, since 2026-01-05 00:00:00Z"


@pytest.fixture
def wild(sessions, panel, source, clock, means):
    """Live through 30 hours of a daily wave whose period is another one from then on, after a fit on 300."""

    def live(period):
        hours = np.arange(330)
        phase = np.where(hours < 300, hours / 24, 300 / 24 + (hours - 300) / period)
        values = 50 + 10 * np.sin(2 * np.pi * phase) + np.random.default_rng(0).normal(size=330)
        clock.advance(hours=300)
        for n in range(300, 331):
            source.put("a", values[:n])
            fetch(sessions, panel, clock, means)
            if n == 300:
                refit(sessions, panel, clock(), fit)
            score(sessions, panel, clock)
            forecast(sessions, panel, clock)
            clock.advance(hours=1)

    return live


def test_the_ledger_of_a_series_that_goes_on_as_before_shows_no_drift(sessions, panel, clock, wild):
    wild(24)
    with sessions() as session:
        assert drift(session, panel, clock()) is None


def test_the_ledger_of_a_series_that_changed_shows_drift(sessions, panel, clock, wild):
    wild(7)
    with sessions() as session:
        found = drift(session, panel, clock())
    assert found.ratio > 2
    assert T0 + 297 * HOUR < found.since < clock()


def test_as_of_an_earlier_moment_there_was_no_drift_yet(sessions, panel, clock, wild):
    wild(7)
    with sessions() as session:
        assert drift(session, panel, clock() - 30 * HOUR) is None


def test_a_refit_that_leaves_the_champion_in_place_answers_what_came_before_it(sessions, panel, clock, wild):
    wild(7)
    with sessions.begin() as session:
        run = queries.start_run(session, "refit", "p", due=clock(), started=clock())
        queries.end_run(session, run, ended=clock(), outcome="ok", reason="naive rejected")
    with sessions() as session:
        assert drift(session, panel, clock()) is None


def test_without_a_champion_there_is_no_drift(sessions, panel, clock):
    with sessions() as session:
        assert drift(session, panel, clock()) is None
