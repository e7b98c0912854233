"""Using the page: searching, filtering, by keyboard; names and times of all kinds."""

import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from db import queries
from db.times import to_us
from tests.service.page.conftest import DESKTOP, visiting
from tests.service.page.lived import HOUR, ODD, newest_hour

ALL = [ODD, "attic", "cellar", "hall", "hill", "loft"]


def names(page):
    return page.locator(".card h3")


@pytest.fixture
def series(show):
    """The page of a series, drawn."""

    def series(name):
        page = show(f"#/series/{name}")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.locator(".u-wrap")).to_have_count(3)
        return page

    return series


def test_a_search_leaves_the_series_whose_names_hold_it(show):
    page = show()
    expect(names(page)).to_have_text(ALL)
    page.get_by_role("searchbox").fill("ILL")
    expect(names(page)).to_have_text(["hill"])
    assert page.url.endswith("#/?search=ILL")


def test_a_search_that_finds_nothing_says_so_and_can_be_undone(show):
    page = show("#/?search=basement")
    expect(page.locator(".notice")).to_contain_text("No series is like that.")
    page.get_by_role("button", name="Show all series").click()
    expect(names(page)).to_have_count(len(ALL))


def test_a_state_can_be_chosen_and_is_counted(show):
    page = show()
    expect(page.get_by_role("button", name="fresh 4")).to_be_visible()
    page.get_by_role("button", name="stale 1").click()
    expect(names(page)).to_have_text(["attic"])
    expect(page.get_by_role("button", name="stale 1")).to_have_attribute("aria-pressed", "true")


def test_the_address_keeps_what_is_wanted(show):
    page = show("#/?status=stale")
    expect(names(page)).to_have_text(["attic"])


def test_slash_goes_to_the_search_and_escape_empties_it(show):
    page = show()
    expect(names(page)).to_have_count(len(ALL))
    page.keyboard.press("/")
    page.keyboard.type("hall")
    expect(names(page)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(names(page)).to_have_count(len(ALL))


def test_by_keyboard_one_gets_to_a_series_and_back_to_where_one_was(show):
    page = show("#/?search=h")
    expect(names(page)).to_have_count(2)
    page.get_by_role("link", name="hill").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("hill")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.title() == "hill – Rollcast"
    page.get_by_role("link", name="all series").press("Enter")
    expect(names(page)).to_have_count(2)
    expect(page.get_by_role("searchbox")).to_have_value("h")


def test_the_skip_link_leads_past_the_header(browser, house):
    with visiting(browser, house.url) as visit:
        page = visit.go()
        expect(names(page)).to_have_count(len(ALL))
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        expect(names(page)).to_have_count(len(ALL))


def test_a_name_of_signs_is_shown_as_it_is_and_leads_to_its_page(show):
    page = show()
    page.get_by_role("link", name=ODD).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ODD)
    expect(page.locator(".u-wrap")).to_have_count(3)
    expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
    assert page.locator("script").count() == 2


def test_past_forecasts_are_laid_over_what_happened(series):
    page = series("hall")
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


def test_the_pointer_reads_values_off_the_chart(series):
    page = series("hall")
    over = page.locator(".u-over").first
    box = over.bounding_box()
    over.hover(position={"x": box["width"] * 0.5, "y": 100})
    told = page.locator(".legend").first.locator(".told")
    expect(told.first).not_to_be_empty()
    over.hover(position={"x": box["width"] - 5, "y": 100})
    expect(told.first).to_have_text("–")  # nothing is observed there
    expect(told.nth(1)).not_to_have_text("–")


def test_the_forecast_can_be_read_as_a_table(series):
    page = series("hall")
    page.get_by_text("The forecast as a table").click()
    rows = page.get_by_role("region", name="Forecast of hall").locator("tbody tr")
    expect(rows).to_have_count(24)


def test_errors_can_be_asked_for_by_window(series):
    page = series("hall")
    said = page.locator("section").nth(1).locator("p").first
    expect(said).to_contain_text("of the last 7 days")
    page.get_by_label("targets of").select_option("all")
    expect(said).to_contain_text("of all time")


def test_runs_can_be_asked_for_by_outcome(series):
    page = series("hall")
    rows = page.get_by_role("region", name="The newest runs of panel demand").locator("tbody tr")
    expect(rows).to_have_count(4)
    page.get_by_label("outcome").select_option("failed")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("took longer than 10m")


def test_ten_thousand_observations_are_drawn_at_once(series, house):
    page = series("loft")
    page.get_by_label("show").select_option("all")
    first = newest_hour(house.clock) - timedelta(hours=10_099)
    expect(page.get_by_role("img", name="Chart of loft.")).to_have_attribute(
        "aria-label", re.compile(f"Observed from .* {first.year},")
    )


@contextmanager
def held(page, pattern):
    """Hold back the answers to the questions of this pattern until the end, and wait until they have been taken."""
    questions, pattern = [], re.compile(pattern)
    page.route(pattern, lambda route: questions.append(route))
    yield
    page.wait_for_timeout(50)
    assert questions
    for route in questions:
        with page.expect_response(route.request.url) as answered:
            route.continue_()
        answered.value.finished()
    page.unroute(pattern)
    page.wait_for_timeout(50)


def test_a_late_answer_does_not_take_the_place_of_a_newer_choice(series):
    page = series("hall")
    rows = page.get_by_role("region", name="The newest runs of panel demand").locator("tbody tr")
    with held(page, r"/runs\?.*outcome=failed"):
        page.get_by_label("outcome").select_option("failed")
        page.get_by_label("outcome").select_option("ok")
        expect(rows).to_have_count(3)
    expect(rows).to_have_count(3)
    said = page.locator("section").nth(1).locator("p").first
    with held(page, r"/scores\?.*window=30d"):
        page.get_by_label("targets of").select_option("30d")
        page.get_by_label("targets of").select_option("all")
        expect(said).to_contain_text("of all time")
    expect(said).to_contain_text("of all time")
    drawn = page.get_by_role("img", name="Chart of hall.")
    told = drawn.get_attribute("aria-label")
    with held(page, r"/observations\?points=2000$"):
        page.get_by_label("show").select_option("all")
        page.get_by_label("show").select_option(index=0)
    expect(drawn).to_have_attribute("aria-label", told)


def test_a_series_that_was_left_asks_for_nothing_more(show, tab):
    page = tab.page
    asked = len(tab.asked)
    with held(page, r"/series/hill\?history=60$"):
        show("#/series/hill")
        expect(page.get_by_role("heading", level=1)).to_have_text("hill")
        show()
        expect(names(page)).to_have_count(len(ALL))
    assert [url for url in tab.asked[asked:] if "/series/hill/" in url] == []


def test_times_are_the_viewers_and_the_zone_is_stated(browser, house, show):
    with visiting(browser, house.url, "Asia/Tokyo") as visit:
        for page, zone in ((show(), "Europe/Berlin"), (visit.go(), "Asia/Tokyo")):
            expect(page.locator("header #zone")).to_have_text(f"Times in {zone}")
            target = (newest_hour(house.clock) + HOUR).astimezone(ZoneInfo(zone))
            expect(page.locator(".card", has_text="hall").locator(".next")).to_contain_text(f"{target:%H}:00")


def test_times_in_the_daemons_reasons_are_the_viewers(show, house):
    since = (newest_hour(house.clock) - 5 * HOUR).astimezone(ZoneInfo("Europe/Berlin"))
    told = f"o observation since {since.day} {since:%b %Y, %H:%M}, "
    page = show()
    expect(page.locator(".card", has_text="attic").locator(".reason")).to_contain_text(told)
    page = show("#/series/attic")
    expect(page.locator(".why")).to_contain_text(told)


WITHIN = "async (text) => new (await import('/static/time.js')).Times('1h').within(text)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("it fails since 2026-07-01 22:30:10Z: no route", "it fails since 2 Jul 2026, 00:30: no route"),
        ("none from 2026-07-01 10:00Z to now", "none from 1 Jul 2026, 12:00 to now"),
        ("2026-07-01T10:00:00Z is what the source wrote", "2026-07-01T10:00:00Z is what the source wrote"),
    ],
)
def test_only_times_that_the_daemon_writes_are_told_anew(tab, text, told):
    assert tab.page.evaluate(WITHIN, text) == told


def test_a_time_of_day_in_a_reason_is_the_viewers_too(tab):
    assert re.fullmatch(r"since 1[67]:05", tab.page.evaluate(WITHIN, "since 15:05:00Z"))


def test_a_hint_begins_and_ends_like_a_sentence(show):
    page = show("#/series/hell")
    hint = page.locator("main .notice p").nth(1)
    expect(hint).to_have_text(re.compile(r"^[A-Z].*[.?!]$"))


def test_a_command_is_not_broken_where_it_fits_into_a_line(show):
    page = show("#/series/attic")
    code = page.locator(".why code")
    expect(code).to_be_visible()
    one_line = code.bounding_box()["height"]
    for width in range(500, 1000, 50):
        page.set_viewport_size({"width": width, "height": 900})
        assert code.bounding_box()["height"] == one_line
    page.set_viewport_size(DESKTOP)


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
