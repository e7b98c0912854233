"""Checks of the panels: their sources answer, their champions are fresh, and so are their series."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread

from sqlalchemy.orm import Session

from db import queries
from db.schema import Run
from jobs.drift import drift
from jobs.due import Schedule, schedule_of
from jobs.forecast import serving
from jobs.panel import Panel
from jobs.secrets import hide
from jobs.sources.base import SourceDownError
from jobs.storing import Fetched
from service import durations
from service.checks.finding import Finding, Level, bad, look, ok
from service.shapes import SeriesAnswer

LONGEST = timedelta(seconds=15)  # that a source may be silent
GRACE = 5.0  # seconds more for one that goes on answering
TURNS = 3  # of a refit that may be missed
LEVELS: dict[str, Level] = {"source_down": "bad", "expired": "bad", "no_model": "look", "stale": "look"}

Ask = Callable[[Panel], Fetched]


def sources(
    panels: Sequence[Panel], ask: Ask, longest: timedelta = LONGEST, grace: float = GRACE, *, compared: bool = True
) -> list[Finding]:
    """Ask all sources at once what a fetch would bring. One that hangs is left behind. compared: with what is stored;
    else nobody can say what of it would be new.
    """
    asked = {panel.name: _asked(ask, panel, longest) for panel in panels}
    wait(asked.values(), timeout=longest.total_seconds() + grace)
    return [_answer(panel, asked[panel.name], compared=compared) for panel in panels]


def _asked(ask: Ask, panel: Panel, longest: timedelta) -> "Future[Fetched]":
    future: Future[Fetched] = Future()
    probe = replace(panel, fetch_timeout=min(panel.fetch_timeout, longest))

    def work() -> None:
        try:
            future.set_result(ask(probe))
        except Exception as error:  # whatever it is, it is what was found
            future.set_exception(error)

    Thread(target=work, name=f"check of {panel.name}", daemon=True).start()
    return future


def _answer(panel: Panel, asked: "Future[Fetched]", *, compared: bool) -> Finding:
    check = f"source {panel.name}"
    again = f"rollcast fetch {panel.name} --dry-run asks again; rollcast sources lists the options of each source"
    if not asked.done():
        return look(
            check, "it answers, but not to the end so far", f"rollcast fetch {panel.name} --dry-run waits for it"
        )
    error = asked.exception()
    if error is not None:
        told = str(error) if isinstance(error, SourceDownError) else f"{type(error).__name__}: {error}"
        return bad(check, hide(" ".join(told.split()), panel.secrets), again)
    fetched = asked.result()
    if fetched.failures:
        return look(check, f"it answers; {fetched}", again)
    return ok(check, f"it answers; {fetched}" if compared else "it answers")


def champions(session: Session, panels: Sequence[Panel], now: datetime, *, daemon_runs: bool) -> list[Finding]:
    """Whether each panel's champion is there, was refitted of late, and does as well as it promised."""
    return [_champion(session, panel, now, daemon_runs) for panel in panels]


def _champion(session: Session, panel: Panel, now: datetime, daemon_runs: bool) -> Finding:
    check = f"champion {panel.name}"
    champion = queries.champion(session, panel.name)
    refits = queries.newest_runs(session, panel.name, "refit", 1)
    if champion is None:
        told = f"none yet; the last refit: {refits[0].outcome}: {refits[0].reason}" if refits else "none yet"
        if refits and refits[0].outcome in ("failed", "interrupted"):
            return bad(check, told, f"rollcast refit {panel.name} tries again")
        return ok(check, told)  # whether there should be one by now, its series tell
    named = f"{champion.kind} v{champion.version}"
    if serving(session, panel) is None:
        return bad(check, f"{named} cannot be read by this version", f"rollcast refit {panel.name} makes another")
    good = queries.newest_good_run(session, panel.name, "refit")
    if good is not None and now > missed(good, schedule_of(panel, "refit")):
        cure = f"rollcast refit {panel.name} tries it now" if daemon_runs else "rollcast run refits it by and by"
        return bad(check, f"{named}: {_late(good, refits, now)}", cure)
    drifted = drift(session, panel, now)
    if drifted is not None:
        return look(check, f"{named}: {drifted}", f"the daemon refits it early; or now: rollcast refit {panel.name}")
    refitted = "" if good is None else f", last refit {durations.told(now - good.started)} ago"
    return ok(check, f"{named}{refitted}")


def missed(good: Run, schedule: Schedule) -> datetime:
    """When too many turns have gone by since a good refit."""
    moment = schedule.turn(good.due, good.started)  # it may have been long due when the daemon was started
    for _ in range(TURNS - 1):
        moment = schedule.turn(moment, moment)
    return moment


def _late(good: Run, refits: Sequence[Run], now: datetime) -> str:
    told = f"the last good refit was {durations.told(now - good.started)} ago, {TURNS} turns were missed"
    if refits and refits[0].id != good.id:
        return f"{told}; the last one: {refits[0].outcome}: {refits[0].reason}"
    return told


def data(panels: Sequence[Panel], series: Mapping[str, Sequence[SeriesAnswer]]) -> list[Finding]:
    """Whether the series of each panel are fresh; of those that are not, one reason."""
    return [_data(panel, series.get(panel.name, ())) for panel in panels]


def _data(panel: Panel, found: Sequence[SeriesAnswer]) -> Finding:
    check = f"series {panel.name}"
    if not found:
        return look(check, "none yet: the first fetch makes them", f"rollcast run, or rollcast fetch {panel.name}")
    counts: Counter[str] = Counter(series.status for series in found)
    for status, level in LEVELS.items():
        if not counts[status]:
            continue
        first = next(series for series in found if series.status == status)
        told = f"{_counted(counts)}; {first.name}: {first.reason}"
        return Finding(check, level, told, _cure(panel, status))
    return ok(check, _counted(counts))


def _counted(counts: "Counter[str]") -> str:
    return ", ".join(f"{count:,} {status}" for status, count in counts.most_common())


def _cure(panel: Panel, status: str) -> str:
    asks = f"rollcast fetch {panel.name} --dry-run"
    return {
        "source_down": f"mend what it says; {asks} tells whether that was it",
        "expired": "rollcast run keeps it fresh; where nothing new comes in time: a longer horizon, or expire_after",
        "no_model": f"rollcast refit {panel.name}",
        "stale": f"see whether the source has newer data: {asks}",
    }[status]
