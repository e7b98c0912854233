"""The ledger: which forecasts are told, and their steps."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, inspect

from db import queries
from db.queries import NewStep
from db.times import to_us

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def issue(session, series, model, cutoff, issued_at=None, steps=2):
    """A forecast whose step k has mean k."""
    made = [
        NewStep(cutoff + k * HOUR, float(k), 0.0, {95: (k - 2.0, k + 2.0), 80: (k - 1.0, k + 1.0)})
        for k in range(1, steps + 1)
    ]
    assert queries.issue(session, series.id, model.id, cutoff, issued_at or cutoff, made)
    return queries.forecasts(session, series.id, cutoff=cutoff, limit=1)[0][0].id


@pytest.fixture
def issued(session, series, model, store_model):
    """Ids of forecasts of hours 0 to 5 in order, by version 1 and, from hour 3 on, by version 2; beside another's."""
    other = queries.add_series(session, "b", "p")
    models = [model] * 3 + [store_model(session)] * 3
    ids = []
    for k, made_by in enumerate(models):
        ids.append(issue(session, series, made_by, T0 + k * HOUR))
        issue(session, other, made_by, T0 + k * HOUR)
    return ids


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"issued_after": T0 + 3 * HOUR}, [5, 4]),
        ({"issued_before": T0 + 2 * HOUR}, [1, 0]),
        ({"issued_after": T0, "issued_before": T0 + 3 * HOUR}, [2, 1]),
        ({"cutoff": T0 + 4 * HOUR}, [4]),
        ({"cutoff": T0 + HOUR / 2}, []),
        ({"version": 1}, [2, 1, 0]),
        ({"version": 2, "issued_after": T0 + 3 * HOUR}, [5, 4]),
        ({"version": 3}, []),
    ],
)
def test_forecasts_come_newest_first_as_asked_for(session, series, issued, asked, expected):
    found = queries.forecasts(session, series.id, **asked, limit=9)
    assert [forecast.id for forecast, _ in found] == [issued[k] for k in expected]


def test_the_version_is_of_the_series_own_panel(session, store_model):
    other, series = queries.add_series(session, "a", "p"), queries.add_series(session, "b", "q")
    issue(session, other, store_model(session), T0)
    forecast = issue(session, series, store_model(session, "q"), T0)
    assert [found.id for found, _ in queries.forecasts(session, series.id, version=1, limit=9)] == [forecast]


def place(forecast):
    return to_us(forecast.issued_at), forecast.id


@pytest.mark.parametrize("asked", [{}, {"version": 1}, {"issued_after": T0}])
def test_pages_of_forecasts_follow_each_other(session, series, issued, asked):
    whole = queries.forecasts(session, series.id, **asked, limit=9)
    paged, before = [], None
    while page := queries.forecasts(session, series.id, **asked, before=before, limit=2):
        paged += page
        before = place(page[-1][0])
    assert paged == whole


def test_forecasts_issued_at_the_same_moment_are_paged_in_order_of_writing(session, series, model):
    ids = [issue(session, series, model, T0 + k * HOUR, issued_at=T0) for k in range(4)]
    first = queries.forecasts(session, series.id, limit=2)
    second = queries.forecasts(session, series.id, before=place(first[-1][0]), limit=9)
    assert [forecast.id for forecast, _ in first + second] == ids[::-1]


def test_a_page_goes_on_where_its_forecast_was_forgotten(session, series, issued):
    whole = queries.forecasts(session, series.id, limit=9)
    before = place(whole[2][0])
    queries.delete_forecasts(session, [whole[2][0].id])
    assert queries.forecasts(session, series.id, before=before, limit=9) == whole[3:]


def test_a_model_s_content_is_not_read_with_its_forecasts(session, series, issued):
    session.expunge_all()
    models = [queries.latest_forecast(session, series.id)[1]]
    models += [model for _, model in queries.forecasts(session, series.id, limit=9)]
    assert {name for model in models for name in inspect(model).unloaded} == {"content"}


def test_the_latest_forecasts_of_many_series_are_those_of_each(session, store_model):
    draw = random.Random(0)
    models = [store_model(session) for _ in range(3)]
    many = [queries.add_series(session, f"s{k}", "p") for k in range(30)]
    for series in many[1:]:
        for made_by in draw.sample(models, 3):
            for hour in draw.sample(range(3), draw.randrange(1, 4)):
                issue(session, series, made_by, T0 + hour * HOUR)
    queries.promote(session, models[0], T0, "rolled back")
    expected = {
        series.id: min(
            queries.forecasts(session, series.id, limit=99),
            key=lambda found: (-found[0].cutoff.timestamp(), found[1] is not models[0], -found[0].id),
        )
        for series in many[1:]
    }
    assert {found[1].version for found in expected.values()} == {1, 2, 3}
    assert queries.latest_forecasts(session, "p", [series.id for series in many]) == expected
    assert {series.id: queries.latest_forecast(session, series.id) for series in many[1:]} == expected
    assert queries.latest_forecast(session, many[0].id) is None


def test_where_no_model_was_promoted_the_forecast_issued_last_is_the_latest(session, series, store_model):
    first, second = (store_model(session, promoted=False) for _ in range(2))
    for made_by in (second, first):
        issue(session, series, made_by, T0)
    assert queries.latest_forecasts(session, "p", [series.id])[series.id][1] is first


def test_of_no_series_there_are_no_latest_forecasts(session):
    assert queries.latest_forecasts(session, "p", []) == {}
    assert queries.latest_forecast(session, 4711) is None


def test_bounds_come_in_order_of_level(session, series, model):
    forecast = issue(session, series, model, T0)
    for step in queries.steps_of(session, [forecast])[forecast]:
        assert list(step.bounds.items()) == [
            (80, (step.mean - 1, step.mean + 1)),
            (95, (step.mean - 2, step.mean + 2)),
        ]


def test_the_steps_of_any_number_of_forecasts_are_told(session, series, model):
    forecast = issue(session, series, model, T0)
    ids = list(range(300_000))  # SQLite takes at most 250,000 variables, or 32,766
    found = queries.steps_of(session, ids)
    assert [step.step for step in found.pop(forecast)] == [1, 2]
    assert not any(found.values())


def test_a_forecast_without_intervals_has_steps_without_bounds(session, series, model):
    queries.issue(session, series.id, model.id, T0, T0, [NewStep(T0 + HOUR, 1.0, 2.0, {})])
    (found,) = queries.steps_of(session, [1])[1]
    assert found == (1, T0 + HOUR, 1.0, 2.0, {})


def test_the_next_step_is_the_first_whose_target_is_after_a_moment(session, series, model):
    forecasts = [issue(session, series, model, T0 + k * HOUR, steps=3) for k in range(3)]
    steps = queries.steps_of(session, forecasts)
    found = queries.next_steps(session, dict.fromkeys(forecasts, T0 + 3 * HOUR))
    assert found == {forecasts[1]: steps[forecasts[1]][2], forecasts[2]: steps[forecasts[2]][1]}


def test_each_forecast_s_next_step_is_after_a_moment_of_its_own(session, series, model):
    forecasts = [issue(session, series, model, T0 + k * HOUR, steps=3) for k in range(2)]
    found = queries.next_steps(session, {forecasts[0]: T0 + 2 * HOUR, forecasts[1]: T0, 4711: T0})
    assert {forecast: step.step for forecast, step in found.items()} == {forecasts[0]: 3, forecasts[1]: 1}


def test_a_forecast_ends_with_the_target_of_its_last_step(session, series, model):
    forecasts = [issue(session, series, model, T0 + k * HOUR, steps=k + 1) for k in range(3)]
    ends = {forecast: T0 + (2 * k + 1) * HOUR for k, forecast in enumerate(forecasts)}
    assert queries.ends_of(session, [*forecasts, 4711]) == ends


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "ix_forecasts_issued"),
        ({"before": (1, 1)}, "ix_forecasts_issued (series_id=? AND issued_at<?)"),
        ({"issued_after": T0}, "ix_forecasts_issued (series_id=? AND issued_at>?)"),
        ({"cutoff": T0}, "(series_id=? AND cutoff=?)"),
        ({"version": 1}, "ix_forecasts_of_model (series_id=? AND model_id=?)"),
    ],
)
def test_forecasts_are_looked_up_in_an_index(session, series, asked, index):
    """However long the ledger is: else a page would cost as much as all of it."""
    statements = []
    bind = session.get_bind()

    def keep(_connection, _cursor, statement, parameters, _context, _many):
        statements.append((statement, parameters))

    event.listen(bind, "before_cursor_execute", keep)
    queries.forecasts(session, series.id, **asked, limit=9)
    event.remove(bind, "before_cursor_execute", keep)
    plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[0][0]}", statements[0][1])
    assert any(index in row[3] for row in plan)
