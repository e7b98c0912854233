"""What the overview tells at a glance, and where it leads."""

import re

import pytest
from playwright.sync_api import expect

from db import queries
from db.times import to_us
from tests.service.page.lived import HOUR, newest_hour


def found(page):
    return page.locator(".found")


def test_how_all_series_are_is_told_in_a_sentence_and_in_the_title(show):
    page = show()
    expect(page.locator(".summary")).to_have_text("2 of 6 series are not fresh: 1 stale, 1 expired.")
    assert page.title() == "(2) Rollcast"


def test_where_all_is_well_that_is_told_too(visit, live):
    live("hall")
    page = visit.go()
    expect(page.locator(".summary")).to_have_text("The series is fresh.")
    assert page.title() == "Rollcast"


def test_the_sign_of_a_state_has_the_states_colour(show):
    page = show()
    colours = "signs => signs.map((sign) => getComputedStyle(sign).color)"
    signs = page.locator(".state.is-fresh .sign, .state.is-stale .sign, .state.is-expired .sign")
    expect(signs).to_have_count(3)
    assert len(set(signs.evaluate_all(colours))) == 3


def test_a_search_says_how_many_it_found(show):
    page = show("#/?search=h")
    expect(found(page)).to_have_text("2 found")
    expect(found(page)).to_have_role("status")
    expect(page.locator(".panel .row .quiet").first).to_contain_text("2 of 6 series shown")
    page.get_by_role("searchbox").fill("")
    expect(found(page)).to_be_empty()
    expect(page.locator(".panel .row .quiet").first).to_contain_text(re.compile("^6 series ·"))


def test_while_more_are_to_come_a_search_says_that_there_are_more(visit, sessions, panel):
    with sessions.begin() as session:
        for n in range(40):
            queries.add_series(session, f"s{n:02}", panel.name)
    visit.page.route(re.compile(r"/series\?.*next="), lambda route: route.abort())
    page = visit.go("#/?search=s")
    expect(found(page)).to_have_text("more than 30 found")
    page.unroute(re.compile(r"/series\?.*next="))


def test_a_card_tells_how_far_the_next_value_is_from_the_last(show):
    page = show("#/?search=hall")
    expect(page.locator(".card")).to_have_count(1)
    said = page.locator(".card .next").inner_text().replace("\u00a0", " ")
    last = page.locator(".card .value").inner_text()
    assert (told := re.match(r"next ([\d.]+) ([↗↘]) ([+-][\d.]+), \d\d:00", said)), said
    assert float(told[1]) - float(last) == pytest.approx(float(told[3]), abs=0.11)
    assert (told[2] == "↗") == told[3].startswith("+")


def test_back_from_a_series_one_goes_on_where_one_was(show):
    page = show()
    page.get_by_role("link", name="hill", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("hill")
    page.go_back()
    expect(page.get_by_role("link", name="hill", exact=True)).to_be_focused()


def test_what_the_card_told_is_on_the_series_page_at_once(show):
    page = show()
    value = page.locator(".card", has=page.get_by_role("link", name="hill", exact=True)).locator(".value").inner_text()
    page.route("**/api/v1/series/hill*", lambda _: None)
    page.get_by_role("link", name="hill", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("hill")
    expect(page.locator(".facts .value").first).to_have_text(value)
    expect(page.locator(".title .badge")).to_contain_text("fresh")
    page.unroute("**/api/v1/series/hill*")


@pytest.mark.parametrize("width", [1280, 390])
def test_neither_a_long_name_nor_a_number_of_many_digits_is_wider_than_the_page(visit, sessions, panel, clock, width):
    name = "x" * 180
    with sessions.begin() as session:
        series = queries.add_series(session, name, panel.name)
        hours = [newest_hour(clock) - k * HOUR for k in reversed(range(60))]
        pairs = [(to_us(hour), 170_000_000_000.0 + k) for k, hour in enumerate(hours)]
        queries.add_observations(session, series.id, pairs, clock())
    visit.page.set_viewport_size({"width": width, "height": 900})
    page = visit.go()
    expect(page.locator(".value")).to_have_text("170,000,000,059.0")
    inside = """() => [...document.querySelectorAll(".card, .facts > div")].every((box) =>
      [...box.querySelectorAll(".value, .badge")].every(
        (each) => each.getBoundingClientRect().right <= box.getBoundingClientRect().right))"""
    assert page.evaluate(inside)
    page = visit.go(f"#/series/{name}")
    expect(page.locator(".facts .value").first).to_have_text("170,000,000,059.0")
    expect(page.locator(".facts .value").first).to_have_attribute("title", "170000000059")
    assert page.evaluate(inside)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
