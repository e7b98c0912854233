"""Charts of odd series: each is drawn whole, and nothing of it is lost."""

import math
import re

import pytest

from service.chart import Fan, Picture, drawn

HOUR = 3_600_000_000
START = 1_767_225_600_000_000  # 2026-01-01


def pairs(values):
    return [(START + k * HOUR, float(value)) for k, value in enumerate(values)]


def fan(at, value, width=1.0, steps=4):
    times = [START + (at + k) * HOUR for k in range(steps)]
    bounds = {level: ([value - width * level] * steps, [value + width * level] * steps) for level in (80, 95)}
    return Fan(times, [value] * steps, bounds)


def svg(picture, **options):
    return drawn(picture, "svg", 800, 400, **options).decode()


def paths(text):
    """The points of each line that is drawn."""
    return [re.findall(r"-?[\d.]+ -?[\d.]+", path) for path in re.findall(r'<path d="([^"]+)"', text)]


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 1.5],
        [5.0],
        [5.0] * 100,
        [-3.0, -2.0, -1.5],
        [1e100, 2e100, -1e100],
        [1e-300, 2e-300],
        [1, math.nan, math.inf, 2],
        [math.nan, math.nan],
        [1e12, 1e12 + 1, 1e12 + 2],
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_odd_values_are_drawn_without_a_warning(values, kind):
    picture = Picture("s", ["fresh: made from the newest observation"], [pairs(values)], ahead=fan(len(values), 1.0))
    assert drawn(picture, kind, 800, 400)[:5] == {"png": b"\x89PNG\r", "svg": b"<?xml"}[kind]


def test_a_picture_is_as_large_as_was_asked_for():
    content = drawn(Picture("s", [], [pairs([1, 2])]), "png", 640, 320)
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (640, 320)


def test_the_same_picture_is_the_same_file():
    picture = Picture("s", ["x"], [pairs(range(9))], ahead=fan(9, 9.0))
    assert svg(picture) == svg(picture)


def test_dark_is_another_ground():
    picture = Picture("s", [], [pairs([1, 2])])
    assert "#14171a" in svg(picture, dark=True)
    assert "#14171a" not in svg(picture)


def test_dollars_and_angle_brackets_in_a_name_stay_as_they_are():
    assert "$x^$ &lt;b&gt;" in svg(Picture("$x^$ <b>", ["$y_$"], [pairs([1, 2])]))


def test_a_name_in_letters_that_the_font_lacks_is_drawn_all_the_same():
    assert drawn(Picture("漢字", [], [pairs([1, 2])]), "png", 300, 200)


def test_a_very_long_name_is_cut():
    text = svg(Picture("x" * 500, [], [pairs([1, 2])]))
    assert re.search(r">x{20,100}…<", text)


def test_history_is_not_drawn_across_a_gap():
    whole = pairs(k * k % 7 for k in range(300))
    joined = max(len(points) for points in paths(svg(Picture("s", [], [whole]))))
    cut = svg(Picture("s", [], [whole[:100], whole[200:]]))
    assert joined > max(len(points) for points in paths(cut))
    assert "gap, filled" not in cut
    assert "gap, filled" in svg(Picture("s", [], [whole[:100], whole[200:]], filled=[(whole[99], whole[200])]))


def test_ten_thousand_points_are_drawn():
    picture = Picture("s", [], [pairs(math.sin(k / 50) + k % 7 for k in range(10_000))])
    assert max(len(points) for points in paths(svg(picture))) > 3_000


def test_the_legend_names_each_part_once():
    past = [fan(k, 1.0) for k in range(3)]
    first = [Fan([START, START + HOUR], [1.0, 1.0], {80: ([0.0, 0.0], [2.0, 2.0])}), fan(9, 1.0, steps=1)]
    text = svg(Picture("s", [], [pairs(range(20))], ahead=fan(20, 1.0), past=past, first_steps=first))
    for part in ("observed", "forecast", "past forecasts", "80 %", "95 %", "80 % one step ahead, as forecast then"):
        assert text.count(f">{part}</text>") == 1


def test_nothing_of_matplotlib_s_settings_stays_changed():
    import matplotlib

    before = dict(matplotlib.rcParams)
    svg(Picture("s", [], [pairs([1, 2])]))
    assert dict(matplotlib.rcParams) == before
