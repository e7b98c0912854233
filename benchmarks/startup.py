"""How long the daemon takes to its first forecasts, to ready when warm, and to its end; and how much memory it has.

    .venv/bin/python benchmarks/startup.py [--runs 5]

Runs the real daemon with the built-in configuration in a temporary folder, first cold, then warm. Prints medians;
absolute times depend on the machine.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

PORT = 18765
SAMPLES = ("WTI", "nyc-taxi")


def answer(path: str) -> bytes:
    """What the API answers; nothing while it does not."""
    try:
        with urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=2) as response:
            content: bytes = response.read()
            return content
    except (URLError, OSError):
        return b""


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], started: float) -> float:
    """Seconds from the start until the condition holds."""
    while not condition():
        if process.poll() is not None:
            sys.exit("the daemon ended; is another one running on the port?")
        time.sleep(0.01)
    return time.monotonic() - started


def forecasts_served() -> bool:
    return all(b'"step":1,' in answer(f"/api/v1/series/{name}/forecasts/latest") for name in SAMPLES)


def memory_mb(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Resident memory of the daemon, and the share of it and of its workers that is theirs alone (PSS), in MB."""
    daemon = psutil.Process(process.pid)
    family = [daemon, *daemon.children(recursive=True)]
    return daemon.memory_info().rss / 1e6, sum(member.memory_full_info().pss for member in family) / 1e6


def run(folder: Path, idle: float) -> dict[str, float]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "ROLLCAST_API__PORT": str(PORT)}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "run"], cwd=folder, env=environ, stderr=subprocess.DEVNULL
    )
    try:
        figures = {
            "seconds to /readyz": wait_for(lambda: b"ready" in answer("/readyz"), process, started),
            "seconds to forecasts of both samples": wait_for(forecasts_served, process, started),
        }
        time.sleep(idle)
        resident, family = memory_mb(process)
        figures |= {"MB of the daemon (RSS)": resident, "MB with its workers (PSS)": family}
    finally:
        ending = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    return figures | {"seconds from SIGTERM to the end": time.monotonic() - ending}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="warm starts")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        cold = run(Path(folder), idle=10)
        warm = [run(Path(folder), idle=10) for _ in range(runs)]
    print(f"{'':40}{'cold':>8}{'warm':>8}")
    for name, value in cold.items():
        print(f"{name:40}{value:8.2f}{statistics.median(figures[name] for figures in warm):8.2f}")


if __name__ == "__main__":
    main()
