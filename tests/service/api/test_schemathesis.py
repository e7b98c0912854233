"""The read API, asked all that its description allows and much that it does not, on a panel that has lived.

A token is set, so that what needs one is asked without it too.
"""

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from sqlalchemy import create_engine

from db import engine
from service.api import create_app

TOKEN = "0123456789abcdef0123456789abcdef"
STREAM = "/api/v1/stream"  # has no end
KNOWN = {"name": "a", "series": "a", "panel": "p"}

CONFIG = {
    "auth": {"openapi": {"token": {"bearer": TOKEN}}},
    # What is too old is a 503, if it is asked for with `max_age`; that the description names it is still checked.
    "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]}},
}


def app_on(sessions, panels, clock):
    return create_app(lambda: panels, sessions, clock, lambda: True, token=TOKEN)


# The description is the same whatever the database holds.
described = schemathesis.openapi.from_asgi(
    "/openapi.json",
    app_on(engine.sessions(create_engine("sqlite://")), {}, None),
    config=SchemathesisConfig.from_dict(CONFIG),
    headers={"Authorization": f"Bearer {TOKEN}"},
).exclude(path=STREAM)


@pytest.fixture
def app(url, lived, clock):
    read_engine = engine.reader(url)
    yield app_on(engine.sessions(read_engine), {lived.name: lived}, clock)
    read_engine.dispose()


def settings(examples):
    return hypothesis.settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def ask(case, app):
    """Ask what was made up; and where name and panel may be so, the same of the series and the panel that there are."""
    possible(case).call_and_validate(app=app)
    for part, values in ((ParameterLocation.PATH, case.path_parameters), (ParameterLocation.QUERY, case.query)):
        if not case.meta.is_negative_at(part):
            values.update({name: known for name, known in KNOWN.items() if name in values})
    possible(case).call_and_validate(app=app)


def possible(case):
    """What a description cannot say of a good question: `next` is as the API gave it, and levels are the panel's."""
    if not case.meta.is_negative_at(ParameterLocation.QUERY):
        case.query.pop("next", None)
        if "level" in case.query:
            case.query["level"] = "95"
    return case


@described.parametrize()
@settings(10)
def test_whatever_is_asked_the_answer_is_as_described(case, app):
    ask(case, app)


@pytest.mark.slow
@described.parametrize()
@settings(300)
def test_whatever_else_is_asked_the_answer_is_as_described(case, app):
    ask(case, app)
