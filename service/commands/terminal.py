"""What the commands share: the two consoles, the configuration, the database for reading, tables, and errors of use."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from db import engine
from db.engine import Sessions
from jobs.panel import Panel
from service import answers
from service.settings import CONFIG_NAME, Settings, find_file, load

Answered = TypeVar("Answered")

PIPE_WIDTH = 200  # nothing is cut short for a program that reads along
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, soft_wrap=True, highlight=False)

# Columns of words; the others hold figures.
TEXT = {
    "type",
    "by default",
    "what it is",
    "series",
    "status",
    "panel",
    "source",
    "target",
    "forecast by",
    "model",
    "trained",
    "standing",
    "verdict",
}

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration file.", show_default=CONFIG_NAME)
]
Json = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


class UsageError(Exception):
    """The call asks for something that is not there; the message says what is."""


def settings_of(config: Path | None) -> Settings:
    """The settings in force. Raises SettingsError."""
    return load(find_file(config, os.environ, Path.cwd()), os.environ)


def panels_named(settings: Settings, name: str | None) -> list[Panel]:
    """The panel of that name, or all of them. Raises UsageError where there is none."""
    panels = settings.build_panels()
    chosen = [panel for panel in panels if name in (None, panel.name)]
    if not chosen:
        raise UsageError(f"there is no panel {name!r}; there are {', '.join(panel.name for panel in panels)}")
    return chosen


@contextmanager
def reading(settings: Settings) -> Iterator[Sessions]:
    """Read-only sessions. Raises UsageError where there is no database, DatabaseUnusableError where it is no good."""
    path = engine.sqlite_path(settings.database_url)
    if not path.exists():
        raise UsageError(f"there is no database {path} yet; rollcast run makes it")
    read_engine = engine.reader(settings.database_url)
    try:
        yield engine.sessions(read_engine)
    except DatabaseError as error:
        raise engine.unusable(path, error) from error
    finally:
        read_engine.dispose()


def asked_of(config: Path | None, ask: Callable[[Session, Mapping[str, Panel]], Answered]) -> Answered:
    """What the database answers about a series. Raises UsageError where there is none of that name."""
    settings = settings_of(config)
    panels = {panel.name: panel for panel in settings.build_panels()}
    with reading(settings) as sessions, sessions() as session:
        try:
            return ask(session, panels)
        except answers.NoSeriesError as error:
            raise UsageError(f"{error}; {error.hint}") from error


def table_of(*headings: str) -> Table:
    """A table without lines, whose first column is text and whose others are figures."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="left" if heading in TEXT else "right")
    return table


def number_told(value: float) -> str:
    """A number of a series' own unit, for people."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def time_told(moment: datetime) -> str:
    """A time in UTC, for people."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
