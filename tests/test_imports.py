"""The house's one-way streets: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"service": {"jobs", "models", "db"}, "jobs": {"models", "db"}, "models": set(), "db": set()}
THIRD_PARTY = {"models": {"numpy"}, "db": {"sqlalchemy", "alembic"}}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(path):
    """The top-level modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: write imports from the top, as in `from {path.parent.name} import …`"
            found.add(node.module.split(".")[0])
    return found


def room_of(path):
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_the_rooms_below_it(path):
    assert imported(path) & set(ROOMS) <= ROOMS[room_of(path)] | {room_of(path)}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in THIRD_PARTY], ids=lambda p: str(p.relative_to(ROOT))
)
def test_models_need_numpy_and_the_database_needs_sqlalchemy_and_nothing_else(path):
    import sys

    foreign = imported(path) - set(ROOMS) - set(sys.stdlib_module_names)
    assert foreign <= THIRD_PARTY[room_of(path)]


def test_only_the_scheduler_knows_apscheduler():
    assert [p.relative_to(ROOT) for p in FILES if "apscheduler" in imported(p)] == [Path("jobs/scheduler.py")]


def test_only_one_file_knows_polars():
    assert [p.relative_to(ROOT) for p in FILES if "polars" in imported(p)] == [Path("jobs/parquet.py")]


def test_only_one_file_knows_exchange_calendars():
    assert [p.relative_to(ROOT) for p in FILES if "exchange_calendars" in imported(p)] == [Path("jobs/exchanges.py")]


def attributes(path):
    """The names of all attributes that a file asks for."""
    return {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) != "service"], ids=lambda p: str(p.relative_to(ROOT)))
def test_nobody_below_service_reads_the_environment(path):
    assert not attributes(path) & {"environ", "getenv"}


@pytest.mark.parametrize(
    "path", [p for p in FILES if room_of(p) in ("models", "db")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_models_and_database_have_no_clock(path):
    assert not attributes(path) & {"now", "utcnow", "today", "time", "monotonic"}


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) == "models"], ids=lambda p: str(p.relative_to(ROOT)))
def test_models_have_no_global_randomness(path):
    drawn = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random"
    }
    assert drawn <= {"default_rng", "Generator"}
