"""What a forecast costs the daemon's own process: the model's part of it, and the ledger's.

    .venv/bin/python -m benchmarks.issuing [--series 200] [--forecasts 200]

On a database that has lived: each series learns one hour more, and is forecast as the daemon does it. Then the same is
read, and computed, once more without writing. Prints CPU time for each forecast, and how many times the model's own
part the whole is; absolute times depend on the machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.lived import HOUR, NEWEST, PANEL, configuration, make_database
from db import engine, queries
from db.times import to_us
from jobs.forecast import context, forecast, make, serving
from jobs.live import live_errors
from service.settings import load

OBSERVATIONS, HORIZON = 1000, 24

R = TypeVar("R")


class Spent:
    """CPU time of some calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on(self, call: Callable[[], R]) -> R:
        """Call, and count its time."""
        began = time.process_time()
        result = call()
        self.seconds += time.process_time() - began
        return result


def measure(folder: Path, series: int, forecasts: int) -> dict[str, float]:
    """CPU seconds of all forecasts together, by part."""
    database = folder / "data" / "rollcast.db"
    make_database(database, series, OBSERVATIONS, forecasts, HORIZON)
    file = folder / "rollcast.toml"
    file.write_text(configuration(HORIZON))
    (panel,) = load(file, {}).build_panels()
    sessions = engine.sessions(engine.writer(f"sqlite:///{database}"))
    cutoff, now = NEWEST + HOUR, NEWEST + 2 * HOUR
    with sessions.begin() as session:
        known = queries.series_of_panel(session, PANEL)
        for each in known:
            queries.add_observations(session, each.id, [(to_us(cutoff), 100.0)], now)
    whole, seen, errors, model = Spent(), Spent(), Spent(), Spent()
    issued = whole.on(lambda: forecast(sessions, panel, lambda: now))
    assert issued.count == series, issued  # noqa: S101  a script, never run with -O
    with engine.reading(sessions) as session:
        served = serving(session, panel)
        assert served is not None  # noqa: S101  likewise
        champion, forecaster = served
        for each in known:
            pairs = seen.on(
                lambda: context(session, panel, each.id, forecaster, as_of=now, cutoff=cutoff)  # noqa: B023  at once
            )
            live = errors.on(
                lambda: live_errors(session, each.id, champion.id, forecaster, as_of=now, cutoff=cutoff)  # noqa: B023
            )
            model.on(lambda: make(forecaster, panel, each.name, pairs, live))  # noqa: B023  likewise
    return {
        "the whole": whole.seconds,
        "the model": model.seconds,
        "reading observations": seen.seconds,
        "reading live errors": errors.seconds,
        "the rest: writing": whole.seconds - model.seconds - seen.seconds - errors.seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--forecasts", type=int, default=200, help="of each series, already in the ledger")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        parts = measure(Path(folder), asked.series, asked.forecasts)
    for part, seconds in parts.items():
        times = seconds / parts["the model"]
        print(f"{part:<24} {seconds / asked.series * 1000:6.2f} ms a forecast, {times:5.2f} times the model's part")


if __name__ == "__main__":
    main()
