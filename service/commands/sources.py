"""The commands about sources: `rollcast sources`, and what a fetch would bring (`rollcast fetch --dry-run`)."""

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from rich.markup import escape
from rich.table import Table

from db import engine
from db.engine import Sessions
from jobs import sources
from jobs.fetch import fetch
from jobs.panel import Panel
from jobs.sources.base import SourceDownError
from jobs.storing import Fetched
from service import daemon
from service.commands.terminal import Json, err, out, print_json, table_of, time_told
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


def command(json: Json = False) -> None:
    """The sources that a panel can name, with their options."""
    found = {name: described(name) for name in sources.names()}
    if json:
        listed = [{"type": name, "about": about, "options": options} for name, (about, options) in found.items()]
        print_json({"sources": listed})
        return
    for name, (about, options) in found.items():
        out.print(f"[bold]{escape(name)}[/]  {escape(about)}")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(width=2 + max(len(option.name) for _, listed in found.values() for option in listed))
        table.add_column(width=DEFAULT_WIDTH)
        table.add_column(overflow="fold")
        for option in options:
            table.add_row(f"  {escape(option.name)}", escape(option.default), escape(option.help))
        out.print(table, soft_wrap=False)
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


def dry_run(settings: Settings, panel: Panel) -> bool:
    """Tell what a fetch of a panel would bring, and store nothing. Returns whether it would fail."""
    with _sessions(settings) as sessions:
        means = daemon.make_means(settings.data_dir, utc_now)
        try:
            with err.status(f"{panel.name}: asking its source"):
                fetched = fetch(sessions, panel, utc_now, means, store=False)
        except SourceDownError as error:
            out.print(f"{panel.name}  [red]would fail[/]  {escape(str(error))}")
            return True
    out.print(f"{panel.name}  would bring  {escape(str(fetched))}")
    _print_series(fetched)
    return False


def _print_series(fetched: Fetched) -> None:
    if not fetched.series:
        return
    table = table_of("series", "new", "revised", "from", "to")
    for name, brought in list(fetched.series.items())[:SERIES_TOLD]:
        first, last = ("–" if ts is None else time_told(ts) for ts in (brought.first, brought.last))
        table.add_row(f"  {escape(name)}", f"{brought.new:,}", f"{brought.revised:,}", first, last)
    out.print(table)
    if len(fetched.series) > SERIES_TOLD:
        out.print(f"  … and {len(fetched.series) - SERIES_TOLD:,} series more")


@contextmanager
def _sessions(settings: Settings) -> Iterator[Sessions]:
    """Sessions on the database, or on one that goes again where there is none yet."""
    with tempfile.TemporaryDirectory() as folder:
        there = engine.sqlite_path(settings.database_url).exists()
        write_engine = engine.writer(settings.database_url if there else f"sqlite:///{Path(folder) / 'none.db'}")
        engine.migrate(write_engine)
        yield engine.sessions(write_engine)
        write_engine.dispose()
