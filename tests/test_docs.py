"""The documents tell the truth: their code runs, and what they quote is in the source."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from db import queries
from jobs import contract, due, manners
from jobs.fetch import fetch
from jobs.sources import BUILT_IN, host, prometheus
from jobs.sources.parts import textfile
from service import cli, panels, settings
from service.commands import sources
from tests.jobs.sources import examples
from tests.jobs.sources.faulty import cells

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "rnn.md").read_text()
SOURCE = {line.strip() for path in (ROOT / "models").glob("*.py") for line in path.read_text().splitlines()}


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_the_code_in_the_text_runs_from_top_to_bottom(tmp_path):
    program = tmp_path / "text.py"
    program.write_text("\n".join(blocks("python")))
    names = runpy.run_path(str(program))
    assert names["table"][0.5][2] < names["table"][1.0][2]


@pytest.mark.parametrize("line", [line.strip() for block in blocks("source") for line in block.splitlines()])
def test_a_quoted_line_is_in_the_source(line):
    assert line in SOURCE


LINKS = [
    (path.parent, target)
    for path in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md"))
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text())
]


@pytest.mark.parametrize(("folder", "target"), LINKS, ids=[target for _, target in LINKS])
def test_what_a_text_links_to_is_there(folder, target):
    assert target.startswith("https://") or (folder / target).exists()


# ── docs/sources.md ─────────────────────────────────────────────────────────────────────────────────────────────────

SOURCES = examples.DOCUMENT.read_text()
JOBS = [path.read_text() for path in (ROOT / "jobs").rglob("*.py")]


def options_table(name):
    """The options of a source, as `rollcast sources` tells them, as a table in Markdown."""
    _, options = sources.described(name)
    rows = [(f"`{option.name}`", default_told(option.default), option.help) for option in options]
    return "\n".join(f"| {' | '.join(row)} |" for row in [("option", "by default", "what it is"), ("---",) * 3, *rows])


def default_told(default):
    return default if default in ("required", "–") or " " in default else f"`{default}`"


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_options_of_a_source_are_told(name):
    assert options_table(name).replace("| --- | --- | --- |", "|---|---|---|") in SOURCES


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_example_is_a_configuration(name, tmp_path):
    file = tmp_path / "rollcast.toml"
    file.write_text(examples.panels()[name])
    (panel,) = settings.load(file, examples.SECRETS).build_panels()
    assert type(panel.source).__name__.lower() == f"{name}source"


def test_the_keys_that_a_panel_may_set_are_keys_of_a_panel():
    keys = re.findall(r"^\| `(\w+)` \|", SOURCES.partition("| key |")[2].partition("###")[0], flags=re.MULTILINE)
    assert "settle" in keys
    assert set(keys) <= set(panels.PanelSettings.model_fields)


@pytest.mark.parametrize(
    "told",
    [
        f"at most {manners.RATE:g} times a second, after {manners.BURST:g} at once",
        f"left alone for {manners.FIRST_COOL_DOWN.seconds} seconds",
        f"nobody has written for {'five' if textfile.QUIET.seconds == 5 else '?'} seconds",
        f"waits up to {host.PATIENCE:g} s for a first sample",
        f"of {prometheus.MOST_POINTS:,} points a series at most",
        f"beyond {contract.LARGEST:g} either way".replace("1e+100", "1e100"),
        f"tried again after {due.FIRST_RETRY.seconds} seconds",
    ],
)
def test_a_figure_in_the_text_is_that_of_the_code(told):
    assert told in " ".join(SOURCES.split())


def test_what_becomes_of_a_fault_is_told_in_a_word():
    assert cells.overview() in SOURCES


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_becomes_of_each_fault_is_told(name):
    assert cells.table(name) in SOURCES


def test_every_count_of_a_fetch_s_record_is_explained():
    counted = (
        r'(?:dropped|left_out)\["(.+?)"\]|left_out\.add\("(.+?)"|^LOST = "(.+?)"'
        r'|(?:^ +|{)"([a-z]+ [^"{}]+)": |"(with(?:out)? [^"{}]+)", '
    )
    found = {"".join(found) for text in JOBS for found in re.findall(counted, text, flags=re.MULTILINE)}
    table = SOURCES.partition("| the record says |")[2].partition("###")[0]
    told = set(re.findall(r"^\| (?:factors )?([^|]+?) \|", table, flags=re.MULTILINE)) - {"new", "revised"}
    assert found <= told
    assert {words for words in told if not any(f'"{words}"' in text for text in JOBS)} == set()


@pytest.mark.parametrize("session", examples.blocks("console"), ids=lambda session: session.partition("\n")[0])
def test_a_command_answers_as_it_is_shown(session, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in session.split("$ ")[1:]:
        words, _, shown = command.partition("\n")
        monkeypatch.setattr(sys, "argv", words.split())
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        answered = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        parts = [part.splitlines() for part in shown.split("…\n")]
        assert len(parts) > 1 or parts == [answered]
        for part in parts:
            start = answered.index(part[0]) if part else 0
            assert answered[start : start + len(part)] == part


def test_the_source_of_one_s_own_works_as_it_is_shown(tmp_path, monkeypatch, sessions, means, clock):
    (module,) = examples.blocks("python")
    (tmp_path / "moon.py").write_text(module)
    (entry,) = (block for block in examples.blocks("toml") if "entry-points" in block)
    info = tmp_path / "moon-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moon\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        entry.replace('[project.entry-points."rollcast.sources"]', "[rollcast.sources]").replace('"', "")
    )
    (tmp_path / "rollcast.toml").write_text(examples.panels()["moon"])
    monkeypatch.syspath_prepend(tmp_path)
    (panel,) = settings.load(tmp_path / "rollcast.toml", {}).build_panels()
    fetched = fetch(sessions, panel, clock, means)
    clock.advance(hours=3)
    assert (fetch(sessions, panel, clock, means).new, fetched.failures) == (3, {})
    sys.modules.pop("moon")
    with sessions() as session:
        (series,) = queries.series_of_panel(session, "moon")
        values = [value for _, value in queries.observations(session, series.id, as_of=clock())]
    assert 0 <= min(values) < 1 < 99 < max(values) <= 100
