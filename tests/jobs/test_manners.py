"""Manners towards hosts, on a clock that only sleeping moves."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from jobs.manners import FIRST_COOL_DOWN, JITTER, LONGEST_COOL_DOWN, CoolingDownError, Manners

START = datetime(2026, 1, 5, tzinfo=UTC)


class Time:
    def __init__(self):
        self.now = START
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def manners(time):
    return Manners(time.clock, random.Random(0), time.sleep, rate=2.0, burst=3.0)


def test_a_burst_is_let_through_and_then_the_rate_holds(manners, time):
    for _ in range(7):
        manners.ask("a")
    assert time.slept == [0.5] * 4


def test_hosts_do_not_wait_for_each_other(manners, time):
    for _ in range(3):
        manners.ask("a")
        manners.ask("b")
    assert time.slept == []


def test_a_bucket_fills_again_while_nobody_asks(manners, time):
    for _ in range(3):
        manners.ask("a")
    time.now += timedelta(hours=1)
    for _ in range(3):
        manners.ask("a")
    assert time.slept == []


def test_a_host_in_trouble_is_left_alone_and_the_error_says_until_when(manners, time):
    manners.troubled("a", "a answered HTTP 503")
    with pytest.raises(CoolingDownError, match=r"a answered HTTP 503; a is asked again at 00:00:1[0-2]Z"):
        manners.ask("a")
    manners.ask("b")
    time.now += (1 + JITTER) * FIRST_COOL_DOWN
    manners.ask("a")


def test_the_rest_doubles_with_each_trouble_up_to_a_limit(manners, time):
    rests = []
    for _ in range(12):
        manners.troubled("a", "down")
        with pytest.raises(CoolingDownError):
            manners.ask("a")
        before = time.now
        while True:
            try:
                manners.ask("a")
                break
            except CoolingDownError:
                time.now += timedelta(seconds=1)
        rests.append(time.now - before)
    assert FIRST_COOL_DOWN <= rests[0] <= (1 + JITTER) * FIRST_COOL_DOWN + timedelta(seconds=1)
    assert all(later > earlier for earlier, later in itertools.pairwise(rests[:8]))
    assert LONGEST_COOL_DOWN <= rests[-1] <= (1 + JITTER) * LONGEST_COOL_DOWN + timedelta(seconds=1)


def test_an_answer_ends_the_trouble(manners):
    manners.troubled("a", "down")
    manners.answered("a")
    manners.ask("a")


def test_what_a_host_asks_for_is_obeyed(manners, time):
    manners.troubled("a", "a answered HTTP 429", timedelta(minutes=7))
    time.now += timedelta(minutes=6, seconds=59)
    with pytest.raises(CoolingDownError):
        manners.ask("a")
    time.now += timedelta(seconds=1)
    manners.ask("a")


def test_rests_differ_from_daemon_to_daemon(time):
    until = set()
    for seed in range(5):
        manners = Manners(time.clock, random.Random(seed), time.sleep)
        manners.troubled("a", "down", None)
        until.add(manners._hosts["a"].rest)
    assert len(until) == 5


def test_a_clock_that_is_set_back_by_days_does_not_leave_a_host_alone_for_days(manners, time):
    manners.troubled("a", "down")
    time.now -= timedelta(days=10)
    manners.ask("a")
    manners.troubled("a", "down")
    with pytest.raises(CoolingDownError):
        manners.ask("a")
    time.now += timedelta(minutes=1)
    manners.ask("a")
