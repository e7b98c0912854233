"""What the tests of the sources share: a request, a stand-in for Yahoo, and a PostgreSQL."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from jobs.manners import Manners
from jobs.sources.base import Request
from tests.jobs.sources import postgres as server
from tests.jobs.sources.yahoo import HANG_UP, Listing, Yahoo, forget


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # a proxy of the caller's has no business here
    forget(tmp_path)
    stub = Yahoo()
    yield stub
    stub.stop()
    forget(tmp_path)


@pytest.fixture
def make_request(tmp_path):
    """A request of an hourly panel on 1 January 2026 for all that there is, unless told otherwise."""

    def make(**given):
        now = given.pop("now", datetime(2026, 1, 1, tzinfo=UTC))
        interval = given.pop("interval", timedelta(hours=1))
        defaults = {
            "months": 0,
            "history": timedelta(days=365),
            "since": None,
            "open_from": now - 2 * interval,
            "newest": {},
            "tz": UTC,
            "state": {},
            "cache_dir": tmp_path,
            "manners": Manners(lambda: now, random.Random(0), lambda _seconds: None, rate=1e9, burst=1e9),
        }
        return Request(now=now, interval=interval, **(defaults | given))

    return make


@pytest.fixture
def hang_up():
    return HANG_UP


@pytest.fixture
def listing():
    return Listing


@pytest.fixture(scope="session")
def postgres():
    with server.running() as running:
        yield running
