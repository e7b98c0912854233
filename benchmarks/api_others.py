"""The other questions, of Rollcast's daemon alone: many series at once, long answers, compressed, unchanged."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.api_latest import NAMES, ONE, ours, take_turns
from benchmarks.api_servers import Server, rollcast
from benchmarks.api_table import Section, number, usual
from benchmarks.api_wrk import Effort, Load

GZIP = ("Accept-Encoding: gzip",)


def section(folder: Path, effort: Effort) -> Section:
    """Each over 8 connections."""
    with rollcast(folder, ours(ONE)) as daemon:
        lines = []
        for told, load in questions(daemon).items():
            rounds = [
                reach for (reach,) in take_turns([(daemon, load)], Effort(max(1, effort.rounds // 2), effort.seconds))
            ]
            lines.append([told, str(len(load.paths)), *usual(rounds), number(rounds[0].size / 1e3)])
    return Section(
        "Other questions",
        "Over 8 connections. `different` tells how many different questions are asked in turn.",
        ("question", "different", "answers/s", "p50", "p99", "kB"),
        lines,
    )


def questions(daemon: Server) -> dict[str, Load]:
    """What is asked."""
    of_each = {
        "observations, 1,000 rows": "observations?limit=1000",
        "observations in 300 points": "observations?points=300",
        "scores of three windows": "scores",
        "scores by step": "scores?by=step",
        "ten forecasts": "forecasts",
        "models": "models",
    }
    asked = {
        "one series": Load([f"/api/v1/series/{name}" for name in NAMES]),
        "latest of 20 series": Load([bulk(NAMES[k : k + 20]) for k in range(0, 1000, 20)]),
        "latest of 100 series": Load([bulk(NAMES[k : k + 100]) for k in range(0, 1000, 100)]),
        "latest of a panel of 1,000": Load(["/api/v1/forecasts/latest?panel=lived"]),
        "100 series at a glance": Load(["/api/v1/series?limit=100"]),
        "100 series with a history of 60": Load(["/api/v1/series?limit=100&history=60"]),
        "1,000 series at a glance": Load(["/api/v1/series?limit=1000"]),
        "panels": Load(["/api/v1/panels"]),
        "100 runs": Load(["/api/v1/runs"]),
    } | {told: Load([f"/api/v1/series/{name}/{rest}" for name in NAMES]) for told, rest in of_each.items()}
    asked |= {
        "latest, compressed": Load([ours(ONE)], headers=GZIP),
        "observations, 1,000 rows, compressed": Load(
            of_each_in_turn(of_each["observations, 1,000 rows"]), headers=GZIP
        ),
        "1,000 series at a glance, compressed": Load(["/api/v1/series?limit=1000"], headers=GZIP),
        "latest as CSV": Load([ours(ONE) + "?format=csv"]),
        "latest, unchanged (304)": Load(
            [ours(ONE)], headers=(f"If-None-Match: {daemon.get(ours(ONE)).headers['ETag']}",)
        ),
    }
    return asked


def of_each_in_turn(rest: str) -> list[str]:
    """The question about every series."""
    return [f"/api/v1/series/{name}/{rest}" for name in NAMES]


def bulk(names: Sequence[str]) -> str:
    """The question about several series at once."""
    return f"/api/v1/forecasts/latest?series={','.join(names)}"
