"""This machine's own signals, really sampled."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.sources.base import Request
from jobs.sources.host import HostSource

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def source():
    return HostSource()


def ask(source, newest=None):
    known = {} if newest is None else {"cpu_percent": newest}
    return source.fetch(Request(datetime.now(UTC), SECOND, timedelta(hours=1), known, None)).values


def test_the_first_fetch_waits_for_a_sample_of_each_signal(source):
    values = ask(source)
    assert list(values) == ["cpu_percent", "memory_percent", "network_bytes_per_s"]
    assert 0 < values["memory_percent"].iloc[-1] < 100


def test_a_sample_is_labelled_by_the_start_of_an_interval_that_has_ended(source):
    newest = ask(source)["cpu_percent"].index[-1]
    assert newest.microsecond == 0
    assert newest + SECOND <= datetime.now(UTC)


def test_samples_taken_between_two_fetches_all_come(source):
    import time

    first = ask(source)["cpu_percent"].index[-1]
    time.sleep(2.2)
    times = ask(source, newest=first)["cpu_percent"].index
    assert times[0] == first
    assert [later - earlier for earlier, later in pairwise(times)] == [SECOND] * (len(times) - 1)
    assert len(times) >= 3
