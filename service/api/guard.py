"""Who may ask, and what a browser may do with the answer."""

import re
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import unquote

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import error

# A page whose name was made to lead to this machine would be answered like one of ours (DNS rebinding).
LOOPBACK = re.compile(rb"(localhost|127\.\d+\.\d+\.\d+|\[::1\])?(:\d+)?", re.IGNORECASE)

HEADERS = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}


class SecurityHeaders:
    """ASGI middleware: adds to every answer what a browser may do with it, where the answer itself does not say."""

    def __init__(self, app: ASGIApp, headers: Mapping[bytes, bytes]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the question, and its answer with the headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = dict(message["headers"])
                ours = [item for item in self._headers.items() if item[0] not in there]
                message = {**message, "headers": [*message["headers"], *ours]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Guard:
    """ASGI middleware: demands the token, or where there is none a question to this machine itself; lets HEAD be asked
    like GET.

    open_paths: what may be asked without a token, and open_under whatever is below. endless: what has no end, and so
    is not asked in order to answer a HEAD. headers: of a refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        open_paths: Collection[str],
        open_under: str,
        endless: str,
        headers: Mapping[bytes, bytes],
    ) -> None:
        self._app = app
        self._expected = None if token is None else token.encode()
        self._open_paths, self._open_under = frozenset(open_paths), open_under
        self._endless = endless
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a question pass, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _with_slashes(scope)
        refusal = self._refusal(scope)
        app = self._app if refusal is None else SecurityHeaders(refusal, self._headers)
        if scope["method"] == "HEAD" and scope["path"] != self._endless:
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """What a question is refused with; None where it may pass."""
        path = scope["path"]
        if self._expected is None:
            host = _header(scope, b"host")
            if LOOPBACK.fullmatch(host):
                return None
            return error(
                421,
                "wrong_host",
                f"without a token only this machine is answered, and {host.decode(errors='replace')!r} is not its name",
                "ask 127.0.0.1 or localhost, or set ROLLCAST_API__TOKEN",
            )
        if path in self._open_paths or path.startswith(self._open_under):
            return None
        scheme, _, borne = _header(scope, b"authorization").partition(b" ")
        if secrets.compare_digest(borne, self._expected) and scheme.lower() == b"bearer":
            return None
        return error(
            401,
            "unauthorized",
            "this needs the token",
            "send the header Authorization: Bearer TOKEN; the daemon's ROLLCAST_API__TOKEN is the token",
            {"WWW-Authenticate": "Bearer"},
        )


def _without_body(send: Send) -> Send:
    async def send_without_body(message: Message) -> None:
        await send(message if message["type"] == "http.response.start" else {**message, "body": b""})

    return send_without_body


def _header(scope: Scope, wanted: bytes) -> bytes:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == wanted:
            return value
    return b""


def _with_slashes(scope: Scope) -> Scope:
    """The path with encoded slashes still encoded, so that they part nothing; `parameters.Name` decodes them."""
    raw = scope.get("raw_path") or b""
    if b"%2" not in raw:  # most paths
        return scope
    kept = re.sub(rb"%(25|2f)", rb"%25\1", raw.split(b"?")[0], flags=re.IGNORECASE)
    return {**scope, "path": unquote(kept.decode("ascii"))}
