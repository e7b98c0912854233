"""The API's description of itself: the shapes of the answers, by the structs that they are made of, with examples."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service import shapes
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
    OopsAnswer,
)
REF = "#/components/schemas/{name}"
ERRORS = {
    401: "The token is missing or wrong.",
    404: "There is no such series, or panel.",
    422: "A parameter cannot be used; the message names it.",
    503: "The answer is not to be had now; the hint says why.",
}


def answered(
    kind: type[msgspec.Struct], example: object, *, table: str | None = None, errors: tuple[int, ...] = (401, 422)
) -> dict[int | str, dict[str, Any]]:
    """The answers that a route may give: its own as JSON and, where there is a table, as CSV; and its errors."""
    content: dict[str, Any] = {"application/json": {"schema": _ref(kind), "example": example}}
    if table is not None:
        content["text/csv"] = {"schema": {"type": "string"}, "example": table}
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": (kind.__doc__ or "").split("\n")[0], "content": content},
        304: {"description": "Nothing but the ages has changed since the answer with that ETag: they have grown."},
    }
    for status in errors:
        found[status] = {
            "description": ERRORS[status],
            "content": {"application/json": {"schema": _ref(OopsAnswer)}},
        }
    return found


def describe(app: FastAPI, token: bool) -> None:
    """Let /openapi.json be complete."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=REF)
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
