"""What the page shows in each state that a user can get into. Pictures of all are kept in build/screenshots/."""

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from benchmarks.lived import make_database
from jobs.fetch import fetch
from tests.service.page.conftest import SCREENSHOTS, visiting
from tests.service.page.lived import newest_hour

# The share of the chart's height that the line of what was observed takes.
HEIGHT_OF_OBSERVED = """canvas => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--observed)";
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const rows = [];
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 128 && wanted.every((part, n) => Math.abs(part - data[i + n]) < 12))
      rows.push(i / 4 / canvas.width);
  return (Math.max(...rows) - Math.min(...rows)) / canvas.height;
}"""


def card(page, name):
    """The card of a series."""
    return page.locator(".card").filter(has=page.get_by_role("link", name=name, exact=True))


def test_without_series_the_page_says_that_the_first_fetch_makes_them(visit, look):
    page = visit.go()
    expect(page.get_by_role("heading", name="demand")).to_be_visible()
    expect(page.get_by_text("No series yet: the first fetch makes them.")).to_be_visible()
    look(page, "empty")


def test_a_first_fetch_that_failed_is_told_with_its_reason_and_what_to_do(visit, record):
    record("fetch", "failed", "no route to host")
    page = visit.go()
    expect(page.locator(".panel")).to_contain_text("The last fetch failed")
    expect(page.locator(".panel")).to_contain_text("no route to host")
    expect(page.locator(".panel code")).to_have_text("rollcast fetch demand --dry-run")


def test_a_card_tells_value_forecast_band_state_in_words_and_age(show, look):
    page = show("#/?search=hall")
    hall = card(page, "hall")
    expect(hall).to_contain_text("fresh")
    expect(hall).to_contain_text("10 min ago")
    expect(hall.locator(".next")).to_contain_text("next")
    expect(hall.locator(".next")).to_contain_text("80 %:")
    assert hall.get_by_role("img").get_attribute("aria-label").startswith("hall: 60 observations from ")
    expect(page.locator(".card")).to_have_count(1)
    look(page, "one-series")


def test_a_series_page_tells_everything_about_it(show, look):
    page = show("#/series/hall")
    expect(page.get_by_role("heading", level=1)).to_have_text("hall")
    expect(page.locator(".u-wrap")).to_have_count(3)
    expect(page.locator(".why")).to_have_text("The forecast is made from the newest observation.")
    expect(page.get_by_role("region", name="The newest models of panel demand")).to_contain_text("serving")
    expect(page.get_by_role("region", name="The newest runs of panel demand")).to_contain_text("took longer than 10m")
    expect(page.locator("section").nth(1)).to_contain_text("the 80 % intervals held")
    look(page, "series")
    page.screenshot(path=SCREENSHOTS / "series-whole.png", full_page=True)


def test_a_stale_card_says_so_and_since_when(show, look):
    page = show()
    expect(card(page, "attic")).to_contain_text("stale")
    expect(card(page, "attic")).to_contain_text("no observation since")
    look(page, "overview")


def test_a_stale_series_says_since_when_and_what_to_do(show, look):
    page = show("#/series/attic")
    expect(page.locator(".title")).to_contain_text("stale")
    expect(page.locator(".why")).to_contain_text("No observation since")
    expect(page.locator(".why code")).to_have_text("rollcast fetch demand --dry-run")
    look(page, "stale-series")


def test_an_expired_forecast_is_not_to_be_used(show, look):
    page = show("#/series/cellar")
    expect(page.locator(".title")).to_contain_text("expired")
    expect(page.locator(".why")).to_contain_text("Do not use this forecast")
    look(page, "expired-series")


def test_a_source_that_is_down_says_why_and_when_it_is_tried_again(visit, live, fail_to_fetch, look):
    live("hall")
    fail_to_fetch("no route to host")
    page = visit.go()
    expect(card(page, "hall")).to_contain_text("source down")
    expect(card(page, "hall")).to_contain_text("no route to host")
    expect(page.locator(".panel > .notice")).to_contain_text("It is tried again")
    look(page, "source-down")


def test_a_series_with_too_little_data_says_how_much_it_lacks(visit, sessions, panel, source, clock, means, look):
    source.put("new", range(10), start=newest_hour(clock) - timedelta(hours=9))
    fetch(sessions, panel, clock, means)
    page = visit.go("#/series/new")
    expect(page.locator(".title")).to_contain_text("too little data")
    expect(page.locator(".why")).to_contain_text("that a first model needs")
    expect(page.locator(".u-wrap")).to_have_count(1)
    expect(page.locator("section").nth(2)).to_contain_text("the first refit makes one")
    look(page, "too-little-data")


def test_an_unknown_series_says_which_there_are(show):
    page = show("#/series/hell")
    expect(page.locator(".notice")).to_contain_text("There is no series hell.")
    expect(page.locator(".notice")).to_contain_text("attic")


def test_a_scheduler_that_stands_still_is_told(visit, ticking, look):
    ticking[0] = False
    page = visit.go()
    expect(page.get_by_role("alert")).to_contain_text("the scheduler does not tick")
    look(page, "not-at-work")


@pytest.mark.slow
def test_a_thousand_series_come_as_one_scrolls(browser, serve, panels, panel, clock, tmp_path, look):
    panels["lived"] = replace(panel, name="lived")
    make_database(tmp_path / "lived.db", observations=60, forecasts=2, newest=newest_hour(clock))
    with visiting(browser, serve(database=f"sqlite:///{tmp_path}/lived.db").url) as visit:
        page = visit.go()
        expect(page.locator(".state").first).to_have_text("all 1,000")
        expect(page.locator(".card").nth(99)).to_be_attached()
        assert page.locator(".card").count() < 1000
        assert 0 < page.locator(".spark").count() < 60
        look(page, "thousand-series")
        page.set_viewport_size({"width": 1280, "height": 900})
        for _ in range(60):
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            page.wait_for_timeout(100)
            if page.locator(".card").count() == 1000:
                break
        expect(page.locator(".card")).to_have_count(1000)
        expect(page.locator(".card").last).to_contain_text("s0999")
        page.locator(".card").last.scroll_into_view_if_needed()
        expect(page.locator(".card").last.locator(".spark")).to_be_visible()


def test_a_band_without_measure_does_not_flatten_what_happened(visit, live):
    live("hall", forecasts=2, levels={80: 1.28, 95: 2000.0})
    page = visit.go("#/series/hall")
    expect(page.locator(".u-wrap").first).to_be_visible()
    assert page.locator(".plot canvas").first.evaluate(HEIGHT_OF_OBSERVED) > 0.15
