"""The page's files, as they go over the wire."""

import hashlib
import re

import pytest
from fastapi.testclient import TestClient

from db import engine
from service.api import create_app
from service.api.page import CONTENT_SECURITY_POLICY, FOLDER
from tests.conftest import T0

FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
SCRIPTS = sorted(path for path in FOLDER.glob("*.js"))
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('files')}/test.db"
    write_engine = engine.writer(url)
    engine.migrate(write_engine)
    write_engine.dispose()
    read_engine = engine.reader(url)
    app = create_app(dict, engine.sessions(read_engine), lambda: T0, lambda: True, token="open sesame")
    with TestClient(app, base_url="http://127.0.0.1") as opened:
        yield opened
    read_engine.dispose()


def test_the_page_is_at_the_root_and_needs_no_token(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Rollcast</title>" in answer.text


@pytest.mark.parametrize("path", ["/", *(f"/static/{name}" for name in FILES)])
def test_every_file_has_its_type_and_keeps_all_else_out(client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    suffix = ".html" if path == "/" else path[path.rfind(".") :]
    assert headers["content-type"].split(";")[0] == TYPES.get(suffix, "application/octet-stream")


@pytest.mark.parametrize("path", ["/", "/static/main.js"])
def test_a_file_that_the_browser_has_is_not_sent_again(client, path):
    first = client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_head_is_answered_like_get_without_a_body(client):
    answer = client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/../api/page.py", "/static/%2e%2e/api/page.py"])
def test_what_is_no_file_of_the_page_is_a_404_in_the_one_shape(client, path):
    answer = client.get(path)
    assert answer.status_code in (401, 404)  # a path that leaves the folder is none that is open to all
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


def test_nothing_stands_inline_that_the_policy_would_stop():
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_everything_that_the_page_refers_to_is_there():
    page = (FOLDER / "index.html").read_text()
    asked = set(re.findall(r'(?:src|href)="static/([^"]+)"', page))
    assert asked <= set(FILES)
    assert {script.name for script in SCRIPTS} <= asked  # each at once, not when the one before has come


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(script):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", script.read_text()
    )


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
    ],
)
def test_uplot_is_byte_for_byte_its_authors(name, digest):
    assert hashlib.sha256((FOLDER / "vendor" / "uplot" / name).read_bytes()).hexdigest() == digest
