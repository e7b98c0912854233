"""The resources under /api/v1: what may be asked of each, and who answers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions
from jobs.panel import Clock
from service import answers, shapes
from service.answers import Panels
from service.api import examples, tables
from service.api.cache import UNTIL
from service.api.errors import bad_parameter, check_panel
from service.api.openapi import answered
from service.api.parameters import (
    AsOf,
    ByStep,
    Csv,
    Cutoff,
    End,
    History,
    IssuedAfter,
    IssuedBefore,
    Levels,
    MaxAge,
    Name,
    Next,
    OfJob,
    OfOutcome,
    OfPanel,
    OfStatus,
    OfStep,
    Points,
    Search,
    SeriesText,
    Start,
    Version,
    Window,
    at_most,
    forecast_place,
    id_place,
    only_known,
    page_after,
    series_place,
)

MOST_SERIES = 1_000  # in one answer

T = TypeVar("T")


def resources(panels: Callable[[], Panels], sessions: Sessions, clock: Clock) -> APIRouter:
    """The resources on a database. panels: those configured now."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(only_known)])

    def read(question: Callable[[Session, Panels, datetime], T]) -> T:
        with sessions() as session:
            return question(session, panels(), clock())

    @router.get(
        "/series",
        responses=answered(shapes.SeriesListAnswer, examples.SERIES_LIST, examples.SERIES_CSV, named=True),
    )
    def all_series(
        request: Request,
        csv: Csv,
        panel: OfPanel = None,
        status: OfStatus = None,
        search: Search = None,
        history: History = 0,
        limit: Annotated[int, at_most(MOST_SERIES)] = 100,
        page: Next = None,
    ) -> Response:
        """Series at a glance, by panel and name, a page at a time."""
        after = series_place(page)
        if panel is not None:
            check_panel(panels(), panel)
        found, following = read(
            lambda session, panels, now: answers.page_of_series(
                session,
                panels,
                now,
                panel=panel,
                status=status,
                search=search,
                history=history,
                after=after,
                limit=limit,
            )
        )
        return _page(csv, shapes.SeriesListAnswer(found, page_after(following)), lambda: tables.series(found), request)

    # A series' name may hold slashes, so the routes with more after it come first.

    @router.get(
        "/series/{name:path}/observations",
        responses=answered(shapes.ObservationsAnswer, examples.OBSERVATIONS, examples.OBSERVATIONS_CSV, named=True),
    )
    def observations(
        name: Name,
        csv: Csv,
        start: Start = None,
        end: End = None,
        as_of: AsOf = None,
        limit: Annotated[int, at_most(10_000)] = 1_000,
        points: Points = None,
    ) -> Response:
        """The newest `limit` observations from start to end, both included, oldest first."""
        answer = read(
            lambda session, panels, now: answers.observations(
                session, panels, name, now, start=start, end=end, as_of=as_of, limit=limit, points=points
            )
        )
        return _told(csv, answer, lambda: tables.observations(answer))

    @router.get(
        "/series/{name:path}/forecasts/latest",
        responses=answered(shapes.LatestAnswer, examples.LATEST, examples.LATEST_CSV, named=True),
    )
    def latest(name: Name, csv: Csv, levels: Levels, max_age: MaxAge) -> Response:
        """The latest forecast, its state and its age."""
        answer = read(
            lambda session, panels, now: answers.latest(session, panels, name, now, levels=levels, max_age=max_age)
        )
        return _told(csv, answer, lambda: tables.latest([answer]), None if max_age else _until([answer]))

    @router.get(
        "/series/{name:path}/forecasts",
        responses=answered(shapes.LedgerAnswer, examples.LEDGER, examples.LEDGER_CSV, named=True),
    )
    def forecasts(
        request: Request,
        name: Name,
        csv: Csv,
        levels: Levels,
        issued_after: IssuedAfter = None,
        issued_before: IssuedBefore = None,
        cutoff: Cutoff = None,
        model: Version = None,
        step: OfStep = None,
        limit: Annotated[int, at_most(1_000)] = 10,
        page: Next = None,
    ) -> Response:
        """The newest `limit` forecasts as they were issued, newest first, a page at a time."""
        before = forecast_place(page)
        answer, following = read(
            lambda session, panels, now: answers.ledger(
                session,
                panels,
                name,
                now,
                issued_after=issued_after,
                issued_before=issued_before,
                cutoff=cutoff,
                version=model,
                step=step,
                levels=levels,
                before=before,
                limit=limit,
            )
        )
        answer.next = page_after(following)
        return _page(csv, answer, lambda: tables.ledger(answer), request)

    @router.get(
        "/series/{name:path}/scores",
        responses=answered(shapes.ScoresAnswer, examples.SCORES, examples.SCORES_CSV, named=True),
    )
    def scores(name: Name, csv: Csv, window: Window = None, by: ByStep = None) -> Response:
        """How the forecasts did against what happened, and against the naive."""
        answer = read(
            lambda session, panels, now: answers.scores(session, panels, name, now, window=window, by_step=by == "step")
        )
        return _told(csv, answer, lambda: tables.scores(answer))

    @router.get(
        "/series/{name:path}/models",
        responses=answered(shapes.ModelsAnswer, examples.MODELS, examples.MODELS_CSV, named=True),
    )
    def models(name: Name, csv: Csv, limit: Annotated[int, at_most(1_000)] = 20) -> Response:
        """The newest versions of the model that forecasts it, newest first."""
        answer = read(lambda session, panels, _: answers.models(session, panels, name, limit))
        return _told(csv, answer, lambda: tables.models(answer))

    @router.get(
        "/series/{name:path}",
        responses=answered(shapes.SeriesAnswer, examples.SERIES, examples.SERIES_CSV, named=True),
    )
    def one_series(name: Name, csv: Csv, history: History = 0) -> Response:
        """One series at a glance."""
        answer = read(lambda session, panels, now: answers.one_series(session, panels, name, now, history))
        return _told(csv, answer, lambda: tables.series([answer]))

    @router.get(
        "/forecasts/latest",
        responses=answered(shapes.BulkAnswer, examples.BULK, examples.LATEST_CSV, named=True),
    )
    def latest_of_many(
        csv: Csv,
        levels: Levels,
        max_age: MaxAge,
        series: Annotated[
            list[SeriesText] | None,
            Query(
                description="Names, with commas between, or one each; a name with a comma stands alone",
                max_length=MOST_SERIES,
                examples=["cpu_percent,memory_percent"],
            ),
        ] = None,
        panel: OfPanel = None,
    ) -> Response:
        """The latest forecasts of the series that are named, in their order; else of a panel's, else of all."""

        def question(session: Session, panels: Panels, now: datetime) -> list[shapes.LatestAnswer]:
            names = _names(session, panels, series, panel)
            return answers.latest_of(session, panels, names, now, levels=levels, max_age=max_age)

        answer = shapes.BulkAnswer(read(question))
        until = None if max_age else _until(answer.forecasts)
        return _told(csv, answer, lambda: tables.latest(answer.forecasts), until)

    @router.get("/panels", responses=answered(shapes.PanelsAnswer, examples.PANELS, examples.PANELS_CSV))
    def all_panels(csv: Csv) -> Response:
        """Every panel that is configured: its model, its series by state, its newest runs."""
        answer = shapes.PanelsAnswer(read(answers.all_panels))
        return _told(csv, answer, lambda: tables.panels(answer))

    @router.get("/runs", responses=answered(shapes.RunsAnswer, examples.RUNS, examples.RUNS_CSV, named=True))
    def runs(
        request: Request,
        csv: Csv,
        panel: OfPanel = None,
        job: OfJob = None,
        outcome: OfOutcome = None,
        limit: Annotated[int, at_most(1_000)] = 100,
        page: Next = None,
    ) -> Response:
        """Runs of jobs, newest first, a page at a time."""
        before_id = id_place(page)
        found, following = read(
            lambda session, *_: answers.runs(
                session, panel=panel, job=job, outcome=outcome, before_id=before_id, limit=limit
            )
        )
        if panel is not None and not found and page is None:
            check_panel(panels(), panel)
        answer = shapes.RunsAnswer(found, page_after(following))
        return _page(csv, answer, lambda: tables.runs(answer), request)

    return router


def _told(csv: bool, answer: Any, table: Callable[[], str], until: datetime | None = None) -> Response:
    """An answer in the form asked for. until: when anything but its ages will be another, if nothing is written."""
    if csv:
        return Response(table(), media_type="text/csv")
    headers = {} if until is None else {UNTIL: str(until.timestamp())}
    return Response(answers.to_json(answer), headers=headers, media_type="application/json")


def _page(csv: bool, answer: Any, table: Callable[[], str], request: Request) -> Response:
    """A page of a list. Where it goes on is in a header too: a table has no other place for it."""
    told = _told(csv, answer, table)
    if answer.next is not None:
        following = request.url.include_query_params(next=answer.next)
        path = request.scope["raw_path"].decode("ascii")  # as it was asked: a header holds no other letters
        told.headers["link"] = f'<{path}?{following.query}>; rel="next"'
    return told


def _until(found: Sequence[shapes.LatestAnswer]) -> datetime | None:
    """Until when time alone makes no other answers of these; None where the words of one may tell an age."""
    untils = [each.until for each in found if each.status == "fresh" and each.until is not None]
    return min(untils) if found and len(untils) == len(found) else None


def _names(session: Session, panels: Panels, asked: Sequence[str] | None, panel: str | None) -> list[str]:
    """The series that are named, else those of the panel, else all there are. Raises ApiError."""
    if panel is not None:
        check_panel(panels, panel)
    names = []
    for word in asked or []:
        alone = "," not in word or queries.find_series(session, word) is not None
        names += [name for name in ([word] if alone else word.split(",")) if name]
    if len(names) > MOST_SERIES:
        raise bad_parameter("series", f"{len(names)} names", f"at most {MOST_SERIES:,} at once")
    if not names:
        chosen = list(panels) if panel is None else [panel]
        found = queries.list_series(session, panels=chosen, limit=MOST_SERIES + 1)
        if len(found) > MOST_SERIES:
            raise bad_parameter("series", asked, f"name them: there are more than {MOST_SERIES:,}, which is the most")
        names = [each.name for each in found]
    return list(dict.fromkeys(names))
