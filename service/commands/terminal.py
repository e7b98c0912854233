"""What the commands share: the two consoles, the configuration, the database, JSON, progress, errors of use."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from db import engine
from db.engine import DatabaseUnusableError, Sessions
from jobs.panel import Panel
from service import answers
from service.commands import completion
from service.complaints import unwritable
from service.settings import CONFIG_NAME, Settings, find_file, load

Answered = TypeVar("Answered")

WIDE = 1_000_000  # characters in a line: nothing is cut short


class _Console(Console):
    """One that leaves it to the command line what becomes of a pipe whose reader has gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


out = _Console(soft_wrap=True, highlight=False, emoji=False, width=WIDE)
err = _Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)

COLOURS = {"failed": "red", "interrupted": "red", "stale": "yellow", "expired": "red", "source_down": "red"}
COLOURS |= {"ok": "green", "fresh": "green"}

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=CONFIG_NAME),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SeriesName = Annotated[
    str, typer.Argument(metavar="SERIES", help="The name of a series.", autocompletion=completion.series)
]
PanelName = Annotated[
    str, typer.Argument(metavar="PANEL", help="The name of a panel.", autocompletion=completion.panels)
]
AnyPanel = Annotated[
    str | None,
    typer.Argument(metavar="PANEL", help="One panel; all of them if left out.", autocompletion=completion.panels),
]
OfPanel = Annotated[
    str | None,
    typer.Option("--panel", metavar="PANEL", help="Of this panel only.", autocompletion=completion.panels),
]


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


def panel_named(settings: Settings, name: str) -> Panel:
    """The panel of that name. Raises UsageError where there is none."""
    (panel,) = panels_named(settings, name)
    return panel


def database_of(settings: Settings) -> Path:
    """The file of the database. Raises UsageError where there is none, or none that this user may see."""
    path = engine.sqlite_path(settings.database_url)
    if not is_there(path):
        raise UsageError(f"there is no database {path} yet; rollcast run makes it")
    return path


def is_there(path: Path) -> bool:
    """Whether there is a database. Raises UsageError where this user may not see it."""
    try:
        return path.exists()
    except PermissionError as error:
        raise UsageError(f"{path} is not for this user to see; run this as the user whose database it is") from error


@contextmanager
def reading(settings: Settings) -> Iterator[Sessions]:
    """Read-only sessions. Raises UsageError where there is no database, DatabaseUnusableError where it is no good."""
    path = database_of(settings)
    read_engine = engine.reader(settings.database_url)
    try:
        yield engine.sessions(read_engine)
    except DatabaseError as error:
        if "no such table" in str(error.orig) or "no such column" in str(error.orig):
            raise DatabaseUnusableError(
                f"{path} was written by an older Rollcast ({error.orig}); rollcast db upgrade brings it up to date"
            ) from error
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


@contextmanager
def writing_to(file: Path, elsewhere: str = "name another place") -> Iterator[None]:
    """Write a file that was asked for. Raises UsageError, under its own name, where that cannot be done."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(unwritable(file, error, elsewhere)) from error


def print_json(answer: Any) -> None:
    """The answer for a program, as the API writes it."""
    sys.stdout.write(answers.to_json(answer).decode() + "\n")


def print_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for a program; times are ISO 8601 with Z."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(
        [cell.isoformat().replace("+00:00", "Z") if isinstance(cell, datetime) else cell for cell in row]
        for row in rows
    )


def progress(*, quiet: bool = False) -> Progress:
    """A bar on standard error while something takes its time; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal)


def coloured(word: str) -> str:
    """A status or an outcome in its colour."""
    return f"[{COLOURS.get(word, 'cyan')}]{word}[/]"


def number_told(value: float) -> str:
    """A number of a series' own unit, for people."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def time_told(moment: datetime) -> str:
    """A time in UTC, for people."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
