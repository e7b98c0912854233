"""The page in a real browser, asking the real API, on a real database, over HTTP on 127.0.0.1."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from db import engine, queries
from db.times import to_us
from jobs.fetch import fetch
from jobs.sources.base import SourceDownError
from tests.conftest import Clock, MemorySource
from tests.service.page.lived import (
    HOUR,
    ODD,
    demand_panel,
    let_live,
    newest_hour,
    put_on_record,
    serving,
    set_right,
)

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="package")
def browser():
    """Debian's Chromium, closed before the tests of other folders: Playwright leaves no event loop to them."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium; apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
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


@pytest.fixture
def ticking():
    return [True]


@pytest.fixture
def panel(source):
    return demand_panel(source)


@pytest.fixture
def panels(panel):
    """Those configured; a test may put in more."""
    return {panel.name: panel}


@pytest.fixture
def serve(url, panels, clock, ticking, write_engine):
    """Start a server, with a token or without, on this database or another."""
    with ExitStack() as opened:
        yield lambda token=None, database=url: opened.enter_context(
            serving(database, panels, clock, lambda: ticking[0], token)
        )


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def clock(clock):
    return set_right(clock)


@pytest.fixture
def live(sessions, clock, panel):
    """Let a series of the panel have lived."""
    return partial(let_live, sessions, clock, panel)


@pytest.fixture
def record(sessions, clock, panel):
    """Put a run on record."""
    return partial(put_on_record, sessions, clock, panel)


@dataclass
class House:
    """A server on a database that stays as it is, and its clock."""

    url: str
    clock: Clock


@pytest.fixture(scope="package")
def house(tmp_path_factory):
    """Four fresh series, one of a name of signs and one with a long past; a stale and an expired one; and runs."""
    clock, panel = set_right(Clock()), demand_panel(MemorySource())
    database = f"sqlite:///{tmp_path_factory.mktemp('house')}/test.db"
    write_engine = engine.writer(database)
    engine.migrate(write_engine)
    sessions, newest = engine.sessions(write_engine), newest_hour(clock)
    let_live(sessions, clock, panel, "hall")
    for name, age in {"hill": 0, "loft": 0, ODD: 0, "attic": 5, "cellar": 30}.items():
        let_live(sessions, clock, panel, name, observed=70, forecasts=3, newest=newest - age * HOUR)
    with sessions.begin() as session:
        pairs = [(to_us(newest - (k + 100) * HOUR), float(k % 97)) for k in reversed(range(10_000))]
        queries.add_observations(session, queries.find_series(session, "loft").id, pairs, clock() - 100 * HOUR)
    for job, reason in {"fetch": "1 new", "score": "<img src=x onerror=alert(1)>", "forecast": "6 made"}.items():
        put_on_record(sessions, clock, panel, job, reason=reason)
    put_on_record(sessions, clock, panel, "refit", "failed", "took longer than 10m and was ended")
    write_engine.dispose()
    with serving(database, {panel.name: panel}, clock) as server:
        yield House(server.url, clock)


@pytest.fixture(scope="package")
def tab(browser, house):
    """A tab in Berlin that stays open on the house."""
    with visiting(browser, house.url) as visit:
        visit.go()
        yield visit


@pytest.fixture
def show(tab):
    """Show an address in the tab that stays open: no load of the page, but the view is made anew."""

    def show(address="#/"):
        for each in ("#/", address):
            tab.page.evaluate("address => (location.hash = address)", each)
        return tab.page

    yield show
    wrong, tab.wrong = tab.wrong, []
    assert wrong == []


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
    """Keep pictures of what is there, light on a desktop and dark on a phone, and let axe look for what a screen reader
    cannot use: nothing serious may be found, and nothing wider than the phone.
    """

    def look(page, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for place, size, scheme in (("phone", PHONE, "dark"), ("desktop", DESKTOP, "light")):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(50)  # charts draw themselves anew with the next frame
            page.screenshot(path=SCREENSHOTS / f"{name}-{place}-{scheme}.png")
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
