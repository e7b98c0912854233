"""The commands about sources: `rollcast sources`, and what a fetch would bring (`rollcast fetch --dry-run`)."""

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from rich.markup import escape
from rich.table import Table as Grid

from db.engine import Sessions
from jobs import sources
from jobs.fetch import Means, fetch
from jobs.panel import Panel
from jobs.sources.base import SourceDownError
from jobs.storing import Fetched
from service import daemon
from service.commands.store import trying, url_to_try
from service.commands.tables import Table, room
from service.commands.terminal import Json, err, out, print_json, time_told
from service.daemon import utc_now
from service.settings import Settings

SERIES_TOLD = 20
DEFAULT_WIDTH = 12


@dataclass(frozen=True)
class Option:
    """One option of a source."""

    name: str
    default: str  # as TOML; "required" where there is none
    help: str


class SeriesTried(msgspec.Struct):
    """What a fetch would bring of a series: how many observations, from when to when."""

    name: str
    new: int
    revised: int
    first: datetime | None
    last: datetime | None


class PanelTried(msgspec.Struct):
    """What a fetch would bring of a panel: rows that would count for nothing, and why; series that would fail.

    would_fail: why all of it would, None where it would not.
    """

    name: str
    would_fail: str | None
    new: int
    revised: int
    dropped: dict[str, int]
    failures: dict[str, str]
    series: list[SeriesTried]


def command(json: Json = False) -> None:
    """The sources that a panel can name, with their options."""
    found = {name: described(name) for name in sources.names()}
    if json:
        listed = [{"type": name, "about": about, "options": options} for name, (about, options) in found.items()]
        print_json({"sources": listed})
        return
    for name, (about, options) in found.items():
        out.print(f"[bold]{escape(name)}[/]  {escape(about)}")
        table = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(width=2 + max(len(option.name) for _, listed in found.values() for option in listed))
        table.add_column(width=DEFAULT_WIDTH)
        table.add_column(overflow="fold")
        for option in options:
            table.add_row(f"  {escape(option.name)}", escape(option.default), escape(option.help))
        with out.capture() as captured:
            out.print(table, soft_wrap=False, width=room())
        out.print("\n".join(line.rstrip() for line in captured.get().splitlines()), markup=False)
    err.print("Each with an example: docs/sources.md. Any option may hold ${NAME}, a secret from the environment.")


def described(name: str) -> tuple[str, list[Option]]:
    """What a source is, in a line, and its options."""
    try:
        found = sources.load(name)
    except sources.NoSourceError as error:
        return str(error), []
    hints = get_type_hints(found, include_extras=True)
    options = [
        Option(field.name, _default(field), next((arg for arg in get_args(hints[field.name])[1:]), ""))
        for field in dataclasses.fields(found)
        if field.init
    ]
    return (found.__doc__ or "").strip().split("\n")[0], options


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return _toml(field.default_factory())
    return "required" if field.default is dataclasses.MISSING else _toml(field.default)


def _toml(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, list):
        return f"{len(value)} of them"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def dry_run(settings: Settings, panels: Sequence[Panel], *, json: bool) -> bool:
    """Tell what a fetch of some panels would bring, and store nothing. Returns whether one would fail."""
    found: dict[str, Fetched | SourceDownError] = {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        trying(url_to_try(settings, Path(folder))) as sessions,
    ):
        means = daemon.make_means(Path(folder), utc_now)  # nothing is left in the data folder
        for panel in panels:
            with err.status(f"{panel.name}: asking its source"):
                found[panel.name] = _tried(sessions, panel, means)
            if not json:
                _print_tried(panel.name, found[panel.name])
    if json:
        print_json({"panels": [_shaped(name, each) for name, each in found.items()]})
    return any(isinstance(each, SourceDownError) for each in found.values())


def _tried(sessions: Sessions, panel: Panel, means: Means) -> Fetched | SourceDownError:
    try:
        return fetch(sessions, panel, utc_now, means, store=False)
    except SourceDownError as error:
        return error


def _shaped(name: str, found: Fetched | SourceDownError) -> PanelTried:
    if isinstance(found, SourceDownError):
        return PanelTried(name, str(found), 0, 0, {}, {}, [])
    series = [
        SeriesTried(each, brought.new, brought.revised, brought.first, brought.last)
        for each, brought in found.series.items()
    ]
    dropped = {what: count for what, count in found.dropped.items() if count}
    return PanelTried(name, None, found.new, found.revised, dropped, found.failures, series)


def _print_tried(name: str, found: Fetched | SourceDownError) -> None:
    if isinstance(found, SourceDownError):
        out.print(f"{name}  [red]would fail[/]  {escape(str(found))}")
        return
    out.print(f"{name}  would bring  {escape(str(found))}")
    if not found.series:
        return
    table = Table("series", "new", "revised", "from", "to")
    for series, brought in list(found.series.items())[:SERIES_TOLD]:
        first, last = ("–" if ts is None else time_told(ts) for ts in (brought.first, brought.last))
        table.add_row(f"  {escape(series)}", f"{brought.new:,}", f"{brought.revised:,}", first, last)
    table.print()
    if len(found.series) > SERIES_TOLD:
        out.print(f"  … and {len(found.series) - SERIES_TOLD:,} series more")
