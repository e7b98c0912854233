"""How long the head of a question may be.

httptools sets no limit: one connection whose head never ends, before anybody could ask it for the token, would fill the
memory and keep the server's loop busy.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST = 65_536  # bytes; longer than any that a client sends who means it


class LimitedHeads(HttpToolsProtocol):
    """uvicorn's protocol, which hangs up on a head that is longer."""

    _received: int | None = None  # bytes since a head began that has not ended

    def on_message_begin(self) -> None:
        """A head begins."""
        self._received = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has ended."""
        self._received = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Read what has come, unless it is too much."""
        super().data_received(data)
        if self._received is not None:
            self._received += len(data)
            if self._received > LONGEST:
                self.send_400_response("The head of this request is too long.")
