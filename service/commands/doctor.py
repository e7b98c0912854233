"""The command `rollcast doctor`: finds the usual troubles, and says the cure. It looks through `service.checks`."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import psutil
import typer
from rich.markup import escape

from db import engine, health
from db.times import from_us
from jobs.fetch import fetch
from jobs.panel import Panel
from jobs.storing import Fetched
from service import answers, daemon
from service.checks import Finding, bad, machine, panels, running
from service.checks import configuration as configuring
from service.checks import database as storing
from service.commands.overview import plain
from service.commands.store import trying
from service.commands.terminal import Config, Json, err, out, print_json, reading, settings_of
from service.complaints import SettingsError
from service.daemon import utc_now
from service.settings import Settings

COLOURS = {"ok": "green", "look": "yellow", "bad": "red"}

Deep = Annotated[bool, typer.Option("--deep", help="Look for damage in the whole database, however long it takes.")]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask the sources.")]


def command(config: Config = None, json: Json = False, deep: Deep = False, offline: Offline = False) -> None:
    """Find the usual troubles and say the cure: a line a check. Changes nothing. Exit code 1 where something is bad."""
    logging.getLogger("rollcast").addHandler(logging.NullHandler())  # the lines below say all that a person needs
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    found = []
    for finding in findings(config, deep=deep, offline=offline):
        found.append(finding)
        if not json:
            _print(finding)
    levels = [finding.level for finding in found]
    if json:
        print_json({"checks": found})
    else:
        err.print(f"{levels.count('bad')} bad, {levels.count('look')} to look at, {levels.count('ok')} ok")
    if "bad" in levels:
        raise typer.Exit(1)


def findings(config: Path | None, *, deep: bool, offline: bool) -> Iterator[Finding]:
    """Everything that the checks find, as they go."""
    yield from _tried("versions", lambda: [machine.packages()])
    yield from _tried("time zones", lambda: [machine.time_zones(ZoneInfo)])
    found = psutil.virtual_memory()
    yield machine.memory(found.total, found.available)
    try:
        settings = settings_of(config)
    except SettingsError as error:
        yield bad(
            "configuration", str(error), "mend it; rollcast check tells whether it is right; the rest waits for that"
        )
        return
    yield configuring.configuration(settings.file, len(settings.panels))
    yield from _tried("permissions", lambda: [configuring.secrecy(settings.file)])
    yield configuring.token(settings.api)
    yield from _tried("disk", lambda: _disk(settings))
    yield from _tried("daemon", lambda: [running.running(settings.data_dir, settings.api.host, settings.api.port)])
    yield from _of_the_data(settings, deep=deep, offline=offline)


def _disk(settings: Settings) -> list[Finding]:
    space = machine.space_of(settings.data_dir)
    return [
        machine.disk(space, settings.data_dir),
        machine.files(space, settings.data_dir),
        machine.folder(settings.data_dir),
    ]


def _of_the_data(settings: Settings, *, deep: bool, offline: bool) -> Iterator[Finding]:
    """What the database is like, what it says, and what the sources would bring it."""
    runs = daemon.is_running(settings.data_dir)
    with err.status("looking at the database"):
        examined = storing.database(engine.sqlite_path(settings.database_url), deep=deep, daemon_runs=runs)
    yield from examined.findings
    if examined.readable:
        yield from _tried("stored data", lambda: _stored(settings, runs))
    else:
        yield machine.clock(utc_now(), {})
    if not offline:
        yield from _tried("sources", lambda: _sources(settings, examined))


def _stored(settings: Settings, daemon_runs: bool) -> list[Finding]:
    """What the database says of the clock, the champions and the series."""
    now = utc_now()
    chosen = settings.build_panels()
    with reading(settings) as sessions, sessions() as session:
        newest = {what: from_us(us) for what, us in health.newest_moments(session).items()}
        series = answers.all_series(session, {panel.name: panel for panel in chosen}, now)
        grouped = {panel.name: [each for each in series if each.panel == panel.name] for panel in chosen}
        return [
            machine.clock(now, newest),
            *panels.champions(session, chosen, now, daemon_runs=daemon_runs),
            *panels.data(chosen, grouped),
        ]


def _sources(settings: Settings, examined: storing.Examined) -> list[Finding]:
    """Ask the sources as `rollcast fetch --dry-run` does, but leave nothing behind in the data folder."""
    chosen = settings.build_panels()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        means = daemon.make_means(Path(folder), utc_now)
        url = settings.database_url if examined.writable else f"sqlite:///{Path(folder) / 'none.db'}"
        with trying(url) as sessions, err.status(f"asking the sources of {', '.join(panel.name for panel in chosen)}"):

            def ask(panel: Panel) -> Fetched:
                try:
                    return fetch(sessions, panel, utc_now, means, store=False)
                finally:
                    means.asking.leave(panel.source)

            return panels.sources(chosen, ask, compared=examined.writable or examined.absent)


def _tried(check: str, work: Callable[[], list[Finding]]) -> list[Finding]:
    """What checks find; that they failed themselves is a finding, too, and keeps none from those that follow."""
    try:
        return work()
    except Exception as error:
        return [
            bad(
                check,
                f"this could not be checked: {type(error).__name__}: {error}",
                "mend what is bad besides, and ask again",
            )
        ]


def _print(finding: Finding) -> None:
    told = plain(finding.found) + ("" if finding.cure is None else f" → {plain(finding.cure)}")
    out.print(f"[{COLOURS[finding.level]}]{finding.level:<4}[/]  {finding.check:<16}  {escape(told)}")
