"""Checks of the machine. What cannot be produced here, a full disk or memory, comes as figures."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from service.checks import machine
from service.checks.machine import Space

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE = Path("data")
HUGE = Space(size=10**12, free=5 * 10**11, files=10**6, free_files=5 * 10**5)


@pytest.mark.parametrize("ahead", [timedelta(days=-400), timedelta(0), timedelta(seconds=4)])
def test_a_clock_that_is_not_behind_what_is_stored_is_well(ahead):
    assert machine.clock(NOW, {"a run began": NOW + ahead}).level == "ok"


def test_a_clock_that_was_set_back_is_found_by_what_is_stored():
    found = machine.clock(NOW, {"a run began": NOW + timedelta(hours=1), "a model was fitted": NOW + timedelta(days=2)})
    assert found.level == "bad"
    assert "a model was fitted at 2026-11-25 12:00:00Z, 2d from now" in found.found
    assert "timedatectl" in found.cure


def test_a_clock_that_was_never_set_is_found_without_anything_stored():
    assert "never set" in machine.clock(datetime(1970, 1, 1, tzinfo=UTC), {}).found


def test_time_zones_are_known_here():
    assert machine.time_zones(ZoneInfo).level == "ok"


def test_missing_time_zones_are_told_with_the_package_that_has_them():
    def find(_name):
        raise ZoneInfoNotFoundError

    found = machine.time_zones(find)
    assert (found.level, "tzdata" in found.cure) == ("bad", True)


@pytest.mark.parametrize(
    ("size", "free", "level"),
    [
        (10**12, 10**11, "ok"),
        (10**12, 4 * 10**10, "look"),  # a share of 4 %
        (2 * 10**9, 9 * 10**8, "look"),  # below 1 GB
        (10**12, 9 * 10**7, "bad"),
        (0, 0, "bad"),
    ],
)
def test_a_disk_that_fills_is_told_before_it_is_full(size, free, level):
    found = machine.disk(Space(size, free, 10, 10), HERE)
    assert found.level == level
    assert (found.cure is None) == (level == "ok")


@pytest.mark.parametrize(
    ("files", "free", "level"), [(10**6, 10**5, "ok"), (10**6, 10**4, "look"), (10**6, 50, "bad"), (0, 0, "ok")]
)
def test_a_disk_without_room_for_more_files_is_told(files, free, level):
    assert machine.files(Space(10**12, 10**12, files, free), HERE).level == level


def test_the_space_of_a_folder_that_is_not_there_yet_is_that_of_the_one_above(tmp_path):
    assert machine.space_of(tmp_path / "a" / "b").size == machine.space_of(tmp_path).size > 0


def test_a_folder_that_can_be_written_to_is_well_and_nothing_stays_in_it(tmp_path):
    assert machine.folder(tmp_path).level == "ok"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_told():
    found = machine.folder(Path("/proc/self"))
    assert (found.level, "/proc/self cannot be written to" in found.found) == ("bad", True)


def test_a_folder_that_another_user_keeps_to_himself_is_told_and_so_is_the_space_there(tmp_path, as_nobody):
    data_dir = tmp_path / "data"
    with as_nobody():
        found, space = machine.folder(data_dir), machine.space_of(data_dir)
    assert (found.level, found.found) == ("bad", f"{data_dir} cannot be written to: Permission denied")
    assert space.size > 0


def test_a_folder_that_is_not_there_yet_is_no_trouble(tmp_path):
    assert machine.folder(tmp_path / "data").level == "ok"


@pytest.mark.parametrize(("available", "level"), [(10**9, "ok"), (10**8, "look"), (10**7, "bad")])
def test_scarce_memory_is_told(available, level):
    assert machine.memory(4 * 10**9, available).level == level


def test_the_versions_at_work_are_told():
    found = machine.packages()
    assert found.level == "ok"
    for word in ("rollcast 0", "Python 3", "NumPy 2", "SQLite 3", "blas"):
        assert word in found.found


def test_a_sqlite_that_is_too_old_is_told():
    assert machine.packages(sqlite=(3, 31, 1)).level == "bad"


def test_the_cure_of_a_full_disk_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: open("/dev/full", "wb", buffering=0))  # noqa: SIM115
    assert machine.folder(tmp_path).cure == "make room on its disk"
