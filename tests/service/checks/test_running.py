"""Checks of the daemon: with real locks, real ports and real answers."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from service import daemon
from service.checks import running


@contextmanager
def answering(status, body):
    """A server that answers everything alike; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def locked(tmp_path):
    """A data folder on which this process works, as a daemon does."""
    with closing(daemon.take_lock(tmp_path)):
        yield tmp_path


def test_without_a_daemon_it_is_told_what_starts_one(tmp_path, free_port):
    found = running.running(tmp_path, "127.0.0.1", free_port)
    assert (found.level, found.cure) == ("look", "rollcast run starts one")


def test_a_daemon_that_this_user_cannot_see_is_not_said_to_be_none(locked, free_port, as_nobody):
    with as_nobody():
        found = running.running(locked, "127.0.0.1", free_port)
    assert (found.level, found.cure) == ("look", "run this as the user whose daemon it is")


def test_a_taken_port_is_told_with_the_process_that_has_it(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        found = running.running(tmp_path, "127.0.0.1", listener.getsockname()[1])
    assert found.level == "bad"
    assert f"is taken by process {os.getpid()} (" in found.found
    assert "ROLLCAST_API__PORT" in found.cure


def test_a_host_that_is_not_this_machine_s_is_told(tmp_path, free_port):
    found = running.running(tmp_path, "192.0.2.1", free_port)
    assert found.level == "bad"
    assert found.found.endswith(f"cannot listen on 192.0.2.1:{free_port}: Cannot assign requested address")
    assert found.cure == "set api.host to an address of this machine"


def test_a_daemon_that_is_ready_is_well(locked):
    with answering(200, b'{"status": "ready"}') as port:
        found = running.running(locked, "127.0.0.1", port)
    assert (found.level, f"process {os.getpid()} works on" in found.found) == ("ok", True)


def test_a_daemon_that_listens_everywhere_is_asked_here(locked):
    with answering(200, b'{"status": "ready"}') as port:
        assert running.running(locked, "0.0.0.0", port).level == "ok"  # noqa: S104


def test_a_daemon_that_is_not_ready_says_why(locked):
    body = b'{"error": {"code": "scheduler_stopped", "message": "the scheduler does not tick", "hint": "wait"}}'
    with answering(503, body) as port:
        found = running.running(locked, "127.0.0.1", port)
    assert (found.level, found.found.endswith("is not ready: the scheduler does not tick")) == ("bad", True)


def test_a_daemon_that_does_not_answer_is_told(locked, free_port):
    found = running.running(locked, "127.0.0.1", free_port)
    assert (found.level, "nothing answers at 127.0.0.1" in found.found) == ("bad", True)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"hello": 1}'])
def test_another_program_at_its_port_is_told(locked, body):
    with answering(200, body) as port:
        found = running.running(locked, "127.0.0.1", port)
    assert (found.level, "is not Rollcast" in found.found) == ("bad", True)


def test_a_port_that_belongs_to_another_process_than_the_daemon_is_told(locked):
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        found = running.running(locked, "127.0.0.1", int(process.stdout.readline()))
        process.stdin.close()
    assert (found.level, f"belongs to process {process.pid}" in found.found) == ("bad", True)


def test_the_process_is_read_from_the_lock(tmp_path):
    assert running.process_of(tmp_path) is None
    (tmp_path / daemon.LOCK_NAME).write_text("123")
    assert running.process_of(tmp_path) == 123
