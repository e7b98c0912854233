"""The lines of the table: what is measured, what is asked, and whether it is reached."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_tasks as tasks
from benchmarks.accuracy_ours import Ours, fit_seconds, our_forecasts
from benchmarks.accuracy_peers import NAMES, Forecasts, peer_forecasts
from benchmarks.accuracy_scores import Scores, score, yardstick
from benchmarks.accuracy_tasks import LEVELS, Task

OURS = "Rollcast"
METHODS = (OURS, *NAMES)
WEEKLY_OWA, HOURLY_OWA = 0.66, 0.44
PRICE_ERROR, SIGNAL_ERROR = 1.002, 0.78  # mean absolute error, the random walk's being 1
OFF = 2.0  # points that a coverage may be off its level
PANEL_SECONDS, SINGLE_SECONDS = 30.0, 2.0
FITS = 3  # of which the median is told
AGREE = 1e-6  # by how much our OWA and the command's own may differ, relatively


@dataclass(frozen=True)
class Setting:
    """Where the peers' forecasts are kept, whether they are made anew, and how many processes work at a time."""

    cache: Path
    fresh: bool
    processes: int


@dataclass(frozen=True)
class Row:
    """One line of the table. key: what it is called among the rows of its line."""

    line: str
    key: str
    what: str
    figures: Mapping[str, float]  # by method
    asked: str = ""
    reached: bool | None = None  # None: nothing is asked
    note: str = ""
    digits: int = 3


@dataclass(frozen=True)
class Found:
    """The scores of all methods on one task, on the same pairs. naive: of Naive2, with season 1 the random walk."""

    task: Task
    ends: NDArray[np.int64]  # the origin of each pair
    methods: Mapping[str, Scores]
    naive: Scores
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether Rollcast forecast every pair."""
        return len(self.ends) == len(self.task.pairs)

    def errors(self, chosen: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """Of each method the mean absolute error, the random walk's being 1."""
        every = np.ones(len(self.ends), dtype=bool) if chosen is None else chosen
        unit = self.naive.only(every).mae
        return {name: scores.only(every).mae / unit for name, scores in self.methods.items()}


def peers(task: Task, setting: Setting) -> dict[str, Forecasts]:
    """What the peers forecast."""
    fresh, processes = setting.fresh, setting.processes
    return {name: peer_forecasts(task, name, setting.cache, fresh=fresh, processes=processes) for name in NAMES}


def find(wanted: list[Task], setting: Setting) -> list[Found]:
    """Forecast the tasks by every method, and score them."""
    theirs = [peers(task, setting) for task in wanted]
    with ThreadPoolExecutor(setting.processes) as pool:  # each waits for a process of its own
        ours = list(pool.map(our_forecasts, wanted))
    found = []
    for task, mine, others in zip(wanted, ours, theirs, strict=True):
        there = ~np.isnan(mine.forecasts.mean[:, 0])
        made = {OURS: mine.forecasts, **others}
        methods = {name: score(task, forecasts).only(there) for name, forecasts in made.items()}
        naive = yardstick(task).only(there)
        ends = np.array([end for _, end in task.pairs])[there]
        found.append(Found(task, ends, methods, naive, _notes(task, mine, methods[OURS].owa(naive), there)))
    return found


def weekly_rows(setting: Setting) -> Iterator[Row]:
    """M4's weekly development set."""
    yield from _panel_rows("weekly", tasks.weekly(), WEEKLY_OWA, setting)


def hourly_rows(setting: Setting) -> Iterator[Row]:
    """M4's hourly development set."""
    yield from _panel_rows("hourly", tasks.hourly(), HOURLY_OWA, setting)


def price_rows(setting: Setting) -> Iterator[Row]:
    """Daily prices, each by itself."""
    found = find(tasks.prices(), setting)
    for each in found:
        errors = each.errors()
        reached = each.complete and errors[OURS] <= PRICE_ERROR
        what = f"{each.task.name}, MAE against the random walk"
        key = f"mae:{each.task.name}"
        yield Row("prices", key, what, errors, f"≤ {PRICE_ERROR}", reached, _told(each), digits=4)
    yield from _coverage_rows("prices", found)


def signal_rows(setting: Setting) -> Iterator[Row]:
    """Signals, each by itself, and the geometric mean over all."""
    found = find(tasks.signals(), setting)
    for each in found:
        what = f"{each.task.name}, MAE against the random walk"
        yield Row("signals", f"mae:{each.task.name}", what, each.errors(), note=_told(each))
    means = {name: statistics.geometric_mean(each.errors()[name] for each in found) for name in METHODS}
    reached = all(each.complete for each in found) and means[OURS] <= SIGNAL_ERROR
    yield Row("signals", "mae", "geometric mean of these", means, f"≤ {SIGNAL_ERROR}", reached)
    yield _shifted_row(next(each for each in found if each.task.name == tasks.SHIFTED))
    yield from _coverage_rows("signals", found)


def second_rows(setting: Setting) -> Iterator[Row]:
    """The time of an automatic fit, on one core."""
    try:
        task = tasks.weekly()
    except tasks.NoDataError as missing:
        print(f"skipped: {missing}", flush=True)
    else:
        theirs = {name: forecasts.seconds for name, forecasts in peers(task, setting).items()}
        note = "the peers: fits and forecasts, one after the other, when they were made"
        yield _seconds_row(task, "the weekly panel", PANEL_SECONDS, theirs, note)
    for single in tasks.of_2000_points():
        what = f"2,000 values, {single.name.removesuffix('_2000').replace('_', ' ')}"
        yield _seconds_row(single, what, SINGLE_SECONDS, {}, "")


LINES: dict[str, tuple[str, Callable[[Setting], Iterator[Row]]]] = {
    "weekly": ("M4 weekly", weekly_rows),
    "hourly": ("M4 hourly", hourly_rows),
    "prices": ("Daily prices", price_rows),
    "signals": ("Signals", signal_rows),
    "seconds": ("CPU seconds of one automatic fit", second_rows),
}


def _panel_rows(line: str, task: Task, asked: float, setting: Setting) -> Iterator[Row]:
    (found,) = find([task], setting)
    owas = {name: scores.owa(found.naive) for name, scores in found.methods.items()}
    reached = found.complete and owas[OURS] <= asked
    yield Row(line, "owa", "OWA", owas, f"≤ {asked}", reached, _told(found))
    widths = {name: scores.msis(95) for name, scores in found.methods.items()}
    reached = found.complete and widths[OURS] < widths["AutoETS"]
    yield Row(line, "msis", "MSIS 95", widths, "below AutoETS", reached)
    yield from _coverage_rows(line, [found])


def _coverage_rows(line: str, found: list[Found]) -> Iterator[Row]:
    """The coverage over all series of a line; that of each is told in the note."""
    for level in LEVELS:
        each = {name: [one.methods[name].coverage(level) for one in found] for name in METHODS}
        means = {name: statistics.fmean(shares) for name, shares in each.items()}
        reached = all(one.complete for one in found) and abs(means[OURS] - level) <= OFF
        parts = [f"{one.task.name} {share:.1f}" for one, share in zip(found, each[OURS], strict=True)]
        note = f"each: {', '.join(parts)}" if len(found) > 1 else ""
        asked = f"{level - OFF:g}–{level + OFF:g}"
        yield Row(
            line, f"coverage:{level}", f"coverage of the {level} % intervals", means, asked, reached, note, digits=1
        )


def _shifted_row(found: Found) -> Row:
    """The origins that have seen the level shift, at least its first row."""
    after = found.ends > tasks.SHIFT
    errors = found.errors(after)
    reached = found.complete and errors[OURS] <= errors["AutoETS"]
    what = f"{found.task.name} after its level shift"
    note = f"{int(after.sum())} origins after row {tasks.SHIFT:,}"
    return Row("signals", "after shift", what, errors, "≤ AutoETS", reached, note)


def _seconds_row(task: Task, what: str, most: float, theirs: Mapping[str, float], note: str) -> Row:
    seconds = [fit_seconds(task) for _ in range(FITS)]
    mine = statistics.median(seconds)
    told = f"median of {FITS} processes, {min(seconds):.2f}–{max(seconds):.2f} s"
    notes = "; ".join(part for part in (told, note) if part)
    return Row("seconds", task.name, what, {OURS: mine, **theirs}, f"≤ {most:g} s", mine <= most, notes, digits=2)


def _notes(task: Task, mine: Ours, owa: float, there: NDArray[np.bool_]) -> tuple[str, ...]:
    """What a reader should know of Rollcast's forecasts."""
    kinds = ", ".join(f"{kind} {count}" for kind, count in mine.metrics["kinds"].items())
    notes = [f"{mine.metrics['fits']} fits ({kinds}), {mine.forecasts.seconds:.0f} s in all"]
    if not there.all():
        notes.append(f"**{int((~there).sum())} of {len(task.pairs)} pairs not forecast by Rollcast**, left out for all")
    told = mine.metrics["owa"]
    if told is not None and abs(owa - told) > AGREE * abs(told):
        notes.append(f"**the command says OWA {told:.6f}, this table {owa:.6f}**")
    return tuple(notes)


def _told(found: Found) -> str:
    return "; ".join(found.notes)
