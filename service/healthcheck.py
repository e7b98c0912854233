"""Whether the daemon is ready: what a container's HEALTHCHECK asks, as `python -m service.healthcheck`.

It asks where the daemon does listen, whichever file or variable said so; and imports next to nothing.
"""

import http.client
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

LOCK_NAME = "daemon.lock"  # as service.daemon has it
PATIENCE = 4.0  # seconds for an answer


def ports(pid: int) -> Iterator[int]:
    """Where a process listens. Raises psutil.Error where it cannot be seen."""
    for found in psutil.Process(pid).net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN:
            yield found.laddr[1]


def is_ready(port: int) -> bool:
    """Whether Rollcast says so at a port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> int:
    """The exit code: 0 where the daemon of ROLLCAST_DATA_DIR is ready, else 1, and why."""
    try:
        pid = int((Path(os.environ["ROLLCAST_DATA_DIR"]) / LOCK_NAME).read_text())
        found = [*ports(pid)]
    except (KeyError, OSError, ValueError, psutil.Error) as error:
        sys.stderr.write(f"there is no daemon: {type(error).__name__}: {error}\n")
        return 1
    if any(map(is_ready, found)):
        return 0
    sys.stderr.write(f"process {pid} is not ready; it listens on {found}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
