"""Tables: nothing is cut short, on whatever terminal, and nothing padded."""

import pytest
from rich.console import Console

from service.commands import tables
from service.commands.tables import Table
from service.commands.terminal import WIDE

LONG = "a reason that takes more room than there is beside what else is to be told " * 5


@pytest.fixture
def table():
    """A table of two runs."""
    made = Table("id", "job", "reason")
    made.add_row("7", "refit", LONG.strip())
    made.add_row("12", "[bold]fetch[/]", "1 new")
    return made


@pytest.fixture
def lines(capsys):
    """What a table prints, line by line."""
    return lambda made: made.print() or capsys.readouterr().out.split("\n")[:-1]


@pytest.fixture
def on_terminal(monkeypatch):
    """Print on a terminal of some width."""

    def become(columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        console = Console(force_terminal=True, color_system=None, soft_wrap=True, highlight=False, width=WIDE)
        monkeypatch.setattr(tables, "out", console)

    return become


def test_piped_a_table_is_as_wide_as_it_is(table, lines):
    assert lines(table) == ["id  job    reason", f" 7  refit  {LONG.strip()}", "12  fetch  1 new"]


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_words_that_have_no_room_on_a_terminal_go_beneath_their_row(table, lines, on_terminal, columns):
    on_terminal(columns)
    assert lines(table) == ["id  job", " 7  refit", f"    {LONG.strip()}", "12  fetch", "    1 new"]


def test_words_that_have_room_on_a_terminal_stay_beside_the_rest(table, lines, on_terminal):
    on_terminal(1000)
    assert len(lines(table)) == 3


def test_figures_are_never_cut_however_narrow_the_terminal(lines, on_terminal):
    on_terminal(10)
    made = Table("step", "target", "mean")
    made.add_row("1", "2026-01-05 00:00:00Z", "123,456")
    assert lines(made)[1] == "   1  2026-01-05 00:00:00Z  123,456"


def test_a_row_is_a_line_whatever_its_names_hold(lines):
    made = Table("series", "new")
    made.add_row("a\nb\u2028c", "1")
    assert lines(made)[1:] == ["a b c     1"]


def test_a_row_without_its_last_cells_is_not_padded(lines):
    made = Table("series", "value")
    made.add_row("p")
    assert lines(made)[1:] == ["p"]
