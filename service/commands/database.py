"""The commands about the database: `rollcast db upgrade`, `backup`, `prune` and `vacuum`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from db import engine, maintenance
from db.maintenance import MaintenanceError, Tell
from jobs.panel import Panel
from jobs.prune import keeps_all
from jobs.prune import prune as prune_job
from service import daemon
from service.commands.jobs import run_for
from service.commands.store import revision_of, upgraded
from service.commands.terminal import (
    AnyPanel,
    Config,
    UsageError,
    database_of,
    err,
    out,
    panels_named,
    progress,
    settings_of,
    writing_to,
)
from service.daemon import utc_now
from service.settings import Settings


def upgrade(config: Config = None) -> None:
    """Bring the tables up to date with this version; the daemon does so at its start.

    There is no way back: make a copy first, with rollcast db backup.
    """
    settings = settings_of(config)
    path = database_of(settings)
    before = revision_of(path)
    if before.age == "current":
        out.print(escape(f"{path} is up to date, at revision {before.known}"))
        return
    with err.status(f"{path}: to revision {before.known}"):
        upgraded(settings).dispose()
    out.print(escape(f"{path}: from revision {before.found or 'none'} to {before.known}"))


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: Config = None,
) -> None:
    """Write a checked copy of the database to a file, beside a running daemon too.

    The copy is the database at one moment, and takes its name once it is whole and sound. To restore it: stop the
    daemon, remove the database's -wal and -shm files, and copy it over the database.
    """
    path = database_of(settings_of(config))
    if file.is_dir() or not file.absolute().parent.is_dir():
        wrong = "is a folder" if file.is_dir() else f"lies in {file.parent}, which is no folder"
        raise UsageError(f"{file} {wrong}; expected the name of a file to write")
    if file.exists() and file.samefile(path):
        raise UsageError(f"{file} is the database itself; expected another file to write")
    if file.exists() and not force:
        raise UsageError(f"{file} is there already; --force overwrites it")
    with _failing(), writing_to(file), _copying(path) as tell:
        maintenance.backup(path, file, tell)
    out.print(escape(f"{file}: {decimal(maintenance.size(file))}, whole and sound"))


def prune(
    panel: AnyPanel = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would go; works on a copy beside the database.")
    ] = False,
    config: Config = None,
) -> None:
    """Forget now what the configuration does not keep, as the daemon does every hour.

    A panel's keep_forecasts, keep_observations and keep_models say how long. What still serves stays.
    """
    settings = settings_of(config)
    chosen = panels_named(settings, panel)
    path = database_of(settings)
    forgetting = [each for each in chosen if not keeps_all(each)]
    for each in chosen:
        if each not in forgetting:
            out.print(
                f"{each.name}  keeps all; keep_forecasts, keep_observations or keep_models would tell for how long"
            )
    if dry_run:
        _would_prune(path, forgetting)
    else:
        run_for(settings, "prune", forgetting, lambda sessions, each: prune_job(sessions, each, utc_now()))


def vacuum(config: Config = None) -> None:
    """Give the disk back what forgetting has freed; no daemon may run meanwhile.

    SQLite writes the file anew, and holds the write lock all the while: about a second for every 100 MB.
    """
    settings = settings_of(config)
    path = database_of(settings)
    with _no_daemon(settings), _failing(), err.status(f"{path}: writing it anew"):
        before, after = maintenance.vacuum(path)
    given = f"{decimal(before - after)} given back" if after < before else "there was nothing to give back"
    out.print(escape(f"{path}: {decimal(before)} before, {decimal(after)} now; {given}"))


def _would_prune(path: Path, panels: list[Panel]) -> None:
    """Tell what a prune of some panels would forget."""
    if not panels:
        return
    with (
        writing_to(path.parent, "set another data_dir"),
        tempfile.TemporaryDirectory(prefix="dry-run-", dir=path.parent) as folder,
        _failing(),
    ):
        copy = Path(folder) / path.name
        with _copying(path) as tell:
            maintenance.backup(path, copy, tell)
        write_engine = engine.writer(f"sqlite:///{copy}")
        engine.migrate(write_engine)
        for panel in panels:
            pruned = prune_job(engine.sessions(write_engine), panel, utc_now())
            out.print(f"{panel.name}  would forget  {pruned.counted}")
        write_engine.dispose()


@contextmanager
def _copying(path: Path) -> Iterator[Tell]:
    with progress() as bar:
        task = bar.add_task(f"copying {path.name}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _no_daemon(settings: Settings) -> Iterator[None]:
    """Keep the daemon away. Raises UsageError where one runs."""
    if daemon.is_running(settings.data_dir):
        raise UsageError(
            f"a daemon works on {settings.data_dir}, and its jobs would fail while a vacuum holds the write lock;"
            " stop it first"
        )
    with daemon.take_lock(settings.data_dir):
        yield


@contextmanager
def _failing() -> Iterator[None]:
    """What cannot be done is told in one line, with the exit code of a job that failed."""
    try:
        yield
    except MaintenanceError as error:
        err.print(escape(f"rollcast: {error}"))
        raise typer.Exit(1) from error
