"""The event stream over HTTP, from a real server."""

import json
import socket
import threading
import time
from contextlib import closing, contextmanager

import httpx2
import pytest
import uvicorn
from fastapi.testclient import TestClient

from db import engine, queries
from jobs.events import Observed
from service.api import create_app

WITHIN = 10  # seconds that a test waits for what must come
TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("service.api.feed.POLL", 0.01)


@pytest.fixture
def make_app(url, panel, clock, write_engine):
    read_engine = engine.reader(url)
    yield lambda **more: create_app(
        lambda: {panel.name: panel}, engine.sessions(read_engine), clock, lambda: True, **more
    )
    read_engine.dispose()


@pytest.fixture
def client(make_app):
    with TestClient(make_app(), base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


@contextmanager
def serving(app):
    """The server at a port, and itself."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    app.state.is_stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(WITHIN)
        assert not thread.is_alive()


@pytest.fixture
def port(make_app):
    with serving(make_app()) as (number, _):
        yield number


@pytest.fixture
def write(sessions, clock):
    """Write an event of some series; returns its id."""

    def event(*names):
        with sessions.begin() as session:
            queries.add_events(session, [Observed(clock(), 1.0, 1, 0).of("p", name) for name in names], clock())
            return queries.newest_event(session)

    return event


@contextmanager
def stream(port, query="", **headers):
    """An open stream: its answer, and its blocks one after the other."""
    with (
        httpx2.Client(trust_env=False, timeout=WITHIN) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/api/v1/stream{query}", headers=headers) as answer,
    ):
        yield answer, blocks(answer)


def blocks(answer):
    block = {}
    for line in answer.iter_lines():
        if line and not line.startswith(":"):
            name, value = line.split(": ", 1)
            block[name] = value
        elif not line and block:
            yield block
            block = {}


def test_an_event_reaches_whoever_listens(port, write):
    with stream(port) as (answer, told):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert next(told) == {"id": "0"}
        write("a")
        block = next(told)
    assert (block["id"], block["event"]) == ("1", "observation")
    assert json.loads(block["data"])["series"] == "a"


@pytest.mark.parametrize(("query", "headers"), [("?last_event_id=1", {}), ("", {"Last-Event-ID": "1"})])
def test_a_stream_goes_on_after_the_event_that_is_named(port, write, query, headers):
    write("a", "b", "c")
    with stream(port, query, **headers) as (_, told):
        assert [next(told)["id"] for _ in range(3)] == ["1", "2", "3"]


def test_the_parameter_is_stronger_than_the_header(port, write):
    write("a", "b", "c")
    with stream(port, "?last_event_id=2", **{"Last-Event-ID": "1"}) as (_, told):
        assert next(told) == {"id": "2"}


def test_a_stream_that_cannot_go_on_is_reset(port, write):
    with stream(port, "?last_event_id=4711") as (_, told):
        assert next(told)["event"] == "reset"


@pytest.mark.parametrize("query", ["?series=b,c&last_event_id=0", "?series=b&series=c&last_event_id=0"])
def test_a_stream_may_be_of_some_series(port, sessions, write, query):
    with sessions.begin() as session:
        for name in ("a", "b", "c"):
            queries.add_series(session, name, "p")
    write("a", "b", "c")
    with stream(port, query) as (_, told):
        assert [next(told)["id"] for _ in range(3)] == ["0", "2", "3"]


def test_a_series_may_have_a_comma_in_its_name(port, sessions, write):
    with sessions.begin() as session:
        queries.add_series(session, "b,c", "p")
    write("b", "b,c")
    with stream(port, "?series=b,c&last_event_id=0") as (_, told):
        assert [next(told)["id"] for _ in range(2)] == ["0", "2"]


@pytest.mark.parametrize(
    ("query", "status", "code", "named"),
    [
        ("?kind=rest", 422, "bad_parameter", "kind = 'rest'"),
        ("?kind=state,rest", 422, "bad_parameter", "kind = 'rest'"),
        ("?panel=nope", 404, "unknown_panel", "'nope'"),
        ("?series=nope", 404, "unknown_series", "'nope'"),
        ("?last_event_id=x", 422, "bad_parameter", "last_event_id = 'x'"),
        ("?last_event_id=-1", 422, "bad_parameter", "last_event_id = '-1'"),
        ("?last_event_id=99999999999999999999", 422, "bad_parameter", "last_event_id"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_the_shape_of_all_errors(client, query, status, code, named):
    answer = client.get(f"/api/v1/stream{query}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert named in error["message"]


def test_a_bad_header_is_told_too(client):
    answer = client.get("/api/v1/stream", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 422
    assert "Last-Event-ID" in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_stream_can_only_be_read(client, method):
    assert client.request(method, "/api/v1/stream").status_code == 405


def test_without_the_token_there_is_no_stream(make_app):
    with serving(make_app(token=TOKEN)) as (port, _):
        with stream(port) as (answer, _):
            assert answer.status_code == 401
        with stream(port, Authorization=f"Bearer {TOKEN}") as (answer, _):
            assert answer.status_code == 200


def test_more_streams_than_there_may_be_are_refused_until_one_has_gone(port, monkeypatch):
    monkeypatch.setattr("service.api.stream.MOST", 1)
    with stream(port) as (_, told):
        next(told)
        with stream(port) as (refused, _):
            refused.read()
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "too_many_streams"
    deadline = time.monotonic() + WITHIN
    while True:
        with stream(port) as (answer, _):
            if answer.status_code == 200:
                return
        assert time.monotonic() < deadline


def test_open_streams_do_not_keep_the_server_from_ending_and_end_in_order(make_app, caplog):
    with serving(make_app()) as (port, server), stream(port) as (_, told):
        next(told)
        server.should_exit = True
        assert list(told) == []  # an end that cuts it off would raise an error
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_listener_that_does_not_read_holds_nobody_up(port, write):
    with closing(socket.socket()) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect(("127.0.0.1", port))
        silent.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        with stream(port) as (_, told):
            next(told)
            for _ in range(10):
                last = write(*["a" * 200] * 1_000)
                while int(next(told)["id"]) < last:
                    pass
