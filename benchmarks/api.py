"""The read API under load: Rollcast's daemon beside datasette, beside its own refits, and over minutes.

    make bench-api
    .venv/bin/python -m benchmarks.api [--quick] [--only latest|others|refit|long] [--minutes 10] [--date 2026-01-31]

Needs wrk, and datasette in an environment of its own, which `make bench-api` makes. Prints each table when it is
measured, and writes all of them to benchmarks/api.md; with --quick or --only nothing is written. Takes some 35 minutes,
ten of them the long load; the machine should have nothing else to do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import api_latest, api_long, api_others, api_refit
from benchmarks.api_servers import DATASETTE, NO_DATASETTE
from benchmarks.api_table import Section, document
from benchmarks.api_wrk import Effort, check
from benchmarks.lived import HOUR, PANEL, configuration, make_database

RESULTS = Path(__file__).parent / "api.md"
GROUPS: dict[str, Callable[[Path, Effort], Section]] = {
    "latest": api_latest.section,
    "others": api_others.section,
    "refit": api_refit.section,
    "long": api_long.section,
}
SERIES, OBSERVATIONS, FORECASTS, HORIZON = 1000, 1000, 20, 24


def live(folder: Path) -> None:
    """A folder to serve from, as if its newest hour had just ended."""
    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    (folder / "data").mkdir()
    make_database(folder / "data" / "rollcast.db", SERIES, OBSERVATIONS, FORECASTS, HORIZON, newest=newest)
    (folder / "rollcast.toml").write_text(configuration(HORIZON))
    (folder / f"{PANEL}.csv").write_text("unique_id,ds,y\n")


def peers() -> dict[str, str]:
    """The versions of what is measured beside us, and of what serves it."""
    listed = subprocess.run(
        [str(DATASETTE.with_name("pip")), "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    versions = dict(line.split("==") for line in listed.stdout.splitlines() if "==" in line)
    return {name: versions[name] for name in ("datasette", "uvicorn", "uvloop", "httptools")}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a glance: few rounds, nothing written")
    parser.add_argument("--only", choices=GROUPS, action="append", help="these tables alone, nothing written")
    parser.add_argument("--minutes", type=float, help="of the long load; by default 10, or 1 with --quick")
    parser.add_argument("--date", help="what day to note in the results")
    asked = parser.parse_args()
    check()
    if not DATASETTE.exists():
        sys.exit(NO_DATASETTE)
    usual = Effort(2, 1.0, 1.0) if asked.quick else Effort()
    effort = Effort(usual.rounds, usual.seconds, asked.minutes or usual.minutes)
    busy = os.getloadavg()[0]
    sections = []
    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder))
        for group in asked.only or GROUPS:
            sections.append(GROUPS[group](Path(folder), effort))
            print(sections[-1], flush=True)
    if not (asked.quick or asked.only):
        RESULTS.write_text(document(sections, asked.date, busy, peers()), encoding="utf-8")


if __name__ == "__main__":
    main()
