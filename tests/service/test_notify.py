"""What the service manager is told, on a real socket."""

import os
import threading
import time

import pytest

from service.notify import Keeper, Notifier
from tests.service_manager import Manager


@pytest.fixture
def manager(tmp_path):
    with Manager(str(tmp_path / "notify")) as made:
        yield made


@pytest.fixture
def environ(manager):
    return {"NOTIFY_SOCKET": manager.name}


@pytest.fixture
def keep():
    """Start a keeper; it is stopped in the end."""
    started = []

    def start(environ, is_well=lambda: True, status=lambda: "4 panels"):
        keeper = Keeper(Notifier(environ), is_well, status)
        keeper.start()
        started.append(keeper)
        return keeper

    yield start
    for keeper in started:
        keeper.stop()


def test_what_is_told_arrives(manager, environ):
    Notifier(environ).tell("READY=1", "STATUS=well")
    assert manager.heard() == {"READY": "1", "STATUS": "well"}


def test_a_name_that_begins_with_an_at_is_an_abstract_socket():
    with Manager(f"@rollcast-test-{os.getpid()}") as manager:
        Notifier({"NOTIFY_SOCKET": manager.name}).ready()
        assert manager.heard() == {"READY": "1"}


def test_without_a_manager_nothing_is_told():
    notifier = Notifier({})
    notifier.ready()
    assert not notifier


def test_a_manager_that_does_not_listen_is_told_of_once_and_does_no_harm(tmp_path, caplog):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.ready()
    notifier.ready()
    assert [record.message for record in caplog.records] == [
        "the service manager does not listen at NOTIFY_SOCKET: [Errno 2] No such file or directory"
    ]


def test_a_reload_is_told_with_the_monotonic_time_of_its_beginning_and_with_its_end(manager, environ):
    notifier = Notifier(environ)
    notifier.ready()
    before = time.monotonic_ns() // 1000
    with notifier.reloading():
        pass
    assert manager.heard() == {"READY": "1"}
    began = manager.heard()
    assert began.keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert before <= int(began["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert manager.heard() == {"READY": "1"}


def test_a_reload_before_the_daemon_is_ready_does_not_claim_that_it_is(manager, environ):
    with Notifier(environ).reloading():
        pass
    assert manager.has_heard_nothing()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_a_watchdog_counts_where_it_is_meant_for_this_process(told, seconds):
    assert Notifier(told).watchdog == seconds


def test_a_daemon_is_ready_once_it_is_well_and_not_before(manager, environ, keep):
    well = threading.Event()
    keep(environ, is_well=well.is_set)
    assert manager.has_heard_nothing()
    well.set()
    assert manager.heard() == {"READY": "1"}


def test_the_state_is_told_in_words(manager, environ, keep):
    keep(environ)
    assert [manager.heard(), manager.heard()] == [{"READY": "1"}, {"STATUS": "4 panels"}]


def test_the_watchdog_is_fed_twice_in_its_time_while_the_daemon_is_well(manager, environ, keep):
    keep(environ | {"WATCHDOG_USEC": "100000"})
    heard = [manager.heard() for _ in range(7)]
    assert heard == [{"READY": "1"}, *[{"WATCHDOG": "1"}, {"STATUS": "4 panels"}] * 3]


def test_the_watchdog_is_not_fed_while_the_daemon_is_not_well(manager, environ, keep):
    well, asked = [True], threading.Event()

    def is_well():
        if not well[0]:
            asked.set()
        return well[0]

    keep(environ | {"WATCHDOG_USEC": "100000"}, is_well)
    assert manager.heard() == {"READY": "1"}
    well[0] = False
    assert asked.wait(10)
    while not manager.has_heard_nothing():
        pass
    asked.clear()
    assert asked.wait(10)
    assert manager.has_heard_nothing()


def test_words_that_cannot_be_found_do_not_keep_the_watchdog_hungry(manager, environ, keep):
    keep(environ | {"WATCHDOG_USEC": "100000"}, status=lambda: str(1 / 0))
    assert [manager.heard() for _ in range(3)] == [{"READY": "1"}, {"WATCHDOG": "1"}, {"WATCHDOG": "1"}]


def test_the_end_is_told(manager, environ, keep):
    keep(environ, is_well=lambda: False).stop()
    assert manager.heard() == {"STOPPING": "1"}
