"""Series from Prometheus: the real server with a history made for it; faults from one that answers badly."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from jobs.manners import CoolingDownError
from jobs.sources import prometheus
from jobs.sources.base import SourceDownError
from jobs.sources.prometheus import PrometheusSource
from tests.jobs.sources.prometheus_server import running
from tests.jobs.sources.servers import Reply, Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = NOW - timedelta(hours=4)  # of the history: a sample a minute, the number of the minute
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SILENT = range(60, 120)  # the minutes in which the cellar says nothing
NAN = 30  # the minute in which the attic has no number


def openmetrics():
    """The history as text."""
    lines = ["# TYPE room_celsius gauge"]
    for room, floor in (("attic", 2), ("cellar", 0)):
        for k in range(240):
            value = "NaN" if room == "attic" and k == NAN else k
            if room == "attic" or k not in SILENT:
                lines.append(f'room_celsius{{room="{room}",floor="{floor}"}} {value} {START.timestamp() + 60 * k:.0f}')
    lines.append("# TYPE requests counter")
    lines.extend(f"requests_total {6 * k} {START.timestamp() + 60 * k:.0f}" for k in range(240))
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of a Prometheus with that history."""
    with running(tmp_path_factory.mktemp("prometheus"), openmetrics()) as url:
        yield url


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # a proxy of the caller's has no business here


@pytest.fixture
def fetch(make_request):
    """What a source brings; by default for a panel of an interval of a minute, of the history."""

    def run(url, query, options=None, **asked):
        given = {"interval": MINUTE, "history": timedelta(hours=4), "open_from": NOW - 2 * MINUTE} | asked
        source = PrometheusSource(url, query, timeout=10.0, **(options or {}))
        return list(source.fetch(make_request(**given)))

    return run


@pytest.fixture
def down(fetch):
    """Why a fetch fails, in one line."""

    def run(*args, **options):
        with pytest.raises(SourceDownError) as raised:
            fetch(*args, **options)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return run


def one_of(deliveries, name):
    """A series of all deliveries."""
    return pd.concat([delivery.values[name] for delivery in deliveries if name in delivery.values])


# ── a real Prometheus ───────────────────────────────────────────────────────────────────────────────────────────────


def test_each_set_of_labels_is_a_series(server, fetch):
    (delivery,) = fetch(server, "room_celsius")
    assert set(delivery.values) == {
        'room_celsius{floor="2",room="attic"}',
        'room_celsius{floor="0",room="cellar"}',
    }
    assert delivery.complete


def test_a_metric_without_labels_is_called_by_its_name_alone(server, fetch):
    assert list(fetch(server, "requests_total")[0].values) == ["requests_total"]


def test_a_result_without_labels_is_called_as_its_query(server, fetch):
    assert list(fetch(server, "max(\n  room_celsius\n)")[0].values) == ["max( room_celsius )"]


def test_a_name_is_made_of_labels(server, fetch):
    (delivery,) = fetch(server, "room_celsius", {"name": "{room} ({__name__})"})
    assert set(delivery.values) == {"attic (room_celsius)", "cellar (room_celsius)"}


def test_an_observation_is_at_the_start_of_the_interval_that_ends_when_it_is_evaluated(server, fetch):
    found = one_of(fetch(server, "requests_total"), "requests_total")
    # What was sampled at the 100th minute was evaluated then, and speaks of the minute before.
    assert found[START + 99 * MINUTE] == 600.0


def test_what_happened_in_an_interval_is_its_observation(server, fetch):
    query, interval = "rate(requests_total[5m]) * 60", 5 * MINUTE
    found = one_of(fetch(server, query, interval=interval, open_from=NOW - 2 * interval), query)
    assert found[START + HOUR] == pytest.approx(6.0)


def test_the_time_before_the_history_is_a_gap(server, fetch):
    found = one_of(fetch(server, "requests_total", history=timedelta(days=1)), "requests_total")
    assert found.index[0] == START - MINUTE


def test_a_stale_series_is_a_gap(server, fetch):
    found = one_of(fetch(server, "room_celsius", {"name": "{room}"}), "cellar")
    # A sample counts for five minutes: the 59th until the 64th, which to Prometheus 3 is one too many.
    silent = found[START + 64 * MINUTE : START + 118 * MINUTE]
    assert (len(silent), found[START + 62 * MINUTE], found[START + 119 * MINUTE]) == (0, 59.0, 120.0)


def test_a_value_that_is_nan_is_a_gap(server, fetch):
    found = one_of(fetch(server, "room_celsius", {"name": "{room}"}), "attic")
    assert START + (NAN - 1) * MINUTE not in found.index
    assert found.notna().all()


def test_only_what_is_wanted_is_asked_for(server, fetch):
    found = one_of(fetch(server, "requests_total", since=NOW - 10 * MINUTE), "requests_total")
    assert (found.index[0], found.index[-1]) == (NOW - 10 * MINUTE, NOW - MINUTE)


def test_a_start_amid_an_interval_asks_for_the_whole_interval(server, fetch):
    since = NOW - 10 * MINUTE + timedelta(seconds=20)
    assert one_of(fetch(server, "requests_total", since=since), "requests_total").index[0] == NOW - 10 * MINUTE


def test_times_lie_on_the_panels_grid(server, fetch):
    grid = NOW - timedelta(minutes=40)
    found = one_of(fetch(server, "requests_total", interval=HOUR, open_from=grid), "requests_total")
    assert set(found.index.minute) == {20}


def test_a_long_history_comes_in_chunks_that_meet(server, fetch):
    second = timedelta(seconds=1)
    deliveries = fetch(server, "requests_total", interval=second, open_from=NOW - 2 * second)
    counts = [len(delivery.values["requests_total"]) for delivery in deliveries]
    index = one_of(deliveries, "requests_total").index
    assert counts[0] == 10_000
    assert index.equals(pd.date_range(index[0], index[-1], freq="s"))
    assert (index[0], index[-1]) == (START, NOW - second)


def test_an_answer_that_would_be_too_large_comes_in_parts(server, fetch, monkeypatch):
    (whole,) = fetch(server, "room_celsius")
    monkeypatch.setattr(prometheus, "MOST_POINTS", 240)
    monkeypatch.setattr(prometheus, "LARGEST", 0.003)
    parts = fetch(server, "room_celsius")
    assert len(parts) > 2
    for name, values in whole.values.items():
        pd.testing.assert_series_equal(one_of(parts, name), values)


def test_more_series_than_an_answer_holds_are_told(server, down, monkeypatch):
    monkeypatch.setattr(prometheus, "LARGEST", 0.0001)
    assert "let the query give fewer series" in down(server, "room_celsius")


def test_two_series_of_one_name_are_told_with_their_labels(server, down):
    told = down(server, "room_celsius", {"name": "{__name__}"})
    assert 'room_celsius{floor="2",room="attic"}' in told
    assert 'room_celsius{floor="0",room="cellar"}' in told
    assert "are both called 'room_celsius'" in told


def test_two_series_of_one_name_are_told_even_if_they_follow_each_other(server, down, monkeypatch):
    monkeypatch.setattr(prometheus, "MOST_POINTS", 60)
    query = 'room_celsius{room="attic"} < 50 or room_celsius{room="cellar"} > 200'
    assert "are both called 'room'" in down(server, query, {"name": "room"})


def test_a_series_left_without_a_name_is_told(server, down):
    assert "leaves requests_total without a name" in down(server, "requests_total", {"name": "{room}"})


def test_a_query_that_finds_nothing_is_told(server, down):
    assert "the query gives no series from 2025-12-31 20:00Z to now" in down(server, "no_such_metric")


def test_a_query_that_is_none_is_told_in_prometheus_words(server, down):
    told = down(server, "rate(room_celsius")
    assert "answered 400 Bad Request; it says: " in told
    assert "unclosed left parenthesis" in told


def test_a_query_that_cannot_be_evaluated_is_told_in_prometheus_words(server, down):
    told = down(server, "room_celsius + on() room_celsius")
    assert "answered 422" in told
    assert "many-to-many matching not allowed" in told


def test_another_server_is_told(server, down):
    assert "answered 404 Not Found: check the URL" in down(f"{server}/elsewhere", "up")


# ── when it is asked ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def site():
    started = Site()
    yield started
    started.stop()


def matrix(*series, **more):
    """An answer of query_range: of each series its labels and (time, value) pairs."""
    result = [
        {"metric": labels, "values": [[at.timestamp(), str(value)] for at, value in pairs]} for labels, pairs in series
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}


def constant(asked):
    """Answers 1 at every time that is asked for."""
    start, end, step = (float(asked.query[name]) for name in ("start", "end", "step"))
    times = [datetime.fromtimestamp(start + k * step, UTC) for k in range(int((end - start) // step) + 1)]
    return Reply(matrix(({"a": "b"}, [(at, 1) for at in times])))


@pytest.mark.parametrize("month", [3, 10], ids=["spring", "autumn"])
def test_days_begin_at_the_panels_midnight_when_clocks_change(site, fetch, month):
    berlin, day = ZoneInfo("Europe/Berlin"), timedelta(days=1)
    now = datetime(2025, month, 31, 12, tzinfo=UTC)
    site.serve = constant
    deliveries = fetch(site.url(""), "x", now=now, interval=day, history=10 * day, open_from=now - 2 * day, tz=berlin)
    ends = [
        datetime.fromtimestamp(float(asked.query[name]), berlin) for asked in site.asked for name in ("start", "end")
    ]
    assert {end.hour for end in ends} == {0}
    index = one_of(deliveries, '{a="b"}').index
    assert [ts.date() for ts in index] == list(pd.date_range(index[0].date(), f"2025-{month}-30").date)
    assert index[0].date() <= (now - 10 * day).astimezone(berlin).date()
    assert index.tz == berlin


def test_weeks_begin_on_mondays_whenever_they_are_asked_for(site, fetch):
    week = timedelta(days=7)
    site.serve = constant
    for now in (NOW, NOW + timedelta(days=1)):
        deliveries = fetch(site.url(""), "x", now=now, interval=week, history=4 * week, open_from=now - week)
        assert set(one_of(deliveries, '{a="b"}').index.day_of_week) == {0}


@pytest.mark.parametrize("given", [{"interval": timedelta(days=30), "months": 1}, {"interval": timedelta(seconds=0.5)}])
def test_an_interval_that_prometheus_has_not_is_told(fetch, given):
    with pytest.raises(SourceDownError, match="expected an interval of fixed length, from 1s on"):
        fetch("http://127.0.0.1:9", "up", **given)


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_with_warnings_series_may_be_missing(site, fetch):
    site.replies = [Reply(matrix(({"a": "b"}, [(NOW, 1)]), warnings=["a store is down"]))]
    assert [delivery.complete for delivery in fetch(site.url(""), "x")] == [False]


def test_infinite_values_are_brought(site, fetch):
    site.replies = [Reply(matrix(({"a": "b"}, [(NOW, "+Inf"), (NOW + MINUTE, "-Inf")])))]
    assert one_of(fetch(site.url(""), "x"), '{a="b"}').tolist() == [float("inf"), float("-inf")]


def test_labels_are_written_as_prometheus_does(site, fetch):
    site.replies = [Reply(matrix(({"__name__": "m", "path": 'C:\\"x"\n'}, [(NOW, 1)])))]
    assert list(fetch(site.url(""), "x")[0].values) == ['m{path="C:\\\\\\"x\\"\\n"}']


def test_headers_are_sent(site, fetch):
    site.replies = [Reply(matrix(({"a": "b"}, [(NOW, 1)])))]
    fetch(site.url("/prometheus/"), "x", {"headers": {"X-Scope-OrgID": "me"}})
    assert (site.asked[0].path, site.asked[0].headers["x-scope-orgid"]) == ("/prometheus/api/v1/query_range", "me")


def test_a_server_that_is_down_is_told(site, down):
    site.stop()
    assert "refuses the connection" in down(site.url(""), "x")


def test_a_slow_server_is_told(site, make_request):
    site.replies = [Reply(silent=True)]
    with pytest.raises(SourceDownError, match=r"did not answer within 0\.1 s"):
        list(PrometheusSource(site.url(""), "x", timeout=0.1).fetch(make_request()))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_left_alone(site, make_request, status):
    site.replies = [Reply({"error": "query timed out"}, status=status)]
    request = make_request()
    source = PrometheusSource(site.url(""), "x")
    with pytest.raises(SourceDownError, match=f"answered {status} .*; it says: query timed out"):
        list(source.fetch(request))
    with pytest.raises(CoolingDownError):
        list(source.fetch(request))


def test_an_expired_token_is_told(site, down):
    site.replies = [Reply(status=401)]
    assert "the token may have expired" in down(site.url(""), "x")


def test_a_truncated_answer_is_told(site, down):
    site.replies = [Reply(matrix(), missing=10)]
    assert "broke off its answer" in down(site.url(""), "x")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>Grafana</html>", "answered with a web page instead of data"),
        ("{", "answered unlike Prometheus"),
        ('{"status": "success"}', "answered unlike Prometheus"),
        ('{"data": {"result": [{"metric": {}, "value": [1, "2"], "values": [[1, 2]]}]}}', "answered unlike Prometheus"),
        ('{"data": {"result": [{"metric": {}, "values": [[1, "x"]]}]}}', "answered with a value that is none"),
    ],
)
def test_garbage_is_told(site, down, body, told):
    site.replies = [Reply(body)]
    assert told in down(site.url(""), "x")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "localhost:9090"}, "url is no URL"),
        ({"query": " "}, "query is empty"),
        ({"timeout": -1}, "timeout = -1"),
        ({"headers": {"X": "a\n"}}, "the value of X has a line break"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        PrometheusSource(**{"url": "http://h", "query": "up", **options})
