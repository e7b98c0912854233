"""Whether the daemon counts as well: its API answers, and its scheduler ticks."""

import asyncio
import ctypes
import resource
import subprocess
import sys

import pytest

from db import engine
from service.heads import LimitedHeads
from service.server import Server, allow_files, give_back
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


# In a process of its own: from an older one's heap, a large piece may be taken that lay free there.
KEEPING = """
import ctypes
from service.server import give_back

libc = ctypes.CDLL(None)

class Mallinfo2(ctypes.Structure):  # malloc.h says it in ten numbers
    _fields_ = tuple((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", *"abcdef"))

libc.mallinfo2.restype = Mallinfo2
{given_back}
bytearray(30_000_000)  # freed at once: from here on glibc by itself keeps whatever is smaller
before = libc.mallinfo2().hblks  # pieces asked of the system each by itself, which go back to it once they are free
answer = bytearray(1_000_000)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="glibc from 2.33 on tells")
@pytest.mark.parametrize(
    ("given_back", "of_their_own"), [("give_back(128 * 1024)", "1"), ("", "0")], ids=["asked", "by itself"]
)
def test_memory_of_long_answers_goes_back_to_the_system(given_back, of_their_own):
    code = KEEPING.format(given_back=given_back)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == of_their_own


def test_another_c_library_gives_back_what_it_will(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back(128 * 1024)
