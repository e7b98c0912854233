"""Tables for people: every column in its full width, whatever the terminal's.

Where a terminal has no room for the last column's words, such as a reason, they go beneath their row. What is wider
still is left to the terminal, which breaks the line and loses nothing.
"""

import shutil
from collections.abc import Sequence
from itertools import zip_longest

from rich.text import Text

from service.commands.terminal import out

# Columns of words; the others hold figures.
TEXT = {
    "type",
    "by default",
    "what it is",
    "series",
    "status",
    "panel",
    "job",
    "source",
    "target",
    "forecast by",
    "model",
    "trained",
    "started",
    "standing",
    "verdict",
    "outcome",
    "reason",
}
BENEATH = {"source", "verdict", "reason"}  # that go beneath their row as a last column
GAP = Text("  ")
INDENT = "    "
PIPE_WIDTH = 200  # of prose, for whoever reads along


class Table:
    """Rows under headings, without lines; columns of words to the left, figures to the right."""

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._rows: list[Sequence[Text]] = [[Text(heading, style="bold") for heading in headings]]

    def add_row(self, *cells: str) -> None:
        """Add a row; cells may hold markup, and are told in one line. Those to the right may be left out."""
        self._rows.append([Text.from_markup(" ".join(cell.splitlines()), emoji=False) for cell in cells])

    def print(self) -> None:
        """Print it."""
        widths = [max(cell.cell_len for cell in column) for column in zip_longest(*self._rows, fillvalue=Text())]
        wide = sum(widths) + GAP.cell_len * (len(widths) - 1) > room()
        beneath = out.is_terminal and wide and self._headings[-1] in BENEATH
        shown = len(widths) - 1 if beneath else len(widths)
        for number, row in enumerate(self._rows):
            out.print(self._line(row[:shown], widths))
            if beneath and number and len(row) > shown:
                out.print(Text(INDENT) + row[shown])

    def _line(self, row: Sequence[Text], widths: Sequence[int]) -> Text:
        cells = []
        for heading, cell, width in zip(self._headings, row, widths, strict=False):
            padding = Text(" " * (width - cell.cell_len))
            cells.append(cell + padding if heading in TEXT else padding + cell)
        line = GAP.join(cells)
        line.rstrip()
        return line


def room() -> int:
    """The width to break prose at: the terminal's."""
    return shutil.get_terminal_size().columns if out.is_terminal else PIPE_WIDTH
