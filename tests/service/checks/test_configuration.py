"""Checks of the configuration."""

import pytest
from pydantic import SecretStr

from service.checks import configuration
from service.settings import DEFAULT_FILE, ApiSettings

PANEL = '[panels.oil]\ninterval = "1d"\nhorizon = 5\n'
LONG = SecretStr("a" * 16)


@pytest.fixture
def file(tmp_path):
    """Write a configuration that others may read and write to as the mode says."""

    def write(source='{ type = "csv", path = "oil.csv" }', mode=0o644, above=""):
        made = tmp_path / "rollcast.toml"
        made.write_text(f"{above}{PANEL}source = {source}\n")
        made.chmod(mode)
        return made

    return write


SECRET = '{ type = "http", url = "https://x", headers = { Authorization = "Bearer abc" } }'


def test_the_file_in_force_is_told(file):
    made = file()
    assert configuration.configuration(made, 2).found == f"{made}, 2 panels"
    assert "rollcast init" in configuration.configuration(DEFAULT_FILE, 4).found


@pytest.mark.parametrize(
    ("source", "mode", "level"),
    [
        ('{ type = "csv", path = "oil.csv" }', 0o644, "ok"),
        (SECRET, 0o640, "ok"),
        (SECRET, 0o644, "look"),
        (SECRET.replace("abc", "${TOKEN}"), 0o644, "ok"),
        ('{ type = "sql", url = "postgresql://me:secret@host/db" }', 0o644, "look"),
        ('{ type = "sql", url = "postgresql://me:${PASSWORD}@host/db" }', 0o644, "ok"),
        ('{ type = "csv", path = "oil.csv" }', 0o666, "bad"),
    ],
)
def test_secrets_that_everybody_can_read_and_a_file_that_everybody_can_change_are_told(file, source, mode, level):
    assert configuration.secrecy(file(source, mode)).level == level


def test_a_secret_is_told_by_its_key_alone(file):
    found = configuration.secrecy(file(SECRET))
    assert "panels.oil.source.headers.Authorization" in found.found
    assert "abc" not in found.found + found.cure


def test_a_token_in_the_file_is_a_secret(file):
    assert "api.token" in configuration.secrecy(file(above='[api]\ntoken = "0123456789abcdef"\n')).found


@pytest.mark.parametrize(
    ("host", "token", "level"),
    [
        ("127.0.0.1", None, "ok"),
        ("127.9.9.9", None, "ok"),
        ("::1", None, "ok"),
        ("localhost", None, "ok"),
        ("0.0.0.0", None, "bad"),  # noqa: S104  that it is everywhere is what is to be found
        ("::", None, "bad"),
        ("box.local", None, "bad"),
        ("box.local", LONG, "ok"),
        ("127.0.0.1", SecretStr("short"), "bad"),
        ("127.0.0.1", SecretStr(""), "bad"),
        ("127.0.0.1", SecretStr("two words, but long"), "bad"),
    ],
)
def test_who_listens_for_others_needs_a_token_that_the_daemon_would_take(host, token, level):
    assert configuration.token(ApiSettings(host=host, token=token)).level == level
