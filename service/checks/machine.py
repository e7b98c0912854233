"""Checks of the machine: clock, time zones, disk, memory, and the versions of what is installed."""

import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from service import durations
from service.checks.finding import Finding, bad, look, ok
from service.complaints import is_full

FIRST_YEAR = 2026  # nothing of Rollcast is older: a clock that shows less was never set
LEAP = timedelta(seconds=5)  # that a clock may be corrected by, and nobody need know
GB = 1e9
LITTLE, TOO_LITTLE = 1 * GB, 0.1 * GB  # of disk
LITTLE_SHARE = 0.05
GIVE_IT = "run this as the user whose daemon it is, give that user the folder, or set another data_dir"
LITTLE_MEMORY, TOO_LITTLE_MEMORY = 0.25 * GB, 0.06 * GB  # a refit's process alone takes some 0.1 GB
OLDEST_SQLITE = (3, 35)  # the first that can say what it inserted


@dataclass(frozen=True)
class Space:
    """A file system: bytes and files (inodes), all and free. Some have no fixed number of files: 0 of 0."""

    size: int
    free: int
    files: int
    free_files: int


def clock(now: datetime, newest: Mapping[str, datetime]) -> Finding:
    """Whether the clock shows a time that can be; newest: when something was stored last, by what it was."""
    told = f"{now:%Y-%m-%d %H:%M:%S}Z"
    if now.year < FIRST_YEAR:
        return bad("clock", f"it shows {told}: it was never set", "set it, as with `timedatectl set-ntp true`")
    ahead = {what: moment for what, moment in newest.items() if moment > now + LEAP}
    if not ahead:
        return ok("clock", f"{told}; nothing stored is younger")
    what = max(ahead, key=ahead.__getitem__)
    by = durations.told(ahead[what] - now)
    return bad(
        "clock",
        f"it shows {told}, but {what} at {ahead[what]:%Y-%m-%d %H:%M:%S}Z, {by} from now: it was set back",
        "set it right, as with `timedatectl set-ntp true`; what was stored stays hidden until then",
    )


def time_zones(find: Callable[[str], object]) -> Finding:
    """Whether there are time zone data."""
    try:
        find("Europe/Berlin")
    except (KeyError, OSError, ValueError):
        return bad(
            "time zones",
            "there are no data of them: a panel with tz or calendar cannot work",
            "install the package tzdata, of the system's or by `pip install tzdata`",
        )
    return ok("time zones", "known")


def space_of(folder: Path) -> Space:
    """The file system that a folder lies on, or will."""
    # os.path: what this user may not look at is as if it were not there, and the folder above it tells as well.
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.exists(each))
    found = os.statvfs(there)
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail)


def disk(space: Space, folder: Path) -> Finding:
    """Whether the data have room to grow."""
    share = space.free / space.size if space.size else 0.0
    told = f"{_gb(space.free)} of {_gb(space.size)} free ({share:.0%}) for {folder}"
    cure = "make room, or keep less (keep_observations, keep_forecasts, keep_models; then rollcast db vacuum)"
    if space.free < TOO_LITTLE:
        return bad("disk", told, cure)
    return look("disk", told, cure) if space.free < LITTLE or share < LITTLE_SHARE else ok("disk", told)


def files(space: Space, folder: Path) -> Finding:
    """Whether more files can be made where the data lie."""
    if not space.files:
        return ok("files", f"no limit to how many there may be on the disk of {folder}")
    share = space.free_files / space.files
    told = f"{space.free_files:,} more can be made ({share:.0%}) on the disk of {folder}"
    cure = "delete files that are not needed: `df -i` tells of which disk, `du --inodes` where they are"
    if space.free_files < 100:
        return bad("files", told, cure)
    return look("files", told, cure) if share < LITTLE_SHARE else ok("files", told)


def folder(data_dir: Path) -> Finding:
    """Whether the data folder can be written to; tried with a file without a name, which leaves no trace."""
    try:
        if not data_dir.exists():
            return ok("data_dir", f"{data_dir} is not there yet; rollcast run makes it")
        with tempfile.TemporaryFile(dir=data_dir) as file:
            file.write(b"rollcast")
            file.flush()
    except OSError as error:
        return bad(
            "data_dir",
            f"{data_dir} cannot be written to: {error.strerror}",
            "make room on its disk" if is_full(error) else GIVE_IT,
        )
    return ok("data_dir", f"{data_dir} can be written to")


def memory(total: int, available: int) -> Finding:
    """Whether there is memory for refits."""
    told = f"{_gb(available)} of {_gb(total)} available"
    cure = "end what else takes it, or lower workers or train_window"
    if available < TOO_LITTLE_MEMORY:
        return bad("memory", told, cure)
    return look("memory", told, cure) if available < LITTLE_MEMORY else ok("memory", told)


def packages(sqlite: tuple[int, ...] = sqlite3.sqlite_version_info) -> Finding:
    """Which versions are at work."""
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = next((pool for pool in threadpool_info() if pool["user_api"] == "blas"), None)
    algebra = f"{blas['internal_api']} {blas['version']}" if blas else "an unknown BLAS"
    told = (
        f"rollcast {version('rollcast')}, Python {platform.python_version()}, NumPy {np.__version__} with {algebra},"
        f" SQLite {'.'.join(map(str, sqlite))}"
    )
    if sqlite < OLDEST_SQLITE:
        return bad(
            "versions", told, f"SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer is needed: a newer Python has it"
        )
    return ok("versions", told)


def _gb(size: float) -> str:
    return f"{size / GB:,.1f} GB" if size >= GB / 10 else f"{size / 1e6:,.0f} MB"
