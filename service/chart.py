"""A chart of one series: its history, forecast fan, and past forecasts laid over what happened, as PNG or SVG.

Drawn by matplotlib (`pip install 'rollcast[plot]'`) on a figure of its own: nothing global is touched for good.
"""

import io
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from db.queries import Pair
from models.arrays import Array

if TYPE_CHECKING:  # it takes half a second, and may not be there
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Kind = Literal["png", "svg"]

DPI = 100
FEW = 60  # observations, of which each is marked with a dot
HEAD_LINES = 4  # of words above the chart, at most
CHARACTER = 6.6  # pixels, about, of the words above the chart
LARGEST = 1e150  # matplotlib multiplies values with each other


@dataclass(frozen=True)
class Fan:
    """Forecasts in order of time; bounds: level in percent → lo and hi of each."""

    times: list[int]  # microseconds since 1970
    means: list[float]
    bounds: dict[int, tuple[list[float], list[float]]]


@dataclass(frozen=True)
class Picture:
    """What is drawn. history is cut into runs without gaps; filled: the ends of gaps that the model sees filled."""

    title: str
    lines: list[str]
    history: list[list[Pair]]
    filled: list[tuple[Pair, Pair]] = field(default_factory=list)
    ahead: Fan | None = None
    past: list[Fan] = field(default_factory=list)
    first_steps: list[Fan] = field(default_factory=list)  # one step ahead, of past forecasts; runs without gaps


@dataclass(frozen=True)
class Theme:
    """Colours, apart for the colour-blind too."""

    ground: str
    ink: str
    faint: str
    history: str
    ahead: str
    past: str


LIGHT = Theme("#ffffff", "#1b1f24", "#d9dee3", "#30363d", "#0969da", "#bc4c00")
DARK = Theme("#14171a", "#e6e9ec", "#343a40", "#c9d1d9", "#58a6ff", "#f0883e")


def drawn(picture: Picture, kind: Kind, width: int, height: int, *, dark: bool = False) -> bytes:
    """The chart as a file's content; so many pixels wide and high. Raises ImportError where matplotlib is missing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Words in an SVG stay words; the same picture is the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rollcast"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for it
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        _draw(figure, picture, DARK if dark else LIGHT, width)
        content = io.BytesIO()
        metadata = {"Date": None, "Title": picture.title} if kind == "svg" else {"Title": picture.title}
        figure.savefig(content, format=kind, facecolor=figure.get_facecolor(), metadata=metadata)
    return content.getvalue()


def _draw(figure: "Figure", picture: Picture, theme: Theme, width: int) -> None:
    figure.set_facecolor(theme.ground)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    axes = figure.add_subplot()
    _past(axes, picture, theme)
    _ahead(axes, picture.ahead, theme)
    _history(axes, picture, theme)
    _frame(axes, theme)
    _head(axes, picture, theme, width)
    legend = figure.legend(loc="outside lower left", ncols=6 if width >= 900 else 2, frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_color(theme.ink)


def _history(axes: "Axes", picture: Picture, theme: Theme) -> None:
    label = "gap, filled for the model"
    for before, after in picture.filled:
        ends = _times([before[0], after[0]]), _finite([before[1], after[1]])
        axes.plot(*ends, color=theme.history, lw=0.8, ls=":", zorder=4, label=label)
        label = "_"
    few = sum(map(len, picture.history)) <= FEW
    label = "observed"
    for run in picture.history:
        marker = "o" if few or len(run) == 1 else None
        times, values = [ts for ts, _ in run], [value for _, value in run]
        axes.plot(
            _times(times), _finite(values), color=theme.history, lw=1.3, marker=marker, ms=3, zorder=4, label=label
        )
        label = "_"  # one line of the legend stands for all


def _ahead(axes: "Axes", fan: Fan | None, theme: Theme) -> None:
    if fan is None:
        return
    times = _times(fan.times)
    for level, (lo, hi) in sorted(fan.bounds.items(), reverse=True):
        alpha = 0.18 if level >= max(fan.bounds) and len(fan.bounds) > 1 else 0.28
        axes.fill_between(
            times, _finite(lo), _finite(hi), color=theme.ahead, alpha=alpha, lw=0, zorder=2, label=f"{level} %"
        )
    marker = "o" if len(fan.times) == 1 else None
    axes.plot(times, _finite(fan.means), color=theme.ahead, lw=1.8, marker=marker, ms=4, zorder=5, label="forecast")


def _past(axes: "Axes", picture: Picture, theme: Theme) -> None:
    """Thin lines of past forecasts, and the band of those one step ahead at their lowest level."""
    told = "% one step ahead, as forecast then"
    for fan in picture.first_steps:
        level, (lo, hi) = min(fan.bounds.items())
        label = f"{level} {told}" if fan is picture.first_steps[0] else "_"
        style: dict[str, Any] = {"color": theme.past, "alpha": 0.18, "zorder": 1, "label": label}
        if len(fan.times) == 1:
            axes.vlines(_times(fan.times), _finite(lo), _finite(hi), lw=4, **style)
        else:
            axes.fill_between(_times(fan.times), _finite(lo), _finite(hi), lw=0, **style)
    label = "past forecasts"
    for fan in picture.past:
        marker = "." if len(fan.times) == 1 else None
        axes.plot(
            _times(fan.times),
            _finite(fan.means),
            color=theme.past,
            lw=0.8,
            alpha=0.75,
            marker=marker,
            zorder=3,
            label=label,
        )
        label = "_"


def _frame(axes: "Axes", theme: Theme) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(lambda value, _place: _number(value))
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_facecolor(theme.ground)
    axes.grid(color=theme.faint, lw=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.tick_params(colors=theme.ink, labelsize=9, length=0)
    axes.set_xlabel("times in UTC", color=theme.ink, fontsize=9, loc="left")
    axes.xaxis.get_offset_text().set_color(theme.ink)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.faint)


def _head(axes: "Axes", picture: Picture, theme: Theme, width: int) -> None:
    """The title, and the lines below it, as they stand: a dollar sign begins no formula."""
    per_line = max(20, int((width - 80) / CHARACTER))
    wrapped = [part for line in picture.lines for part in textwrap.wrap(line, per_line)][:HEAD_LINES]
    text: dict[str, Any] = {"color": theme.ink, "parse_math": False}
    told = "\n".join(wrapped)
    most = max(20, per_line // 2)
    title = picture.title if len(picture.title) <= most else f"{picture.title[: most - 1]}…"
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=13 * len(wrapped) + 12, **text)
    lines = axes.annotate(
        told, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=9, linespacing=1.35, **text
    )
    lines.set_in_layout(False)  # words that are wider than expected are cut, and take no room from the chart


def _number(value: float) -> str:
    """A figure of the scale, whole: nothing to add to it stands elsewhere."""
    told = f"{value:,.15g}" if 1e-4 <= abs(value) < 1e9 or not value else f"{value:.10g}"
    return told.replace("-", "−", 1) if value < 0 else told


def _times(us: Sequence[int]) -> Any:
    return np.array(us, dtype="datetime64[us]")


def _finite(values: Sequence[float]) -> Array:
    """Values that can be drawn: NaN for those that cannot."""
    found = np.array(values, dtype=np.float64)
    return np.where(np.abs(found) <= LARGEST, found, np.nan)
