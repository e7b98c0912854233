"""A service manager as the daemon sees it: a socket that hears what it tells."""

import socket
import time
from typing import Self


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def heard(self) -> dict[str, str]:
        """The next message, by its variables."""
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().split("\n"))

    def next_of(self, variable: str) -> str:
        """The value of a variable in the next message that has it."""
        while variable not in (message := self.heard()):
            pass
        return message[variable]

    def until(self, variable: str, value: str, within: float = 30) -> None:
        """Wait until a variable has a value."""
        deadline = time.monotonic() + within
        while (heard := self.next_of(variable)) != value:
            assert time.monotonic() < deadline, f"{variable} is {heard!r}"

    def has_heard_nothing(self) -> bool:
        """Whether no message waits."""
        before = self._socket.gettimeout()
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(before)
        return False
