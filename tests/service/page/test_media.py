"""The page on paper, in colours that the reader forces, and on a phone."""

import pytest
from playwright.sync_api import expect

from tests.service.page.conftest import DESKTOP, PHONE, SCREENSHOTS
from tests.service.page.test_chart import POINTS_OF, canvas

# How wide a chart is on paper of 500 pixels, before it is told.
WIDTH_ON_PAPER = """plot => {
  plot.style.width = "500px";
  const { width } = plot.querySelector("canvas").getBoundingClientRect();
  plot.style.width = "";
  return width;
}"""


@pytest.fixture
def hall(show):
    page = show("#/series/hall")
    expect(page.locator(".u-wrap")).to_have_count(3)
    expect(page.locator(".legend").first).to_contain_text("1 step before")
    yield page
    page.emulate_media(media="screen", color_scheme="light", forced_colors="none")
    page.set_viewport_size(DESKTOP)


def test_on_paper_a_chart_is_dark_on_light_and_no_wider_than_the_paper(hall):
    hall.emulate_media(color_scheme="dark")
    hall.emulate_media(media="print", color_scheme="dark")
    hall.wait_for_timeout(50)
    assert hall.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 248)"
    assert canvas(hall).evaluate(POINTS_OF, "observed") > 0
    assert hall.locator(".plot").first.evaluate(WIDTH_ON_PAPER) == 500
    hall.pdf(path=SCREENSHOTS / "series.pdf")


def test_forced_colours_leave_a_chart_its_own(hall):
    points = canvas(hall).evaluate(POINTS_OF, "past")
    hall.emulate_media(forced_colors="active")
    hall.set_viewport_size({"width": 1279, "height": 900})  # it is drawn anew
    hall.wait_for_timeout(50)
    assert canvas(hall).evaluate(POINTS_OF, "past") == pytest.approx(points, rel=0.1)
    swatch = hall.locator(".swatch.of-past").first
    assert swatch.evaluate("swatch => getComputedStyle(swatch).borderTopColor") == "rgb(182, 92, 0)"


def test_on_a_phone_reasons_stand_below_their_rows(hall):
    hall.set_viewport_size(PHONE)
    for name in ("The newest models of panel demand", "The newest runs of panel demand"):
        region = hall.get_by_role("region", name=name)
        assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
    reason = hall.get_by_role("cell", name="took longer than 10m and was ended")
    expect(reason).to_be_visible()
    job = hall.get_by_role("cell", name="refit", exact=True)
    assert reason.bounding_box()["y"] > job.bounding_box()["y"]
