"""What the daemon checks before it starts, and what it tells of itself. tests/e2e/ starts real ones."""

import errno
import os
import pty
import signal
import socket
import subprocess
import sys
import time

import pytest

from db import queries
from jobs.scheduler import Scheduler
from jobs.workers import Workers
from service.daemon import StartError, is_running, listen, status_told, take_lock


def test_a_folder_that_a_daemon_works_on_is_told_from_one_that_none_does(tmp_path):
    assert not is_running(tmp_path)
    with take_lock(tmp_path):
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


def test_a_folder_that_another_user_keeps_to_himself_counts_as_one_that_no_daemon_works_on(tmp_path, as_nobody):
    with take_lock(tmp_path), as_nobody():
        assert not is_running(tmp_path)


@pytest.fixture
def scheduler(sessions, panel, clock, means):
    workers = Workers(1, clock.now - clock.now)
    yield Scheduler([panel], sessions, workers, clock, means)
    workers.stop()


def test_the_state_in_words_counts_panels_and_series(sessions, session, scheduler, panel):
    queries.add_series(session, "a", "p")
    queries.add_series(session, "left", "of a panel that went")
    session.commit()
    assert status_told(sessions, scheduler) == "1 panel, 1 series"


def test_the_state_in_words_counts_the_sources_whose_last_fetch_failed(sessions, session, scheduler, clock):
    failed = queries.start_run(session, "fetch", "p", due=clock(), started=clock())
    queries.end_run(session, failed, ended=clock(), outcome="failed", reason="no route")
    queries.start_run(session, "fetch", "p", due=clock(), started=clock())
    session.commit()
    assert status_told(sessions, scheduler) == "1 panel, 0 series; 1 source down"


# ── a terminal that is closed ───────────────────────────────────────────────────────────────────────────────────────

HEEDS = """
import logging, signal, time
from service.daemon import reload_at_hangup
logging.basicConfig(filename="log")
signal.signal(signal.SIGTERM, signal.default_int_handler)
asked = reload_at_hangup()
try:
    open("begun", "w").close()
    told = asked.get(timeout=20)
except KeyboardInterrupt:
    told = "ended"
print(told, file=open("out", "w"))
"""


@pytest.fixture
def in_terminal(tmp_path):
    """Run HEEDS in a terminal of its own, after `before`; returns the process and the terminal's other end."""
    opened = []

    def begin(before=lambda: None):
        ours, theirs = pty.openpty()

        def attach():
            os.setsid()
            os.close(
                os.open(os.ttyname(theirs), os.O_RDWR)
            )  # the first one that a session's leader opens becomes its own
            before()

        environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in [os.getcwd(), *sys.path] if path)}
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDS],
            cwd=tmp_path,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=attach,
        )
        os.close(theirs)
        opened.append(process)
        wait_for(tmp_path / "begun")
        return process, ours

    yield begin
    for process in opened:
        process.kill()
        process.wait()


def wait_for(file):
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def outcome(process, folder):
    process.wait(20)
    return (folder / "out").read_text().strip()


def test_a_terminal_that_is_closed_ends_the_daemon(in_terminal, tmp_path):
    process, terminal = in_terminal()
    os.close(terminal)
    assert outcome(process, tmp_path) == "ended"
    assert "its terminal was closed" in (tmp_path / "log").read_text()


def test_a_hang_up_in_a_terminal_that_is_there_is_a_reload(in_terminal, tmp_path):
    process, terminal = in_terminal()
    process.send_signal(signal.SIGHUP)
    assert outcome(process, tmp_path) == "reload"
    os.close(terminal)


def test_under_nohup_a_terminal_that_is_closed_ends_nothing(in_terminal, tmp_path):
    process, terminal = in_terminal(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    os.close(terminal)
    assert outcome(process, tmp_path) == "reload"


def test_a_full_disk_is_told_with_the_file_and_the_cure(tmp_path, monkeypatch):
    def full(_file, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(StartError, match=r"daemon\.lock: No space left on device; make room"):
        take_lock(tmp_path)


def test_a_port_that_is_taken_is_told_with_the_variable_that_sets_another():
    with listen("127.0.0.1", 0) as taken, pytest.raises(StartError) as caught:
        listen(*taken.getsockname())
    assert str(caught.value).endswith(": Address already in use; set another port with ROLLCAST_API__PORT")


def test_a_host_that_nobody_knows_is_told_with_the_setting_to_change(monkeypatch):
    def unknown(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known (while attempting to bind)")

    monkeypatch.setattr("socket.create_server", unknown)
    told = r"^cannot listen on nohost:80: Name or service not known; set api.host to an address of this machine$"
    with pytest.raises(StartError, match=told):
        listen("nohost", 80)
