"""The feed of events, without a server."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from db import queries
from jobs.events import Observed, RefitEnded
from service.api.feed import Feed, Wanted

T0 = datetime(2026, 1, 5, tzinfo=UTC)
WITHIN = 10  # seconds that a test waits for what must come


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("service.api.feed.POLL", 0.005)


@pytest.fixture
def stopping():
    return [False]


@pytest.fixture
def feed(sessions, stopping):
    return Feed(sessions, lambda: stopping[0])


@pytest.fixture
def write(sessions):
    """Write so many events, of series a; returns the newest id."""

    def events(count=1, *told):
        told = told or [Observed(T0, float(k), 1, 0).of("p", "a") for k in range(count)]
        with sessions.begin() as session:
            queries.add_events(session, told, T0)
            return queries.newest_event(session)

    return events


def parsed(block):
    """The fields of one block."""
    return dict(line.split(": ", 1) for line in block.decode().splitlines() if not line.startswith(":"))


class Ear:
    """A listener: what it hears, block after block."""

    def __init__(self, feed, newest, after=None, wanted=None):
        self.told = feed.listen(wanted or Wanted(), newest, after)
        self.blocks = []

    async def hear(self):
        """The next block."""
        while not self.blocks:
            chunk = await asyncio.wait_for(anext(self.told), WITHIN)
            self.blocks = [parsed(block) for block in chunk.split(b"\n\n") if block]
        return self.blocks.pop(0)

    async def ids(self, count):
        """The ids of the next so many events."""
        return [int((await self.hear())["id"]) for _ in range(count)]


def listening(story):
    """Run what a test does with listeners."""
    asyncio.run(story())


def test_a_listener_is_told_at_once_where_it_stands_and_then_what_comes(feed, write):
    async def story():
        ear = Ear(feed, newest=write(3))
        async with aclosing(ear.told):
            assert await ear.hear() == {"id": "3"}
            write(2)
            assert await ear.ids(2) == [4, 5]

    listening(story)


def test_an_event_goes_out_with_all_that_it_tells(feed, write):
    async def story():
        ear = Ear(feed, newest=0)
        async with aclosing(ear.told):
            await ear.hear()
            write(1, RefitEnded("failed", None, None, "no luck").of("p"))
            block = await ear.hear()
            assert (block["id"], block["event"]) == ("1", "refit")
            assert json.loads(block["data"]) == {
                "kind": "refit",
                "panel": "p",
                "series": None,
                "at": "2026-01-05T00:00:00Z",
                "outcome": "failed",
                "version": None,
                "model": None,
                "reason": "no luck",
            }

    listening(story)


def test_a_listener_that_comes_back_is_told_what_it_missed(feed, write):
    async def story():
        ear = Ear(feed, newest=write(500), after=120)
        async with aclosing(ear.told):
            assert await ear.hear() == {"id": "120"}
            assert await ear.ids(380) == list(range(121, 501))
            write()
            assert await ear.ids(1) == [501]

    listening(story)


@pytest.mark.parametrize("after", [3, 50])
def test_a_listener_that_comes_back_too_late_or_from_another_database_is_told_so(feed, write, monkeypatch, after):
    monkeypatch.setattr("service.api.feed.EVENTS_KEPT", 10)

    async def story():
        ear = Ear(feed, newest=write(20), after=after)
        async with aclosing(ear.told):
            block = await ear.hear()
            assert (block["event"], block["id"]) == ("reset", "20")
            assert json.loads(block["data"])["kind"] == "reset"
            write()
            assert await ear.ids(1) == [21]

    listening(story)


def test_a_listener_that_falls_behind_what_is_in_memory_reads_on_from_the_table(feed, write, monkeypatch):
    monkeypatch.setattr("service.api.feed.IN_MEMORY", 5)

    async def story():
        slow, quick = Ear(feed, newest=0), Ear(feed, newest=0)
        async with aclosing(slow.told), aclosing(quick.told):
            await slow.hear()
            await quick.hear()
            for _ in range(10):
                write(10)
                await quick.ids(10)
            assert len(feed._ring) <= 10
            assert await slow.ids(100) == list(range(1, 101))

    listening(story)


def test_a_listener_that_falls_behind_all_that_is_kept_is_told_so(feed, write, monkeypatch):
    monkeypatch.setattr("service.api.feed.IN_MEMORY", 5)
    monkeypatch.setattr("service.api.feed.EVENTS_KEPT", 20)

    async def story():
        slow, quick = Ear(feed, newest=0), Ear(feed, newest=0)
        async with aclosing(slow.told), aclosing(quick.told):
            await slow.hear()
            await quick.hear()
            for _ in range(10):
                write(10)
                await quick.ids(10)
            assert (await slow.hear())["event"] == "reset"
            write()
            assert await slow.ids(1) == [101]

    listening(story)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (Wanted(), [1, 2, 3, 4]),
        (Wanted(panels=frozenset("p")), [1, 2]),
        (Wanted(series=frozenset(["b", "c"])), [2, 3]),
        (Wanted(kinds=frozenset(["refit"])), [4]),
        (Wanted(panels=frozenset("q"), kinds=frozenset(["observation"])), [3]),
    ],
)
def test_a_listener_is_told_what_it_wants(feed, write, wanted, ids):
    of = Observed(T0, 1.0, 1, 0).of
    write(4, of("p", "a"), of("p", "b"), of("q", "c"), RefitEnded("failed", None, None, "").of("q"))

    async def story():
        ear = Ear(feed, newest=4, after=0, wanted=wanted)
        async with aclosing(ear.told):
            await ear.hear()
            assert await ear.ids(len(ids)) == ids

    listening(story)


def test_a_comment_comes_now_and_then_and_says_where_the_listener_stands_though_no_event_was_for_it(
    feed, write, monkeypatch
):
    monkeypatch.setattr("service.api.feed.COMMENT_EVERY", 0.05)

    async def story():
        ear = Ear(feed, newest=0, wanted=Wanted(kinds=frozenset(["state"])))
        async with aclosing(ear.told):
            assert await ear.hear() == {"id": "0"}
            write(7)
            while (block := await ear.hear()) == {"id": "0"}:
                pass
            assert block == {"id": "7"}
            assert await ear.hear() == {"id": "7"}

    listening(story)


def test_every_listener_ends_when_the_server_stops(feed, write, stopping):
    async def story():
        ears = [Ear(feed, newest=0) for _ in range(3)]
        for ear in ears:
            await ear.hear()
        heard = [asyncio.create_task(ear.hear()) for ear in ears]
        await asyncio.sleep(0.02)
        stopping[0] = True
        ended = await asyncio.wait_for(asyncio.gather(*heard, return_exceptions=True), WITHIN)
        assert [type(each) for each in ended] == [StopAsyncIteration] * 3

    listening(story)


def test_nobody_reads_the_database_once_nobody_listens(feed, write):
    async def story():
        ear = Ear(feed, newest=0)
        async with aclosing(ear.told):
            await ear.hear()
        assert feed.listeners == 0
        await asyncio.wait_for(feed._reading, WITHIN)
        assert feed._reading is None

    listening(story)


def test_a_listener_after_a_pause_misses_nothing_and_is_told_nothing_old(feed, write):
    async def story():
        first = Ear(feed, newest=write(5))
        async with aclosing(first.told):
            await first.hear()
            await asyncio.sleep(0.02)
        await asyncio.wait_for(feed._reading, WITHIN)
        second = Ear(feed, newest=write(5))
        async with aclosing(second.told):
            assert await second.hear() == {"id": "10"}
            write()
            assert await second.ids(1) == [11]

    listening(story)


def test_while_the_database_does_not_answer_the_feed_waits_and_says_so_once(feed, write, sessions, caplog):
    def rename(before, after):
        with sessions.begin() as session:
            session.connection().exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")

    async def story():
        ear = Ear(feed, newest=0)
        async with aclosing(ear.told):
            await ear.hear()
            next_one = asyncio.create_task(ear.hear())
            rename("events", "hidden")
            await asyncio.sleep(0.1)
            rename("hidden", "events")
            write()
            assert (await next_one)["id"] == "1"

    listening(story)
    assert [record.message for record in caplog.records] == ["the event stream cannot read the database; trying again"]
