"""Who may ask, and what a browser may do with the answer."""

import secrets
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.errors import error

HEADERS = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}


class Guard:
    """ASGI middleware: demands the token where there is one, adds security headers, lets HEAD be asked like GET.

    open_paths: what may be asked without a token, and open_under whatever is below. endless: what has no end, and so
    is not asked in order to answer a HEAD. shared: whether pages of other
    origins may read the answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        open_paths: Collection[str],
        open_under: str,
        endless: str,
        shared: bool,
    ) -> None:
        self._app = app
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._open_paths, self._open_under = frozenset(open_paths), open_under
        self._endless = endless
        self._headers = {
            name: value for name, value in HEADERS.items() if not (shared and name.startswith(b"cross-origin"))
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a question pass, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD" and scope["path"] != self._endless
        if head:
            scope = {**scope, "method": "GET"}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                there = {name for name, _ in headers}
                headers += [item for item in self._headers.items() if item[0] not in there]
                message = {**message, "headers": headers}
            elif head:
                message = {**message, "body": b""}
            await send(message)

        if self._may(scope):
            await self._app(scope, receive, send_guarded)
            return
        refusal = error(
            401,
            "unauthorized",
            "this needs the token",
            "send the header Authorization: Bearer TOKEN; the daemon's ROLLCAST_API__TOKEN is the token",
            {"WWW-Authenticate": "Bearer"},
        )
        await refusal(scope, receive, send_guarded)

    def _may(self, scope: Scope) -> bool:
        path = scope["path"]
        if self._expected is None or path in self._open_paths or path.startswith(self._open_under):
            return True
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return secrets.compare_digest(given, self._expected)
