"""Asking a source under a limit on its silence."""

import asyncio
import threading
from datetime import timedelta

import pytest

from jobs.asking import Asking
from jobs.sources.base import Delivery, SourceDownError

LONG, SHORT = timedelta(seconds=30), timedelta(seconds=0.05)


class Scripted:
    """A source that does what its script says."""

    def __init__(self, script):
        self.fetch = script


def parts(count):
    """A script of so many deliveries."""

    def script(_request):
        for k in range(count):
            yield Delivery(state={"k": k})

    return script


@pytest.fixture
def asking():
    return Asking()


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


def test_deliveries_come_in_order(asking):
    source = Scripted(parts(5))
    assert [delivery.state["k"] for delivery in asking.deliveries("p", source, None, LONG)] == [0, 1, 2, 3, 4]


def test_what_the_source_raises_is_raised_where_it_was_asked(asking):
    def script(request):
        yield Delivery()
        raise SourceDownError("no route to host")

    deliveries = asking.deliveries("p", Scripted(script), None, LONG)
    next(deliveries)
    with pytest.raises(SourceDownError, match="no route to host"):
        next(deliveries)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_source_that_would_end_the_process_ends_its_request_alone(asking, error):
    def script(request):
        raise error
        yield

    with pytest.raises(SourceDownError, match=f"the source ended with {error.__name__} instead of an answer"):
        list(asking.deliveries("p", Scripted(script), None, LONG))
    assert len(list(asking.deliveries("p", Scripted(parts(2)), None, LONG))) == 2


def test_silence_ends_with_an_error_and_the_source_is_left_alone_until_it_comes_back(asking, released):
    asked = []

    def script(request):
        asked.append(request)
        released.wait()
        yield Delivery()

    source = Scripted(script)
    with pytest.raises(SourceDownError, match=r"no answer within 0\.05 s"):
        list(asking.deliveries("p", source, 1, SHORT))
    with pytest.raises(SourceDownError, match="an earlier request still hangs"):
        list(asking.deliveries("p", source, 2, SHORT))
    released.set()
    assert len(list(asking.deliveries("p", source, 3, LONG))) == 1
    assert asked == [1, 3]


def test_a_hung_source_does_not_hold_another_panel(asking, released):
    def script(request):
        released.wait()
        yield Delivery()

    with pytest.raises(SourceDownError):
        list(asking.deliveries("p", Scripted(script), None, SHORT))
    assert len(list(asking.deliveries("q", Scripted(parts(1)), None, LONG))) == 1


def test_a_slow_source_that_gives_signs_of_life_is_waited_for(asking):
    pause = threading.Event()

    def script(request):
        for _ in range(4):
            pause.wait(0.03)
            yield Delivery()

    assert len(list(asking.deliveries("p", Scripted(script), None, timedelta(seconds=5)))) == 4


def test_a_source_whose_deliveries_nobody_takes_any_more_can_be_asked_again(asking):
    source = Scripted(parts(1000))
    deliveries = asking.deliveries("p", source, None, LONG)
    next(deliveries)
    deliveries.close()
    assert len(list(asking.deliveries("p", source, None, LONG))) == 1000


def test_a_source_is_asked_in_one_thread(asking):
    threads = set()

    def script(request):
        threads.add(threading.current_thread())
        yield Delivery()

    source = Scripted(script)
    for _ in range(3):
        list(asking.deliveries("p", source, None, LONG))
    assert len(threads) == 1


class Closable(Scripted):
    """A source that notes in which thread it is closed."""

    closed_in = None

    def close(self):
        self.closed_in = threading.current_thread()


def test_a_source_that_is_left_is_closed_in_the_thread_it_was_asked_in(asking):
    threads = set()

    def script(request):
        threads.add(threading.current_thread())
        yield Delivery()

    source = Closable(script)
    list(asking.deliveries("p", source, None, LONG))
    asking.leave(source)
    assert threads == {source.closed_in}
    assert not source.closed_in.is_alive()


def test_a_source_that_hangs_when_it_is_left_is_closed_once_it_comes_back(asking, released):
    def script(request):
        released.wait()
        yield Delivery()

    source = Closable(script)
    with pytest.raises(SourceDownError):
        list(asking.deliveries("p", source, None, SHORT))
    thread = asking._threads[id(source)]
    asking.leave(source)
    assert source.closed_in is None
    released.set()
    thread.join(10)
    assert source.closed_in is thread


def test_a_panels_new_source_does_not_wait_for_its_former_one_that_hangs(asking, released):
    def script(request):
        released.wait()
        yield Delivery()

    with pytest.raises(SourceDownError):
        list(asking.deliveries("p", Scripted(script), None, SHORT))
    assert len(list(asking.deliveries("p", Scripted(parts(1)), None, LONG))) == 1


def test_to_leave_a_source_that_was_never_asked_does_nothing(asking):
    source = Closable(parts(1))
    asking.leave(source)
    assert source.closed_in is None
