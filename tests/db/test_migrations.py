"""A database of an older version is brought up to date without a loss."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from db import engine, queries

MIGRATIONS = Path(engine.__file__).parent / "migrations"
MODEL = "INSERT INTO models (id, panel, version, kind, cutoff, trained_at, promoted_at, verdict, content)"
BEFORE = (
    "INSERT INTO series (id, name, panel) VALUES (1, 'a', 'p')",
    f"{MODEL} VALUES (1, 'p', 1, 'naive', 10, 10, 9000, 'first', x'01')",  # promoted by a clock that ran ahead
    f"{MODEL} VALUES (2, 'q', 1, 'naive', 20, 20, 20, 'other', x'02')",
    f"{MODEL} VALUES (3, 'p', 2, 'rnn', 30, 30, 30, 'better', x'03')",
    f"{MODEL} VALUES (4, 'p', 3, 'rnn', 40, 40, NULL, 'worse', x'04')",
    "INSERT INTO forecasts (id, series_id, model_id, cutoff, issued_at) VALUES (1, 1, 3, 50, 60)",
    "INSERT INTO forecast_steps (forecast_id, step, target_ts, mean, naive) VALUES (1, 1, 70, 1.5, 1.0)",
)


DAY = 86_400_000_000  # µs
SCORED = (
    "INSERT INTO series (id, name, panel) VALUES (1, 'a', 'p'), (2, 'none', 'p'), (3, 'c', 'p')",
    "INSERT INTO models VALUES (1, 'p', 1, 'naive', 10, 10, 'first', x'01', 1)",
    "INSERT INTO forecasts VALUES (1, 1, 1, 50, 60, 1, 2.0), (2, 1, 1, 51, 60, NULL, NULL), (3, 3, 1, 50, 60, 1, 0.0)",
    "INSERT INTO forecast_bounds VALUES (1, 1, 80, 0, 2), (1, 1, 95, -1, 3), (1, 2, 80, 0, 2), (2, 1, 95, -1, 3)",
    """INSERT INTO scores VALUES
        (1, -86400000000, 1, 1, 2.0, 0.5, -0.75, 99),
        (1, -1, 1, 2, 3.0, -4.0, 1.0, 99),
        (1, 0, 2, 1, -2.0, 8.0, 2.0, 99),
        (1, 86399999999, 2, 2, 0.0, 16.0, 4.0, 99),
        (3, 864000000000, 3, 1, 0.0, 1.0, 1.0, 99)""",
)


def upgrade(url, revision, statements):
    """An engine on a database that was written by another version, brought up to date."""
    made = engine.writer(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with made.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.execute(text(statement))
    engine.migrate(made)
    return made


@pytest.fixture
def upgraded(url):
    """Sessions on a database that was written by the first version."""
    made = upgrade(url, "0001", BEFORE)
    yield engine.sessions(made)
    made.dispose()


@pytest.fixture
def scored(url):
    """Sessions on a database with scores that was written before there were sums of them."""
    made = upgrade(url, "0003", SCORED)
    yield engine.sessions(made)
    made.dispose()


@pytest.mark.parametrize("key", ["day", "step"])
def test_sums_are_made_of_the_scores_that_are_there(scored, summed_up, stored_sums, key):
    with scored() as session:
        assert stored_sums(session, key) == summed_up(session, key)


def test_sums_of_days_begin_at_midnight_also_before_1970(scored, stored_sums):
    with scored() as session:
        days = stored_sums(session, "day")
    assert {at: (tally.error, tally.scaled_error, tally.inside) for at, tally in days.items()} == {
        (1, -DAY): (4.5, 2.25, {80: (1, 2), 95: (1, 1)}),
        (1, 0): (24.0, 0.0, {95: (0, 1)}),
        (3, 10 * DAY): (1.0, 0.0, {}),
    }


def test_the_champions_stay_who_they_were(upgraded):
    with upgraded() as session:
        assert {panel: queries.champion(session, panel).id for panel in "pq"} == {"p": 3, "q": 2}
        assert queries.previous_champion(session, "p").id == 1


def test_promotions_are_kept_in_order_of_writing_with_their_moment(upgraded):
    with upgraded() as session:
        rows = session.execute(text("SELECT panel, model_id, promoted_at FROM promotions ORDER BY id")).all()
    assert rows == [("p", 1, 9000), ("q", 2, 20), ("p", 3, 30)]


def test_models_keep_all_else_and_those_that_were_promoted_count_as_accepted(upgraded):
    with upgraded() as session:
        models = queries.models_of_panel(session, "p")
        told = [(model.version, model.kind, model.verdict, model.accepted, model.content) for model in models]
    assert told == [
        (3, "rnn", "worse", False, b"\x04"),
        (2, "rnn", "better", True, b"\x03"),
        (1, "naive", "first", True, b"\x01"),
    ]


def test_forecasts_stay_and_have_neither_unit_nor_scale(upgraded):
    with upgraded() as session:
        forecast, model = queries.latest_forecast(session, 1)
        (step,) = queries.steps_of(session, [forecast.id])[forecast.id]
    assert (model.version, forecast.unit, forecast.scale, step.mean) == (2, None, None, 1.5)


def test_the_ledger_still_refuses_changes(upgraded):
    with upgraded() as session, pytest.raises(Exception, match="append-only"):
        session.execute(text("UPDATE forecasts SET cutoff = 0"))
