"""The command `rollcast plot`."""

import errno
import re
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from db import queries
from db.times import to_us
from jobs.fetch import fetch
from service.commands.plot import picture_of
from service.commands.terminal import UsageError
from tests.conftest import T0

CONFIG = """
[panels.oil]
source = { type = "csv", path = "oil.csv" }
interval = "1d"
horizon = 5
expire_after = "never"
train_window = "90d"
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def rollcast(tmp_path, run_command):
    """The command on a panel of a year of prices, with a forecast."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    rows = [f"a/b OIL,2025-{month:02}-{day:02},{month + day % 5}" for month in range(1, 13) for day in range(1, 29)]
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    return run_command


@pytest.fixture
def forecast(rollcast):
    for job in ("fetch", "refit", "forecast"):
        assert rollcast(job)[0] == 0


@pytest.fixture
def picture(sessions, clock, lived):
    """The picture of series `a`, as it is now."""

    def make(last=None, panel=lived):
        with sessions() as session:
            return picture_of(session, {"p": panel}, "a", clock(), last)

    return make


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_picture_is_written_into_this_folder_under_the_series_name(rollcast, forecast, tmp_path):
    code, out, _ = rollcast("plot", "a/b OIL")
    assert (code, out) == (0, "a_b_OIL.png  120 observations, the latest forecast, no past ones\n")
    assert (tmp_path / "a_b_OIL.png").read_bytes().startswith(b"\x89PNG")


def test_an_svg_holds_name_state_and_model_as_words(rollcast, forecast, tmp_path):
    rollcast("plot", "a/b OIL", "--out", "oil.svg", "--dark", "--size", "900x500", "--last", "30d")
    text = (tmp_path / "oil.svg").read_text()
    assert ">a/b OIL</text>" in text
    assert ">stale: no observation since 2025-12-28" in text
    assert re.search(r">forecast by \w+ v1, issued ", text)


def test_before_the_first_refit_history_alone_is_drawn(rollcast):
    rollcast("fetch")
    assert rollcast("plot", "a/b OIL")[1] == "a_b_OIL.png  120 observations, no forecast yet, no past ones\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["GAS"], "there is no series 'GAS'; there are a/b OIL"),
        (["a/b OIL", "--out", "a.jpg"], "--out a.jpg: expected a name that ends with .png or .svg"),
        (["a/b OIL", "--out", "no/a.png"], "cannot write no/a.png: No such file or directory; name another place"),
        (
            ["a/b OIL", "--size", "9x9"],
            "--size 9x9: expected width and height in pixels, each from 200 to 8,000, as in 1200x600",
        ),
        (["a/b OIL", "--last", "soon"], "--last soon: expected a duration as in 30s, 5m, 2h, 7d, 2w, 1y"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(rollcast, words, told):
    rollcast("fetch")
    assert rollcast("plot", *words) == (2, "", f"rollcast: {told}\n")


def test_without_matplotlib_it_is_told_how_to_get_it(rollcast, monkeypatch):
    rollcast("fetch")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = "rollcast: rollcast plot needs matplotlib: pip install 'rollcast[plot]'\n"
    assert rollcast("plot", "a/b OIL") == (2, "", told)


def test_matplotlib_s_global_state_is_left_alone(rollcast, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # another test may have asked for it
    rollcast("fetch")
    rollcast("plot", "a/b OIL")
    assert "matplotlib.pyplot" not in sys.modules


# ── what is drawn ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_fan_begins_at_the_newest_observation(picture):
    drawn = picture()
    newest = drawn.history[-1][-1]
    assert (drawn.ahead.times[0], drawn.ahead.means[0]) == newest
    assert drawn.ahead.bounds[95][0][0] == newest[1]
    assert len(drawn.ahead.times) == 1 + 3


def test_past_forecasts_begin_at_what_they_knew(picture):
    drawn = picture()
    known = dict(drawn.history[-1])
    assert [fan.means[0] for fan in drawn.past] == [known[fan.times[0]] for fan in drawn.past]
    assert len(drawn.past) == 4
    assert len(drawn.first_steps[0].times) == 4


def test_the_error_beside_the_naive_s_is_told(picture):
    assert re.search(r"^mean absolute error over the last 7 days: .* of the naive's .* steps\)$", picture().lines[-1])


def test_history_goes_as_far_back_as_was_asked_for(picture):
    assert sum(map(len, picture().history)) == 120
    assert sum(map(len, picture(timedelta(hours=9)).history)) == 10
    assert sum(map(len, picture(timedelta(days=36_500)).history)) == 304


def test_forecasts_from_before_the_history_are_not_drawn(picture):
    assert len(picture(timedelta(hours=2)).past) == 2


def test_a_gap_cuts_the_history_and_one_that_the_model_sees_filled_is_marked(sessions, clock, panel, source, means):
    clock.advance(hours=100)
    source.put("a", range(100))
    source.values["a"] = source.values["a"].drop(source.values["a"].index[[20, 21, 22, *range(50, 60)]])
    fetch(sessions, panel, clock, means)
    with sessions() as session:
        drawn = picture_of(session, {"p": panel}, "a", clock(), None)
    assert [len(run) for run in drawn.history] == [20, 27, 40]
    assert [(before[1], after[1]) for before, after in drawn.filled] == [(19.0, 23.0)]


def test_one_missing_value_is_no_gap(sessions, clock, panel, source, means):
    clock.advance(hours=100)
    source.put("a", range(100))
    source.values["a"] = source.values["a"].drop(source.values["a"].index[[20]])
    fetch(sessions, panel, clock, means)
    with sessions() as session:
        assert [len(run) for run in picture_of(session, {"p": panel}, "a", clock(), None).history] == [99]


def test_a_split_since_they_were_issued_moves_past_forecasts_with_the_history(picture, sessions, clock, lived):
    before = picture()
    newest = before.history[-1][-1][0]
    with sessions.begin() as session:
        series = queries.find_series(session, "a")
        queries.add_factors(session, series.id, [(newest + to_us(T0 + HOUR) - to_us(T0), 0.5)], clock())
    after = picture()
    assert after.history[-1][-1][1] == pytest.approx(before.history[-1][-1][1] / 2)
    assert after.ahead.means == pytest.approx([mean / 2 for mean in before.ahead.means])
    assert after.past[0].means == pytest.approx([mean / 2 for mean in before.past[0].means])


def test_a_series_without_any_observation_is_told_with_its_reason(sessions, clock, panel):
    with sessions.begin() as session:
        queries.add_series(session, "a", "p")
    with sessions() as session, pytest.raises(UsageError, match="no observation of a to draw yet: insufficient_data"):
        picture_of(session, {"p": replace(panel)}, "a", clock(), None)


def test_a_picture_that_cannot_be_written_leaves_the_one_before_it(rollcast, monkeypatch, tmp_path):
    rollcast("fetch")
    (tmp_path / "a.png").write_bytes(b"before")

    def full(path, _content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    told = rollcast("plot", "a/b OIL", "--out", "a.png")
    assert told == (2, "", "rollcast: cannot write a.png: No space left on device; make room\n")
    assert [(file.name, file.read_bytes()) for file in tmp_path.glob("*a.png*")] == [("a.png", b"before")]
