"""The large chart of a series: what it draws, and what becomes of it under the pointer."""

import pytest
from playwright.sync_api import expect

from db import queries
from db.times import to_us
from tests.service.page.conftest import DESKTOP, PHONE
from tests.service.page.lived import HOUR, newest_hour
from tests.service.page.test_states import HEIGHT_OF_OBSERVED

PAST = "past forecasts"
# How many points of the canvas have the colour of this name.
POINTS_OF = """(canvas, name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.className = "probe"; // its colour is not forced
  probe.style.color = `var(--${name})`;
  const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] > 128 && wanted.every((part, n) => Math.abs(part - data[i + n]) < 12)) found += 1;
  return found;
}"""
SHOWN_DOTS = "dots => dots.filter((dot) => !dot.classList.contains('u-off')).length"


@pytest.fixture
def hall(show):
    """The page of a series, drawn with its past forecasts."""
    page = show("#/series/hall")
    expect(page.locator(".u-wrap")).to_have_count(3)
    expect(legend(page)).to_contain_text("1 step before")
    return page


def legend(page):
    return page.locator(".legend").first


def canvas(page):
    return page.locator(".plot canvas").first


def hover(page, share):
    over = page.locator(".u-over").first
    over.hover(position={"x": over.bounding_box()["width"] * share, "y": 100})


def zoom(page):
    """Drag across the middle of the chart."""
    hover(page, 0.3)
    page.mouse.down()
    hover(page, 0.6)
    page.mouse.up()
    hover(page, 0.02)
    return page.locator(".legend .at").first.inner_text()


def test_a_closer_look_stays_where_other_past_forecasts_are_chosen(hall):
    first = zoom(hall)
    hall.get_by_label(PAST).select_option("none")
    expect(legend(hall)).not_to_contain_text("before")
    hover(hall, 0.03)
    hover(hall, 0.02)
    expect(hall.locator(".legend .at").first).to_have_text(first)


def test_a_closer_look_draws_what_is_chosen_then(hall):
    hall.get_by_label(PAST).select_option("whole")
    expect(legend(hall)).to_contain_text("as issued")
    zoom(hall)
    assert canvas(hall).evaluate(POINTS_OF, "past") > 0
    hall.get_by_label(PAST).select_option("none")
    expect(legend(hall)).not_to_contain_text("as issued")
    assert canvas(hall).evaluate(POINTS_OF, "past") == 0


def test_under_the_pointer_only_lines_that_have_a_value_there_have_a_dot(hall):
    hover(hall, 0.3)  # before the first forecast: observed alone
    assert hall.locator(".u-over").first.locator(".u-cursor-pt").evaluate_all(SHOWN_DOTS) == 1


def test_reading_values_off_the_chart_does_not_move_it(hall):
    hall.set_viewport_size(PHONE)
    before = hall.locator(".u-over").first.bounding_box()
    hover(hall, 0.5)
    expect(hall.locator(".legend .at").first).not_to_be_empty()
    assert hall.locator(".u-over").first.bounding_box() == before
    hall.set_viewport_size(DESKTOP)


def test_what_is_drawn_has_its_name_in_the_legend(hall):
    expect(hall.locator(".legend").nth(2)).to_contain_text("nominal")
    hall.get_by_label(PAST).select_option("whole")
    expect(legend(hall)).to_contain_text("forecasts as issued")


def test_of_the_past_forecasts_only_the_step_that_is_chosen_is_asked_for(hall):
    with hall.expect_response(lambda answer: "/forecasts?step=24&" in answer.url) as answered:
        hall.get_by_label(PAST).select_option("24")
    assert [step["step"] for made in answered.value.json()["forecasts"] for step in made["steps"]] == [24] * 60


def test_where_none_was_made_so_long_before_it_says_so(visit, live):
    live("hall", forecasts=5)
    page = visit.go("#/series/hall")
    expect(legend(page)).to_contain_text("1 step before")
    expect(page.locator(".lacks")).to_be_empty()
    page.get_by_label(PAST).select_option("24")
    expect(page.locator(".lacks")).to_have_text("None was made 24 steps before any of these times.")


def test_where_there_are_too_many_to_draw_it_says_so(show):
    page = show()

    def cut(route):
        answer = route.fetch()
        told = answer.json()
        route.fulfill(response=answer, json={**told, "forecasts": told["forecasts"][:10], "next": "more"})

    page.route("**/forecasts?*limit=*", cut)
    page = show("#/series/hall")
    expect(page.locator(".lacks")).to_have_text("Only the newest 10 forecasts are drawn.")
    page.get_by_label(PAST).select_option("whole")
    expect(page.locator(".lacks")).to_have_text("9 of the newest 9 forecasts are drawn.")
    page.unroute("**/forecasts?*limit=*")


def test_what_differs_by_rounding_alone_is_drawn_flat(visit, sessions, panel, clock):
    with sessions.begin() as session:
        series = queries.add_series(session, "flat", panel.name)
        hours = [newest_hour(clock) - k * HOUR for k in reversed(range(100))]
        pairs = [(to_us(hour), 42 + 1e-14 * (k % 2)) for k, hour in enumerate(hours)]
        queries.add_observations(session, series.id, pairs, clock())
    page = visit.go("#/series/flat")
    expect(page.locator(".u-wrap").first).to_be_visible()
    assert canvas(page).evaluate(HEIGHT_OF_OBSERVED) < 0.03
    heights = page.evaluate("""async () => {
      const [{ spark }, { Numbers }] = await Promise.all([import("/static/spark.js"), import("/static/numbers.js")]);
      const series = await (await fetch("/api/v1/series/flat?history=60")).json();
      const drawn = spark(series, new Numbers(series)).querySelector(".observed").getAttribute("d");
      return new Set(drawn.slice(1).split("L").map((point) => point.split(" ")[1])).size;
    }""")
    assert heights == 1


def test_a_series_without_observations_says_so_instead_of_offering_choices(visit, sessions, panel, look):
    with sessions.begin() as session:
        queries.add_series(session, "new", panel.name)
    page = visit.go("#/series/new")
    expect(page.get_by_text("Nothing observed yet.")).to_be_visible()
    expect(page.get_by_label(PAST)).to_be_hidden()
    expect(page.locator(".hint")).to_be_hidden()
    look(page, "nothing-observed")
