"""/metrics: what Prometheus is told, held to what the API says, and checked by Prometheus' own tool."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from db import engine, queries
from jobs.due import RUNS_LOOKED_AT
from service.api import create_app

PROMTOOL = shutil.which("promtool")


@pytest.fixture
def panels(panel):
    """What is configured, by name."""
    return {panel.name: panel}


@pytest.fixture
def app(url, panels, clock, write_engine):
    read_engine = engine.reader(url)
    yield create_app(lambda: panels, engine.sessions(read_engine), clock, lambda: True)
    read_engine.dispose()


@pytest.fixture
def client(app):
    with TestClient(app, base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def values(client):
    """The metrics now: values of a name by their labels."""

    def ask():
        found = {}
        for family in text_string_to_metric_families(client.get("/metrics").text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    return ask


def labels(**named):
    return tuple(sorted(named.items()))


SERIES = labels(panel="p", series="a")
PANEL = labels(panel="p")


def end_run(sessions, clock, job, outcome, seconds=2.0):
    with sessions.begin() as session:
        run = queries.start_run(session, job, "p", due=clock(), started=clock())
        queries.end_run(session, run, ended=clock() + timedelta(seconds=seconds), outcome=outcome, reason="")


@pytest.mark.skipif(PROMTOOL is None, reason="Debian's package prometheus, which brings promtool, is not installed")
def test_prometheus_own_check_finds_nothing(client, lived):
    checked = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=client.get("/metrics").content, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_ages_are_told_by_series(values, lived, client):
    ages = client.get("/api/v1/series/a/forecasts/latest").json()["ages"]
    told = values()
    assert told["rollcast_data_age_seconds"] == {SERIES: ages["data_s"]}
    assert told["rollcast_forecast_age_seconds"] == {SERIES: pytest.approx(ages["forecast_s"], abs=1)}
    assert told["rollcast_model_age_seconds"] == {PANEL: pytest.approx(ages["model_s"], abs=1)}


def test_the_present_state_alone_is_told(values, lived, clock):
    assert values()["rollcast_state"] == {labels(panel="p", series="a", status="fresh"): 1.0}
    clock.advance(days=2)
    assert values()["rollcast_state"] == {labels(panel="p", series="a", status="expired"): 1.0}


def test_errors_of_a_week_are_told_beside_the_naives(values, lived, client):
    score = client.get("/api/v1/series/a/scores?window=7d").json()["windows"]["7d"]
    told = values()
    assert told["rollcast_mae_7d"] == {SERIES: pytest.approx(score["mae"])}
    assert told["rollcast_naive_mae_7d"] == {SERIES: pytest.approx(score["naive_mae"])}
    assert told["rollcast_error_ratio_7d"] == {SERIES: pytest.approx(1 - score["skill"])}
    assert told["rollcast_scored_steps_7d"] == {PANEL: score["scored_steps"]}
    assert told["rollcast_pending_scores"] == {PANEL: score["pending_steps"]}


def test_coverage_is_told_beside_what_it_should_be(values, lived, client):
    coverage = client.get("/api/v1/series/a/scores?window=7d").json()["windows"]["7d"]["coverage"]
    told = values()
    for level in ("80", "95"):
        place = labels(panel="p", level=level)
        assert told["rollcast_coverage_7d"][place] == pytest.approx(coverage[level])
        assert told["rollcast_coverage_nominal"][place] == int(level) / 100


def test_the_version_of_the_model_that_serves_is_told(values, lived):
    assert values()["rollcast_champion_version"] == {PANEL: 1.0}


def test_when_a_refit_will_be_overdue_is_told_by_its_schedule(values, panel, panels, sessions, clock):
    clock.now = datetime(2026, 1, 9, 22, tzinfo=UTC)  # on a Friday, an hour after the close
    end_run(sessions, clock, "refit", "ok")
    assert values()["rollcast_refit_overdue_timestamp_seconds"] == {PANEL: (clock() + timedelta(days=3)).timestamp()}
    panels["p"] = replace(panel, calendar="XNYS", refit_after_close=timedelta(hours=1))
    assert values()["rollcast_refit_overdue_timestamp_seconds"] == {PANEL: (clock() + timedelta(days=5)).timestamp()}


def test_the_last_run_that_ended_is_told(values, sessions, clock):
    end_run(sessions, clock, "fetch", "ok", seconds=2.5)
    with sessions.begin() as session:
        queries.start_run(session, "fetch", "p", due=clock(), started=clock() + timedelta(minutes=1))
    place, told = labels(panel="p", task="fetch"), values()
    assert told["rollcast_run_duration_seconds"] == {place: 2.5}
    assert told["rollcast_run_ended_timestamp_seconds"] == {place: clock().timestamp() + 2.5}


def test_failures_are_counted_from_the_last_run_that_went_well(values, sessions, clock):
    for outcome in ("failed", "ok", "failed", "failed"):
        end_run(sessions, clock, "refit", outcome)
        clock.advance(minutes=1)
    place, told = labels(panel="p", task="refit"), values()
    assert told["rollcast_run_failures_in_a_row"] == {place: 2.0}
    assert told["rollcast_run_succeeded_timestamp_seconds"] == {place: (clock() - timedelta(minutes=3)).timestamp() + 2}


def test_a_run_that_went_well_is_told_however_many_have_failed_since(values, sessions, clock):
    end_run(sessions, clock, "refit", "ok")
    well = clock().timestamp()
    for _ in range(2 * RUNS_LOOKED_AT):
        clock.advance(hours=1)
        end_run(sessions, clock, "refit", "failed")
    told = values()
    assert told["rollcast_run_succeeded_timestamp_seconds"] == {labels(panel="p", task="refit"): well + 2}
    assert told["rollcast_refit_overdue_timestamp_seconds"] == {PANEL: well + 3 * 86_400}


def test_refits_that_wait_are_told_as_the_daemon_counts_them(values, app):
    app.state.waiting = lambda: {"refit": 3}
    assert values()["rollcast_queue_depth"] == {labels(task="refit"): 3.0}


def test_the_process_and_the_version_are_told(values):
    told = values()
    assert told["process_resident_memory_bytes"][()] > 0
    assert list(told["rollcast_build_info"].values()) == [1.0]
    assert told["rollcast_disk_free_bytes"][()] > 0
    assert told["rollcast_scheduler_ticking"] == {(): 1.0}


def test_a_panel_that_is_configured_no_more_is_not_told(values, sessions, clock, url, write_engine):
    with sessions.begin() as session:
        queries.add_series(session, "b", "gone")
        queries.start_run(session, "fetch", "gone", due=clock(), started=clock())
    assert not [place for of in values().values() for place in of if ("panel", "gone") in place]


def test_names_of_any_kind_are_told_so_that_they_can_be_read_back(values, sessions):
    name = 'a "quoted"\\name\nof two lines {x="y"}'
    with sessions.begin() as session:
        queries.add_series(session, name, "p")
    assert labels(panel="p", series=name, status="insufficient_data") in values()["rollcast_state"]


def test_openmetrics_is_answered_where_it_is_asked_for(client):
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
