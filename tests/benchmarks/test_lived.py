"""The database that others measure on is one that the program could have written."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.lived import PANEL, configuration, make_database
from db import engine, queries
from jobs.forecast import serving
from service import settings

NEWEST = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A folder with a database of 3 series, 40 forecasts of 4 steps each."""
    folder = tmp_path_factory.mktemp("lived")
    make_database(folder / "data" / "rollcast.db", 3, 60, 40, 4, newest=NEWEST)
    (folder / "rollcast.toml").write_text(configuration(4))
    return folder


@pytest.fixture
def reading(lived):
    made = engine.reader(f"sqlite:///{lived}/data/rollcast.db")
    with engine.sessions(made)() as session:
        yield session
    made.dispose()


def test_it_is_up_to_date_and_holds_together(lived):
    writer = engine.writer(f"sqlite:///{lived}/data/rollcast.db")
    engine.migrate(writer)
    with writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    writer.dispose()


def test_every_step_is_either_scored_or_pending(reading):
    for series in queries.series_of_panel(reading, PANEL):
        summary = queries.score_summary(reading, series.id, by_step=True)
        assert (summary.all.count, summary.pending) == (40 * 4 - 10, 4 + 3 + 2 + 1)
        assert [tally.count for tally in summary.by_step.values()] == [39, 38, 37, 36]
        assert summary.all.inside[95][0] > summary.all.inside[80][0] > 0


def test_its_scores_are_those_that_the_program_gives(lived, tmp_path):
    """Scored anew from the same forecasts and observations."""
    copy = tmp_path / "copy.db"
    shutil.copy(lived / "data" / "rollcast.db", copy)
    made = engine.writer(f"sqlite:///{copy}")
    scores = "SELECT series_id, target_ts, forecast_id, step, value, error, naive_error FROM scores"
    with engine.sessions(made).begin() as session:
        connection = session.connection()
        before = connection.exec_driver_sql(scores).all(), queries.score_summary(session, 2, by_step=True)
        connection.exec_driver_sql(
            "INSERT INTO pending_scores SELECT series_id, target_ts, forecast_id, step FROM scores"
        )
        for table in ("scores", "score_days", "score_steps"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
        for series_id in (1, 2, 3):
            queries.fill_scores(session, series_id, NEWEST + 2 * HOUR)
        after = connection.exec_driver_sql(scores).all(), queries.score_summary(session, 2, by_step=True)
    made.dispose()
    assert after[0] == before[0]
    assert after[1].all.error == pytest.approx(before[1].all.error)
    assert after[1].all.inside == before[1].all.inside


def test_its_model_can_forecast(lived, reading):
    (panel,) = settings.load(lived / "rollcast.toml", {}).build_panels()
    served = serving(reading, panel)
    assert served is not None
    assert (served[1].horizon, tuple(served[1].levels)) == (panel.horizon, panel.levels)


def test_the_same_seed_makes_the_same_values(tmp_path):
    told = []
    for k in range(2):
        make_database(tmp_path / f"{k}.db", 1, 20, 5, 2, seed=7)
        made = engine.reader(f"sqlite:///{tmp_path}/{k}.db")
        with engine.sessions(made)() as session:
            told.append(queries.observations(session, 1, as_of=NEWEST))
        made.dispose()
    assert told[0] == told[1] != []


def test_more_forecasts_than_observations_are_refused(tmp_path):
    with pytest.raises(ValueError, match="9 forecasts of 5 observations"):
        make_database(tmp_path / "x.db", 1, 5, 9)
