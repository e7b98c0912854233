"""The table of accuracy as a picture: six panels, Rollcast beside its peers, and what is asked as a line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy_lines import (
    HOURLY_OWA,
    METHODS,
    OFF,
    OURS,
    PRICE_ERROR,
    SIGNAL_ERROR,
    WEEKLY_OWA,
    Row,
)
from benchmarks.accuracy_tasks import LEVELS

COLOURS = dict(zip(METHODS, ("#0b6e4f", "#8fa3b8", "#b9a7c9", "#d9b382"), strict=True))
ASKED: dict[str, Any] = {"color": "#b3261e", "linewidth": 1.2, "linestyle": "--"}
WIDTH = 0.2  # of a bar
SHORT = {"ec2_cpu_utilization_5f5533": "ec2", "machine_temperature_system_failure": "machine", "nyc_taxi": "taxi"}
SHORT |= {"rds_cpu_utilization_cc0c53": "rds", "speed_7578": "speed", "m4_weekly_dev": "weekly panel"}
SHORT |= {"machine_temperature_2000": "machine, 2,000", "random_walk_2000": "walk, 2,000"}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw what has been measured; a panel without rows stays empty."""
    import matplotlib as mpl  # only who draws waits for it

    mpl.use("Agg")
    from matplotlib import lines, patches
    from matplotlib import pyplot as plt

    known = {(row.line, row.key): row for row in rows}
    figure, axes = plt.subplots(2, 3, figsize=(15, 8.5), layout="constrained")
    owa, msis, seconds, prices, signals, coverage = axes.ravel()
    panels = [(name, known[name, "owa"]) for name in ("weekly", "hourly") if (name, "owa") in known]
    _bars(owa, "OWA on M4 (Naive2 is 1)", panels)
    _marks(owa, [{"weekly": WEEKLY_OWA, "hourly": HOURLY_OWA}[name] for name, _ in panels])
    _bars(msis, "MSIS 95, AutoETS being 1", [(name, _relative(known[name, "msis"])) for name, _ in panels])
    _marks(msis, [1.0] * len(panels))
    _seconds(seconds, [row for row in rows if row.line == "seconds"])
    _bars(prices, "MAE on prices, the random walk being 1", _errors(rows, "prices"))
    prices.set_ylim(0.97, 1.05)
    prices.axhline(PRICE_ERROR, **ASKED)
    _bars(signals, "MAE on signals, the random walk being 1", _errors(rows, "signals"))
    last = len(_errors(rows, "signals")) - 1
    signals.hlines(SIGNAL_ERROR, last - 0.45, last + 0.45, **ASKED)
    _coverage(coverage, known)
    handles: list[Any] = [patches.Patch(color=colour, label=method) for method, colour in COLOURS.items()]
    handles.append(lines.Line2D([], [], label="asked", **ASKED))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _errors(rows: Sequence[Row], line: str) -> list[tuple[str, Row]]:
    """The rows of mean absolute errors, by a short name; the mean over all last."""
    chosen = [row for row in rows if row.line == line and row.key.startswith("mae")]
    named = [(row.key.removeprefix("mae").removeprefix(":") or "all", row) for row in chosen]
    return [(SHORT.get(name, name), row) for name, row in named]


def _relative(row: Row) -> Row:
    unit = row.figures["AutoETS"]
    figures = {name: figure / unit for name, figure in row.figures.items()}
    return Row(row.line, row.key, row.what, figures)


def _bars(axes: Any, title: str, panels: Sequence[tuple[str, Row]]) -> None:
    """A group of bars a row, a bar a method."""
    axes.set_title(title)
    for place, method in enumerate(METHODS):
        known = [(k, row.figures[method]) for k, (_, row) in enumerate(panels) if method in row.figures]
        where = [k + (place - 1.5) * WIDTH for k, _ in known]
        axes.bar(where, [figure for _, figure in known], WIDTH, color=COLOURS[method])
    axes.set_xticks(range(len(panels)), [name for name, _ in panels])
    axes.spines[["top", "right"]].set_visible(False)


def _marks(axes: Any, asked: Sequence[float]) -> None:
    """A dashed line over each group: what is asked."""
    for place, figure in enumerate(asked):
        axes.hlines(figure, place - 0.45, place + 0.45, **ASKED)


def _seconds(axes: Any, rows: Sequence[Row]) -> None:
    """Bars on a logarithmic scale, as one is asked 30 s and the others 2 s."""
    _bars(axes, "CPU seconds of one fit", [(SHORT.get(row.key, row.key), row) for row in rows])
    for place, row in enumerate(rows):
        axes.hlines(float(row.asked.removeprefix("≤").removesuffix("s")), place - 0.45, place + 0.45, **ASKED)
    axes.set_yscale("log")


def _coverage(axes: Any, known: dict[tuple[str, str], Row]) -> None:
    """A point a method; the band is what is asked."""
    axes.set_title("Coverage of the 80 and 95 % intervals")
    lines = [name for name in ("weekly", "hourly", "prices", "signals") if (name, "coverage:80") in known]
    for level in LEVELS:
        axes.axhspan(level - OFF, level + OFF, color="#b3261e", alpha=0.12, linewidth=0)
        for place, method in enumerate(METHODS):
            where = [k + (place - 1.5) * WIDTH for k in range(len(lines))]
            shares = [known[name, f"coverage:{level}"].figures[method] for name in lines]
            axes.scatter(where, shares, s=60 if method == OURS else 36, color=COLOURS[method])
    axes.set_xticks(range(len(lines)), lines)
    axes.spines[["top", "right"]].set_visible(False)
