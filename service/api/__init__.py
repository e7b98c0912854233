"""The read API: GET only, on a database that it cannot write to.

A question goes through `guard` (the token), then `cache` (the same question, asked again), to FastAPI and `resources`.
What is answered is `service.answers`' affair, and the same for the command line.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from db import queries
from db.engine import Changes, Sessions
from jobs.panel import Clock
from service import shapes
from service.answers import Panels
from service.api import metrics, page, stream
from service.api.cache import Cache
from service.api.errors import error, handle
from service.api.guard import HEADERS, Guard, SecurityHeaders
from service.api.openapi import describe, told
from service.api.resources import resources

STREAM = "/api/v1/stream"
OPEN_PATHS = ("/", "/healthz", "/readyz", "/favicon.ico", "/openapi.json")  # nothing of the data is in them
STATIC = "/static/"
OPEN: dict[str, Any] = {"security": []}  # in the description


class Api(FastAPI):
    """FastAPI behind layers that answer most questions: its own layers cost more than an answer that is kept."""

    outermost: ASGIApp  # of the layers: who is asked first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the outermost layer."""
        await self.outermost(scope, receive, send)


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

    headers = {name: value for name, value in HEADERS.items() if not (cors and name.startswith(b"cross-origin"))}
    inner = SecurityHeaders(partial(FastAPI.__call__, app), headers)  # the cache keeps them with the answers
    cached = Cache(inner, moment=moment, clock=lambda: clock().timestamp(), prefix="/api/v1/", but=STREAM)
    app.outermost = Guard(cached, token, open_paths=OPEN_PATHS, open_under=STATIC, endless=STREAM, headers=headers)
    if cors:
        shared = CORSMiddleware(
            app.outermost,
            allow_origins=list(cors),
            allow_methods=["GET"],
            allow_headers=["Authorization", "If-None-Match", "Last-Event-ID"],
            expose_headers=["ETag", "Link"],
        )
        app.outermost = SecurityHeaders(shared, headers)  # for what it answers itself

    @app.get("/healthz", openapi_extra=OPEN, responses=told(shapes.HealthAnswer, {"status": "alive"}, 421))
    async def healthz() -> Response:  # waits for none of the threads that answer questions
        """The process is alive."""
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", openapi_extra=OPEN, responses=told(shapes.HealthAnswer, {"status": "ready"}, 421, 503))
    def readyz() -> Response:
        """The database answers and the scheduler ticks; otherwise 503."""
        with sessions() as session:
            queries.ping(session)
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
