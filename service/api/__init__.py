"""The read API: GET only, on a database that it cannot write to.

Every error has one shape: {"error": {"code", "message", "hint"}}. Times are ISO 8601 with
Z; one without an offset counts as UTC.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from db import queries
from db.engine import Sessions
from jobs.panel import Clock, Panel
from service import answers

log = logging.getLogger("rollcast")

MAX_LIMIT = 10_000
MAX_FORECASTS = 1_000

Moment = Annotated[datetime | None, Query(description="ISO 8601; UTC where no offset is given")]


class Oops(msgspec.Struct):
    """What went wrong, and what to do."""

    code: str
    message: str
    hint: str


def create_app(
    panels: Callable[[], Mapping[str, Panel]], sessions: Sessions, clock: Clock, is_ticking: Callable[[], bool]
) -> FastAPI:
    """The API on a read-only database. panels: those configured now; is_ticking: whether the scheduler is at work."""
    app = FastAPI(
        title="Rollcast", description="Latest forecasts, and how good they have been.", docs_url=None, redoc_url=None
    )
    _handle_errors(app)

    def read(question: Callable[[Session], Any]) -> Response:
        with sessions() as session:
            return _json(question(session))

    @app.get("/")
    def index() -> Response:
        """Where to go from here."""
        return _json(
            {
                "service": "rollcast",
                "series": "/api/v1/series",
                "latest_forecast": "/api/v1/series/{name}/forecasts/latest",
                "openapi": "/openapi.json",
                "ready": "/readyz",
            }
        )

    @app.get("/healthz")
    def healthz() -> Response:
        """The process is alive."""
        return _json({"status": "alive"})

    @app.get("/readyz")
    def readyz() -> Response:
        """The database answers and the scheduler ticks; otherwise 503."""
        try:
            with sessions() as session:
                queries.ping(session)
        except SQLAlchemyError as error:
            return _error(503, "database_unreachable", f"the database does not answer: {error}", "see the daemon's log")
        if not is_ticking():
            return _error(
                503, "scheduler_stopped", "the scheduler does not tick", "wait, or restart the daemon; see its log"
            )
        return _json({"status": "ready"})

    @app.get("/api/v1/series")
    def all_series() -> Response:
        """Every series at a glance."""
        return read(lambda session: {"series": answers.all_series(session, panels(), clock())})

    # A series' name may hold slashes, so the routes with more after it come first.

    @app.get("/api/v1/series/{name:path}/observations")
    def observations(
        name: str,
        start: Moment = None,
        end: Moment = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 1000,
    ) -> Response:
        """The newest `limit` observations from start to end, both included, oldest first."""
        first, last = _utc(start), _utc(end)

        def question(session: Session) -> Any:
            found = answers.observations(session, panels(), name, clock(), start=first, end=last, limit=limit)
            return {"series": name, "observations": found}

        return read(question)

    @app.get("/api/v1/series/{name:path}/forecasts/latest")
    def latest(name: str) -> Response:
        """The latest forecast, its state and its age."""
        return read(lambda session: answers.latest(session, panels(), name, clock()))

    @app.get("/api/v1/series/{name:path}/forecasts")
    def forecasts(
        name: str, issued_after: Moment = None, limit: Annotated[int, Query(ge=1, le=MAX_FORECASTS)] = 10
    ) -> Response:
        """The newest `limit` forecasts as they were issued, newest first."""
        after = _utc(issued_after)
        return read(lambda session: answers.ledger(session, panels(), name, clock(), issued_after=after, limit=limit))

    @app.get("/api/v1/series/{name:path}/scores")
    def scores(name: str) -> Response:
        """How the forecasts did against what happened, and against the naive."""
        return read(lambda session: answers.scores(session, panels(), name, clock()))

    @app.get("/api/v1/series/{name:path}")
    def one_series(name: str) -> Response:
        """One series at a glance."""
        return read(lambda session: answers.one_series(session, panels(), name, clock()))

    return app


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(answers.NoSeriesError)
    def no_series(_request: Request, error: answers.NoSeriesError) -> Response:
        return _error(404, "unknown_series", str(error), error.hint)

    @app.exception_handler(RequestValidationError)
    def bad_parameter(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = first["loc"][-1]
        return _error(422, "bad_parameter", f"{name} = {first.get('input')!r}: {first['msg']}", "see /openapi.json")

    @app.exception_handler(HTTPException)
    def http(_request: Request, error: HTTPException) -> Response:
        hints = {404: "see / for what there is", 405: "the API only reads: use GET"}
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return _error(error.status_code, code, str(error.detail), hints.get(error.status_code, "see /openapi.json"))

    @app.exception_handler(Exception)
    def internal(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _error(500, "internal", "this should not have happened", "see the daemon's log")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _json(answer: Any, status: int = 200) -> Response:
    return Response(answers.to_json(answer), status, media_type="application/json")


def _error(status: int, code: str, message: str, hint: str) -> Response:
    return _json({"error": Oops(code, message, hint)}, status)
