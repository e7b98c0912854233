"""How the page tells numbers."""

import pytest
from playwright.sync_api import expect

from tests.service.page.conftest import DESKTOP

TOLD = """async ([values, next]) => {
  const { Numbers } = await import("/static/numbers.js");
  const history = values.map((value) => ({ value }));
  const numbers = new Numbers({ history, newest: history.at(-1), next });
  return [numbers.tell(history.at(-1).value), numbers.tell(next.mean), numbers.span(next.intervals[80])];
}"""
TICKS = "async ([splits, step]) => (await import('/static/numbers.js')).ticks(splits, step)"


@pytest.mark.parametrize(
    ("values", "mean", "ends", "told"),
    [
        ([1.0831, 1.0836, 1.08331], 1.08329, (1.08325, 1.08334), ["1.0833100", "1.0832900", "1.0832500 … 1.0833400"]),
        (
            [101324.7, 101325.2],
            101324.74,
            (101324.68, 101324.8),
            ["101,325.200", "101,324.740", "101,324.680 … 101,324.800"],
        ),
        ([12.0, 99.925], 43.0, (40.0, 45.0), ["99.93", "43.00", "40.00 … 45.00"]),
        ([220.0, 380.5], 301.25, (283.0, 319.0), ["380.5", "301.3", "283.0 … 319.0"]),
        (
            [-1.2e11, -130368182992.0],
            -1.32e11,
            (-1.34e11, -1.308e11),
            ["-130.37 bn", "-132.00 bn", "-134.00 … -130.80 bn"],
        ),
        ([3e-9, 3.4e-9], 3.3e-9, (2.8e-9, 3.9e-9), ["3.400e-9", "3.300e-9", "2.800 … 3.900e-9"]),
        (
            [1.7e9, 1.7e9 + 0.25],
            1.7e9,
            (1.7e9 - 0.5, 1.7e9 + 0.5),
            ["1,700,000,000.250", "1,700,000,000.000", "1,699,999,999.500 … 1,700,000,000.500"],
        ),
        ([46.9, 46.9], 46.9 + 1e-13, (46.89999, 46.90001), ["46.9", "46.9", "46.9 … 46.9"]),
        ([0.0, 0.0], -5e-17, (-5e-10, 5e-10), ["0", "0", "0 … 0"]),
    ],
)
def test_a_series_numbers_have_as_many_decimals_as_tell_them_apart(tab, values, mean, ends, told):
    said = tab.page.evaluate(TOLD, [values, {"mean": mean, "intervals": {"80": ends}}])
    assert [text.replace("\u00a0", " ") for text in said] == told


def test_no_line_breaks_before_a_unit(tab):
    said = tab.page.evaluate(TOLD, [[1e8, 1.2e8], {"mean": 1.1e8, "intervals": {"80": (1e8, 1.3e8)}}])
    assert said == ["120.0\u00a0m", "110.0\u00a0m", "100.0\u00a0… 130.0\u00a0m"]


def test_no_line_breaks_within_a_band_that_fits_into_one(show):
    page = show("#/series/hall")
    band = page.locator(".facts .figure")
    expect(band).to_be_visible()
    heights = set()
    for width in range(380, 1280, 60):
        page.set_viewport_size({"width": width, "height": 900})
        heights.add(band.bounding_box()["height"])
    page.set_viewport_size(DESKTOP)
    assert len(heights) == 1


@pytest.mark.parametrize(
    ("splits", "step", "told"),
    [
        ([101324.6, 101324.8, 101325.0], 0.2, ["101,324.6", "101,324.8", "101,325.0"]),
        ([0.0, 2.5, 5.0], 2.5, ["0.0", "2.5", "5.0"]),
        ([0.0, 1000.0], 1000.0, ["0", "1,000"]),
        ([1.2e8, 1.25e8], 5e6, ["120 m", "125 m"]),
        ([0.0, 2e-9], 2e-9, ["0e-9", "2e-9"]),
    ],
)
def test_every_label_of_an_axis_is_another(tab, splits, step, told):
    assert [text.replace("\u00a0", " ") for text in tab.page.evaluate(TICKS, [splits, step])] == told
