"""Using the page: searching, filtering, by keyboard; names and times of all kinds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from db import queries
from db.times import to_us
from tests.service.page.conftest import newest_hour, visiting

ODD = "a/b <script>alert(1)</script> & 100 %"


@pytest.fixture
def three(live, clock):
    """Two fresh series, and a stale one."""
    live("hall")
    live("hill")
    live("attic", newest=newest_hour(clock) - timedelta(hours=5))


def names(page):
    return page.locator(".card h3")


def test_a_search_leaves_the_series_whose_names_hold_it(visit, three):
    page = visit.go()
    expect(names(page)).to_have_text(["attic", "hall", "hill"])
    page.get_by_role("searchbox").fill("ILL")
    expect(names(page)).to_have_text(["hill"])
    assert page.url.endswith("#/?search=ILL")


def test_a_search_that_finds_nothing_says_so_and_can_be_undone(visit, three):
    page = visit.go("#/?search=cellar")
    expect(page.locator(".notice")).to_contain_text("No series is like that.")
    page.get_by_role("button", name="Show all series").click()
    expect(names(page)).to_have_count(3)


def test_a_state_can_be_chosen_and_is_counted(visit, three):
    page = visit.go()
    expect(page.get_by_role("button", name="fresh 2")).to_be_visible()
    page.get_by_role("button", name="stale 1").click()
    expect(names(page)).to_have_text(["attic"])
    expect(page.get_by_role("button", name="stale 1")).to_have_attribute("aria-pressed", "true")


def test_the_address_keeps_what_is_wanted(visit, three):
    page = visit.go("#/?status=stale")
    expect(names(page)).to_have_text(["attic"])


def test_slash_goes_to_the_search_and_escape_empties_it(visit, three):
    page = visit.go()
    expect(names(page)).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("hall")
    expect(names(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(names(page)).to_have_count(3)


def test_by_keyboard_one_gets_to_a_series_and_back_to_where_one_was(visit, three):
    page = visit.go("#/?search=h")
    expect(names(page)).to_have_count(2)
    page.get_by_role("link", name="hill").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("hill")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.title() == "hill – Rollcast"
    page.get_by_role("link", name="all series").press("Enter")
    expect(names(page)).to_have_count(2)
    expect(page.get_by_role("searchbox")).to_have_value("h")


def test_the_skip_link_leads_past_the_header(visit, three):
    page = visit.go()
    expect(names(page)).to_have_count(3)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(names(page)).to_have_count(3)


def test_a_name_of_signs_is_shown_as_it_is_and_leads_to_its_page(visit, live, record):
    live(ODD)
    record("fetch", reason="<img src=x onerror=alert(1)>")
    page = visit.go()
    page.get_by_role("link", name=ODD).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ODD)
    expect(page.locator(".u-wrap")).to_have_count(3)
    expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert page.locator("script").count() == 2


def test_past_forecasts_are_laid_over_what_happened(visit, live):
    live("hall")
    page = visit.go("#/series/hall")
    legend = page.locator(".legend").first
    expect(legend).to_contain_text("forecast 1 step before")
    page.get_by_label("past forecasts").select_option("24")
    expect(legend).to_contain_text("forecast 24 steps before")
    before = page.locator(".plot canvas").first.screenshot()
    page.get_by_label("past forecasts").select_option("whole")
    expect(legend).not_to_contain_text("before")
    assert page.locator(".plot canvas").first.screenshot() != before
    whole = page.locator(".plot canvas").first.screenshot()
    page.get_by_label("past forecasts").select_option("none")
    assert page.locator(".plot canvas").first.screenshot() != whole
    expect(legend).not_to_contain_text("before")


def test_the_pointer_reads_values_off_the_chart(visit, live):
    live("hall")
    page = visit.go("#/series/hall")
    expect(page.locator(".u-wrap")).to_have_count(3)
    over = page.locator(".u-over").first
    box = over.bounding_box()
    over.hover(position={"x": box["width"] * 0.5, "y": 100})
    told = page.locator(".legend").first.locator(".told")
    expect(told.first).not_to_be_empty()
    over.hover(position={"x": box["width"] - 5, "y": 100})
    expect(told.first).to_have_text("–")  # nothing is observed there
    expect(told.nth(1)).not_to_have_text("–")


def test_the_forecast_can_be_read_as_a_table(visit, live):
    live("hall")
    page = visit.go("#/series/hall")
    page.get_by_text("The forecast as a table").click()
    rows = page.get_by_role("region", name="Forecast of hall").locator("tbody tr")
    expect(rows).to_have_count(24)


def test_errors_can_be_asked_for_by_window(visit, live):
    live("hall", observed=400, forecasts=300)
    page = visit.go("#/series/hall")
    said = page.locator("section").nth(1).locator("p").first
    expect(said).to_contain_text("of the last 7 days")
    page.get_by_label("targets of").select_option("all")
    expect(said).to_contain_text("of all time")


def test_runs_can_be_asked_for_by_outcome(visit, live, record):
    live("hall")
    record("fetch", reason="1 new")
    record("refit", "failed", "out of memory")
    page = visit.go("#/series/hall")
    rows = page.get_by_role("region", name="The newest runs of panel demand").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("outcome").select_option("failed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("out of memory")


def test_times_are_the_viewers_and_the_zone_is_stated(browser, server, live, clock):
    live("hall")
    for zone, hours in {"UTC": 0, "Asia/Tokyo": 9}.items():
        with visiting(browser, server.url, zone) as visit:
            page = visit.go()
            expect(page.locator("#zone")).to_have_text(f"Times in {zone}")
            target = newest_hour(clock) + timedelta(hours=1 + hours)
            expect(page.locator(".card .next")).to_contain_text(f"{target:%H}:00")


def test_a_whole_day_is_the_same_date_everywhere(browser, server, sessions, panels, panel, clock):
    panels["oil"] = replace(panel, name="oil", interval=timedelta(days=1))
    with sessions.begin() as session:
        series = queries.add_series(session, "WTI", "oil")
        days = [datetime(2019, 1, day, tzinfo=UTC) for day in range(1, 21)]
        queries.add_observations(session, series.id, [(to_us(day), 46.9) for day in days], clock())
    with visiting(browser, server.url, "America/New_York") as visit:
        page = visit.go("#/series/WTI")
        expect(page.locator(".facts")).to_contain_text("20 Jan 2019,")
        expect(page.get_by_role("img", name="Chart of WTI.")).to_have_attribute(
            "aria-label",
            "Chart of WTI. Observed from 1 Jan 2019 to 20 Jan 2019, the last value 46.9. No forecast.",
        )
