"""The screen of `rollcast status --watch`: an overview laid out for a terminal of some width and height.

Where not all series fit, those that are not fresh come first, and the others are counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.table import Table
from rich.text import Text

from service.commands.overview import HEADINGS, STATUSES, Overview, cells, counted, drifts_of, plain, reasons_of
from service.commands.tables import TEXT
from service.commands.terminal import COLOURS, time_told
from service.shapes import SeriesAnswer
from service.sparkline import fitted, scale_of, sparkline

GAP = 2  # columns between two cells
SHORTEST, LONGEST = 8, 60  # of a sparkline
AHEAD = 3  # one part in so many of a sparkline is the forecast, at most
NAMES = 3  # that are told beside a reason
SHORTEST_NAME = 12
LESS_NEEDED = ("refit", "vs naive", "age")  # columns that go where the terminal is narrow, in this order


@dataclass(frozen=True)
class _Layout:
    """Which columns there are, by place, how wide each is, and how much is left for the sparkline."""

    columns: list[int]
    widths: list[int]
    spark: int


def draw(seen: Overview, width: int, height: int) -> Group:
    """The overview in so many columns and lines."""
    foot = _foot(seen, width)
    if seen.trouble is not None:
        return Group(Text(seen.trouble, style="yellow"), Text(""), foot)
    reasons = _reasons(seen, most=max(2, height // 4))
    room = height - len(reasons) - 3  # the headings, a blank line, the foot
    shown, hidden = _chosen(seen, room)
    more = [_cut(Text(f"… and {len(hidden):,} more: {counted(hidden)}", style="dim"), width)] if hidden else []
    return Group(_table(seen, shown, width), *more, Text(""), *(_cut(line, width) for line in reasons), foot)


def _chosen(seen: Overview, room: int) -> tuple[list[SeriesAnswer | str], list[SeriesAnswer]]:
    """The lines that there is room for, a panel's name before its series; and the series that there is none for."""
    lines: list[SeriesAnswer | str] = []
    for panel, found in seen.series.items():
        lines += [panel, *found]
    if len(lines) <= room:
        return lines, []
    first = sorted(seen.all_series, key=lambda series: STATUSES.index(series.status))
    kept = max(0, room - 1)
    return [*first[:kept]], first[kept:]


def _table(seen: Overview, shown: Sequence[SeriesAnswer | str], width: int) -> Table:
    rows = [None if isinstance(line, str) else cells(line, seen.now) for line in shown]
    layout = _layout([row for row in rows if row is not None], width)
    table = Table.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    for place in layout.columns:
        table.add_column(no_wrap=True, justify="left" if HEADINGS[place] in TEXT else "right")
    table.add_column(no_wrap=True)
    table.add_row(*(Text(HEADINGS[place], style="bold") for place in layout.columns))
    for line, row in zip(shown, rows, strict=True):
        if isinstance(line, str) or row is None:
            table.add_row(Text(_clipped(str(line), layout.widths[0]), style="bold"))
        else:
            table.add_row(*_row(line, row, layout))
    return table


def _row(series: SeriesAnswer, row: list[str], layout: _Layout) -> list[Text]:
    told = [Text(row[place]) for place in layout.columns]
    told[0] = Text(_clipped(f"  {row[0]}", layout.widths[0]))
    status = layout.columns.index(HEADINGS.index("status"))
    told[status].stylize(COLOURS.get(series.status, "cyan"))
    return [*told, _spark(series, layout.spark)] if layout.spark else told


def _layout(rows: list[list[str]], width: int) -> _Layout:
    """As many columns as there is room for: the name is cut first, then those that are needed less go."""
    widest = [max([cell_len(heading), *(cell_len(row[k]) for row in rows)]) for k, heading in enumerate(HEADINGS)]
    widest[0] += 2
    columns = list(range(len(HEADINGS)))
    for heading in LESS_NEEDED:
        if _together(widest, columns) - widest[0] + min(widest[0], SHORTEST_NAME) <= width:
            break
        columns.remove(HEADINGS.index(heading))
    over = _together(widest, columns) - width
    if over > 0:
        widest[0] = max(SHORTEST_NAME, widest[0] - over)
    left = width - _together(widest, columns) - GAP
    return _Layout(columns, [widest[place] for place in columns], min(left, LONGEST) if left >= SHORTEST else 0)


def _together(widest: list[int], columns: list[int]) -> int:
    return sum(widest[place] for place in columns) + GAP * (len(columns) - 1)


def _spark(series: SeriesAnswer, width: int) -> Text:
    """The newest observations, and after them the forecast in another colour, on one scale."""
    history = [_number(each.value) for each in series.history or ()]
    ahead = fitted([_number(step.mean) for step in series.ahead or ()], width // AHEAD)
    history = history[-(width - len(ahead)) :]
    lo, hi = scale_of(history, ahead)
    return Text.assemble(sparkline(history, lo, hi), (sparkline(ahead, lo, hi), "cyan"))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _reasons(seen: Overview, most: int) -> list[Text]:
    """A line a reason, those that need a person most first; `most` lines at most."""
    lines = [
        Text.assemble((word, COLOURS.get(word, "cyan")), f"  {_some(names)}: {plain(reason)}")
        for (word, reason), names in sorted(reasons_of(seen).items(), key=lambda each: _rank(each[0][0]))
    ]
    lines += [Text(f"refit  {name}: {plain(reason)}") for name, reason in drifts_of(seen).items()]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], Text(f"… and {len(lines) - most + 1:,} reasons more: rollcast status", style="dim")]


def _rank(word: str) -> int:
    return STATUSES.index(word) if word in STATUSES else -1  # a panel that has never been fetched comes first


def _some(names: list[str]) -> str:
    more = len(names) - NAMES
    return plain(", ".join(names[:NAMES])) + (f" and {more:,} more" if more > 0 else "")


def _foot(seen: Overview, width: int) -> Text:
    daemon = "the daemon runs" if seen.daemon_runs else "no daemon runs: rollcast run starts one"
    told = [time_told(seen.now), daemon, seen.counted, "q ends this"]
    return _cut(Text(" · ".join(filter(None, told)), style="dim"), width)


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _clipped(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
