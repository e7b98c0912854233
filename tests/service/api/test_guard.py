"""Who may ask, and what a browser may do with the answer."""

import pytest
from fastapi.testclient import TestClient

from db import engine
from service.api import create_app

TOKEN = "0123456789abcdef"


@pytest.fixture
def client_of(url, panel, clock, write_engine):
    opened = []

    def make(**more):
        read_engine = engine.reader(url)
        app = create_app(lambda: {panel.name: panel}, engine.sessions(read_engine), clock, lambda: True, **more)
        opened.append(read_engine)
        return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)

    yield make
    for each in opened:
        each.dispose()


def bearing(token):
    return {"Authorization": f"Bearer {token}"}


def test_without_the_token_nothing_is_told(client_of):
    answer = client_of(token=TOKEN).get("/api/v1/series")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("wrong", [bearing("wrong"), bearing(TOKEN + "0"), bearing(""), {"Authorization": TOKEN}])
def test_a_wrong_token_is_none(client_of, wrong):
    assert client_of(token=TOKEN).get("/api/v1/series", headers=wrong).status_code == 401


def test_with_the_token_all_is_told(client_of):
    assert client_of(token=TOKEN).get("/api/v1/series", headers=bearing(TOKEN)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_holds_nothing_of_the_data_needs_no_token(client_of, path):
    assert client_of(token=TOKEN).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/none", "/metrics"])
def test_all_else_needs_it(client_of, path):
    assert client_of(token=TOKEN).get(path).status_code == 401


def test_what_is_kept_for_those_with_the_token_is_for_them_alone(client_of):
    client = client_of(token=TOKEN)
    assert client.get("/api/v1/series", headers=bearing(TOKEN)).status_code == 200
    assert client.get("/api/v1/series").status_code == 401


def test_every_answer_tells_the_browser_to_trust_nothing_in_it(client_of):
    headers = client_of().get("/api/v1/series").headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_of_other_origins_may_not_read(client_of):
    headers = client_of().get("/api/v1/series", headers={"Origin": "https://elsewhere.example"}).headers
    assert "access-control-allow-origin" not in headers


def test_pages_of_the_origins_that_are_named_may(client_of):
    client = client_of(cors=["https://ours.example"], token=TOKEN)
    asked = {"Origin": "https://ours.example", "Access-Control-Request-Method": "GET"}
    asked["Access-Control-Request-Headers"] = "authorization"
    assert client.options("/api/v1/series", headers=asked).status_code == 200
    answer = client.get("/api/v1/series", headers={"Origin": "https://ours.example", **bearing(TOKEN)})
    assert answer.headers["access-control-allow-origin"] == "https://ours.example"
    other = client.get("/api/v1/series", headers={"Origin": "https://elsewhere.example", **bearing(TOKEN)})
    assert "access-control-allow-origin" not in other.headers


def test_pages_of_named_origins_may_go_on_to_the_next_page_and_ask_only_for_what_is_new(client_of):
    client = client_of(cors=["https://ours.example"])
    asked = {"Origin": "https://ours.example", "Access-Control-Request-Method": "GET"}
    asked["Access-Control-Request-Headers"] = "if-none-match"
    allowed = client.options("/api/v1/series", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["x-content-type-options"] == "nosniff"
    answer = client.get("/api/v1/series", headers={"Origin": "https://ours.example"})
    assert answer.headers["access-control-expose-headers"] == "ETag, Link"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_word_before_the_token_may_be_written_as_one_likes(client_of, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert client_of(token=TOKEN).get("/api/v1/series", headers=headers).status_code == 200


def test_head_is_answered_like_get_without_a_body(client_of):
    client = client_of()
    got, head = client.get("/api/v1/series"), client.head("/api/v1/series")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]


def test_head_waits_for_nothing_that_has_no_end(client_of):
    assert client_of().head("/api/v1/stream").status_code == 405


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_api_only_reads(client_of, method):
    answer = client_of().request(method, "/api/v1/series")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "127.1.2.3", ""])
def test_without_a_token_this_machine_is_answered(client_of, host):
    assert client_of().get("/api/v1/series", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "localhost.evil.example", "10.0.0.1", "x127.0.0.1"]
)
def test_without_a_token_nobody_is_answered_who_gave_this_machine_another_name(client_of, host):
    answer = client_of().get("/api/v1/series", headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "wrong_host")
    assert client_of(token=TOKEN).get("/api/v1/series", headers={"Host": host, **bearing(TOKEN)}).status_code == 200
