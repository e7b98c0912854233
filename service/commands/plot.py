"""The command `rollcast plot`: a picture of a series, its forecast, and what past forecasts said."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypeVar, cast

import numpy as np
import typer
from rich.markup import escape
from sqlalchemy.orm import Session

from db import queries
from db.queries import Pair, StepRow
from db.schema import Forecast, Series
from db.times import from_us, to_us
from jobs import calendars
from jobs.panel import Panel
from service import answers, durations
from service.chart import Fan, Kind, Picture, drawn
from service.commands.overview import plain
from service.commands.terminal import (
    Config,
    SeriesName,
    UsageError,
    asked_of,
    err,
    number_told,
    out,
    time_told,
    writing_to,
)
from service.daemon import utc_now
from service.shapes import ScoreAnswer

HORIZONS, LEAST = 6, 120  # as many horizons of history are drawn, and so many observations at least
MOST_POINTS = 200_000  # observations that are drawn; of more the newest
LEDGER = 2_000  # forecasts that are looked at, the newest
BANDS = 500  # of them whose first step is drawn, spread evenly
LINES = 24  # of them that are drawn as a line, likewise
MISSED = 2  # steps from one observation to the next that are no gap yet: one may be missing, as on a holiday
T = TypeVar("T")

SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
SMALLEST, LARGEST = 200, 8_000  # pixels
AWKWARD = re.compile(r"[^\w.+-]+")
LONGEST_NAME = 100
SPANS = {"7d": "the last 7 days", "30d": "the last 30 days", "all": "all that was scored"}

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file, .png or .svg; by default SERIES.png in this folder.")
]
Last = Annotated[
    str | None, typer.Option("--last", help="How much history, back from the newest observation: 12h, 30d, 1y.")
]
Dark = Annotated[bool, typer.Option("--dark/--light", help="The ground that it is drawn on.")]
Size = Annotated[str, typer.Option("--size", help="Width and height in pixels.", metavar="WxH")]


@dataclass(frozen=True)
class Past:
    """A forecast of the ledger and its steps, in the measure of today."""

    cutoff: int
    steps: list[StepRow]
    factor: float  # what a split since then makes of its values


def command(
    series: SeriesName,
    out_file: Out = None,
    last: Last = None,
    dark: Dark = False,
    size: Size = "1200x600",
    config: Config = None,
) -> None:
    """Draw a series: its history, forecast fan, and past forecasts laid over what happened."""
    width, height = _size(size)
    span = None if last is None else _span(last)
    target = _target(out_file, series)
    kind = cast(Kind, target.suffix[1:].lower())
    picture = asked_of(config, lambda session, panels: picture_of(session, panels, series, utc_now(), span))
    try:
        with err.status("drawing"):
            content = drawn(picture, kind, width, height, dark=dark)
    except ImportError as error:
        raise UsageError("rollcast plot needs matplotlib: pip install 'rollcast[plot]'") from error
    _write(target, content)
    count = sum(map(len, picture.history))
    out.print(f"{escape(str(target))}  {count:,} observations, {_drawn(picture)}")


def picture_of(
    session: Session, panels: Mapping[str, Panel], name: str, now: datetime, last: timedelta | None
) -> Picture:
    """What there is to draw of a series. Raises NoSeriesError, and UsageError where it has no observation."""
    glance = answers.one_series(session, panels, name, now)
    series, panel = answers.find(session, panels, name), panels[glance.panel]
    if glance.newest is None:
        raise UsageError(f"there is no observation of {name} to draw yet: {glance.status}: {plain(glance.reason)}")
    start = None if last is None else max(glance.newest.ts - last, from_us(0) - timedelta(days=700_000))
    newest = MOST_POINTS if last is not None else max(LEAST, HORIZONS * panel.horizon)
    pairs = queries.observations(session, series.id, as_of=now, start=start, newest=newest)
    past = _past(session, series, now, since=pairs[0][0])
    ahead = queries.latest_forecast(session, series.id)
    (latest,) = _measured(session, series, [ahead[0]], now) if ahead else [None]
    lines = [f"{glance.status}: {plain(glance.reason)}"]
    if latest is not None and ahead is not None:
        forecast, model = ahead
        past = [each for each in past if each.cutoff < latest.cutoff]
        lines.append(
            f"forecast by {model.kind} v{model.version}, issued {time_told(forecast.issued_at)},"
            f" cutoff {time_told(forecast.cutoff)}"
        )
    lines.append(_score_told(answers.scores(session, panels, name, now, by_step=False).windows))
    known, history = dict(pairs), _runs(panel, pairs)
    return Picture(
        title=plain(name),
        lines=lines,
        history=history,
        filled=_filled(panel, history),
        ahead=None if latest is None else _fan(latest, known),
        past=[_fan(each, known) for each in _spread(past, LINES)],
        first_steps=_first_steps(panel, _spread(past, BANDS)),
    )


# ── the past ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _past(session: Session, series: Series, now: datetime, since: int) -> list[Past]:
    """Forecasts from cutoffs since a time, in order of them; of one cutoff the one issued last."""
    found = queries.forecasts(session, series.id, issued_after=None, limit=LEDGER)
    of_cutoff = {to_us(forecast.cutoff): forecast for forecast, _ in reversed(found)}
    kept = [forecast for cutoff, forecast in sorted(of_cutoff.items()) if cutoff >= since]
    return _measured(session, series, _spread(kept, BANDS), now)


def _measured(session: Session, series: Series, forecasts: Sequence[Forecast], now: datetime) -> list[Past]:
    """The steps of some forecasts, and what the factors learnt since they were issued make of them."""
    steps = queries.steps_of(session, [forecast.id for forecast in forecasts])
    known = queries.factors(session, series.id, as_of=now)
    found = []
    for forecast in forecasts:
        then = {ts for ts, _ in queries.factors(session, series.id, as_of=forecast.issued_at)} if known else set()
        cutoff = to_us(forecast.cutoff)
        factor = math.prod(factor for ts, factor in known if ts > cutoff and ts not in then)
        found.append(Past(cutoff, steps[forecast.id], factor))
    return found


def _spread(some: Sequence[T], most: int) -> list[T]:
    """At most so many, spread evenly, the last among them."""
    if len(some) <= most:
        return list(some)
    return [some[(k + 1) * len(some) // most - 1] for k in range(most)]


# ── shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _fan(past: Past, known: Mapping[int, float]) -> Fan:
    """A forecast as it is drawn: from its cutoff's value on, where that is drawn too."""
    times = [to_us(step.target_ts) for step in past.steps]
    means = [step.mean * past.factor for step in past.steps]
    bounds = {
        level: (
            [step.bounds[level][0] * past.factor for step in past.steps],
            [step.bounds[level][1] * past.factor for step in past.steps],
        )
        for level in (past.steps[0].bounds if past.steps else ())
    }
    begin = known.get(past.cutoff)
    if begin is None:
        return Fan(times, means, bounds)
    begun = {level: ([begin, *lo], [begin, *hi]) for level, (lo, hi) in bounds.items()}
    return Fan([past.cutoff, *times], [begin, *means], begun)


def _first_steps(panel: Panel, past: Sequence[Past]) -> list[Fan]:
    """What was forecast one step ahead, cut where more than a horizon lies between two of them."""
    if not past or not past[0].steps or not past[0].steps[0].bounds:
        return []
    level = min(past[0].steps[0].bounds)
    first = [(each.steps[0], each.factor) for each in past if each.steps and level in each.steps[0].bounds]
    targets = [to_us(step.target_ts) for step, _ in first]
    cuts = _cuts(panel, targets, panel.horizon)
    return [
        Fan(
            targets[a:b],
            [step.mean * factor for step, factor in first[a:b]],
            {
                level: (
                    [step.bounds[level][0] * factor for step, factor in first[a:b]],
                    [step.bounds[level][1] * factor for step, factor in first[a:b]],
                )
            },
        )
        for a, b in pairwise(cuts)
    ]


def _runs(panel: Panel, pairs: Sequence[Pair]) -> list[list[Pair]]:
    """History, cut at its gaps."""
    return [list(pairs[a:b]) for a, b in pairwise(_cuts(panel, [ts for ts, _ in pairs], MISSED))]


def _filled(panel: Panel, history: Sequence[Sequence[Pair]]) -> list[tuple[Pair, Pair]]:
    """The last value before and the first after each gap that the model sees filled."""
    ends = [(before[-1], after[0]) for before, after in pairwise(history)]
    return [(a, b) for a, b in ends if len(_cuts(panel, [a[0], b[0]], panel.gap_filled + 1)) == 2]


def _cuts(panel: Panel, times: Sequence[int], most: int) -> list[int]:
    """The places at which more than so many steps lie between two times, with the first and the last."""
    numbers = calendars.steps(panel, times).numbers(times)
    return [0, *(np.flatnonzero(np.diff(numbers) > most) + 1).tolist(), len(times)]


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _score_told(windows: Mapping[str, ScoreAnswer]) -> str:
    """The errors beside the naive's, over the shortest span that knows of some."""
    for name, score in windows.items():
        if score.mae is None or score.naive_mae is None:
            continue
        beside = "" if score.skill is None else f", {1 - score.skill:.2f} of the naive's {number_told(score.naive_mae)}"
        return (
            f"mean absolute error over {SPANS[name]}: {number_told(score.mae)}{beside} ({score.scored_steps:,} steps)"
        )
    return "no forecast could be scored yet"


def _drawn(picture: Picture) -> str:
    """What there is in a picture besides history, in words."""
    ahead = "no forecast yet" if picture.ahead is None else "the latest forecast"
    return f"{ahead}, {len(picture.past)} past forecasts" if picture.past else f"{ahead}, no past ones"


def _size(text: str) -> tuple[int, int]:
    found = SIZE.fullmatch(text.strip().lower())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(SMALLEST <= side <= LARGEST for side in sides):
        raise UsageError(
            f"--size {text}: expected width and height in pixels, each from {SMALLEST} to {LARGEST:,}, as in 1200x600"
        )
    return sides


def _span(text: str) -> timedelta:
    try:
        return durations.parse(text)
    except ValueError as error:
        raise UsageError(f"--last {text}: {error}") from error


def _target(out_file: Path | None, series: str) -> Path:
    """The file to write."""
    if out_file is None:
        name = AWKWARD.sub("_", series).strip("._-")[:LONGEST_NAME]
        return Path(f"{name or 'series'}.png")
    if out_file.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--out {out_file}: expected a name that ends with .png or .svg")
    return out_file


def _write(file: Path, content: bytes) -> None:
    """Write a file whole; what stood there is replaced once that is done. Raises UsageError."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    with writing_to(file):
        try:
            unfinished.write_bytes(content)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
