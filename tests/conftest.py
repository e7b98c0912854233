"""What the tests of several rooms share: a database, a clock that stands still, a panel with a source in memory."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import hypothesis
import pandas as pd
import pytest

from db import engine, queries
from jobs.asking import Asking
from jobs.fetch import Means
from jobs.manners import Manners
from jobs.panel import Panel
from jobs.sources.base import Delivery, SourceDownError

T0 = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday

# How long an example takes says how busy the machine is, nothing about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


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


class Clock:
    """A clock that shows what it was set to."""

    def __init__(self):
        self.now = T0

    def __call__(self):
        return self.now

    def advance(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@dataclass
class MemorySource:
    """Delivers what a test put into it; `down` makes it fail. `more` is what a Delivery has besides."""

    values: dict[str, "pd.Series[float]"] = field(default_factory=dict, repr=False)
    failures: dict[str, str] = field(default_factory=dict, repr=False)
    more: dict[str, object] = field(default_factory=dict, repr=False)
    down: str | None = field(default=None, repr=False)
    requests: list = field(default_factory=list, repr=False)

    def fetch(self, request):
        self.requests.append(request)
        if self.down:
            raise SourceDownError(self.down)
        yield Delivery(dict(self.values), dict(self.failures), **self.more)

    def put(self, name, values, start=T0, freq="1h"):
        """Values from a start on, one each step."""
        self.values[name] = pd.Series(
            [float(value) for value in values], index=pd.date_range(start, periods=len(values), freq=freq)
        )


@pytest.fixture
def means(tmp_path, clock):
    """What a fetch needs besides its panel: hosts are asked as often as one likes."""
    return Means(tmp_path, Manners(clock, random.Random(0), lambda _seconds: None, rate=1e9, burst=1e9), Asking())


@pytest.fixture
def source():
    return MemorySource()


@pytest.fixture
def panel(source):
    """An hourly panel with a horizon of 3 steps."""
    return Panel(
        name="p",
        source=source,
        interval=timedelta(hours=1),
        horizon=3,
        fetch_every=timedelta(minutes=5),
        refit_every=timedelta(days=1),
        train_window=timedelta(days=365),
    )


@pytest.fixture
def store_model():
    """Store a model that serves from then on, unless told otherwise."""

    def store(session, panel="p", *, at=T0, kind="naive", content=b"", accepted=True, promoted=True):
        model = queries.add_model(
            session, panel, kind=kind, cutoff=at, trained_at=at, accepted=accepted, verdict="", content=content
        )
        if promoted:
            queries.promote(session, model, at, "won its refit")
        return model

    return store
