"""How long the head of a question may be, on a real server."""

import socket
import threading

import pytest
import uvicorn

from service.heads import LONGEST, LimitedHeads

MUCH = 64 * LONGEST


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port():
    config = uvicorn.Config(app, http=LimitedHeads, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as opened:
        yield opened


def sent(connection, piece):
    """How many bytes could be sent, of MUCH, before the server hung up."""
    count = 0
    try:
        while count < MUCH:
            count += connection.send(piece)
    except ConnectionError:
        pass
    return count


def heard(connection, count):
    """Whether so many questions were answered."""
    told = b""
    while told.count(b"\r\n\r\nok") < count and (more := connection.recv(65_536)):
        told += more
    return told.count(b"HTTP/1.1 200") == count


@pytest.mark.parametrize("piece", [b"x" * 4096, b"a: b\r\n" * 600], ids=["one header", "many headers"])
def test_a_head_that_does_not_end_is_hung_up_on(connection, piece):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx: ")
    assert sent(connection, piece) < MUCH


def test_a_path_that_does_not_end_likewise(connection):
    connection.sendall(b"GET /")
    assert sent(connection, b"x" * 4096) < MUCH


def test_a_long_head_is_answered(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"x" * (LONGEST // 2) + b"\r\n\r\n")
    assert heard(connection, 1)


def test_many_questions_at_once_are_answered(connection):
    sender = threading.Thread(target=connection.sendall, args=(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3_000,))
    sender.start()
    assert heard(connection, 3_000)
    sender.join()
