"""This machine's own signals, really sampled."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.sources.base import SourceDownError
from jobs.sources.host import COUNTED, METRICS, HostSource

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def source():
    return HostSource()


@pytest.fixture
def ask(make_request):
    """What a source brings of one fetch."""

    def ask(source, **given):
        (delivery,) = source.fetch(make_request(**({"now": datetime.now(UTC), "interval": SECOND} | given)))
        return delivery.values

    return ask


def test_the_first_fetch_waits_for_a_sample_of_each_signal(ask, source):
    values = ask(source)
    assert list(values) == ["cpu_percent", "memory_percent", "network_bytes_per_s"]
    assert 0 < values["memory_percent"].iloc[-1] < 100


def test_a_sample_is_labelled_by_the_start_of_an_interval_that_has_ended(ask, source):
    newest = ask(source)["cpu_percent"].index[-1]
    assert newest.microsecond == 0
    assert newest + SECOND <= datetime.now(UTC)


def test_samples_taken_between_two_fetches_all_come(ask, source):
    first = ask(source)["cpu_percent"].index[-1]
    time.sleep(2.2)
    times = ask(source, since=first)["cpu_percent"].index
    assert times[0] == first
    assert [later - earlier for earlier, later in pairwise(times)] == [SECOND] * (len(times) - 1)
    assert len(times) >= 3


def test_any_metrics_can_be_chosen(ask):
    values = ask(HostSource(METRICS[::-1]))
    assert set(values) == set(METRICS)
    assert 0 < values["disk_percent"].iloc[-1] <= 100
    assert values["load"].iloc[-1] >= 0


def test_what_is_counted_is_told_by_the_second(ask, monkeypatch):
    monkeypatch.setitem(COUNTED, "disk_bytes_per_s", lambda: round(time.time() * 1000))
    values = ask(HostSource(["disk_bytes_per_s"]))["disk_bytes_per_s"]
    assert values.iloc[-1] == pytest.approx(1000, rel=0.2)


def test_an_unknown_metric_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="metrics has gpu_percent: expected some of cpu_percent, memory_percent"):
        HostSource(["cpu_percent", "gpu_percent"])


def test_no_metric_is_refused():
    with pytest.raises(ValueError, match="metrics is empty: expected some of cpu_percent"):
        HostSource([])


def test_an_interval_that_takes_long_is_not_waited_for(ask, monkeypatch):
    monkeypatch.setattr("jobs.sources.host.PATIENCE", 0.01)
    with pytest.raises(SourceDownError, match="no sample of this machine yet: one is taken at the end of each 1 day"):
        ask(HostSource(), interval=timedelta(days=1))
