"""The page in headless Chromium: how soon something is painted, and how soon what one comes for is drawn.

    python -m benchmarks.page               # 10,000 points of a series, and 1,000 series at a glance
    python -m benchmarks.page --rounds 20

The real daemon serves it; each round is a new browser profile, with nothing kept. First paint is Chromium's own first
contentful paint; drawn is when the series' chart, or the first card's sparkline, is on the screen. Needs Chromium.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Route, ViewportSize, sync_playwright

from benchmarks.api_servers import rollcast
from benchmarks.lived import HOUR, PANEL, configuration, make_database

SCREEN: ViewportSize = {"width": 1280, "height": 900}
FORECASTS, HORIZON = 200, 24
DRAWN = """
    new MutationObserver((_, observer) => {
      if (!document.querySelector(%s)) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => { window.drawnAt = performance.now(); }));
    }).observe(document, { childList: true, subtree: true });"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass(frozen=True)
class View:
    """What is opened, of how much, and what must be there for it to be drawn."""

    told: str
    series: int
    observations: int
    address: str
    selector: str


VIEWS = (
    View("one series, 10,000 points", 1, 10_000, "/#/series/s0000", ".u-wrap canvas"),
    View("1,000 series at a glance", 1000, 200, "/", ".spark"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no chromium here: `apt-get install chromium` on Debian")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for view in VIEWS:
            with tempfile.TemporaryDirectory() as folder:
                live(Path(folder), view)
                with rollcast(Path(folder)) as daemon:
                    times = [opened(browser, daemon.url, view) for _ in range(rounds)]
            painted, drawn = zip(*times, strict=True)
            print(f"{view.told}: first paint {spread(painted)}, drawn {spread(drawn)}", flush=True)
        browser.close()


def live(folder: Path, view: View) -> None:
    """A folder to serve from."""
    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    (folder / "data").mkdir()
    database, forecasts = folder / "data" / "rollcast.db", min(FORECASTS, view.observations // 4)
    make_database(database, view.series, view.observations, forecasts, HORIZON, newest=newest)
    (folder / "rollcast.toml").write_text(configuration(HORIZON))
    (folder / f"{PANEL}.csv").write_text("unique_id,ds,y\n")


def opened(browser: Browser, url: str, view: View) -> tuple[float, float]:
    """When the first thing was painted and the view drawn, in ms after the address was entered."""
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    page.add_init_script(DRAWN % json.dumps(view.selector))
    page.route("**/observations?*", ask_for_all)
    page.goto(url + view.address)
    while page.evaluate("window.drawnAt === undefined"):  # the page's own policy lets nothing wait within it
        page.wait_for_timeout(20)
    painted, drawn = page.evaluate(f"[{PAINTED}, window.drawnAt]")
    context.close()
    return float(painted), float(drawn)


def ask_for_all(route: Route) -> None:
    """The page would ask for as many points as the screen has room for: let it have all of them."""
    route.continue_(url=route.request.url.partition("?")[0] + "?points=10000")


def spread(times: tuple[float, ...]) -> str:
    """The median and the longest."""
    return f"{statistics.median(times):.0f} ms ({max(times):.0f} at most)"


if __name__ == "__main__":
    main()
