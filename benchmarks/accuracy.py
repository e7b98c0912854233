"""Rollcast's accuracy beside statsforecast's AutoETS, AutoTheta and MSTL, with the targets that it is to reach.

    python -m benchmarks.accuracy [--only weekly|hourly|prices|signals|seconds] [--fresh] [--processes 2]
    python -m benchmarks.accuracy --pin    writes benchmarks/pinned.json anew, which tests/benchmarks compares

Needs the libraries of benchmarks/constraints-accuracy.txt; --pin needs the project's own alone. Prints each row when it
is measured, and at the end writes all of them to benchmarks/accuracy.json, .md and .png. With --only the other rows
there stay as they are, if they were measured with the same libraries. What the peers forecast is kept in
build/accuracy, so that only the first run waits for them; --fresh makes it anew.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from typing import Any

from benchmarks.accuracy_lines import LINES, METHODS, Row, Setting
from benchmarks.accuracy_tasks import ROOT, NoDataError
from benchmarks.measure import ONE_THREAD, machine

RESULTS = ROOT / "benchmarks" / "accuracy.json"
CACHE = ROOT / "build" / "accuracy"
LIBRARIES = ("numpy", "pandas", "statsforecast", "arch")
HEAD = f"| what | {' | '.join(METHODS)} | asked | reached | note |\n|{'---|' * (len(METHODS) + 4)}"
ABOUT = """
Rollcast is the command `rollcast backtest` without any option but the panel's own: interval, season, horizon, cutoffs
and stride; it refits about twelve times over the cutoffs, as it does where nobody says how often. The peers are fitted
anew at every origin, with their own intervals: on M4 on the whole history, on prices and signals on the newest 2,000
values. All are scored by the same lines of code on the same pairs of a series and an origin, after M4's definitions.

| line | data | origins | horizon | season of AutoETS | of AutoTheta | of MSTL |
|---|---|---|---|---|---|---|
| weekly | M4's development set, 144 series | the last | 13 | – | – | 52; AutoETS where that is too long |
| hourly | M4's development set, 166 series | the last | 48 | 24 | 24 | 24, 168 |
| prices | daily S&P 500, Nasdaq, WTI, VIX, of PyPI's arch | the last 250 | 5 | – | – | 5 |
| signals | five of the Numenta Anomaly Benchmark, a row a step | 200, at most 10 rows apart | 12 | – | – | 288 |
| nyc_taxi among them | half-hourly | 200, 10 rows apart | 12 | – | 48 | 48, 336 |

AutoETS can have no season longer than 24. An MAE against the random walk is the mean over all origins and steps,
divided by that of the last value. Coverage is asked within 2 points of its level, over all series of a line together.
"""


def number(value: float | None, digits: int) -> str:
    """A cell of the table."""
    return "–" if value is None else f"{value:,.{digits}f}"


def line(row: Row) -> str:
    """A line of the Markdown table."""
    reached = {True: "yes", False: "**no**", None: ""}[row.reached]
    figures = [number(row.figures.get(method), row.digits) for method in METHODS]
    return f"| {' | '.join((row.what, *figures, row.asked, reached, row.note))} |"


def table(rows: list[Row], about: dict[str, Any]) -> str:
    """All of it as Markdown."""
    libraries = ", ".join(f"{name} {version}" for name, version in about["libraries"].items())
    reached = [row.reached for row in rows if row.reached is not None]
    parts = [
        "# The forecasts' accuracy\n",
        f"{sum(reached)} of {len(reached)} targets are reached. Made by `make bench-accuracy` under Python"
        f" {about['python']} with {libraries}; times are those of one core of {about['processor']}.\n{ABOUT}",
        "![The same as a picture](accuracy.png)",
    ]
    for name, (heading, _) in LINES.items():
        lines = [line(row) for row in rows if row.line == name]
        if lines:
            parts.append(f"\n## {heading}\n\n{HEAD}\n" + "\n".join(lines))
    return "\n".join(parts) + "\n"


def rows_before(about: dict[str, Any]) -> list[Row]:
    """The rows in accuracy.json, if they can stand beside new ones."""
    if not RESULTS.exists():
        return []
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = content.pop("rows")
    return [Row(**row) for row in rows] if content == about else []


def write(rows: list[Row], about: dict[str, Any]) -> None:
    """Write the results, for programs and for readers, in the order of the lines."""
    from benchmarks.accuracy_picture import draw  # matplotlib takes a second

    rows = sorted(rows, key=lambda row: list(LINES).index(row.line))
    text = json.dumps(about | {"rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(table(rows, about), encoding="utf-8")
    draw(rows, RESULTS.with_suffix(".png"))


def conditions() -> dict[str, Any]:
    """What the figures depend on."""
    known = machine()
    libraries = {name: metadata.version(name) for name in LIBRARIES}
    return {"processor": known["processor"], "python": known["python"], "libraries": libraries}


def measure(lines: list[str], setting: Setting) -> Iterator[Row]:
    """The rows of these lines, each line when it is measured; without those whose data are not here."""
    for name in lines:
        heading, rows = LINES[name]
        print(f"\n{heading}\n\n{HEAD}", flush=True)
        try:
            yield from rows(setting)
        except NoDataError as missing:
            print(f"skipped: {missing}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=LINES, action="append", help="these lines alone")
    parser.add_argument("--fresh", action="store_true", help="let the peers forecast again")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    parser.add_argument("--pin", action="store_true", help="measure what the tests compare, write it, and end")
    arguments = parser.parse_args()
    if arguments.pin:
        from benchmarks import pinned  # only asked for

        pinned.write()
        return
    os.environ.update(ONE_THREAD)  # for every process started from here
    rows, about = [], conditions()
    try:
        for row in measure(arguments.only or list(LINES), Setting(CACHE, arguments.fresh, arguments.processes)):
            rows.append(row)
            print(line(row), flush=True)
    finally:  # what has been measured before something failed is kept
        measured = {row.line for row in rows}
        write([row for row in rows_before(about) if row.line not in measured] + rows, about)
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}, .md and .png")


if __name__ == "__main__":
    main()
