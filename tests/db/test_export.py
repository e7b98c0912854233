"""Whole histories, a bounded number of rows at a time."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event

from db import export, queries
from db.queries import NewStep
from db.times import to_us
from tests.conftest import T0

HOUR = timedelta(hours=1)


def flat(parts):
    return [row for rows in parts for row in rows]


@pytest.fixture
def series(session):
    return queries.add_series(session, "a", "p").id


@pytest.fixture
def told(session, series):
    """What is exported of the observations, and what `queries.observations` says."""

    def ask(as_of, start=None, end=None):
        span = {"as_of": as_of, "start": start, "end": end}
        return flat(export.observations(session, series, **span)), queries.observations(session, series, **span)

    return ask


@pytest.mark.parametrize("seed", range(10))
def test_observations_are_those_of_the_query_with_revisions_factors_and_parts(session, series, told, seed, monkeypatch):
    monkeypatch.setattr(export, "ROWS", 7)
    rng = np.random.default_rng(seed)
    for learnt in range(4):
        hours = sorted(rng.choice(50, size=30, replace=False).tolist())
        pairs = [(to_us(T0 + k * HOUR), float(rng.normal())) for k in hours]
        queries.add_observations(session, series, pairs, T0 + learnt * HOUR)
        at = [(to_us(T0 + int(k) * HOUR), float(rng.uniform(0.5, 2))) for k in rng.choice(60, size=2)]
        queries.add_factors(session, series, at, T0 + learnt * HOUR)
    for as_of in (T0 - HOUR, T0, T0 + 2 * HOUR, T0 + 9 * HOUR):
        for start, end in ((None, None), (T0 + 10 * HOUR, T0 + 30 * HOUR), (T0 + 49 * HOUR, None)):
            exported, expected = told(as_of, start, end)
            assert exported == expected


def test_they_come_in_parts_of_a_bounded_size(session, series, monkeypatch):
    monkeypatch.setattr(export, "ROWS", 100)
    queries.add_observations(session, series, ((k, 1.0) for k in range(1050)), T0)
    parts = list(export.observations(session, series, as_of=T0, start=None, end=None))
    assert [len(rows) for rows in parts] == [100] * 10 + [50]


@pytest.fixture
def issued(session, series, store_model):
    """Two forecasts, from hour 0 and hour 1, of two steps; of the second one a later model's. Hour 1 is scored."""
    models = [store_model(session).id for _ in range(2)]
    for cutoff, model, mean in ((0, models[1], 10.0), (1, models[1], 20.0), (1, models[0], 30.0)):
        at = T0 + cutoff * HOUR
        steps = [
            NewStep(at + k * HOUR, mean + k, 0.0, {80: (mean - k, mean + k), 95: (mean - 2 * k, mean + 2 * k)})
            for k in (1, 2)
        ]
        queries.issue(session, series, model, at, at + HOUR * (1 + (mean == 30.0)), steps)
    queries.add_observations(session, series, [(to_us(T0 + HOUR), 12.5)], T0 + 2 * HOUR)
    queries.fill_scores(session, series, T0 + 2 * HOUR)
    return series


def forecasts(session, series, **more):
    span = {"as_of": T0 + 9 * HOUR, "start": None, "end": None, "levels": [80, 95], "scored": False, **more}
    rows = flat(export.forecasts(session, series, **span))
    return [((target - to_us(T0)) // 3_600_000_000, (cutoff - to_us(T0)) // 3_600_000_000, *rest)
            for target, cutoff, *rest in rows]  # fmt: skip


def test_forecasts_come_by_cutoff_and_step_with_their_bounds_the_last_issued_of_each_cutoff(session, issued):
    assert forecasts(session, issued) == [
        (1, 0, 11.0, 9.0, 11.0, 8.0, 12.0),
        (2, 0, 12.0, 8.0, 12.0, 6.0, 14.0),
        (2, 1, 31.0, 29.0, 31.0, 28.0, 32.0),
        (3, 1, 32.0, 28.0, 32.0, 26.0, 34.0),
    ]


def test_as_of_a_moment_a_forecast_that_was_issued_later_is_not_there(session, issued):
    assert [row[2] for row in forecasts(session, issued, as_of=T0 + 2 * HOUR, levels=[])] == [11.0, 12.0, 21.0, 22.0]
    assert [row[2] for row in forecasts(session, issued, as_of=T0 + HOUR, levels=[])] == [11.0, 12.0]


def test_start_and_end_are_of_the_targets(session, issued):
    found = forecasts(session, issued, start=T0 + 2 * HOUR, end=T0 + 2 * HOUR, levels=[])
    assert [row[:2] for row in found] == [(2, 0), (2, 1)]


def test_a_level_that_a_forecast_does_not_have_is_none(session, issued):
    assert forecasts(session, issued, levels=[50, 80])[0] == (1, 0, 11.0, None, None, 9.0, 11.0)


def test_scores_are_the_steps_whose_truth_is_known_with_the_truth(session, issued):
    assert forecasts(session, issued, scored=True, levels=[]) == [(1, 0, 11.0, 12.5)]
    assert forecasts(session, issued, scored=True, levels=[], as_of=T0 + HOUR) == []


@pytest.mark.parametrize("scored", [False, True])
def test_nothing_is_sorted_and_no_forecast_looked_for_among_all(session, issued, scored):
    asked = []
    listen = event.listens_for(session.get_bind(), "before_cursor_execute")
    listen(lambda _connection, _cursor, statement, parameters, *_: asked.append((statement, parameters)))
    forecasts(session, issued, scored=scored)
    plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1][0]}", asked[-1][1])
    steps = [row[3] for row in plan]
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps)
    assert any("(series_id=? AND cutoff=?)" in step for step in steps)


def test_the_levels_are_those_of_the_ledger(session, issued):
    other = queries.add_series(session, "b", "p").id
    assert export.levels(session, [issued, other]) == [80, 95]
    assert export.levels(session, [other]) == []
