"""What may be asked: the parameters of the API, their limits, and what they become."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec
from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from service import durations
from service.api.errors import ApiError, bad_parameter
from service.api.negotiation import wants_csv
from service.complaints import meant
from service.state import Status

LONGEST_NAME = 1_000
TIME = "2026-11-23T12:00:00Z"
NUMBER = re.compile(r"\s*[-+]?[0-9.]+(e[-+]?[0-9]+)?\s*", re.IGNORECASE)


def _text(pattern: str, expected: str) -> Any:
    """A text of that pattern; `expected` says in words what it is."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})]


Name = Annotated[
    str,
    Path(
        description="A series' name; it may hold slashes, as they are or as %2F",
        max_length=LONGEST_NAME,
        examples=["cpu_percent"],
    ),
    AfterValidator(unquote),  # see `guard`
]
OfPanel = Annotated[str | None, Query(description="Of this panel only", max_length=LONGEST_NAME, examples=["host"])]
OfStatus = Annotated[Status | None, Query(description="In this state only")]
Search = Annotated[
    str | None, Query(description="Whose name holds this, in upper or lower case", max_length=200, examples=["cpu"])
]
History = Annotated[int, Query(ge=0, le=500, description="Newest observations to tell of each series", examples=[60])]
Points = Annotated[
    int | None,
    Query(
        ge=2,
        le=10_000,
        description="The newest 500,000 at most, in so many points that keep the extremes",
        examples=[300],
    ),
]
Window = Annotated[
    Literal["7d", "30d", "all"] | None, Query(description="Targets of the last so many UTC days; without it, all three")
]
ByStep = Annotated[
    Literal["step"] | None, Query(description="Also of each step; in a window, of the forecasts that are kept")
]
OfJob = Annotated[Literal["fetch", "score", "refit", "forecast", "prune"] | None, Query(description="Of this job only")]
OfOutcome = Annotated[
    Literal["running", "ok", "waiting", "failed", "interrupted"] | None, Query(description="That ended like this")
]
Version = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Of this version of the model only", examples=[12])
]


def at_most(rows: int) -> Any:
    """Limits how many rows are asked for."""
    return Query(ge=1, le=rows, description="So many rows at most", examples=[20])


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is None:
        return None if moment is None else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time of the years 1 to 9999, in UTC too") from error


def _no_number(given: object) -> object:
    """A number would be taken for seconds since 1970."""
    if isinstance(given, str) and NUMBER.fullmatch(given):
        raise ValueError(f"expected a time in ISO 8601, as in {TIME}")
    return given


Moment = Annotated[datetime | None, BeforeValidator(_no_number), AfterValidator(_utc)]
Start = Annotated[Moment, Query(description="From this time on. ISO 8601", examples=[TIME])]
End = Annotated[Moment, Query(description="Up to this time, included. ISO 8601", examples=[TIME])]
AsOf = Annotated[Moment, Query(description="As it was known then, by default now. ISO 8601", examples=[TIME])]
IssuedAfter = Annotated[Moment, Query(description="Issued after this time. ISO 8601", examples=[TIME])]
IssuedBefore = Annotated[Moment, Query(description="Issued before this time. ISO 8601", examples=[TIME])]
OfStep = Annotated[int | None, Query(ge=1, le=100_000, description="This step of each forecast only", examples=[1])]
Cutoff = Annotated[Moment, Query(description="Of this cutoff only. ISO 8601", examples=[TIME])]


LevelsText: Any = _text("[0-9]{1,2}(,[0-9]{1,2}){0,19}", "whole numbers below 100 with commas between, as in 80,95")
AgeText: Any = _text(
    "([1-9][0-9]{0,8}|[1-9][0-9]{0,5}[smh]|[1-9][0-9]{0,3}d|[1-9][0-9]{0,2}w|[1-9][0-9]?y)",
    "seconds, or a number with s, m, h, d, w or y, as in 90, 30s, 2h, 1d",
)
SeriesText: Any = _text(f"(?=.*[^,]).{{1,{100 * LONGEST_NAME}}}", "names with commas between")

# Parameters are no plain functions: FastAPI would send each to a thread.


async def _levels(
    level: Annotated[
        LevelsText | None,
        Query(description="Tell the intervals of these levels only, in percent, with commas between", examples=["80"]),
    ] = None,
) -> list[int]:
    return [] if level is None else list(dict.fromkeys(map(int, level.split(","))))


Levels = Annotated[list[int], Depends(_levels)]


async def _max_age(
    max_age: Annotated[
        AgeText | None,
        Query(
            description="How old the newest data seen by a forecast may be: seconds, or 30s, 2h, 1d. Older: 503",
            examples=["2h"],
        ),
    ] = None,
) -> timedelta | None:
    if max_age is None:
        return None
    if max_age.isdigit():
        return timedelta(seconds=int(max_age))
    try:
        return durations.parse(max_age)
    except ValueError as wrong:
        raise bad_parameter("max_age", max_age, str(wrong)) from wrong


MaxAge = Annotated[timedelta | None, Depends(_max_age)]


async def _wants_csv(
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="As `Accept: text/csv` does, but stronger")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> bool:
    return form == "csv" or (form is None and wants_csv(accept))


Csv = Annotated[bool, Depends(_wants_csv)]

Next = Annotated[
    str | None,
    Query(alias="next", description="The `next` of the page before", max_length=20 * LONGEST_NAME, examples=["NDcxMQ"]),
]


async def only_known(request: Request) -> None:
    """Refuse a parameter that there is not, and a second value where one counts: it would be ignored without a word.

    Raises ApiError.
    """
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]
    known = {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            told = meant(name, known) if known else "there are none here"
            raise ApiError(422, "unknown_parameter", f"there is no parameter {name[:100]!r} here", told)
        if given.count(name) > 1 and "array" not in (kind.get("type") for kind in _alternatives(known[name])):
            raise ApiError(422, "bad_parameter", f"{name} is given {given.count(name)} times", "give it once")


def _alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema.get("anyOf", ())]


def page_after(place: object) -> str | None:
    """A place in a list as an opaque word; None for none."""
    return None if place is None else base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


Id: Any = Annotated[int, msgspec.Meta(ge=0, le=2**57)]


def _place(word: str, kind: Any) -> object:
    try:
        told = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
        return msgspec.json.decode(told, type=kind)
    except (binascii.Error, msgspec.MsgspecError, ValueError) as wrong:
        raise bad_parameter("next", word, "this is no `next` of a page") from wrong


def series_place(word: str | None) -> tuple[str, str] | None:
    """Where a page of series begins. Raises ApiError."""
    if word is None:
        return None
    place = _place(word, tuple[str, str])
    assert isinstance(place, tuple)  # noqa: S101  for the type checker
    return place


def id_place(word: str | None) -> int | None:
    """Before which id a page begins. Raises ApiError."""
    if word is None:
        return None
    place = _place(word, Id)
    assert isinstance(place, int)  # noqa: S101  likewise
    return place


def forecast_place(word: str | None) -> tuple[int, int] | None:
    """Before which forecast a page of the ledger begins: when it was issued, in µs, and its id. Raises ApiError."""
    if word is None:
        return None
    place = _place(word, tuple[Id, Id])
    assert isinstance(place, tuple)  # noqa: S101  likewise
    return place
