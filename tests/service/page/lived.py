"""What the page is looked at on: a panel whose series have lived, in a real database, and a server on it."""

import math
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import uvicorn

from db import engine, queries
from db.times import to_us
from jobs.panel import Panel
from service.api import create_app

HOUR = timedelta(hours=1)
LEVELS = {80: 1.28, 95: 1.96}
ODD = "a/b <script>alert(1)</script> & 100 %"


class Server:
    """The API and its page, in a thread."""

    def __init__(self, app):
        self.app = app
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(
            self.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.app.state.is_stopping = lambda: self.server.should_exit
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()
        return self

    def stop(self):
        self.server.should_exit = True
        self.thread.join()
        self.listener.close()


@contextmanager
def serving(database, panels, clock, ticking=lambda: True, token=None) -> Iterator[Server]:
    """A server on this database."""
    read_engine = engine.reader(database)
    server = Server(create_app(lambda: panels, engine.sessions(read_engine), clock, ticking, token=token)).start()
    try:
        yield server
    finally:
        server.stop()
        read_engine.dispose()


def demand_panel(source):
    """Hourly, a day ahead."""
    return Panel(
        name="demand",
        source=source,
        interval=HOUR,
        horizon=24,
        fetch_every=timedelta(minutes=5),
        refit_every=timedelta(days=1),
        train_window=timedelta(days=365),
    )


def set_right(clock):
    """Ten minutes past the hour, less than an hour ago: the browser has a clock of its own."""
    clock.now = (datetime.now(UTC) - timedelta(minutes=10)).replace(minute=10, second=0, microsecond=0)
    return clock


def newest_hour(clock):
    """The start of the newest hour that has ended."""
    return clock().replace(minute=0) - HOUR


def demand(hour, seed):
    """A day's rhythm, and noise."""
    return 300 + 80 * math.sin(math.tau * hour / 24) + random.Random(f"{seed}{hour}").gauss(0, 12)


def let_live(sessions, clock, panel, name, *, observed=200, forecasts=60, newest=None, levels=LEVELS):
    """A series of the panel that has lived: observations, a forecast an hour, scored as far as the truth is known."""
    newest = newest or newest_hour(clock)
    hours = [newest - k * HOUR for k in reversed(range(observed))]
    values = [demand(k, name) for k in range(observed)]
    with sessions.begin() as session:
        champion = queries.champion(session, panel.name) or add_champion(session, panel, hours[-forecasts])
        series = queries.add_series(session, name, panel.name)
        for k in range(observed - forecasts, observed):
            steps = [
                queries.NewStep(
                    hours[k] + step * HOUR,
                    mean := 300 + 80 * math.sin(math.tau * (k + step) / 24),
                    values[k],
                    {level: (mean - wide * 14, mean + wide * 14) for level, wide in levels.items()},
                )
                for step in range(1, panel.horizon + 1)
            ]
            issued = hours[k] + HOUR + timedelta(minutes=1)
            queries.issue(session, series.id, champion.id, hours[k], issued, steps, unit=1.0, scale=10.0)
        pairs = [(to_us(hour), value) for hour, value in zip(hours, values, strict=True)]
        queries.add_observations(session, series.id, pairs, hours[-1] + HOUR)
        queries.fill_scores(session, series.id, clock())


def add_champion(session, panel, at):
    model = queries.add_model(
        session, panel.name, kind="rnn", cutoff=at, trained_at=at, accepted=True, verdict="", content=b""
    )
    queries.promote(session, model, at, "won its refit")
    return model


def put_on_record(sessions, clock, panel, job, outcome="ok", reason=""):
    """A run of two seconds."""
    with sessions.begin() as session:
        run = queries.start_run(session, job, panel.name, due=clock(), started=clock())
        queries.end_run(session, run, ended=clock() + timedelta(seconds=2), outcome=outcome, reason=reason)
