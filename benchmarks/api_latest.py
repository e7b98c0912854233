"""The latest forecast (24 steps, 2 levels): Rollcast's daemon beside datasette on the same rows, in turns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.api_servers import Server, datasette, make_rows, rollcast
from benchmarks.api_table import Ratios, Section, usual
from benchmarks.api_wrk import Effort, Load, Reach, wrk

CONNECTIONS = (1, 8, 64)
NAMES = [f"s{k:04}" for k in range(1000)]
ONE = NAMES[500]
TIMES_AS_MANY, SHARE = 6.0, 1 / 3

Way = tuple[list[str], str]  # datasette's options, and the path with {name} in it

CANNED = "/rows/steps.json?series={name}&_shape=array"
TABLE = "/rows/latest.json?series={name}&_shape=array&_nocount=1&_nofacet=1&_nosuggest=1"
QUICK = ["--setting", "suggest_facets", "off", "--setting", "allow_facet", "off"]
AS_IT_COMES: Way = (["rows.db"], "/rows/latest.json?series={name}&_shape=objects")


def ways() -> dict[str, Way]:
    """How datasette can be asked for the rows."""
    return {
        f"{asked}, {opened} file, {where}": (
            [*QUICK, "--setting", "num_sql_threads", threads, *(["-i"] if opened == "immutable" else []), "rows.db"],
            path,
        )
        for asked, path in (("canned query", CANNED), ("table", TABLE))
        for opened in ("mutable", "immutable")
        for where, threads in (("SQL in the event loop", "0"), ("SQL in one thread", "1"), ("in three threads", "3"))
    }


def ours(name: str) -> str:
    """Where Rollcast's daemon has it."""
    return f"/api/v1/series/{name}/forecasts/latest"


def section(folder: Path, effort: Effort) -> Section:
    """One series over and over, and a thousand in turns, over some connections."""
    rows = folder / "rows.db"
    make_rows(folder / "data" / "rollcast.db", rows)
    way, told = quickest(rows, effort)
    options, path = way
    lines = []
    with (
        rollcast(folder, ours(ONE)) as daemon,
        datasette(rows, options, path.format(name=ONE)) as peer,
        datasette(rows, AS_IT_COMES[0], AS_IT_COMES[1].format(name=ONE)) as plain,
    ):
        check(daemon.get(ours(ONE)).json(), peer.get(path.format(name=ONE)).json())
        for what, names in (("one", [ONE]), ("1,000", NAMES)):
            for connections in CONNECTIONS:
                sides = [(daemon, ours), (peer, path.replace("{name}", "{}").format)]
                loads = [(server, Load([at(name) for name in names], connections)) for server, at in sides]
                lines.append([what, str(connections), *compared(take_turns(loads, effort))])
        as_it_comes = wrk(plain.url, Load([AS_IT_COMES[1].format(name=ONE)]), effort.seconds)
    return Section(
        "The latest forecast, beside datasette",
        "24 steps of 2 levels, as JSON: of one series over and over, and of 1,000 series in turn. Rollcast answers with"
        " state, reason, ages and model besides. datasette has an indexed table of just these rows, and is asked in the"
        f" way that was quickest of {len(ways())}: {told}. As it comes (table, no setting) it gives"
        f" {as_it_comes.rate:,.0f} answers a second over 8 connections, p99 {as_it_comes.p99:.1f} ms.",
        (
            "series",
            "connections",
            "answers/s",
            "p50",
            "p99",
            "datasette: answers/s",
            "p50",
            "p99",
            "times as many",
            "asked",
            "share of p99",
            "asked",
        ),
        lines,
    )


def quickest(rows: Path, effort: Effort) -> tuple[Way, str]:
    """datasette's quickest way, by a glance at each, and its name."""
    rates = {}
    for told, (options, path) in ways().items():
        with datasette(rows, options, path.format(name=ONE)) as server:
            rates[told] = wrk(server.url, Load([path.format(name=ONE)]), effort.seconds).rate
    best = max(rates, key=lambda told: rates[told])
    return ways()[best], best


def check(answer: Any, rows: list[dict[str, Any]]) -> None:
    """Raise where the two do not serve the same numbers."""
    mine = [
        [
            step["step"],
            step["target_ts"],
            step["mean"],
            step["naive"],
            *step["intervals"]["80"],
            *step["intervals"]["95"],
        ]
        for step in answer["steps"]
    ]
    names = ("step", "target_ts", "mean", "naive", "lo_80", "hi_80", "lo_95", "hi_95")
    theirs = [[row[name] for name in names] for row in rows]
    if mine != theirs or len(mine) != 24:
        raise AssertionError(
            f"the two serve different rows: {mine[:1]} and {theirs[:1]}, of {len(mine)}, {len(theirs)}"
        )


def take_turns(loads: Sequence[tuple[Server, Load]], effort: Effort) -> list[list[Reach]]:
    """What each did, in each round: (rounds, loads)."""
    for server, load in loads:
        wrk(server.url, load, 1)  # warms up
    return [[wrk(server.url, load, effort.seconds) for server, load in loads] for _ in range(effort.rounds)]


def compared(rounds: Sequence[Sequence[Reach]]) -> list[str]:
    """The cells of a line: ours, theirs, and how they stand to each other."""
    mine, theirs = zip(*rounds, strict=True)
    more = Ratios([ours.rate / peer.rate for ours, peer in rounds], at_least=TIMES_AS_MANY)
    share = Ratios([ours.p99 / peer.p99 for ours, peer in rounds], at_most=SHARE)
    return [*usual(mine), *usual(theirs), str(more), more.asked, str(share), share.asked]
