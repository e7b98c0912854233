"""What a container's health check asks."""

import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from service import daemon, healthcheck


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """A daemon, which is this process, at a port that no setting names; how it answers is for the test to say."""

    class Answering(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self):
            assert self.path == "/readyz"
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("ROLLCAST_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ROLLCAST_API__PORT", "1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = HTTPServer(("127.0.0.1", 0), Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    with daemon.take_lock(tmp_path):
        yield Answering
    server.shutdown()
    server.server_close()


def test_a_daemon_that_is_ready_is_healthy_whatever_its_port(answering):
    assert healthcheck.main() == 0


def test_a_daemon_that_is_not_ready_is_not_healthy(answering, capsys):
    answering.status = 503
    assert healthcheck.main() == 1
    assert f"process {os.getpid()} is not ready" in capsys.readouterr().err


def test_where_no_daemon_runs_nothing_is_healthy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROLLCAST_DATA_DIR", str(tmp_path))
    assert healthcheck.main() == 1
    assert capsys.readouterr().err.startswith("there is no daemon: FileNotFoundError: ")


def test_a_port_at_which_nobody_answers_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert not healthcheck.is_ready(port)


def test_the_lock_is_the_daemon_s():
    assert healthcheck.LOCK_NAME == daemon.LOCK_NAME


def test_it_imports_nothing_heavy():
    code = (
        "import sys, service.healthcheck; print([n for n in ('pandas', 'sqlalchemy', 'fastapi') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
