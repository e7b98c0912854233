"""The page in a real browser, asking the real API, on a real database, over HTTP on 127.0.0.1."""

import math
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from db import engine, queries
from db.times import to_us
from jobs.fetch import fetch
from jobs.sources.base import SourceDownError
from service.api import create_app

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
HOUR = timedelta(hours=1)
LEVELS = {80: 1.28, 95: 1.96}


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; a browser a file, because Playwright leaves no event loop to other tests."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        opened.close()


class Visit:
    """A browser's tab, that keeps what went wrong in it and where it asked."""

    def __init__(self, context, url):
        self.url, self.page = url, context.new_page()
        self.wrong, self.asked = [], []
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(message.text)

    def go(self, address="#/"):
        """Open an address of the page."""
        self.page.goto(f"{self.url}/{address}")
        return self.page

    def strangers(self):
        """What was asked of another origin."""
        return [url for url in self.asked if not url.startswith((f"{self.url}/", "data:"))]


@pytest.fixture
def visit(browser, server):
    """A tab in Berlin. Whatever the test is about: nothing may go wrong in it, and no request leave the origin."""
    with visiting(browser, server.url) as opened:
        yield opened


@contextmanager
def visiting(browser, url, zone="Europe/Berlin", **options) -> Iterator[Visit]:
    """A tab of its own."""
    context = browser.new_context(viewport=DESKTOP, timezone_id=zone, **options)
    try:
        visit = Visit(context, url)
        yield visit
        assert visit.wrong == []
        assert visit.strangers() == []
    finally:
        context.close()


class Server:
    """The API and its page, in a thread."""

    def __init__(self, app):
        self.app = app
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(
            self.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.app.state.is_stopping = lambda: self.server.should_exit
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()
        return self

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.listener.close()


@pytest.fixture
def ticking():
    return [True]


@pytest.fixture
def panel(panel):
    """Hourly, a day ahead."""
    return replace(panel, name="demand", horizon=24)


@pytest.fixture
def panels(panel):
    """Those configured; a test may put in more."""
    return {panel.name: panel}


@pytest.fixture
def serve(url, panels, clock, ticking, write_engine):
    """Start a server, with a token or without, on this database or another."""
    started, engines = [], []

    def start(token=None, database=url):
        engines.append(engine.reader(database))
        app = create_app(lambda: panels, engine.sessions(engines[-1]), clock, lambda: ticking[0], token=token)
        started.append(Server(app).start())
        return started[-1]

    yield start
    for server in started:
        server.stop()
    for each in engines:
        each.dispose()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def clock(clock):
    """Ten minutes past the hour, less than an hour ago: the browser has a clock of its own."""
    clock.now = (datetime.now(UTC) - timedelta(minutes=10)).replace(minute=10, second=0, microsecond=0)
    return clock


def newest_hour(clock):
    """The start of the newest hour that has ended."""
    return clock().replace(minute=0) - HOUR


def demand(hour, seed):
    """A day's rhythm, and noise."""
    return 300 + 80 * math.sin(math.tau * hour / 24) + random.Random(f"{seed}{hour}").gauss(0, 12)


@pytest.fixture
def live(sessions, clock, panel, store_model):
    """Let a series of the panel have lived: observations, a forecast an hour, scored as far as the truth is known."""

    def live(name, observed=200, forecasts=60, newest=None):
        newest = newest or newest_hour(clock)
        hours = [newest - k * HOUR for k in reversed(range(observed))]
        values = [demand(k, name) for k in range(observed)]
        with sessions.begin() as session:
            champion = queries.champion(session, panel.name) or store_model(
                session, panel.name, at=hours[-forecasts], kind="rnn"
            )
            series = queries.add_series(session, name, panel.name)
            for k in range(observed - forecasts, observed):
                steps = [
                    queries.NewStep(
                        hours[k] + step * HOUR,
                        mean := 300 + 80 * math.sin(math.tau * (k + step) / 24),
                        values[k],
                        {level: (mean - wide * 14, mean + wide * 14) for level, wide in LEVELS.items()},
                    )
                    for step in range(1, panel.horizon + 1)
                ]
                issued = hours[k] + HOUR + timedelta(minutes=1)
                queries.issue(session, series.id, champion.id, hours[k], issued, steps, unit=1.0, scale=10.0)
            pairs = [(to_us(hour), value) for hour, value in zip(hours, values, strict=True)]
            queries.add_observations(session, series.id, pairs, hours[-1] + HOUR)
            queries.fill_scores(session, series.id, clock())

    return live


@pytest.fixture
def record(sessions, clock, panel):
    """Put a run on record."""

    def record(job, outcome="ok", reason="", panel_name=panel.name):
        with sessions.begin() as session:
            run = queries.start_run(session, job, panel_name, due=clock(), started=clock())
            queries.end_run(session, run, ended=clock() + timedelta(seconds=2), outcome=outcome, reason=reason)

    return record


@pytest.fixture
def fail_to_fetch(sessions, clock, panel, source, means, record):
    """Let the panel's source be down."""

    def fail(reason):
        source.down = reason
        with pytest.raises(SourceDownError):
            fetch(sessions, panel, clock, means)
        record("fetch", "failed", reason)

    return fail


@pytest.fixture
def look():
    """Keep pictures of what is there, light and dark, on desktop and phone, and let axe look for what a screen reader
    cannot use: nothing serious may be found, and nothing wider than the phone.
    """

    def look(page, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for place, size in {"desktop": DESKTOP, "phone": PHONE}.items():
            page.set_viewport_size(size)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(50)  # charts draw themselves anew with the next frame
                page.screenshot(path=SCREENSHOTS / f"{name}-{place}-{scheme}.png")
                if (place, scheme) in (("desktop", "light"), ("phone", "dark")):
                    assert faults(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    return look


def faults(page):
    """What axe calls serious or critical, and where."""
    return [
        (found["id"], node["html"])
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]
