"""Load by wrk: paths asked for over some connections, and what came of it.

wrk is a closed loop: a connection asks again once it has its answer (and has paused, where that is asked for). It uses
one thread.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parent / "api_walk.lua"
NO_WRK = "there is no wrk here: `apt-get install wrk` on Debian, `brew install wrk`, or https://github.com/wg/wrk"


@dataclass(frozen=True)
class Effort:
    """How much to measure: rounds of what is compared, seconds of each side in a round, minutes of the long load."""

    rounds: int = 7
    seconds: float = 3.0
    minutes: float = 10.0


@dataclass(frozen=True)
class Load:
    """What is asked for, and how hard."""

    paths: Sequence[str]
    connections: int = 8
    headers: tuple[str, ...] = ()
    pause: int = 0  # ms between an answer and the connection's next request


@dataclass(frozen=True)
class Reach:
    """What a server did under a load."""

    rate: float  # answers a second
    p50: float  # ms
    p99: float
    size: float  # bytes of an answer with its headers


def check() -> None:
    """End with a line that says where to get wrk where it is missing."""
    if shutil.which("wrk") is None:
        sys.exit(NO_WRK)


def wrk(url: str, load: Load, seconds: float) -> Reach:
    """Put a server under the load. Raises RuntimeError where an answer is an error: that would be quick for nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".paths") as paths:
        paths.write("".join(f"{path}\n" for path in load.paths))
        paths.flush()
        headers = [word for header in load.headers for word in ("-H", header)]
        how = ["-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(SCRIPT)]
        command = ["wrk", *how, *headers, url, "--", paths.name, str(load.pause)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"wrk ended with {ended.returncode}: {ended.stderr or ended.stdout}")
    told = json.loads(ended.stdout.splitlines()[-1])
    failed = {kind: count for kind, count in told["failed"].items() if count}
    if failed or not told["requests"]:
        raise RuntimeError(f"of {told['requests']} requests failed {failed}: {load.paths[0]}, … at {url}")
    return Reach(
        rate=told["requests"] / told["us"] * 1e6,
        p50=told["p50"] / 1e3,
        p99=told["p99"] / 1e3,
        size=told["bytes"] / told["requests"],
    )
