"""The command `rollcast status`, once and on a screen; the screen by itself."""

import io
import json
import os
import pty
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from service.commands.overview import Overview, look
from service.commands.screen import draw
from service.commands.status import watch_it
from service.shapes import ObservationAnswer, ScoreAnswer, SeriesAnswer, StepAnswer

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIG = """
[panels.oil]
source = { type = "csv", path = "oil.csv" }
interval = "1d"
horizon = 5
expire_after = "never"

[panels.gas]
source = { type = "csv", path = "gas.csv" }
interval = "1d"
horizon = 5
"""


@pytest.fixture
def rollcast(tmp_path, run_command):
    """The command on two panels, of which one has a source and is fetched."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    rows = [f"OIL,2025-{month:02}-{day:02},{month + day / 10}" for month in range(1, 13) for day in range(1, 29)]
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    return run_command


@pytest.fixture
def fetched(rollcast):
    rollcast("fetch")


@pytest.fixture
def seen():
    """An overview of series, by their status."""

    def make(*statuses, panel="p", name="s{}", reason="because", values=range(60), ahead=range(60, 84), trouble=None):
        history = [ObservationAnswer(NOW, float(value)) for value in values]
        steps = [step(float(value)) for value in ahead]
        series = [
            SeriesAnswer(
                name=name.format(k),
                panel=panel,
                interval="1h",
                horizon=3,
                status=status,
                reason=reason,
                newest=ObservationAnswer(NOW, 1234.5),
                data_age_s=90,
                next=step(60.0),
                model="rnn",
                model_version=3,
                score_7d=ScoreAnswer(9, 0, 1.0, 2.0, 0.5, None, None, None),
                last_refit=None,
                next_refit=NOW + HOUR,
                history=history,
                ahead=steps,
            )
            for k, status in enumerate(statuses)
        ]
        return Overview(NOW, {panel: series}, {}, daemon_runs=True, trouble=trouble)

    def step(mean):
        return StepAnswer(1, NOW, mean, mean, {})

    return make


def shown(seen, width=120, height=24):
    """The lines of the screen."""
    console = Console(file=io.StringIO(), width=width, height=height, highlight=False)
    console.print(draw(seen, width, height))
    return console.file.getvalue().splitlines()


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_a_series_and_why_it_is_not_fresh(rollcast, fetched):
    code, out, _ = rollcast("status")
    assert code == 0
    assert "  OIL" in out
    assert "insufficient_data  OIL: " in out or "no_model  OIL: " in out
    assert "failed  gas: there is no file" in out


def test_one_panel_alone_is_shown(rollcast, fetched):
    out = rollcast("status", "oil")[1]
    assert "OIL" in out
    assert "gas" not in out


def test_a_panel_that_is_none_is_told_with_those_that_are(rollcast, fetched):
    assert rollcast("status", "coal") == (2, "", "rollcast: there is no panel 'coal'; there are oil, gas\n")


def test_json_is_the_api_s(rollcast, fetched):
    (series,) = json.loads(rollcast("status", "--json")[1])["series"]
    assert (series["name"], series["newest"]["value"]) == ("OIL", 14.8)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--watch"], "--watch draws on a terminal, and standard output is none; leave --watch out"),
        (["--watch", "--json"], "--watch draws on a screen, --json prints once; leave one of them out"),
    ],
)
def test_there_is_nothing_to_watch_in_a_pipe(rollcast, fetched, words, told):
    assert rollcast("status", *words) == (2, "", f"rollcast: {told}\n")


# ── what is looked at, again and again ──────────────────────────────────────────────────────────────────────────────


def test_without_a_database_the_look_says_what_makes_it(rollcast, tmp_path):
    assert look(tmp_path / "rollcast.toml", None, 60).trouble.endswith("yet; rollcast run makes it")


def test_a_configuration_that_went_wrong_is_told_while_one_watches(rollcast, fetched, tmp_path):
    file = tmp_path / "rollcast.toml"
    assert look(file, None, 60).trouble is None
    file.write_text(CONFIG.replace("horizon = 5", "horizon = 0"))
    assert "panels.oil.horizon = 0" in look(file, None, 60).trouble


def test_the_look_brings_the_newest_observations(rollcast, fetched, tmp_path):
    (series,) = look(tmp_path / "rollcast.toml", "oil", 7).all_series
    assert [each.value for each in series.history] == pytest.approx([14.2, 14.3, 14.4, 14.5, 14.6, 14.7, 14.8])


# ── the screen ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_history_and_forecast_are_drawn_on_one_scale(seen):
    line = next(line for line in shown(seen("fresh")) if "s0" in line)
    drawn = line.split()[-1]
    assert drawn[0] == "▁"
    assert drawn[-1] == "█"
    assert sorted(drawn) == list(drawn)


def test_a_status_stands_in_words(seen):
    assert any("s0" in line and "stale" in line for line in shown(seen("stale")))


def test_a_reason_stands_below_the_table(seen):
    assert "stale  s0: because" in [line.rstrip() for line in shown(seen("stale", "fresh"))]


@pytest.mark.parametrize(("width", "height"), [(200, 60), (120, 24), (80, 24), (60, 10), (40, 8), (20, 6)])
@pytest.mark.parametrize("count", [0, 1, 5, 1000])
def test_the_screen_is_never_larger_than_the_terminal(seen, width, height, count):
    statuses = ["stale", "fresh", "source_down"] * count
    lines = shown(seen(*statuses[:count], name="a rather long name of a series, number {}"), width, height)
    assert len(lines) <= height
    assert max(cell_len(line) for line in lines) <= width


def test_of_more_series_than_there_is_room_for_those_that_are_not_fresh_come_first(seen):
    lines = shown(seen(*["fresh"] * 998, "stale", "source_down"), height=20)
    assert lines[1].split()[:4] == ["s999", "1234", "90s", "source_down"]
    assert lines[2].split()[:4] == ["s998", "1234", "90s", "stale"]
    hidden = next(line for line in lines if line.startswith("…"))
    assert hidden.split()[:4] == [
        "…",
        "and",
        f"{1000 - len([line for line in lines if line.startswith('  s')]):,}",
        "more:",
    ]


def test_of_many_reasons_some_are_told_and_the_others_counted(seen):
    found = seen(*["stale"] * 50)
    for k, series in enumerate(found.all_series):
        series.reason = f"reason {k}"
    lines = [line.rstrip() for line in shown(found, height=24)]
    assert sum("reason " in line for line in lines) == 5
    assert "… and 45 reasons more: rollcast status" in lines


@pytest.mark.parametrize(("width", "headings"), [(60, 7), (55, 6), (45, 5), (40, 4)])
def test_a_narrow_terminal_keeps_the_columns_that_matter(seen, width, headings):
    heading = shown(seen("source_down"), width)[0].replace("vs naive", "vs_naive").split()
    assert len(heading) == headings
    assert {"series", "value", "status", "forecast"} <= set(heading)


def test_a_name_with_control_characters_does_nothing_to_the_terminal(seen):
    assert "\x1b" not in "".join(shown(seen("stale", name="a\x1b[2Jb", reason="c\x1b[2Jd\ne")))


def test_trouble_stands_in_the_table_s_place(seen):
    lines = shown(seen(trouble="there is no database yet; rollcast run makes it"))
    assert lines[0] == "there is no database yet; rollcast run makes it"
    assert "the daemon runs" in lines[-1]


def test_a_series_without_anything_has_dashes(seen):
    found = seen("no_model", values=(), ahead=())
    found.all_series[0].newest = found.all_series[0].next = found.all_series[0].history = None
    assert "–" in next(line for line in shown(found) if "s0" in line)


# ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def restored():
    """What SIGQUIT does is afterwards what it was before."""
    before = signal.getsignal(signal.SIGQUIT)
    yield
    signal.signal(signal.SIGQUIT, before)


@pytest.mark.usefixtures("restored")
def test_it_is_drawn_again_until_ctrl_c_and_the_terminal_is_as_before(seen):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=20, color_system=None)
    overviews = iter([seen("stale", name="first"), seen("stale", name="second")])

    def wait(_seconds):
        if not remaining.pop():
            raise KeyboardInterrupt

    remaining = [False, True]
    watch_it(lambda: next(overviews), console, wait)
    written = console.file.getvalue()
    assert written.index("\x1b[?1049h") < written.index("first") < written.index("second")
    assert written.endswith("\x1b[?1049l")


@pytest.mark.parametrize("key", [b"q", b"\x03", b"\x1c"], ids=["q", "Ctrl-C", "Ctrl-backslash"])
def test_a_key_that_ends_it_on_a_terminal_ends_it_well(rollcast, fetched, tmp_path, key):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(  # noqa: S606  the real command, in a terminal of its own
            sys.executable, [sys.executable, "-m", "service", "status", "--watch"], {**os.environ, "TERM": "xterm"}
        )
    written = b""
    with suppress(OSError):  # it closes the terminal as it ends
        while part := os.read(terminal, 65536):
            if b"OIL" in part and b"OIL" not in written:
                os.write(terminal, key)
            written += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert written.endswith(b"\x1b[?1049l")
    os.close(terminal)
