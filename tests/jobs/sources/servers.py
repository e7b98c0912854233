"""A web server on this machine that answers as a test tells it to, well or badly."""

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Reply:
    """An answer. `missing`: bytes of the body that are promised and never come."""

    body: object = ""  # text, bytes, or what becomes JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    silent: bool = False  # no answer at all comes
    dripping: bool = False  # a byte comes now and then
    sized: bool = True  # whether it says how long it is

    def content(self):
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Asked:
    """A request that came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Site:
    """Gives one reply after the other, the last of them again and again, or what `serve` makes of a request. Once
    stopped it can be started again, at the same address.
    """

    def __init__(self, tls=None):
        self.replies = []
        self.serve = None
        self.asked = []
        self._stopping = Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urlsplit(self.path)
                asked = Asked(url.path, dict(parse_qsl(url.query)), {k.lower(): v for k, v in self.headers.items()})
                site.asked.append(asked)
                site._reply(self, site.serve(asked) if site.serve else site._next())

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # the client may leave at any time

        self._make = lambda: Server(("127.0.0.1", self._port), Handler)
        self._port = 0  # any
        self._tls = tls
        self.start()

    def start(self):
        """Listen."""
        self._stopping.clear()
        self._server = self._make()
        self._port = self._server.server_port
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def host(self):
        return f"127.0.0.1:{self._port}"

    def url(self, path="/prices.json"):
        return f"http://{self.host}{path}"

    def stop(self):
        """From now on connections are refused."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def _next(self):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _reply(self, handler, reply):
        if reply.silent:
            self._stopping.wait()
            return
        content = reply.content()
        handler.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        if reply.sized and reply.status != 304:
            handler.send_header("Content-Length", str(len(content) + reply.missing))
        handler.end_headers()
        if reply.dripping:
            for k in range(len(content)):
                handler.wfile.write(content[k : k + 1])
                if self._stopping.wait(0.02):
                    break
        else:
            handler.wfile.write(content)
        if reply.missing or not reply.sized:
            handler.close_connection = True
