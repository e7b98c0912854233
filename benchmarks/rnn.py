"""Rollcast's recurrent network against its peers and against the machine, on one core.

    python -m benchmarks.rnn [--quick] [--only step|jax|limit|fleet|stream|fresh|error] [--date 2026-01-31]

Needs the libraries of benchmarks/constraints.txt. Prints each row when it is measured, and at the end writes all of
them to benchmarks/results.json and benchmarks/results.md. With --only the other rows there stay as they are, if they
were measured on the same machine with the same libraries; with --quick nothing is written.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import QUICK, Effort, Row, machine, use_one_core

RESULTS = Path(__file__).parent / "results.json"
GROUPS = {  # where the rows of a group are measured; imported only after the threads are limited
    "step": "benchmarks.speed",
    "jax": "benchmarks.speed",
    "limit": "benchmarks.limit",
    "fleet": "benchmarks.speed",
    "stream": "benchmarks.speed",
    "fresh": "benchmarks.processes",
    "error": "benchmarks.processes",
}
HEADINGS = {
    "step": "One training step",
    "jax": "One training step, against JAX",
    "limit": "One training step, against the machine's limit",
    "fleet": "One step of a hundred networks",
    "stream": "One streamed observation",
    "fresh": "A fresh process, from its start to a fitted network",
    "memory": "A fresh process, its memory",
    "error": "A fresh process, from its start to an equal test error",
}


def measure(groups: list[str], effort: Effort) -> Iterator[Row]:
    """The rows of these groups, each when it is measured."""
    for group in groups:
        rows: Callable[[Effort], Iterator[Row]] = getattr(import_module(GROUPS[group]), f"{group}_rows")
        yield from rows(effort)


def number(value: float) -> str:
    """Three digits or more."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def line(row: Row) -> str:
    """A line of the Markdown table."""
    asked = "" if row.asked is None else f"{'≤' if row.at_most else '≥'} {row.asked:g}"
    reached = {True: "yes", False: "**no**", None: ""}[row.reached]
    ratio = f"{number(row.ratio)} ({number(row.low)}–{number(row.high)})"
    ours, peer = ("–" if value is None else f"{number(value)} {row.unit}" for value in (row.ours, row.peer))
    cells = (row.what, ours, peer, ratio, asked, reached, row.note)
    return f"| {' | '.join(cells)} |"


def table(rows: list[Row], about: dict[str, Any]) -> str:
    """All of it as Markdown."""
    libraries = ", ".join(f"{name} {version}" for name, version in about["libraries"].items())
    day = f" on {about['date']}" if about.get("date") else ""
    parts = [
        "# The network's speed\n",
        f"Measured{day} on one core of {about['processor']}, in float32, under Python {about['python']}. NumPy sees"
        f" {about['numpy_simd']} and multiplies with {about['blas']} (kernel: {about.get('blas_kernel', 'unknown')}).",
        f"\nLibraries: {libraries}.",
        "\nTimes are CPU times and medians. The factor is the peer's time over ours, or where it should be small (≤)"
        " ours over the limit; it is the median of the rounds, and the smallest and largest of them stand behind it."
        " T steps, N hidden units, M inputs, B sequences, L outputs. Made by `python -m benchmarks.rnn`.",
    ]
    for group, heading in HEADINGS.items():
        lines = [line(row) for row in rows if row.group == group]
        if lines:
            head = "| against | ours | it | factor | asked | reached | note |\n|---|---|---|---|---|---|---|"
            parts.append(f"\n## {heading}\n\n{head}\n" + "\n".join(lines))
    return "\n".join(parts) + "\n"


def rows_before(about: dict[str, Any]) -> list[Row]:
    """The rows in results.json, if they can stand beside new ones."""
    if not RESULTS.exists():
        return []
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = content.pop("rows")
    if content | {"date": None} != about | {"date": None}:
        return []
    return [Row(**{name: value for name, value in row.items() if name != "reached"}) for row in rows]


def write(rows: list[Row], about: dict[str, Any]) -> None:
    """Write the results, for programs and for readers, in the order of the headings."""
    rows = sorted(rows, key=lambda row: list(HEADINGS).index(row.group))
    found = [asdict(row) | {"reached": row.reached} for row in rows]
    text = json.dumps(about | {"rows": found}, indent=1, ensure_ascii=False)
    RESULTS.write_text(text + "\n", encoding="utf-8")
    RESULTS.with_suffix(".md").write_text(table(rows, about), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a glance: few rounds, nothing written")
    parser.add_argument("--only", choices=GROUPS, action="append", help="these rows alone")
    parser.add_argument("--date", help="what day to note in the results")
    arguments = parser.parse_args()
    use_one_core()
    rows = []
    for row in measure(arguments.only or list(GROUPS), QUICK if arguments.quick else Effort()):
        rows.append(row)
        print(line(row), flush=True)
    if not arguments.quick:
        about = machine() | {"date": arguments.date}
        measured = {row.group for row in rows}
        write([row for row in rows_before(about) if row.group not in measured] + rows, about)


if __name__ == "__main__":
    main()
