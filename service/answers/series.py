"""Series at a glance, and panels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy.orm import Session

from db import queries
from db.queries import ScoreSummary
from db.schema import Run
from db.times import from_us
from jobs.due import RUNS_LOOKED_AT, next_due, schedule_of
from service import durations
from service.answers.scores import glance
from service.answers.seeing import Panels, Seen, Shared, find, see
from service.shapes import ObservationAnswer, PanelAnswer, RefitAnswer, RunAnswer, SeriesAnswer

WEEK = timedelta(days=7)
BATCH = 500  # series that are read at once
JOBS = ("fetch", "score", "refit", "forecast")

Place = tuple[str, str]  # of a series in the list: its panel and its name


def all_series(session: Session, panels: Panels, now: datetime, *, history: int = 0) -> list[SeriesAnswer]:
    """Every series of the panels that are configured, by panel and name; `history`: newest observations of each."""
    return [answer for answer, _ in _each(session, panels, now, history)]


def page_of_series(
    session: Session,
    panels: Panels,
    now: datetime,
    *,
    panel: str | None = None,
    status: str | None = None,
    search: str | None = None,
    history: int = 0,
    after: Place | None = None,
    limit: int,
) -> tuple[list[SeriesAnswer], Place | None]:
    """Some series after a place in the list, and where the next page begins; None where there is none."""
    chosen = panels if panel is None else {name: panels[name] for name in panels if name == panel}
    batch = BATCH if status else min(limit + 1, BATCH)  # who knows how many of a status there are among the next
    found = _each(session, chosen, now, history, search, after, batch)
    some = list(islice((each for each, _ in found if status in (None, each.status)), limit + 1))
    following = (some[limit - 1].panel, some[limit - 1].name) if len(some) > limit else None
    return some[:limit], following


def one_series(session: Session, panels: Panels, name: str, now: datetime, history: int = 0) -> SeriesAnswer:
    """One series. Raises NoSeriesError."""
    seen = see(session, panels, [find(session, panels, name)], now, history, whole=history > 0)
    (answer,) = _answers(session, seen, now, history)
    return answer


def _each(
    session: Session,
    panels: Panels,
    now: datetime,
    history: int,
    search: str | None = None,
    after: Place | None = None,
    batch: int = BATCH,
) -> Iterator[tuple[SeriesAnswer, Seen]]:
    """The series of some panels after a place, a batch at a time."""
    shared: dict[str, Shared] = {}
    while True:
        found = queries.list_series(session, panels=list(panels), search=search, after=after, limit=batch)
        seen = see(session, panels, found, now, history, whole=history > 0, shared=shared)
        yield from zip(_answers(session, seen, now, history), seen, strict=True)
        if len(found) < batch:
            return
        after = (found[-1].panel, found[-1].name)


def _answers(session: Session, seen: Sequence[Seen], now: datetime, history: int) -> list[SeriesAnswer]:
    scores = queries.score_glances(session, [each.series.id for each in seen], now - WEEK)
    return [_answer(each, scores[each.series.id], history) for each in seen]


def _answer(seen: Seen, score: ScoreSummary, history: int) -> SeriesAnswer:
    newest = [ObservationAnswer(from_us(ts), value) for ts, value in seen.pairs[-max(1, history) :]]
    refits = seen.shared.refits
    return SeriesAnswer(
        name=seen.series.name,
        panel=seen.panel.name,
        interval=durations.interval_told(seen.panel.interval, seen.panel.months),
        horizon=seen.panel.horizon,
        status=seen.state.status,
        reason=seen.state.reason,
        newest=newest[-1] if newest else None,
        data_age_s=seen.data_age_s,
        next=seen.next,
        model=None if seen.model is None else seen.model.kind,
        model_version=None if seen.model is None else seen.model.version,
        score_7d=glance(score),
        last_refit=_last_refit(refits),
        next_refit=next_due(refits, schedule_of(seen.panel, "refit"), seen.now) if refits else None,
        history=newest if history else None,
        ahead=seen.steps if history else None,
    )


def _last_refit(refits: Sequence[Run]) -> RefitAnswer | None:
    """The newest refit that went well, of the newest ones."""
    done = next((run for run in refits if run.outcome == "ok"), None)
    return None if done is None else RefitAnswer(done.started, done.ended, done.outcome, done.reason)


def all_panels(session: Session, panels: Panels, now: datetime) -> list[PanelAnswer]:
    """Every panel that is configured, with its series counted by status."""
    statuses: dict[str, Counter[str]] = {name: Counter() for name in panels}
    for _, seen in _each(session, panels, now, 0):
        statuses[seen.panel.name][seen.state.status] += 1
    found = []
    for panel in panels.values():
        runs = {job: queries.newest_runs(session, panel.name, job, RUNS_LOOKED_AT) for job in JOBS}
        model = queries.champion(session, panel.name)
        found.append(
            PanelAnswer(
                name=panel.name,
                source=type(panel.source).__name__.removesuffix("Source").lower(),
                interval=durations.interval_told(panel.interval, panel.months),
                horizon=panel.horizon,
                levels=list(panel.levels),
                series=statuses[panel.name].total(),
                statuses=dict(statuses[panel.name]),
                model=None if model is None else model.kind,
                model_version=None if model is None else model.version,
                next_fetch=next_due(runs["fetch"], schedule_of(panel, "fetch"), now),
                next_refit=next_due(runs["refit"], schedule_of(panel, "refit"), now) if runs["refit"] else None,
                last_runs={job: run_answer(of[0]) if of else None for job, of in runs.items()},
            )
        )
    return found


def run_answer(run: Run) -> RunAnswer:
    """A run, as it is answered."""
    seconds = None if run.ended is None else (run.ended - run.started).total_seconds()
    return RunAnswer(run.id, run.job, run.panel, run.due, run.started, run.ended, seconds, run.outcome, run.reason)


def runs(
    session: Session,
    *,
    panel: str | None = None,
    job: str | None = None,
    outcome: str | None = None,
    before_id: int | None = None,
    limit: int,
) -> tuple[list[RunAnswer], int | None]:
    """The newest runs before one, newest first; and the id before which the next page begins."""
    found = queries.runs(session, panel=panel, job=job, outcome=outcome, before_id=before_id, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return [run_answer(run) for run in found[:limit]], following
