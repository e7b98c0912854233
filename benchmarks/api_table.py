"""What was measured, as sections of a Markdown file: medians, with the smallest and largest of the rounds behind."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from benchmarks.api_wrk import Reach
from benchmarks.measure import machine

SERVING = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "msgspec", "sqlalchemy")


@dataclass(frozen=True)
class Section:
    """A heading, what stands under it, and a table."""

    heading: str
    text: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str]]

    def __str__(self) -> str:
        head = f"| {' | '.join(self.columns)} |\n|{'---|' * len(self.columns)}"
        lines = "\n".join(f"| {' | '.join(line)} |" for line in self.lines)
        return f"## {self.heading}\n\n{self.text}\n\n{head}\n{lines}\n"


@dataclass(frozen=True)
class Ratios:
    """A ratio of each round, and what is asked of their median."""

    each: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The usual one."""
        return statistics.median(self.each)

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(min(self.each))}–{number(max(self.each))})"

    @property
    def asked(self) -> str:
        """What is asked, and whether it is so."""
        if self.at_least is not None:
            return verdict(self.median >= self.at_least, f"≥ {number(self.at_least)}")
        if self.at_most is not None:
            return verdict(self.median <= self.at_most, f"≤ {number(self.at_most)}")
        return ""


def verdict(reached: bool, asked: str) -> str:
    """What was asked, and whether it is so."""
    return f"{asked}: {'yes' if reached else '**no**'}"


def number(value: float) -> str:
    """Three digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def usual(rounds: Sequence[Reach]) -> list[str]:
    """The medians of some rounds: answers a second, p50 and p99 in ms."""
    middles = (statistics.median(values) for values in zip(*((r.rate, r.p50, r.p99) for r in rounds), strict=True))
    return [number(middle) for middle in middles]


def document(sections: Sequence[Section], day: str | None, load: float, versions: dict[str, str]) -> str:
    """All of it."""
    about: dict[str, Any] = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in ours().items())
    peers = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n".join(
        [
            "# The API's reach\n",
            f"Measured{f' on {day}' if day else ''} by `make bench-api` on {about['processor']} under"
            f" Python {about['python']}; when it began, the load average was {load:.2f}.\n",
            f"Rollcast: {libraries}. Peer: {peers}.\n",
            "Everything runs on loopback on the same cores: the server, one process; wrk, one thread, which asks again"
            " over each connection when its answer is there. What is compared takes turns, in rounds. Figures are"
            " medians of the rounds, with the smallest and largest behind them in brackets; times are in ms.\n",
            *map(str, sections),
        ]
    )


def ours() -> dict[str, str]:
    """The versions of the libraries that serve."""
    return {name: metadata.version(name) for name in SERVING}
