"""The resources of the read API, over HTTP messages, on a real database."""

import json
from datetime import datetime, timedelta
from typing import get_args
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient

from db import engine, queries
from db.times import to_us
from jobs.fetch import fetch
from service.api import create_app
from service.state import Status

WALK = np.random.default_rng(0).normal(size=400).cumsum()


@pytest.fixture
def ticking():
    return [True]


@pytest.fixture
def client(url, panel, clock, ticking, write_engine):
    read_engine = engine.reader(url)
    app = create_app(lambda: {panel.name: panel}, engine.sessions(read_engine), clock, lambda: ticking[0])
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
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
    window = client.get("/api/v1/series/a/scores?by=step").json()["windows"]["all"]
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
    window = client.get("/api/v1/series/line/scores?by=step").json()["windows"]["all"]
    figures = {"mae": 0.0, "mase": 0.0, "skill": 1.0, "coverage": {"80": 1.0}}
    assert window["by_step"] == [{"step": h, "scored": 10, "naive_mae": float(h), **figures} for h in (1, 2, 3)]
    assert (window["mae"], window["mase"]) == (0.0, 0.0)


def test_what_was_never_scored_has_no_figures(client, sessions, clock):
    with sessions.begin() as session:
        queries.add_series(session, "new", "p")
    window = client.get("/api/v1/series/new/scores?by=step").json()["windows"]["7d"]
    assert (window["scored_steps"], window["mae"], window["mase"], window["by_step"]) == (0, None, None, [])


def test_a_refit_that_drift_forced_is_told_with_its_reason(client, sessions, lived, clock):
    reason = "drift: live error 2.4 × what validation promised, since 2026-01-17 00:00:00Z; naive serves: level"
    with sessions.begin() as session:
        run = queries.start_run(session, "refit", "p", due=clock(), started=clock())
        queries.end_run(session, run, ended=clock(), outcome="ok", reason=reason)
    assert client.get("/api/v1/series/a").json()["last_refit"]["reason"] == reason


def test_an_unknown_series_is_a_404_that_names_those_there_are(client, lived):
    for path in ("", "/observations", "/forecasts", "/forecasts/latest", "/scores", "/models"):
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
        ("/api/v1/series/a/observations?start=0.5", 422, "bad_parameter"),
        ("/api/v1/series/a/observations?points=1", 422, "bad_parameter"),
        ("/api/v1/forecasts/latest?panel=q", 404, "unknown_panel"),
        ("/api/v1/forecasts/latest?series=", 422, "bad_parameter"),
        ("/api/v1/forecasts/latest?series=,", 422, "bad_parameter"),
        ("/api/v1/series/a/forecasts/latest?level=80;95", 422, "bad_parameter"),
        ("/api/v1/series/a/forecasts/latest?max_age=soon", 422, "bad_parameter"),
        ("/api/v1/series/a/scores?window=3d", 422, "bad_parameter"),
        ("/api/v1/series?status=good", 422, "bad_parameter"),
        ("/api/v1/series?next=!!", 422, "bad_parameter"),
        ("/api/v1/runs?next=WyJhIiwiYiJd", 422, "bad_parameter"),
        ("/api/v1/runs?job=sleep", 422, "bad_parameter"),
        ("/api/v1/forecasts/latest?series=" + "a," * 1001, 422, "bad_parameter"),
        ("/api/v1/runs?panel=q", 404, "unknown_panel"),
        ("/api/v1/series/a/forecasts/latest?max-age=1s", 422, "unknown_parameter"),
        ("/api/v1/stream?kinds=score", 422, "unknown_parameter"),
        ("/api/v1/series/a/forecasts/latest?level=80&level=95", 422, "bad_parameter"),
    ],
)
def test_every_error_has_the_one_shape(client, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]


def test_a_fault_of_ours_has_the_one_shape_too(client, lived, monkeypatch):
    monkeypatch.delattr(queries, "score_summary")
    answer = client.get("/api/v1/series/a/scores?window=7d")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("a/forecasts/latest?max_age=1.5h", "max_age = '1.5h': expected seconds, or a number with s, m, h, d, w or y"),
        ("a/forecasts/latest?level=99.5", "level = '99.5': expected whole numbers below 100 with commas between"),
        ("a/observations?start=5", "start = '5': expected a time in ISO 8601"),
        ("a/scores?by=" + "x" * 500, f"by = '{'x' * 199}…: input should be"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_told_in_words_with_what_could_be(client, lived, question, told):
    assert client.get(f"/api/v1/series/{question}").json()["error"]["message"].lower().startswith(told.lower())


def test_a_parameter_of_a_list_is_told_by_its_name(client, lived):
    told = client.get("/api/v1/forecasts/latest?series=").json()["error"]["message"]
    assert told == "series = '': expected names with commas between"


def test_a_parameter_that_there_is_not_is_told_with_the_one_that_was_meant(client, lived):
    error = client.get("/api/v1/series/a/forecasts/latest?max-age=1s").json()["error"]
    assert error["message"] == "there is no parameter 'max-age' here"
    assert error["hint"] == "did you mean max_age?"


def test_runs_of_a_panel_that_was_configured_once_can_be_asked_for(client, sessions, clock):
    with sessions.begin() as session:
        queries.start_run(session, "fetch", "before", due=clock(), started=clock())
    assert len(client.get("/api/v1/runs?panel=before").json()["runs"]) == 1


@pytest.fixture
def damaged(client, lived, write_engine, tmp_path):
    """The client of a database whose file was overwritten."""
    write_engine.dispose()
    for file in tmp_path.glob("test.db-*"):
        file.unlink()
    (tmp_path / "test.db").write_bytes(b"nothing of use" * 10_000)
    return client


@pytest.mark.parametrize(
    "path",
    ["/readyz", "/metrics", *(f"/api/v1/{path}" for path in ("series", "series/a/forecasts/latest", "runs", "stream"))],
)
def test_a_database_that_cannot_be_read_is_told_in_a_line(damaged, path):
    answer = damaged.get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "database_unreachable")
    assert error["message"] == "the database does not answer: file is not a database"


def test_a_name_with_slashes_and_signs_can_be_asked_for(client, sessions):
    with sessions.begin() as session:
        queries.add_series(session, "hall/temp °C?", "p")
    answer = client.get("/api/v1/series/hall%2Ftemp%20%C2%B0C%3F/forecasts/latest")
    assert answer.json()["series"] == "hall/temp °C?"


def test_a_series_of_a_panel_that_is_no_longer_configured_is_not_shown(client, sessions):
    with sessions.begin() as session:
        queries.add_series(session, "old", "gone")
    assert client.get("/api/v1/series").json() == {"series": [], "next": None}
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


def test_times_without_an_offset_count_as_utc(client, lived):
    with_z = client.get("/api/v1/series/a/observations?start=2026-01-10T00:00:00Z").json()
    assert client.get("/api/v1/series/a/observations?start=2026-01-10T00:00:00").json() == with_z


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def many(sessions, panel):
    """Seven series without anything."""
    with sessions.begin() as session:
        for name in ("a", "b", "c 100%", "C_d", "e", "f", "g"):
            queries.add_series(session, name, panel.name)


def names_of(answer):
    return [series["name"] for series in answer.json()["series"]]


def pages_of(client, path, **parameters):
    """Every page of a list."""
    pages = [client.get(path, params=parameters)]
    while following := pages[-1].json()["next"]:
        pages.append(client.get(path, params={**parameters, "next": following}))
    return pages


def test_a_list_goes_on_page_by_page_until_all_was_told_once(client, many):
    pages = pages_of(client, "/api/v1/series", limit=3)
    assert [len(names_of(page)) for page in pages] == [3, 3, 1]
    assert sorted(name for page in pages for name in names_of(page)) == ["C_d", "a", "b", "c 100%", "e", "f", "g"]


def test_a_list_of_one_status_goes_on_likewise(client, many, lived):
    assert names_of(client.get("/api/v1/series?status=fresh")) == ["a"]
    pages = pages_of(client, "/api/v1/series", limit=4, status="source_down")
    assert [len(names_of(page)) for page in pages] == [4, 2]


@pytest.mark.parametrize(("search", "found"), [("c", ["C_d", "c 100%"]), ("%", ["c 100%"]), ("_", ["C_d"]), ("z", [])])
def test_a_search_finds_what_holds_its_letters(client, many, search, found):
    assert sorted(names_of(client.get("/api/v1/series", params={"search": search}))) == found


def test_a_panel_that_is_none_is_told(client, many):
    assert len(names_of(client.get("/api/v1/series?panel=p"))) == 7
    answer = client.get("/api/v1/series?panel=q")
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        {"code": "unknown_panel", "message": "there is no panel 'q'", "hint": "there are p"},
    )


def test_the_newest_observations_and_the_whole_forecast_come_with_a_series_where_asked_for(client, lived):
    bare = client.get("/api/v1/series/a").json()
    assert (bare["history"], bare["ahead"]) == (None, None)
    (told,) = client.get("/api/v1/series?history=5").json()["series"]
    assert told["history"] == client.get("/api/v1/series/a/observations?limit=5").json()["observations"]
    assert told["ahead"] == client.get("/api/v1/series/a/forecasts/latest").json()["steps"]


def test_forecasts_go_on_page_by_page(client, lived):
    pages = pages_of(client, "/api/v1/series/a/forecasts", limit=2)
    everything = client.get("/api/v1/series/a/forecasts").json()["forecasts"]
    assert [forecast for page in pages for forecast in page.json()["forecasts"]] == everything
    assert len(pages) == 3


def test_forecasts_can_be_asked_for_by_cutoff_model_and_time_of_issue(client, lived):
    everything = client.get("/api/v1/series/a/forecasts").json()["forecasts"]

    def found(**parameters):
        return client.get("/api/v1/series/a/forecasts", params=parameters).json()["forecasts"]

    assert found(cutoff=everything[2]["cutoff"]) == everything[2:3]
    assert found(issued_before=everything[2]["issued_at"]) == everything[3:]
    assert found(issued_after=everything[3]["issued_at"], issued_before=everything[0]["issued_at"]) == everything[1:3]
    assert found(model=1) == everything
    assert found(model=2) == []


def test_runs_are_told_newest_first_and_by_what_they_were(client, lived, sessions, clock):
    with sessions.begin() as session:
        for job, outcome in (("fetch", "ok"), ("fetch", "failed"), ("refit", "ok")):
            run = queries.start_run(session, job, "p", due=clock(), started=clock())
            queries.end_run(session, run, ended=clock() + timedelta(seconds=2), outcome=outcome, reason="so")
        queries.start_run(session, "refit", "q", due=clock(), started=clock())

    def found(**parameters):
        return [run["id"] for run in client.get("/api/v1/runs", params=parameters).json()["runs"]]

    assert found() == [4, 3, 2, 1]
    assert (found(panel="q"), found(job="fetch"), found(outcome="ok"), found(job="fetch", outcome="ok")) == (
        [4],
        [2, 1],
        [3, 1],
        [1],
    )
    assert [len(page.json()["runs"]) for page in pages_of(client, "/api/v1/runs", limit=3)] == [3, 1]
    first = client.get("/api/v1/runs?panel=q").json()["runs"][0]
    assert (first["outcome"], first["ended"], first["duration_s"]) == ("running", None, None)
    assert client.get("/api/v1/runs?outcome=failed").json()["runs"][0]["duration_s"] == 2.0


def test_a_panel_is_told_with_its_model_and_its_series_by_status(client, lived, many_but_a):
    (told,) = client.get("/api/v1/panels").json()["panels"]
    assert (told["name"], told["interval"], told["horizon"], told["levels"]) == ("p", "1h", 3, [80, 95])
    assert (told["model"], told["model_version"], told["series"]) == ("naive", 1, 2)
    assert told["statuses"] == {"fresh": 1, "insufficient_data": 1}


@pytest.fixture
def many_but_a(sessions, panel):
    with sessions.begin() as session:
        queries.add_series(session, "b", panel.name)


def test_the_models_of_a_series_are_its_panels(client, lived):
    answer = client.get("/api/v1/series/a/models").json()
    assert (answer["series"], answer["panel"]) == ("a", "p")
    (model,) = answer["models"]
    assert (model["version"], model["kind"], model["standing"]) == (1, "naive", "serving")
    assert model["verdict"]
    assert model["promoted_at"]


# ── the latest forecast ─────────────────────────────────────────────────────────────────────────────────────────────


def test_one_level_can_be_asked_for(client, lived):
    both = client.get("/api/v1/series/a/forecasts/latest").json()["steps"]
    one = client.get("/api/v1/series/a/forecasts/latest?level=95").json()["steps"]
    assert [step["intervals"] for step in one] == [{"95": step["intervals"]["95"]} for step in both]


def test_a_level_that_is_none_is_refused_with_those_there_are(client, lived):
    answer = client.get("/api/v1/series/a/forecasts/latest?level=90")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_level")
    assert "80, 95" in answer.json()["error"]["hint"]


def test_a_forecast_older_than_the_asker_can_use_is_none(client, lived, clock):
    assert client.get("/api/v1/series/a/forecasts/latest?max_age=1h").status_code == 200
    clock.advance(minutes=51)
    answer = client.get("/api/v1/series/a/forecasts/latest?max_age=3600")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_old")
    assert client.get("/api/v1/series/a/forecasts/latest?max_age=2h").status_code == 200


def test_where_there_is_no_forecast_any_age_is_too_old(client, many_but_a):
    answer = client.get("/api/v1/series/b/forecasts/latest?max_age=1y")
    assert (answer.status_code, answer.json()["error"]["hint"]) == (503, "insufficient_data: no observation yet")


def test_many_are_told_in_the_order_asked_for(client, lived, many_but_a):
    one = client.get("/api/v1/series/a/forecasts/latest").json()
    for asked in ("series=b,a", "series=b&series=a", "series=b,a,b"):
        told = client.get(f"/api/v1/forecasts/latest?{asked}").json()["forecasts"]
        assert [each["series"] for each in told] == ["b", "a"]
        assert told[1] == one


@pytest.mark.parametrize("asked", ["?panel=p", ""])
def test_without_names_all_series_are_told_of_a_panel_or_of_all(client, lived, many_but_a, asked):
    told = client.get(f"/api/v1/forecasts/latest{asked}").json()["forecasts"]
    assert [each["series"] for each in told] == ["a", "b"]


def test_a_name_with_a_comma_can_be_asked_for_alone(client, sessions):
    with sessions.begin() as session:
        queries.add_series(session, 'up{a="1",b="2"}', "p")
    told = client.get("/api/v1/forecasts/latest", params={"series": 'up{a="1",b="2"}'}).json()["forecasts"]
    assert [each["series"] for each in told] == ['up{a="1",b="2"}']


def test_an_unknown_name_among_many_is_told(client, lived):
    answer = client.get("/api/v1/forecasts/latest?series=a,x")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "there is no series 'x'")


# ── observations ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_observations_can_be_asked_for_as_they_were_known(client, sessions, clock, many_but_a):
    with sessions.begin() as session:
        series = queries.find_series(session, "b")
        queries.add_observations(session, series.id, [(to_us(clock()), 1.0)], clock())
        queries.add_observations(session, series.id, [(to_us(clock()), 2.0)], clock() + timedelta(hours=1))
    then, between = clock(), clock() + timedelta(minutes=30)
    clock.advance(hours=2)

    def values(**parameters):
        answer = client.get("/api/v1/series/b/observations", params=parameters).json()
        return answer["as_of"], [each["value"] for each in answer["observations"]]

    assert values()[1] == [2.0]
    assert values(as_of=between.isoformat()) == (between.isoformat().replace("+00:00", "Z"), [1.0])
    assert values(as_of=(then - timedelta(seconds=1)).isoformat())[1] == []


def test_fewer_points_keep_the_extremes_and_the_ends(client, lived):
    everything = client.get("/api/v1/series/a/observations").json()["observations"]
    few = client.get("/api/v1/series/a/observations?points=20").json()["observations"]
    assert len(few) <= 20
    assert (few[0], few[-1]) == (everything[0], everything[-1])
    for extreme in (min, max):
        assert extreme(everything, key=lambda each: each["value"]) in few


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────


TABLES = {
    "/api/v1/series": "unique_id,panel,interval",
    "/api/v1/series/a": "unique_id,panel,interval",
    "/api/v1/series/a/observations": "unique_id,ds,y\n",
    "/api/v1/series/a/forecasts/latest": "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95,",
    "/api/v1/series/a/forecasts": "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95,",
    "/api/v1/forecasts/latest?series=a": "unique_id,ds,cutoff,yhat,lo_80,hi_80,lo_95,hi_95,",
    "/api/v1/series/a/scores": "unique_id,window,step,scored,pending,mae",
    "/api/v1/series/a/models": "panel,version,kind",
    "/api/v1/panels": "panel,source",
    "/api/v1/runs": "id,job,panel",
}


@pytest.mark.parametrize("path", TABLES)
def test_every_table_can_be_had_as_csv(client, lived, path):
    by_header = client.get(path, headers={"Accept": "text/csv"})
    by_name = client.get(path, params={"format": "csv"} if "?" not in path else {"format": "csv", "series": "a"})
    assert by_header.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_header.text.startswith(TABLES[path])
    assert by_name.text == by_header.text
    assert client.get(path, headers={"Accept": "*/*"}).headers["content-type"] == "application/json"


def test_a_long_answer_is_compressed(client, lived):
    plain = client.get("/api/v1/series/a/observations", headers={"Accept-Encoding": "identity"})
    zipped = client.get("/api/v1/series/a/observations", headers={"Accept-Encoding": "gzip"})
    assert (zipped.headers["content-encoding"], zipped.json()) == ("gzip", plain.json())
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"]) / 3


def test_what_is_known_is_not_sent_again_until_it_changes(client, lived, clock, source, sessions, panel, means):
    path = "/api/v1/series/a/forecasts/latest"
    known = {"If-None-Match": client.get(path).headers["etag"]}
    clock.advance(seconds=5)
    assert client.get(path, headers=known).status_code == 304
    source.put("a", WALK[:306])
    clock.advance(hours=1)
    fetch(sessions, panel, clock, means)
    assert client.get(path, headers=known).json()["status"] == "stale"


def test_an_answer_knows_what_was_written_a_moment_ago(client, lived, sessions):
    assert len(client.get("/api/v1/series").json()["series"]) == 1
    with sessions.begin() as session:
        queries.add_series(session, "new", "p")
    assert len(client.get("/api/v1/series").json()["series"]) == 2


def test_the_latest_forecast_says_until_when_it_is_fresh_and_is_so_as_long(client, lived, clock):
    path = "/api/v1/series/a/forecasts/latest"
    answer = client.get(path).json()
    until = datetime.fromisoformat(answer["until"])
    assert (answer["status"], answer["ages"]["data_s"]) == ("fresh", 600)
    clock.now = until - timedelta(seconds=1)
    before = client.get(path).json()
    assert before["status"] == "fresh"
    assert before["ages"]["data_s"] == (clock.now - datetime.fromisoformat(answer["cutoff"])).total_seconds() - 3600
    clock.now = until + timedelta(seconds=1)
    assert client.get(path).json()["status"] == "stale"


def test_a_name_that_ends_like_a_resource_can_be_asked_for(client, sessions):
    with sessions.begin() as session:
        for name in ("disk", "disk/scores", "a%2Fb"):
            queries.add_series(session, name, "p")
    for path, name in (("disk%2Fscores", "disk/scores"), ("disk%2fscores", "disk/scores"), ("a%252Fb", "a%2Fb")):
        assert client.get(f"/api/v1/series/{path}").json()["name"] == name
        assert client.get(f"/api/v1/series/{path}/scores").json()["series"] == name
    assert client.get("/api/v1/series/disk/scores").json()["series"] == "disk"


@pytest.mark.parametrize("name", ["ж", "a b", "<é>", "日本/語"])
def test_where_a_list_goes_on_is_in_a_header_whatever_the_name(client, sessions, clock, store_model, name):
    with sessions.begin() as session:
        series, model = queries.add_series(session, name, "p"), store_model(session)
        for k in range(3):
            steps = [queries.NewStep(clock() + timedelta(hours=k + 1), 1.0, 1.0, {})]
            queries.issue(session, series.id, model.id, clock() + timedelta(hours=k), clock(), steps)
    told, path = [], f"/api/v1/series/{quote(name, safe='')}/forecasts?limit=1"
    while path:
        answer = client.get(path)
        told += answer.json()["forecasts"]
        path = answer.links.get("next", {}).get("url")
    assert len(told) == 3


def test_one_step_of_each_forecast_can_be_asked_for(client, lived):
    whole = client.get("/api/v1/series/a/forecasts").json()["forecasts"]
    second = client.get("/api/v1/series/a/forecasts?step=2").json()["forecasts"]
    assert [each["steps"] for each in second] == [each["steps"][1:2] for each in whole]
    assert client.get("/api/v1/series/a/forecasts?step=99&format=csv").text.count("\n") == 1


def test_a_table_of_panels_has_a_column_for_every_state(client, lived):
    heading = client.get("/api/v1/panels?format=csv").text.splitlines()[0]
    assert set(get_args(Status)) <= set(heading.split(","))


@pytest.mark.parametrize("path", ["forecasts", "forecasts/latest"])
def test_a_table_of_forecasts_tells_the_state_and_its_reason(client, lived, clock, path):
    clock.advance(days=9)
    for line in client.get(f"/api/v1/series/a/{path}?format=csv").text.splitlines()[1:]:
        assert line.split(",")[-2] == "expired"
        assert line.split(",")[-1].startswith("the forecast expired at")


@pytest.mark.parametrize("path", ["series?format=csv", "series/a?format=csv", "series/a/observations"])
def test_a_moment_alone_makes_no_other_answer(client, lived, clock, path):
    etag = client.get(f"/api/v1/{path}").headers["etag"]
    clock.advance(seconds=2)
    assert client.get(f"/api/v1/{path}", headers={"If-None-Match": etag}).status_code == 304


def test_where_a_list_goes_on_is_in_a_header_too(client, many):
    first = client.get("/api/v1/series?limit=4&format=csv")
    rest = client.get(first.links["next"]["url"])
    assert len((first.text + rest.text).splitlines()) == 7 + 2
    assert "link" not in rest.headers


def test_levels_that_a_forecast_of_before_does_not_have_are_left_out_of_it(client, sessions, clock, store_model):
    with sessions.begin() as session:
        series, model = queries.add_series(session, "a", "p"), store_model(session)
        for k, level in enumerate((80, 90)):
            steps = [queries.NewStep(clock() + timedelta(hours=9), 1.0, 1.0, {level: (0.0, 2.0)})]
            queries.issue(session, series.id, model.id, clock() + timedelta(hours=k), clock(), steps)
    told = client.get("/api/v1/series/a/forecasts?level=90").json()["forecasts"]
    assert [list(each["steps"][0]["intervals"]) for each in told] == [["90"], []]
    wrong = client.get("/api/v1/series/a/forecasts/latest?level=95")
    assert wrong.json()["error"]["hint"] == "there are 90; the next refit brings those that the panel asks for now"


def test_times_of_any_offset_come_back_in_utc(client, lived):
    answer = client.get("/api/v1/series/a/observations", params={"as_of": "2026-01-10T02:00:00+02:00"}).json()
    assert answer["as_of"] == "2026-01-10T00:00:00Z"
    answer = client.get("/api/v1/series/a/observations", params={"as_of": "0001-01-01T00:00:00+14:00"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_parameter")
