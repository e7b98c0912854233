"""Every fault that can strike a source, through the whole of a fetch: the table of docs/sources.md, cell by cell."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from db import queries
from db.times import from_us
from jobs import runner
from jobs.fetch import fetch
from jobs.panel import Panel
from jobs.sources import BUILT_IN
from tests.conftest import T0
from tests.jobs.sources import prometheus_server
from tests.jobs.sources.faulty.cells import CELLS, FAILS, FAULTS, cells, told
from tests.jobs.sources.faulty.feeds import HostRig, MqttRig, SqlRig
from tests.jobs.sources.faulty.files import CsvRig, ReplayRig
from tests.jobs.sources.faulty.web import HttpRig, PrometheusRig, YfinanceRig
from tests.jobs.sources.mqtt_broker import Broker
from tests.jobs.sources.servers import Site

TENTH, HOUR, DAY = timedelta(seconds=0.1), timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
ROWS = [(T0 + k * HOUR, k + 1.0) for k in range(6)]
THIRD, FIFTH = T0 + 3 * HOUR, T0 + 5 * HOUR  # when so many rows have ended
NUMBERS = count()
TESTED = set()  # cells

# ── the rigs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def csv_rig(tmp_path, clock):
    return CsvRig(tmp_path, clock)


@pytest.fixture
def replay_rig(tmp_path, clock):
    return ReplayRig(tmp_path, clock, ROWS)


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # a proxy of the caller's has no business here
    started = Site()
    yield started
    started.stop()


@pytest.fixture
def http_rig(site):
    return HttpRig(site)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with prometheus_server.running(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


@pytest.fixture
def prometheus_rig(site, prometheus):
    return PrometheusRig(site, prometheus, f"metric_{next(NUMBERS)}")


@pytest.fixture
def yfinance_rig(yahoo):
    made = YfinanceRig(yahoo)
    yield made
    made.source.session.close()


@pytest.fixture(scope="module")
def keeper(postgres):
    postgres.run("CREATE ROLE keeper LOGIN PASSWORD 'of-prices'")
    return postgres


@pytest.fixture
def sql_rig(keeper, monkeypatch):
    return SqlRig(keeper, monkeypatch)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    made = Broker(tmp_path_factory.mktemp("broker"), {})
    yield made
    made.stop()
    made.close()


@pytest.fixture
def mqtt_rig(broker, make_request, monkeypatch):
    monkeypatch.setattr("jobs.sources.parts.broker.FIRST_MESSAGE", 0.0)
    monkeypatch.setattr("jobs.sources.parts.broker.RECONNECT", (0.05, 0.1))
    made = MqttRig(broker, make_request(now=THIRD))
    yield made
    made.source.close()


@pytest.fixture
def host_rig():
    return HostRig()


# ── a fetch, and what it did ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def rig(source, request):
    """The rig of the source that a test is about."""
    made = request.getfixturevalue(f"{source}_rig")
    yield made
    made.mend()


@pytest.fixture
def run(rig, sessions, clock, means):
    """Fetch, and record it: how that ended, and what the record says."""
    year = timedelta(days=365)
    panel = Panel("p", rig.source, HOUR, 3, fetch_every=HOUR, refit_every=DAY, train_window=year)

    def run(**changes):
        changed = replace(panel, fetch_timeout=rig.patience, **changes)
        return runner.run(sessions, clock, "fetch", "p", partial(fetch, sessions, changed, clock, means))

    return run


@pytest.fixture
def stored(sessions, clock):
    """The values of the one series by time, as of now or of another moment."""

    def read(as_of=None):
        with sessions() as session:
            (series,) = queries.series_of_panel(session, "p")
            return {from_us(ts): y for ts, y in queries.observations(session, series.id, as_of=as_of or clock())}

    return read


@pytest.fixture
def mark(sessions):
    """Why the series is failing, and since when; None and None where it is not."""

    def read():
        with sessions() as session:
            (series,) = queries.series_of_panel(session, "p")
            return series.failure, series.failing_since

    return read


# ── the cells ───────────────────────────────────────────────────────────────────────────────────────────────────────


def of(*faults, sources=frozenset(CELLS) - {"host"}):
    """A test of some faults, of every one of some sources that they can strike."""
    chosen = [(source, fault) for source, fault in cells(*faults) if source in sources]
    TESTED.update(chosen)
    params = [pytest.param(*cell, id="-".join(cell)) for cell in chosen]
    return pytest.mark.parametrize(("source", "fault"), params)


def check_told(source, fault, ended):
    for words in told(source, fault):
        assert words in ended.reason
    assert ended.outcome == ("failed" if CELLS[source][fault].startswith(FAILS) else "ok")


@of("down", "slow", "429", "500", "garbage", "truncated", "expired token")
def test_trouble_costs_nothing_that_is_stored_and_nothing_once_it_is_over(rig, run, stored, mark, clock, source, fault):
    clock.now = THIRD
    rig.put(ROWS[:3])
    assert run().outcome == "ok"
    clock.now = FIFTH
    rig.put(ROWS[:5])
    rig.break_(fault)
    struck = run()
    check_told(source, fault, struck)
    if struck.outcome == "failed":
        assert stored() == dict(ROWS[:3])
        reason, since = mark()
        assert reason in struck.reason
        assert since == clock()
    else:
        assert dict(ROWS[:3]).items() <= stored().items() <= dict(ROWS[:5]).items()
    if "left alone" in CELLS[source][fault]:
        until = "05:01:00" if "as it asks for" in CELLS[source][fault] else "05:00:1"
        assert f"is asked again at {until}" in run().reason
    rig.mend()
    clock.advance(hours=1)
    rig.put(ROWS)
    again = run()
    assert again.outcome == "ok"
    assert "revised" not in again.reason
    assert stored() == dict(ROWS)
    assert mark() == (None, None)


@of("duplicated", "reordered")
def test_disorder_changes_nothing(rig, run, stored, clock, source, fault):
    clock.now = THIRD
    rig.put(ROWS[:3] * 2 if fault == "duplicated" else ROWS[2::-1])
    check_told(source, fault, run())
    assert stored() == dict(ROWS[:3])


@of("forming bar")
def test_a_bar_still_forming_waits_for_its_end(rig, run, stored, clock, source, fault):
    clock.now = THIRD
    rig.put(ROWS[:3])
    run()
    clock.advance(minutes=30)
    rig.put(ROWS[:4])
    check_told(source, fault, run())
    assert stored() == dict(ROWS[:3])
    clock.advance(minutes=30)
    run()
    assert stored() == dict(ROWS[:4])


@of("revised history")
def test_a_revision_stands_beside_what_was_known(rig, run, stored, clock, source, fault):
    clock.now = THIRD
    rig.put(ROWS[:3])
    run()
    before = clock()
    clock.advance(minutes=30)
    revised = [ROWS[0], (ROWS[1][0], 20.0), (ROWS[2][0], 30.0)]
    rig.put(revised)
    check_told(source, fault, run())
    assert stored() == dict(revised) | dict(ROWS[1:2] if source == "mqtt" else [])
    assert stored(as_of=before) == dict(ROWS[:3])


CLOCKS = [  # in Berlin, where 2 o'clock is skipped on 29 March, and comes twice on 25 October
    ("2026-03-29 01:00", "2026-03-29 00:00"),
    ("2026-03-29 02:00", None),
    ("2026-03-29 03:00", "2026-03-29 01:00"),
    ("2026-10-25 01:00", "2026-10-24 23:00"),
    ("2026-10-25 02:00", "2026-10-25 00:00"),
    ("2026-10-25 02:00", "2026-10-25 01:00"),
    ("2026-10-25 03:00", "2026-10-25 02:00"),
]


@of("time-zone change", sources=["csv", "http", "mqtt", "sql"])
def test_where_clocks_are_changed_times_stay_exact(rig, run, stored, clock, source, fault):
    clock.now = datetime(2026, 11, 1, tzinfo=UTC)
    rig.put([(datetime.fromisoformat(shown), float(k)) for k, (shown, _) in enumerate(CLOCKS)])
    check_told(source, fault, run(tz=BERLIN))
    meant = {datetime.fromisoformat(utc).replace(tzinfo=UTC): float(k) for k, (_, utc) in enumerate(CLOCKS) if utc}
    assert stored() == meant


@of("time-zone change", sources=["prometheus", "yfinance"])
@pytest.mark.parametrize("first", [date(2026, 3, 27), date(2026, 10, 23)], ids=["spring", "autumn"])
def test_where_clocks_are_changed_days_stay_days(rig, run, stored, clock, source, fault, first):
    days = {first + k * DAY: float(k) for k in range(5)}
    clock.now = datetime(first.year, first.month, first.day, tzinfo=UTC) + 6 * DAY
    rig.put_days(BERLIN, days)
    check_told(source, fault, run(tz=BERLIN, interval=DAY))
    assert {ts.date(): value for ts, value in stored().items()} == days


@of("time-zone change", sources=["replay"])
def test_where_clocks_are_changed_a_replay_takes_times_as_they_are_written(rig, run, stored, clock, source, fault):
    clock.now = THIRD
    day = datetime(2026, 10, 25)  # noqa: DTZ001  in Berlin
    rig.put([(day + hour * HOUR, float(k)) for k, hour in enumerate([0, 1, 2, 2, 3])])
    run(tz=BERLIN)
    clock.advance(hours=5)
    check_told(source, fault, run(tz=BERLIN))
    assert list(stored().values()) == [0.0, 1.0, 3.0, 4.0]


# ── this machine, in real time ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run_now(run, clock):
    """Fetch from this machine. The first time brings a sample that is taken only then, which is the next one's."""

    def run_now():
        clock.now = datetime.now(UTC)
        return run(interval=TENTH)

    return run_now


@pytest.fixture
def samples(sessions, clock):
    """What is stored of a metric: pairs of time and value."""

    def read(name):
        with sessions() as session:
            series = queries.find_series(session, name)
            return [(from_us(ts), y) for ts, y in queries.observations(session, series.id, as_of=clock())]

    return read


@of("down", "slow", sources=["host"])
def test_trouble_with_this_machine_is_told_and_ends(rig, run_now, sessions, source, fault):
    assert run_now().outcome == "ok"
    rig.break_(fault)
    ends = time.monotonic() + 10
    while (struck := run_now()).outcome == "ok":
        assert time.monotonic() < ends
    check_told(source, fault, struck)
    with sessions() as session:
        assert all(series.failing_since for series in queries.series_of_panel(session, "p"))
    rig.mend()
    while run_now().outcome != "ok":
        assert time.monotonic() < ends
    with sessions() as session:
        assert not any(series.failing_since for series in queries.series_of_panel(session, "p"))


@of("garbage", sources=["host"])
def test_a_counter_that_starts_again_counts_as_0(rig, run_now, samples, source, fault):
    rig.break_(fault)
    run_now()
    check_told(source, fault, run_now())
    assert {value for _, value in samples("disk_bytes_per_s")} == {0.0}


@of("forming bar", sources=["host"])
def test_a_sample_is_of_an_interval_that_has_ended(rig, run_now, samples, clock, source, fault):
    run_now()
    check_told(source, fault, run_now())
    assert max(ts for ts, _ in samples("load")) <= clock() - TENTH


def test_every_cell_has_a_test():
    assert set(cells(*FAULTS)) == TESTED
    assert set(CELLS) == set(BUILT_IN)
