"""The API's description of itself is complete, and changes only on purpose."""

import json
from pathlib import Path

import pytest

from service.api import create_app

SNAPSHOT = Path(__file__).parent / "openapi.json"


@pytest.fixture
def document(sessions, panel, clock):
    return create_app(lambda: {panel.name: panel}, sessions, clock, lambda: True).openapi()


def operations(document):
    return {path: item["get"] for path, item in document["paths"].items()}


def test_the_description_is_what_it_was(document):
    """Where a change is meant: python -m tests.service.api.snapshot"""
    told = {**document, "info": {**document["info"], "version": ""}}
    assert told == json.loads(SNAPSHOT.read_text())


def test_nothing_but_reading_is_described(document):
    assert {method for item in document["paths"].values() for method in item} == {"get"}


def test_every_resource_says_what_it_is_and_shows_an_answer(document):
    for path, operation in operations(document).items():
        assert operation["description"], path
        if path.startswith("/api/v1/") and path != "/api/v1/stream":
            told = operation["responses"]["200"]["content"]["application/json"]
            assert told["example"], path
            assert "text/csv" in operation["responses"]["200"]["content"], path


def test_every_parameter_has_a_description_and_a_limit(document):
    """But for an ETag, of which the length of a request's head is the limit."""
    bounds = {"maximum", "maxLength", "maxItems", "enum", "const", "pattern", "format"}
    for path, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (path, parameter)
            told = json.dumps(parameter["schema"])
            limited = any(f'"{bound}"' in told for bound in bounds)
            assert limited or parameter["name"] == "If-None-Match", (path, parameter)


def test_every_parameter_that_does_not_list_its_values_has_an_example(document):
    for path, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            told = json.dumps(parameter["schema"])
            assert any(f'"{each}"' in told for each in ("enum", "const", "examples")), (path, parameter)


def test_every_error_has_an_example(document):
    for path, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"]["application/json"]["example"]["error"]["hint"], (path, status)


def test_every_shape_that_is_referred_to_is_there(document):
    told = json.dumps(document)
    names = {part.split('"')[0] for part in told.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_a_token_is_described_where_there_is_one(sessions, panel, clock):
    app = create_app(lambda: {panel.name: panel}, sessions, clock, lambda: True, token="0123456789abcdef")
    assert app.openapi()["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
