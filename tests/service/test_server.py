"""Whether the daemon counts as well: its API answers, and its scheduler ticks."""

import asyncio
import resource

import pytest
from anyio.to_thread import current_default_thread_limiter

from db import engine
from service.heads import LimitedHeads
from service.server import THREADS, Server, allow_files
from service.settings import ApiSettings


class StandIn:
    """A scheduler that ticks as long as a test wants."""

    panels: dict[str, object] = {}  # noqa: RUF012  read alone
    ticking = True

    def is_ticking(self):
        return self.ticking

    def waiting(self):
        return {"refit": 0}


@pytest.fixture
def scheduler():
    return StandIn()


@pytest.fixture
def server(url, write_engine, scheduler, clock):
    return Server(ApiSettings(), None, scheduler, engine.sessions(engine.reader(url)), clock)


def test_before_the_api_answers_it_is_not_well(server):
    assert not server.is_well()


def test_it_is_well_while_the_api_is_at_work_and_the_scheduler_ticks(server):
    asyncio.run(server._uvicorn.config.callback_notify())
    assert server.is_well()


def test_it_is_not_well_once_the_api_hangs(server, clock):
    asyncio.run(server._uvicorn.config.callback_notify())
    clock.advance(seconds=11)
    assert not server.is_well()


def test_it_is_not_well_once_the_scheduler_hangs(server, scheduler):
    asyncio.run(server._uvicorn.config.callback_notify())
    scheduler.ticking = False
    assert not server.is_well()


def test_no_head_is_read_without_an_end_and_no_socket_is_opened_that_nothing_answers(server):
    assert (server._uvicorn.config.http, server._uvicorn.config.ws) == (LimitedHeads, "none")


def test_few_threads_answer(server):
    async def threads():
        await server._uvicorn.config.callback_notify()
        return current_default_thread_limiter().total_tokens

    assert asyncio.run(threads()) == THREADS


@pytest.fixture
def limits(monkeypatch):
    """Makes up the limits of open files; they are changed there alone."""
    held = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: held["files"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, files: held.update(files=files))
    return held


UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1_024, 524_288), (8_192, 524_288)),
        ((256, UNLIMITED), (8_192, UNLIMITED)),
        ((1_024, 4_096), (4_096, 4_096)),
        ((65_536, 524_288), (65_536, 524_288)),
        ((UNLIMITED, UNLIMITED), (UNLIMITED, UNLIMITED)),
    ],
    ids=["raised", "without a hard limit", "as far as it may", "never lowered", "unlimited"],
)
def test_as_many_files_as_streams_need_may_be_open(limits, before, after):
    limits["files"] = before
    allow_files(8_192)
    assert limits["files"] == after
