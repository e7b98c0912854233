"""The event stream: /api/v1/stream, as server-sent events. What is sent is the feed's affair."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, get_args

from fastapi import Depends, FastAPI, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.types import Receive, Scope, Send

from db import queries
from db.engine import Sessions
from db.queries import Kind
from service import answers
from service.answers import Panels
from service.api.errors import ApiError, bad_parameter, check_panel
from service.api.feed import Feed, Wanted
from service.api.openapi import failing
from service.api.parameters import only_known

PATH = "/api/v1/stream"
MOST = 1_000  # listeners at once
MOST_NAMES = 1_000  # in a question
KINDS: tuple[str, ...] = get_args(Kind)
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy is to keep anything back
EXAMPLE = """\
: here
id: 4710

id: 4711
event: observation
data: {"kind":"observation","panel":"oil","series":"WTI","at":"2026-11-23T12:00:00Z","ts":"2026-11-23T00:00:00Z",\
"value":61.2,"new":1,"revised":0}

"""
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events as they happen, until the listener goes.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    **failing(401, 404, 421, 422, 503),
}

EventId = Annotated[int | None, Field(ge=0, le=2**63 - 1)]
Names = Annotated[list[str] | None, Query(max_length=MOST_NAMES)]


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the listener goes or the server stops, which cuts off those who do not read."""
        with suppress(asyncio.CancelledError):  # else the log would tell each of them as an error, line by line
            await super().__call__(scope, receive, send)


def add(app: FastAPI, panels: Callable[[], Panels], sessions: Sessions) -> None:
    """Add the stream to the API. `app.state.is_stopping` is what the server sets to end it: see the daemon."""
    app.state.is_stopping = lambda: False
    feed = Feed(sessions, lambda: app.state.is_stopping())

    @app.get(PATH, response_class=EventStream, responses=ANSWERED, dependencies=[Depends(only_known)])
    def stream(
        panel: Annotated[
            Names, Query(description="Of these panels only, with commas between", examples=["host"])
        ] = None,
        series: Annotated[
            Names,
            Query(description="Of these series only, likewise; what a panel does is of none", examples=["cpu_percent"]),
        ] = None,
        kind: Annotated[
            Names, Query(description=f"Of these kinds only, likewise: {', '.join(KINDS)}", examples=["forecast,score"])
        ] = None,
        last_event_id: Annotated[
            EventId, Query(description="Go on after this event; stronger than the header", examples=[4711])
        ] = None,
        resume: Annotated[
            EventId, Header(alias="Last-Event-ID", description="Go on after this event", examples=[4711])
        ] = None,
    ) -> Response:
        """Events as they happen, as server-sent events. It begins now, or after the event that is named.

        Each has an id to go on after: the newest 100,000 are kept. Where some are missing an event `reset` says so:
        then everything is to be read anew. A comment every 15 s tells that the stream is alive, and where it stands.
        """
        if feed.listeners >= MOST:
            raise ApiError(
                503, "too_many_streams", f"{MOST:,} streams are open", "close some, or ask again in a minute"
            )
        with sessions() as session:
            wanted = _wanted(session, panels(), panel, series, kind)
            newest = queries.newest_event(session)
        after = resume if last_event_id is None else last_event_id
        return EventStream(feed.listen(wanted, newest, after), headers=HEADERS)


def _wanted(
    session: Session, known: Panels, panels: list[str] | None, series: list[str] | None, kinds: list[str] | None
) -> Wanted:
    """What a listener asks for. Raises ApiError or NoSeriesError for what there is not."""
    wanted = Wanted(_names(panels), _series(session, series), _names(kinds))
    for name in wanted.panels:
        check_panel(known, name)
    for name in wanted.kinds - set(KINDS):
        raise bad_parameter("kind", name, f"expected one of {', '.join(KINDS)}")
    for name in wanted.series:
        answers.find(session, known, name)
    return wanted


def _names(words: list[str] | None) -> frozenset[str]:
    """Names with commas between."""
    return frozenset(name for word in words or [] for name in word.split(",") if name)


def _series(session: Session, words: list[str] | None) -> frozenset[str]:
    """Likewise of series, whose own names may hold commas."""
    alone = {word for word in words or [] if "," in word and queries.find_series(session, word) is not None}
    return _names([word for word in words or [] if word not in alone]) | alone
