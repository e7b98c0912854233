"""The read API: GET only, on a database that it cannot write to.

A question goes through `guard` (the token), then `cache` (the same question, asked again), to FastAPI and `resources`.
What is answered is `service.answers`' affair, and the same for the command line.
"""

import sqlite3
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from db import queries
from db.engine import Changes, Sessions
from jobs.panel import Clock
from service.answers import Panels
from service.api import metrics, page, stream
from service.api.cache import Cache
from service.api.errors import error, handle
from service.api.guard import Guard, SecurityHeaders
from service.api.openapi import describe
from service.api.resources import resources

STREAM = "/api/v1/stream"
OPEN_PATHS = ("/", "/healthz", "/readyz", "/favicon.ico", "/openapi.json")  # nothing of the data is in them
STATIC = "/static/"
OPEN: dict[str, Any] = {"security": []}  # in the description


class Api(FastAPI):
    """FastAPI behind layers that answer most questions: its own layers cost more than an answer that is kept."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._first: ASGIApp = super().__call__

    def put_first(self, layer: Callable[..., ASGIApp], **more: Any) -> None:
        """Let a layer be asked before all others."""
        self._first = layer(self._first, **more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the first layer."""
        await self._first(scope, receive, send)


def create_app(
    panels: Callable[[], Panels],
    sessions: Sessions,
    clock: Clock,
    is_ticking: Callable[[], bool],
    *,
    token: str | None = None,
    cors: Sequence[str] = (),
) -> Api:
    """The API on a read-only database.

    panels: those configured now, the same object while they are the same; is_ticking: whether the scheduler is at
    work; token: what every question must bear; cors: origins whose pages may read the answers.
    """
    app = Api(
        title="Rollcast",
        version=version("rollcast"),
        description="Latest forecasts, and how good they have been. Times are ISO 8601; without an offset, UTC.",
        docs_url=None,
        redoc_url=None,
    )
    handle(app)
    describe(app, token is not None)
    changes = Changes(sessions.kw["bind"])

    def moment() -> tuple[object, ...]:
        """What an answer depends on besides its question and the time."""
        try:
            return (changes.version(), panels())
        except sqlite3.Error:  # whoever is asked will tell what is wrong
            return (object(),)

    app.put_first(SecurityHeaders, shared=bool(cors))  # the cache keeps them with the answers
    app.put_first(Cache, moment=moment, clock=lambda: clock().timestamp(), prefix="/api/v1/", but=STREAM)
    app.put_first(Guard, token=token, open_paths=OPEN_PATHS, open_under=STATIC, endless=STREAM, shared=bool(cors))
    if cors:
        app.put_first(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET"],
            allow_headers=["Authorization", "Last-Event-ID"],
            expose_headers=["ETag"],
        )

    @app.get("/healthz", openapi_extra=OPEN)
    async def healthz() -> Response:  # waits for none of the threads that answer questions
        """The process is alive."""
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", openapi_extra=OPEN)
    def readyz() -> Response:
        """The database answers and the scheduler ticks; otherwise 503."""
        try:
            with sessions() as session:
                queries.ping(session)
        except SQLAlchemyError as wrong:
            return error(503, "database_unreachable", f"the database does not answer: {wrong}", "see the daemon's log")
        if not is_ticking():
            return error(
                503, "scheduler_stopped", "the scheduler does not tick", "wait, or restart the daemon; see its log"
            )
        return JSONResponse({"status": "ready"})

    app.include_router(resources(panels, sessions, clock))
    stream.add(app, panels, sessions)
    metrics.add(app, panels, sessions, clock, is_ticking)
    page.add(app)
    return app
