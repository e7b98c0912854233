"""The examples of docs/sources.md at work: each panel as it is written there, fetched from a clean start by the real
command. Only hosts and users are replaced: what is asked lies on this machine.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.fetch import fetch
from service import settings
from service.daemon import utc_now
from tests.jobs.sources import prometheus_server
from tests.jobs.sources.examples import SECRETS, panels
from tests.jobs.sources.mqtt_broker import Broker
from tests.jobs.sources.servers import Reply, Site

ROOT = Path(__file__).parents[3]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)
NEW_YORK = ZoneInfo("America/New_York")
PANELS = panels()
ELSEWHERE = {"yfinance", "moon"}  # whose hosts cannot be replaced from outside; who has to be installed first


def prices(asked):
    """Hourly prices of two days; at most 500 rows, as is asked for."""
    if asked.headers.get("authorization") != "Bearer let-me-in":
        return Reply(status=401)
    since = datetime.fromisoformat(asked.query["from"])
    hours = [at for k in range(1000) if (at := NOW - (1000 - k) * HOUR) >= since]
    rows = [{"symbol": "OIL", "at": at.isoformat(), "price": {"close": 70.5}} for at in hours]
    return Reply({"data": rows[: int(asked.query["limit"])]})


def write_meters(folder):
    """Two hours of two houses, in local time, when no clock is changed."""
    first = (datetime.now(ZoneInfo("Europe/Berlin")) - DAY).replace(hour=12, minute=0)
    for house in ("house 1", "house 2"):
        rows = [f"{first + k * 15 * MINUTE:%Y-%m-%d %H:%M};0,2{k}" for k in range(8)]
        (folder / f"{house}.csv").write_text("\n".join(["time;kWh", *rows, ""]))


def fill_orders(postgres):
    postgres.run(
        "CREATE ROLE clerk LOGIN PASSWORD 'of-orders'",
        "CREATE TABLE orders AS SELECT 'shop ' || g %% 2 AS shop, now() - g * interval '10 minutes' AS ordered_at"
        " FROM generate_series(1, 100) g",
        "GRANT SELECT ON orders TO clerk",
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, postgres):
    """What `rollcast fetch` says of each panel."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "meters").mkdir()
    write_meters(folder / "meters")
    (folder / "samples").mkdir()
    shutil.copy(ROOT / "service" / "samples" / "nyc_taxi_30min.csv", folder / "samples")
    fill_orders(postgres)
    site, broker = Site(), Broker(folder, {})
    site.serve = prices
    broker.publish(("home/kitchen/climate", {"celsius": 21.5, "at": (NOW - HOUR).isoformat()}), retain=True)
    monitored = shutil.which("prometheus") is not None
    with prometheus_server.running(folder) if monitored else nullcontext() as prometheus:
        if monitored:
            counts = [(NOW - k * MINUTE, 600.0 - k) for k in range(30, 0, -1)]
            prometheus_server.push(prometheus, "http_requests_total", counts, instance="web")
        replaced = {
            "https://api.example.com": f"http://{site.host}",
            "rollcast:${MQTT_PASSWORD}@localhost": f"me:${{MQTT_PASSWORD}}@localhost:{broker.port}",
            "http://localhost:9090": prometheus or "http://localhost:9090",
            "reader:${ORDERS_PASSWORD}@db.example.com/shop": "clerk:${ORDERS_PASSWORD}@/postgres?host="
            + postgres.url.query["host"],
        }
        text = "\n".join(block for kind, block in PANELS.items() if kind not in ELSEWHERE)
        for old, new in replaced.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        (folder / "rollcast.toml").write_text(text)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCAST_")}
        ended = subprocess.run(
            [sys.executable, "-m", "service", "fetch"],
            cwd=folder,
            env=environ | SECRETS | {"no_proxy": "127.0.0.1,localhost", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    site.stop()
    broker.stop()
    broker.close()
    return dict(line.split("  ", 1) for line in ended.stdout.splitlines()), ended.stderr


EXPECTED = {
    "csv": ("meters", "16 new"),
    "http": ("prices", "1,000 new, 2 twice"),
    "mqtt": ("rooms", "1 new"),
    "prometheus": ("requests", "[1-9] new"),
    "replay": ("demo", r"5,1\d\d new"),
    "sql": ("orders", r"3[0-9] new"),
    "host": ("machine", "0 new, 3 still forming"),  # of a first sample, which the next fetch would store
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_an_example_brings_observations(recorded, kind):
    if kind == "prometheus" and shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian's package prometheus)")
    panel, told = EXPECTED[kind]
    outcomes, complaints = recorded
    assert re.match(rf"ok  {told}", outcomes.get(panel, complaints)), outcomes


def test_the_example_of_yfinance_brings_observations(yahoo, listing, tmp_path, sessions, means):
    file = tmp_path / "rollcast.toml"
    file.write_text(PANELS["yfinance"])
    days = [datetime.now(NEW_YORK).date() - k * DAY for k in range(10)]
    opens = [datetime.combine(date, time(9, 30), NEW_YORK) for date in days if date.weekday() < 5]
    (panel,) = settings.load(file, os.environ).build_panels()
    panel.source.session = yahoo.session()
    for symbol in panel.source.symbols:
        yahoo.listings[symbol] = listing(NEW_YORK.key, dict.fromkeys(opens, 170.25))
    fetched = fetch(sessions, panel, utc_now, means)
    panel.source.session.close()
    assert fetched.failures == {}
    assert {name: brought.new > 0 for name, brought in fetched.series.items()} == {"AAPL": True, "^GSPC": True}


def test_there_is_an_example_of_every_source():
    assert {*EXPECTED, *ELSEWHERE} == set(PANELS)
