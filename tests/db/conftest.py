"""A migrated database in a temporary folder."""

import pytest

from db import engine


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def write_engine(url):
    made = engine.writer(url)
    engine.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def sessions(write_engine):
    return engine.sessions(write_engine)


@pytest.fixture
def session(sessions):
    with sessions.begin() as opened:
        yield opened
