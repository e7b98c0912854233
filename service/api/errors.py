"""Errors, in one shape: {"error": {"code", "message", "hint"}}."""

import logging
from collections.abc import Collection

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from service import answers

log = logging.getLogger("rollcast")

LONGEST_TOLD = 200  # characters of a value that cannot be used
HINTS = {404: "see / for what there is", 405: "the API only reads: use GET"}
CODES = {404: "not_found", 405: "method_not_allowed"}


class Oops(msgspec.Struct):
    """What went wrong, and what to do."""

    code: str
    message: str
    hint: str


class OopsAnswer(msgspec.Struct):
    """The one shape of all errors."""

    error: Oops


class ApiError(Exception):
    """Something is wrong with a question."""

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.code, self.hint = status, code, hint


def bad_parameter(name: str, value: object, expected: str) -> ApiError:
    """A parameter that cannot be used; `expected` says what could."""
    told = repr(value)
    told = told if len(told) <= LONGEST_TOLD else f"{told[:LONGEST_TOLD]}…"
    return ApiError(422, "bad_parameter", f"{name} = {told}: {expected}", "see /openapi.json")


def check_panel(panels: Collection[str], name: str) -> None:
    """Make sure that a panel is one of those configured. Raises ApiError."""
    if name not in panels:
        raise ApiError(404, "unknown_panel", f"there is no panel {name!r}", f"there are {', '.join(panels)}")


def error(status: int, code: str, message: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    """An answer that says what went wrong."""
    body = msgspec.json.encode(OopsAnswer(Oops(code, message, hint)))
    return Response(body, status, headers=headers, media_type="application/json")


def handle(app: FastAPI) -> None:
    """Let every error of the app be told in the one shape."""

    @app.exception_handler(ApiError)
    def ours(_request: Request, wrong: ApiError) -> Response:
        return error(wrong.status, wrong.code, str(wrong), wrong.hint)

    @app.exception_handler(answers.NoSeriesError)
    def no_series(_request: Request, wrong: answers.NoSeriesError) -> Response:
        return error(404, "unknown_series", str(wrong), wrong.hint)

    @app.exception_handler(answers.NoLevelError)
    def no_level(_request: Request, wrong: answers.NoLevelError) -> Response:
        return error(422, "unknown_level", str(wrong), wrong.hint)

    @app.exception_handler(answers.TooOldError)
    def too_old(_request: Request, wrong: answers.TooOldError) -> Response:
        return error(503, "too_old", str(wrong), wrong.hint)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, wrong: RequestValidationError) -> Response:
        first = wrong.errors()[0]
        _where, name, *_within = first["loc"]
        ours = bad_parameter(str(name), first.get("input"), first["msg"].removeprefix("Value error, "))
        return error(ours.status, ours.code, str(ours), ours.hint)

    @app.exception_handler(HTTPException)
    def http(_request: Request, wrong: HTTPException) -> Response:
        status = wrong.status_code
        hint, code = HINTS.get(status, "see /openapi.json"), CODES.get(status, "http_error")
        return error(status, code, str(wrong.detail), hint, dict(wrong.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    def no_database(request: Request, wrong: SQLAlchemyError) -> Response:
        told = str(getattr(wrong, "orig", None) or wrong).split("\n")[0]
        log.error("%s %s: the database does not answer: %s", request.method, request.url.path, told)
        message, hint = f"the database does not answer: {told}", "ask again; rollcast doctor tells more"
        return error(503, "database_unreachable", message, hint)

    @app.exception_handler(Exception)
    def internal(request: Request, wrong: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=wrong)
        return error(500, "internal", "this should not have happened", "see the daemon's log")
