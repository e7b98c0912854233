"""What `rollcast status` tells of the panels at a moment: read from the database, and put into words."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from db import queries
from db.engine import DatabaseUnusableError
from jobs.drift import REASON as DRIFT
from jobs.panel import Panel
from service import answers, daemon, durations
from service.commands.terminal import UsageError, number_told, panels_named, reading, settings_of
from service.complaints import SettingsError
from service.daemon import utc_now
from service.shapes import SeriesAnswer

HEADINGS = ("series", "value", "age", "status", "forecast", "vs naive", "refit")
# From what needs a person most to what needs none.
STATUSES = ("source_down", "expired", "no_model", "stale", "insufficient_data", "fresh")
FETCH_COMES = ("not fetched", "the first fetch comes at start")


@dataclass(frozen=True)
class Overview:
    """What is known of the panels at a moment."""

    now: datetime
    series: dict[str, list[SeriesAnswer]]  # of each panel
    unfetched: dict[str, tuple[str, str]]  # of a panel without series: how its newest fetch ended, and why
    daemon_runs: bool
    trouble: str | None = None  # why there is nothing to show

    @property
    def all_series(self) -> list[SeriesAnswer]:
        """The series of all panels."""
        return [series for found in self.series.values() for series in found]

    @property
    def counted(self) -> str:
        """How many series there are in each state, in words."""
        return counted(self.all_series)


def overview(session: Session, panels: list[Panel], now: datetime, *, daemon_runs: bool, history: int = 0) -> Overview:
    """What the database says of some panels; `history`: how many of the newest observations of each series."""
    series: dict[str, list[SeriesAnswer]] = {panel.name: [] for panel in panels}
    for each in answers.all_series(session, {panel.name: panel for panel in panels}, now, history=history):
        series[each.panel].append(each)
    unfetched = {}
    for name in (name for name, found in series.items() if not found):
        runs = queries.newest_runs(session, name, "fetch", 1)
        unfetched[name] = (runs[0].outcome, runs[0].reason) if runs else FETCH_COMES
    return Overview(now, series, unfetched, daemon_runs)


def look(config: Path | None, panel: str | None, history: int) -> Overview:
    """The overview as it is now. What keeps it from being seen is told in it: it may be mended while one watches."""
    runs = False
    try:
        settings = settings_of(config)
        runs = daemon.is_running(settings.data_dir)
        panels = panels_named(settings, panel)
        with reading(settings) as sessions, sessions() as session:
            return overview(session, panels, utc_now(), daemon_runs=runs, history=history)
    except (UsageError, SettingsError, DatabaseUnusableError) as error:
        return Overview(utc_now(), {}, {}, runs, plain(str(error)))


def reasons_of(seen: Overview) -> dict[tuple[str, str], list[str]]:
    """Why series are not fresh and panels have none: those that share a word and a reason."""
    sharing: dict[tuple[str, str], list[str]] = {}
    for series in seen.all_series:
        if series.status != "fresh":
            sharing.setdefault((series.status, series.reason), []).append(series.name)
    for name, why in seen.unfetched.items():
        sharing.setdefault(why, []).append(name)
    return sharing


def drifts_of(seen: Overview) -> dict[str, str]:
    """Of each panel whose last refit was forced by drift, the reason."""
    refits = {series.panel: series.last_refit for series in seen.all_series}
    return {name: run.reason for name, run in refits.items() if run is not None and run.reason.startswith(DRIFT)}


def cells(series: SeriesAnswer, now: datetime) -> list[str]:
    """What the columns say of a series."""
    score, step = series.score_7d, series.next
    return [
        plain(series.name),
        "–" if series.newest is None else number_told(series.newest.value),
        "–" if series.data_age_s is None else durations.told(timedelta(seconds=series.data_age_s)),
        series.status,
        "–" if step is None else number_told(step.mean),
        "–" if score.skill is None else f"{1 - score.skill:.2f}",
        "–" if series.next_refit is None else until(series.next_refit, now),
    ]


def counted(some: list[SeriesAnswer]) -> str:
    """How many series are in each state, in words."""
    counts: Counter[str] = Counter(series.status for series in some)
    return ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])


def until(due: datetime, now: datetime) -> str:
    """In how much time something is due."""
    return "now" if due <= now else f"in {durations.told(due - now)}"


def plain(text: str) -> str:
    """The text in one line, of characters that only print: names and reasons may come from anywhere."""
    return "".join(each if each.isprintable() else "�" for each in " ".join(text.split()))
