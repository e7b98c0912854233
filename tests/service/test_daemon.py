"""What the daemon checks before it starts, and what it tells of itself. tests/e2e/ starts real ones."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from pydantic import SecretStr

from db import queries
from jobs.scheduler import Scheduler
from jobs.workers import Workers
from service.daemon import StartError, is_loopback, status_told, token_of
from service.settings import ApiSettings

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_address_of_this_machine_alone_is_loopback(host):
    assert is_loopback(host)


ELSEWHERE = ["0.0.0.0", "::", "192.168.1.7", "2001:db8::1", "example.com", "127.0.0.1.example.com"]  # noqa: S104


@pytest.mark.parametrize("host", ELSEWHERE)
def test_any_other_is_not(host):
    assert not is_loopback(host)


def test_on_loopback_no_token_is_needed():
    assert token_of(ApiSettings()) is None


def test_elsewhere_a_token_is_demanded_with_how_to_make_one():
    with pytest.raises(StartError, match=r"^api.host = 192.168.1.7: .*ROLLCAST_API__TOKEN.*secrets.token_urlsafe"):
        token_of(ApiSettings(host="192.168.1.7"))


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.1.7"])
def test_a_token_of_sixteen_characters_is_enough(host):
    assert token_of(ApiSettings(host=host, token=SecretStr(TOKEN))) == TOKEN


@pytest.mark.parametrize("token", ["", TOKEN[1:], f"{TOKEN} ", f"{TOKEN}\n", f"{TOKEN}ü", f"two words {TOKEN}"])
def test_a_token_that_is_short_or_that_no_header_can_hold_is_refused_without_telling_it(token):
    with pytest.raises(StartError, match="expected at least 16 characters") as refused:
        token_of(ApiSettings(token=SecretStr(token)))
    assert not token or token not in str(refused.value)


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
import signal, time
from service.daemon import reload_at_hangup
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


def test_a_hang_up_in_a_terminal_that_is_there_is_a_reload(in_terminal, tmp_path):
    process, terminal = in_terminal()
    process.send_signal(signal.SIGHUP)
    assert outcome(process, tmp_path) == "reload"
    os.close(terminal)


def test_under_nohup_a_terminal_that_is_closed_ends_nothing(in_terminal, tmp_path):
    process, terminal = in_terminal(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    os.close(terminal)
    assert outcome(process, tmp_path) == "reload"
