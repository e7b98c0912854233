"""The API's description of itself: the shapes of the answers, by the structs that they are made of, with examples."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service import shapes
from service.api import examples
from service.api.errors import OopsAnswer

ANSWERS = (
    shapes.SeriesListAnswer,
    shapes.ObservationsAnswer,
    shapes.BulkAnswer,
    shapes.LedgerAnswer,
    shapes.ScoresAnswer,
    shapes.ModelsAnswer,
    shapes.PanelsAnswer,
    shapes.RunsAnswer,
    shapes.HealthAnswer,
    OopsAnswer,
)
REF = "#/components/schemas/{name}"
ERRORS = {
    401: "The token is missing or wrong.",
    404: "There is no such series, or panel.",
    421: "There is no token, so that only this machine's own names are answered.",
    422: "A parameter cannot be used; the message names it.",
    503: "The answer is not to be had now; the hint says why.",
}

ETAG = {"schema": {"type": "string"}, "description": "For If-None-Match: of all but the ages"}
LINK = {"schema": {"type": "string"}, "description": 'Where there is a next page: <its path>; rel="next"'}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an answer that is known; it is not sent again",
    "schema": {"type": "string", "examples": ['W/"ead1543b6c1c8e3a2b5b9f70"']},
}


def answered(
    kind: type[msgspec.Struct], example: object, table: str, *, named: bool = False
) -> dict[int | str, dict[str, Any]]:
    """The answers that a resource may give: its own as JSON and as CSV, and its errors.

    named: whether what it is asked for has a name, which there may not be.
    """
    found = told(kind, example, *(401, *((404,) if named else ()), 421, 422, 503))
    found[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": table}
    found[200]["headers"] = {"ETag": ETAG} | ({"Link": LINK} if "next" in kind.__struct_fields__ else {})
    found[304] = {"description": "Nothing but the ages has changed since the answer with that ETag: they have grown."}
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def told(kind: type[msgspec.Struct], example: object, *errors: int) -> dict[int | str, dict[str, Any]]:
    """An answer as JSON, and errors."""
    content = {"application/json": {"schema": _ref(kind), "example": example}}
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": (kind.__doc__ or "").split("\n")[0], "content": content}
    }
    return found | failing(*errors)


def failing(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Errors."""
    return {
        status: {
            "description": ERRORS[status],
            "content": {"application/json": {"schema": _ref(OopsAnswer), "example": examples.OOPS[status]}},
        }
        for status in statuses
    }


def describe(app: FastAPI, token: bool) -> None:
    """Let /openapi.json be complete."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=REF)
            for item in document["paths"].values():
                if "304" in item["get"]["responses"]:
                    item["get"].setdefault("parameters", []).append(IF_NONE_MATCH)
            components = document.setdefault("components", {})
            components["schemas"] = dict(sorted(schemas.items()))
            if token:
                components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                document["security"] = [{"token": []}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's manual does it


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": REF.format(name=kind.__name__)}
