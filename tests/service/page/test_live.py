"""What happens while somebody looks: events, a daemon that goes and comes back, a token that is asked for."""

import json
import re

import pytest
from playwright.sync_api import expect

from db import queries
from jobs.fetch import fetch
from service.api import stream
from tests.service.page.conftest import PHONE, visiting
from tests.service.page.lived import HOUR, newest_hour

NEXT_SERIES = re.compile(r"/series\?.*next=")


@pytest.fixture
def bring(sessions, panel, source, clock, means):
    """Fetch a value of the newest hour."""

    def bring(name, value):
        source.put(name, [value], start=newest_hour(clock))
        fetch(sessions, panel, clock, means)

    return bring


def is_live(page):
    expect(page.locator("#live")).to_have_text("live")


def unloaded(page):
    """Whether the page is the one that was marked, and was not loaded again."""
    return page.evaluate("window.marked === true")


def test_an_event_changes_the_card_without_a_reload(visit, live, bring, clock):
    live("hall")
    page = visit.go()
    is_live(page)
    value = page.locator(".card .value")
    expect(value).to_be_visible()
    page.evaluate("window.marked = true")
    clock.now += HOUR
    bring("hall", 4321.0)
    expect(value).to_have_text("4,321.0")
    assert unloaded(page)


def test_an_event_changes_the_series_page_without_a_reload(visit, live, bring, clock):
    live("hall")
    page = visit.go("#/series/hall")
    is_live(page)
    expect(page.locator(".u-wrap")).to_have_count(3)
    page.evaluate("window.marked = true")
    clock.now += HOUR
    bring("hall", 4321.0)
    expect(page.locator(".facts")).to_contain_text("4,321")
    expect(page.locator(".title")).to_contain_text("stale")
    expect(page.locator(".plot").first).to_have_attribute("aria-label", re.compile("the last value 4,321"))
    assert unloaded(page)


def test_a_series_that_a_first_fetch_makes_appears_by_itself(visit, bring):
    page = visit.go()
    is_live(page)
    bring("new", 1.0)
    expect(page.locator(".card")).to_contain_text("new")


def test_a_daemon_that_goes_is_told_with_the_time_and_what_to_do(visit, live, server, look):
    live("hall")
    page = visit.go()
    is_live(page)
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The daemon does not answer since")
    expect(page.get_by_role("alert").locator("code")).to_have_text("rollcast run")
    expect(page.locator("#live")).to_contain_text("the daemon does not answer since")
    expect(page.locator(".card")).to_contain_text("hall")
    look(page, "daemon-gone")
    server.start()
    is_live(page)
    expect(page.get_by_role("alert")).to_be_empty()


def test_a_series_opened_while_the_daemon_is_gone_says_once_that_it_is(visit, live, server):
    live("hall")
    page = visit.go()
    is_live(page)
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The daemon does not answer since")
    page.get_by_role("link", name="hall").click()
    expect(page.locator(".title")).to_contain_text("fresh")
    expect(page.locator("main .notice")).to_be_attached()
    expect(page.locator(".notice").filter(visible=True)).to_have_count(1)


def test_since_when_the_daemon_is_gone_is_told_with_its_date(visit, server):
    page = visit.go()
    is_live(page)
    page.clock.install()
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The daemon does not answer since")
    page.clock.fast_forward("24:00:00")
    page.clock.run_for(20_000)
    told = re.compile(r"since \d+ \w+ \d{4}, \d\d:\d\d")
    expect(page.get_by_role("alert")).to_contain_text(told)
    expect(page.locator("#live")).to_contain_text(told)


def test_what_happened_while_the_daemon_was_away_is_told_when_it_is_back(visit, live, server, bring, clock):
    live("hall")
    page = visit.go()
    is_live(page)
    server.stop()
    clock.now += HOUR
    bring("hall", 4321.0)
    server.start()
    expect(page.locator(".card .value")).to_have_text("4,321.0")


def test_a_page_opened_before_the_daemon_answers_says_so_and_fills_itself(visit, live, server):
    live("hall")
    visit.page.route("**/api/v1/**", lambda route: route.abort())
    page = visit.go()
    expect(page.locator("main .notice")).to_contain_text("The daemon does not answer.")
    page.unroute("**/api/v1/**")
    expect(page.locator(".card")).to_contain_text("hall")


def test_a_token_is_asked_for_once_and_kept_for_the_tab(browser, serve, live, look):
    live("hall")
    with visiting(browser, serve(token="open-sesame").url) as visit:
        page = visit.go()
        expect(page.get_by_role("dialog")).to_be_visible()
        look(page, "token")
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("That token was not accepted.")).to_be_visible()
        page.locator("#token").fill("open-sesame")
        page.keyboard.press("Enter")
        expect(page.locator(".card")).to_contain_text("hall")
        is_live(page)
        page.reload()
        expect(page.locator(".card")).to_contain_text("hall")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_token_is_asked_for_however_often_one_escapes(browser, serve):
    with visiting(browser, serve(token="open-sesame").url) as visit:
        page = visit.go()
        expect(page.get_by_role("dialog")).to_be_visible()
        for _ in range(3):
            page.keyboard.press("Escape")
        page.wait_for_timeout(100)
        expect(page.locator("#token")).to_be_focused()
        page.keyboard.type("open-sesame")
        page.keyboard.press("Enter")
        expect(page.locator(".panel")).to_contain_text("demand")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_token_that_no_request_can_bear_is_refused_where_it_is_typed(browser, serve):
    with visiting(browser, serve(token="open-sesame").url) as visit:
        page = visit.go()
        for impossible in ("öffne-dich", "open sesame"):
            page.locator("#token").fill(impossible)
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("No token looks like that")
        page.locator("#token").fill("open-sesame")
        page.keyboard.press("Enter")
        expect(page.locator(".panel")).to_contain_text("demand")


@pytest.fixture
def grow_stale(clock, sessions, panel):
    """Let hours go by in which the series has no observation, and let the daemon notice."""

    def grow_stale(name):
        clock.now += 4 * HOUR
        data = json.dumps({"status": "stale", "reason": "no observation of late", "was": "fresh"})
        with sessions.begin() as session:
            queries.add_events(session, [queries.NewEvent("state", panel.name, name, data)], clock())

    return grow_stale


def test_the_state_that_a_series_comes_into_is_counted(visit, live, grow_stale):
    live("hall")
    page = visit.go()
    is_live(page)
    expect(page.get_by_role("button", name="fresh 1")).to_be_visible()
    grow_stale("hall")
    expect(page.locator(".card")).to_contain_text("no observation of late")
    expect(page.get_by_role("button", name="stale 1")).to_be_visible()


def test_a_series_that_leaves_the_state_that_is_wanted_leaves_the_list(visit, live, grow_stale):
    live("hall")
    page = visit.go("#/?status=fresh")
    is_live(page)
    expect(page.locator(".card")).to_have_count(1)
    grow_stale("hall")
    expect(page.locator(".notice")).to_have_text("No series is like that.")
    expect(page.get_by_role("button", name="stale 1")).to_be_visible()


def test_where_the_next_series_do_not_come_one_can_try_again(visit, sessions, panel):
    with sessions.begin() as session:
        for n in range(40):
            queries.add_series(session, f"s{n:02}", panel.name)
    visit.page.route(NEXT_SERIES, lambda route: route.abort())
    page = visit.go()
    expect(page.locator(".end .notice")).to_contain_text("The daemon does not answer.")
    expect(page.locator(".card")).to_have_count(30)
    page.unroute(NEXT_SERIES)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".card")).to_have_count(40)
    expect(page.locator(".end")).to_be_empty()


def test_a_daemon_that_answers_again_is_not_called_gone_where_it_refuses_the_stream(visit, live, server, monkeypatch):
    live("hall")
    page = visit.go()
    is_live(page)
    server.stop()
    expect(page.get_by_role("alert")).to_contain_text("The daemon does not answer since")
    monkeypatch.setattr(stream, "MOST", 0)
    server.start()
    expect(page.locator("#live")).to_contain_text("no live updates: 0 streams are open")
    expect(page.get_by_role("alert")).to_be_empty()


def test_ages_grow_while_nothing_happens(visit, live, clock):
    live("hall")
    clock.now = clock.now.replace(minute=0, second=30)
    page = visit.go()
    age = page.locator(".card .age")
    expect(age).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(age).not_to_have_text(age.inner_text())


def test_an_event_leaves_the_focus_and_the_place_of_scrolling_where_they_were(visit, live, bring, clock):
    live("hall")
    visit.page.set_viewport_size(PHONE)
    page = visit.go("#/series/hall")
    is_live(page)
    unfold = page.get_by_text("What was observed, and what was forecast, as a table")
    unfold.click()
    expect(unfold).to_be_focused()
    rows = page.get_by_role("region", name="The last 30 observations of hall")
    rows.evaluate("element => (element.scrollLeft = 30)")
    clock.now += HOUR
    bring("hall", 4321.0)
    expect(rows.locator("tbody tr").first).to_contain_text("4,321")
    expect(unfold).to_be_focused()
    assert rows.evaluate("element => element.scrollLeft") == 30
