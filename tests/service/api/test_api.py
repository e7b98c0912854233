"""The read API, over HTTP messages, on a real database."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from db import engine, queries
from db.times import to_us
from jobs.fetch import fetch
from service.api import create_app

WALK = np.random.default_rng(0).normal(size=400).cumsum()


@pytest.fixture
def ticking():
    return [True]


@pytest.fixture
def client(url, panel, clock, ticking, write_engine):
    read_engine = engine.reader(url)
    app = create_app(lambda: {panel.name: panel}, engine.sessions(read_engine), clock, lambda: ticking[0])
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened
    read_engine.dispose()


def test_it_is_alive(client):
    assert client.get("/healthz").json() == {"status": "alive"}


def test_it_is_ready_while_the_scheduler_ticks(client):
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_when_the_scheduler_stands_still(client, ticking):
    ticking[0] = False
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "scheduler_stopped"


def test_it_is_not_ready_without_its_database(client, tmp_path, write_engine):
    write_engine.dispose()
    for file in tmp_path.glob("test.db*"):
        file.unlink()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "database_unreachable"


def test_the_series_are_listed_with_their_state(client, lived):
    (series,) = client.get("/api/v1/series").json()["series"]
    assert (series["name"], series["panel"], series["status"], series["horizon"]) == ("a", "p", "fresh", 3)
    assert series["next"]["step"] == 1
    assert series["score_7d"]["scored_steps"] == 9


def test_one_series_is_what_the_list_says_of_it(client, lived):
    assert client.get("/api/v1/series/a").json() == client.get("/api/v1/series").json()["series"][0]


def test_the_latest_forecast_tells_its_state_age_model_and_steps(client, lived, clock):
    answer = client.get("/api/v1/series/a/forecasts/latest").json()
    assert (answer["status"], answer["model"], answer["model_version"]) == ("fresh", "naive", 1)
    assert answer["ages"] == {"data_s": 600.0, "forecast_s": 600.0, "model_s": 4 * 3600 + 600.0}
    assert [step["step"] for step in answer["steps"]] == [1, 2, 3]
    step = answer["steps"][0]
    assert set(step["intervals"]) == {"80", "95"}
    assert step["intervals"]["95"][0] < step["intervals"]["80"][0] < step["mean"] < step["intervals"]["80"][1]


def test_times_are_iso_8601_with_z(client, lived):
    answer = client.get("/api/v1/series/a/forecasts/latest").json()
    for name in ("issued_at", "cutoff", "model_trained_at"):
        assert answer[name].endswith("Z")
        datetime.fromisoformat(answer[name])


def test_the_first_target_comes_one_interval_after_the_cutoff(client, lived):
    answer = client.get("/api/v1/series/a/forecasts/latest").json()
    first = datetime.fromisoformat(answer["steps"][0]["target_ts"])
    assert first - datetime.fromisoformat(answer["cutoff"]) == timedelta(hours=1)


def test_a_series_without_a_model_says_what_it_waits_for(client, sessions, panel, source, clock, means):
    from jobs.fetch import fetch

    source.put("a", range(10))
    clock.advance(hours=10)
    fetch(sessions, panel, clock, means)
    answer = client.get("/api/v1/series/a/forecasts/latest").json()
    assert (answer["status"], answer["steps"], answer["model"]) == ("insufficient_data", [], None)
    assert answer["reason"] == "10 of the 24 consecutive observations that a first model needs; 14h to go"


def test_a_model_that_this_version_cannot_read_is_none(client, sessions, panel, source, clock, means, store_model):
    source.put("a", WALK[:300])
    clock.advance(hours=300)
    fetch(sessions, panel, clock, means)
    with sessions.begin() as session:
        store_model(session, kind="rnn", content=b"?")
    assert client.get("/api/v1/series/a").json()["status"] == "no_model"


def test_an_old_forecast_is_told_to_be_one(client, lived, clock):
    clock.advance(hours=2, minutes=5)
    assert client.get("/api/v1/series/a/forecasts/latest").json()["status"] == "stale"
    clock.advance(hours=1)
    assert client.get("/api/v1/series/a/forecasts/latest").json()["status"] == "expired"


def test_a_failing_source_is_told_with_its_reason(client, sessions, lived, source, clock, means):
    from jobs.fetch import fetch
    from jobs.sources.base import SourceDownError

    source.down = "no route to host"
    with pytest.raises(SourceDownError):
        fetch(sessions, lived, clock, means)
    answer = client.get("/api/v1/series/a/forecasts/latest").json()
    assert answer["status"] == "source_down"
    assert "no route to host" in answer["reason"]


def test_observations_come_oldest_first_between_start_and_end(client, lived):
    everything = client.get("/api/v1/series/a/observations").json()["observations"]
    assert len(everything) == 304
    span = {"start": everything[10]["ts"], "end": everything[12]["ts"]}
    assert client.get("/api/v1/series/a/observations", params=span).json()["observations"] == everything[10:13]


def test_a_limit_keeps_the_newest_observations(client, lived):
    everything = client.get("/api/v1/series/a/observations").json()["observations"]
    assert client.get("/api/v1/series/a/observations?limit=2").json()["observations"] == everything[-2:]


def test_forecasts_come_newest_first_and_can_be_asked_for_from_a_moment_on(client, lived):
    found = client.get("/api/v1/series/a/forecasts").json()["forecasts"]
    assert len(found) == 5
    assert [f["issued_at"] for f in found] == sorted((f["issued_at"] for f in found), reverse=True)
    later = client.get("/api/v1/series/a/forecasts", params={"issued_after": found[2]["issued_at"]}).json()
    assert later["forecasts"] == found[:2]
    assert client.get("/api/v1/series/a/forecasts?limit=1").json()["forecasts"] == found[:1]


def test_the_ledger_tells_the_state_that_the_series_is_in(client, lived):
    answer = client.get("/api/v1/series/a/forecasts").json()
    assert (answer["status"], answer["reason"]) == ("fresh", "made from the newest observation")


def test_scores_hold_the_forecasts_against_the_truth_and_the_naive(client, lived):
    window = client.get("/api/v1/series/a/scores").json()["windows"]["all"]
    assert (window["scored_steps"], window["pending_steps"]) == (9, 6)
    assert window["mae"] == window["naive_mae"] > 0
    assert window["skill"] == 0.0
    assert set(window["coverage"]) == {"80", "95"}


def test_scores_are_told_step_by_step(client, lived):
    window = client.get("/api/v1/series/a/scores").json()["windows"]["all"]
    assert [(step["step"], step["scored"]) for step in window["by_step"]] == [(1, 4), (2, 3), (3, 2)]
    for step in (window, *window["by_step"]):
        assert step["mae"] == step["naive_mae"] > 0
        assert step["skill"] == 0.0
        assert step["mase"] > 0
        assert set(step["coverage"]) == {"80", "95"}


def test_a_forecaster_exact_on_y_equals_t_scores_zero_at_every_step(client, sessions, clock, store_model):
    hour = timedelta(hours=1)
    with sessions.begin() as session:
        series, model = queries.add_series(session, "line", "p"), store_model(session, kind="exact")
        for k in range(10):
            cutoff = clock() + k * hour
            steps = [queries.NewStep(cutoff + h * hour, k + h, k, {80: (k + h - 1, k + h + 1)}) for h in (1, 2, 3)]
            queries.issue(session, series.id, model.id, cutoff, cutoff, steps, unit=1.0, scale=1.0)
        truth = [(to_us(clock() + t * hour), float(t)) for t in range(14)]
        queries.add_observations(session, series.id, truth, clock())
        queries.fill_scores(session, series.id, clock())
    window = client.get("/api/v1/series/line/scores").json()["windows"]["all"]
    figures = {"mae": 0.0, "mase": 0.0, "skill": 1.0, "coverage": {"80": 1.0}}
    assert window["by_step"] == [{"step": h, "scored": 10, "naive_mae": float(h), **figures} for h in (1, 2, 3)]
    assert (window["mae"], window["mase"]) == (0.0, 0.0)


def test_what_was_never_scored_has_no_figures(client, sessions, clock):
    with sessions.begin() as session:
        queries.add_series(session, "new", "p")
    window = client.get("/api/v1/series/new/scores").json()["windows"]["7d"]
    assert (window["scored_steps"], window["mae"], window["mase"], window["by_step"]) == (0, None, None, [])


def test_a_refit_that_drift_forced_is_told_with_its_reason(client, sessions, lived, clock):
    reason = "drift: live error 2.4 × what validation promised, since 2026-01-17 00:00:00Z; naive serves: level"
    with sessions.begin() as session:
        run = queries.start_run(session, "refit", "p", due=clock(), started=clock())
        queries.end_run(session, run, ended=clock(), outcome="ok", reason=reason)
    assert client.get("/api/v1/series/a").json()["last_refit"]["reason"] == reason


def test_an_unknown_series_is_a_404_that_names_those_there_are(client, lived):
    for path in ("", "/observations", "/forecasts", "/forecasts/latest", "/scores"):
        answer = client.get(f"/api/v1/series/nope{path}")
        assert answer.status_code == 404
        assert answer.json() == {
            "error": {"code": "unknown_series", "message": "there is no series 'nope'", "hint": "there are a"}
        }


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "not_found"),
        ("/api/v1/series/a/forecasts?limit=0", 422, "bad_parameter"),
        ("/api/v1/series/a/forecasts?limit=many", 422, "bad_parameter"),
        ("/api/v1/series/a/observations?start=soon", 422, "bad_parameter"),
    ],
)
def test_every_error_has_the_one_shape(client, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]


def test_nothing_can_be_written(client):
    answer = client.post("/api/v1/series")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_a_fault_of_ours_has_the_one_shape_too(client, lived, write_engine):
    with write_engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE scores")
    answer = client.get("/api/v1/series/a/scores")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")


def test_a_name_with_slashes_and_signs_can_be_asked_for(client, sessions):
    with sessions.begin() as session:
        queries.add_series(session, "hall/temp °C?", "p")
    answer = client.get("/api/v1/series/hall%2Ftemp%20%C2%B0C%3F/forecasts/latest")
    assert answer.json()["series"] == "hall/temp °C?"


def test_a_series_of_a_panel_that_is_no_longer_configured_is_not_shown(client, sessions):
    with sessions.begin() as session:
        queries.add_series(session, "old", "gone")
    assert client.get("/api/v1/series").json() == {"series": []}
    assert client.get("/api/v1/series/old").status_code == 404


def test_nan_never_reaches_the_wire(client, sessions, panel, clock, store_model):
    with sessions.begin() as session:
        series = queries.add_series(session, "a", "p")
        model = store_model(session, kind="rnn")
        steps = [queries.NewStep(clock(), float("inf"), 0.0, {80: (-float("inf"), float("inf"))})]
        queries.issue(session, series.id, model.id, clock(), clock(), steps)
    text = client.get("/api/v1/series/a/forecasts/latest").text
    step = json.loads(text, parse_constant=lambda name: pytest.fail(name))["steps"][0]
    assert (step["mean"], step["intervals"]) == (None, {"80": [None, None]})
    assert np.isfinite(step["naive"])


def test_the_front_door_says_where_to_go(client):
    assert client.get("/").json()["series"] == "/api/v1/series"


def test_times_without_an_offset_count_as_utc(client, lived):
    with_z = client.get("/api/v1/series/a/observations?start=2026-01-10T00:00:00Z").json()
    assert client.get("/api/v1/series/a/observations?start=2026-01-10T00:00:00").json() == with_z
