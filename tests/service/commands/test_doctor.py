"""The command `rollcast doctor`, in this process: what it says as a whole. What each check finds: `checks/`."""

import json
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from db.times import to_us
from service.commands import doctor

CONFIG = """
[api]
port = {port}

[panels.oil]
source = {{ type = "csv", path = "oil.csv" }}
interval = "1d"
horizon = 5
expire_after = "never"
"""


@pytest.fixture
def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def rollcast(tmp_path, run_command, free_port):
    """The command on a panel with a source."""
    (tmp_path / "rollcast.toml").write_text(CONFIG.format(port=free_port))
    rows = [f"OIL,2025-{month:02}-{day:02},{month + day / 10}" for month in range(1, 13) for day in range(1, 29)]
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    return run_command


@pytest.fixture
def checked(rollcast):
    """What is found, by check."""

    def ask(*words):
        code, out, _ = rollcast("doctor", "--json", *words)
        found = {finding["check"]: finding for finding in json.loads(out)["checks"]}
        assert code == int(any(finding["level"] == "bad" for finding in found.values()))
        return found

    return ask


@pytest.fixture
def change(tmp_path):
    """Change the database behind everybody's back."""

    def execute(statement, *values):
        with closing(sqlite3.connect(tmp_path / "data" / "rollcast.db", isolation_level=None)) as connection:
            connection.execute(statement, values)

    return execute


def test_before_the_first_run_nothing_is_bad_and_nothing_is_made(rollcast, tmp_path):
    code, out, err = rollcast("doctor")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("bad")] == []
    assert "there is no database" in out
    assert "→ rollcast run makes it" in out
    assert err.startswith("0 bad, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oil.csv", "rollcast.toml"]


def test_each_check_is_a_line_with_its_cure_where_one_is_needed(rollcast):
    rollcast("fetch")
    for line in rollcast("doctor")[1].splitlines():
        assert line[:6] in ("ok    ", "look  ", "bad   ")
        assert ("→" in line) == (line[:2] != "ok")


def test_everything_is_looked_at(rollcast, checked):
    rollcast("fetch")
    assert list(checked()) == [
        *("versions", "time zones", "memory", "configuration", "permissions", "token", "disk", "files", "data_dir"),
        *("daemon", "database", "tables", "lock", "log", "clock", "champion oil", "series oil", "source oil"),
    ]


def test_a_source_that_is_down_is_bad_and_the_exit_code_says_so(rollcast, checked, tmp_path):
    rollcast("fetch")
    (tmp_path / "oil.csv").unlink()
    found = checked()["source oil"]
    assert found["level"] == "bad"
    assert found["found"].startswith("there is no file")


def test_offline_no_source_is_asked(rollcast, checked, tmp_path):
    (tmp_path / "oil.csv").unlink()
    assert "source oil" not in checked("--offline")


def test_a_configuration_that_cannot_be_used_is_a_finding_beside_those_of_the_machine(checked, tmp_path):
    file = tmp_path / "rollcast.toml"
    file.write_text(file.read_text().replace("horizon", "horizont"))
    found = checked()
    assert found["configuration"]["found"].endswith("panels.oil.horizont is no setting; did you mean horizon?")
    assert {"memory", "versions"} <= set(found)
    assert "database" not in found


def test_a_data_folder_of_another_user_s_is_told_with_the_cure_and_the_checks_go_on(
    run_command, others, as_nobody, free_port
):
    (others / "rollcast.toml").write_text(CONFIG.format(port=free_port))
    words = ("doctor", "--json", "--offline", "--config", others / "rollcast.toml")
    run_command(*words)  # what it imports may be root's as well
    with as_nobody():
        code, out, _ = run_command(*words)
    found = {finding["check"]: finding for finding in json.loads(out)["checks"]}
    unchecked = {check for check, each in found.items() if "could not be checked" in each["found"]}
    assert (code, unchecked - {"versions"}) == (1, set())  # what is installed may be root's alone
    assert found["database"]["found"] == f"{others}/data/rollcast.db cannot be read: Permission denied"
    assert found["database"]["cure"] == "run this as the user whose database it is"
    assert (found["daemon"]["level"], found["data_dir"]["level"], list(found)[-1]) == ("look", "bad", "clock")


def test_asking_stores_nothing(rollcast, checked, tmp_path):
    rollcast("fetch")
    with (tmp_path / "oil.csv").open("a") as file:
        file.write("OIL,2025-12-29,9\n")
    before = set(tmp_path.rglob("*"))
    assert checked()["source oil"]["found"] == "it answers; 1 new"
    assert checked()["source oil"]["found"] == "it answers; 1 new"
    assert set(tmp_path.rglob("*")) == before


def test_a_clock_that_was_set_back_is_found(rollcast, checked, change):
    rollcast("fetch")
    change("UPDATE runs SET started = ?", to_us(datetime.now(UTC) + timedelta(days=1)))
    assert "a run began at" in checked()["clock"]["found"]
    assert checked()["clock"]["level"] == "bad"


def test_a_taken_port_is_found(checked, free_port):
    with closing(socket.create_server(("127.0.0.1", free_port))):
        assert f"port {free_port} is taken by process" in checked()["daemon"]["found"]


def test_a_locked_database_is_found_and_the_sources_are_asked_all_the_same(rollcast, checked, tmp_path, monkeypatch):
    rollcast("fetch")
    monkeypatch.setattr(doctor.storing, "PATIENCE", 0.0)
    with closing(sqlite3.connect(tmp_path / "data" / "rollcast.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = checked()
    assert found["lock"]["level"] == "bad"
    assert (found["source oil"]["level"], found["source oil"]["found"]) == ("ok", "it answers")


def test_tables_of_an_older_version_are_found_and_left_as_they_are(rollcast, checked, change, tmp_path):
    rollcast("fetch")
    change("UPDATE alembic_version SET version_num = '0001'")
    assert checked()["tables"]["level"] == "look"
    assert checked()["tables"]["level"] == "look"


def test_a_host_for_others_without_a_token_is_found(checked, tmp_path):
    file = tmp_path / "rollcast.toml"
    file.write_text(file.read_text().replace("[api]", '[api]\nhost = "0.0.0.0"'))
    assert checked("--offline")["token"]["level"] == "bad"


def test_a_check_that_fails_itself_keeps_none_from_those_that_follow(checked, monkeypatch):
    def broken(_folder):
        raise RuntimeError("of another kind")

    monkeypatch.setattr(doctor.machine, "space_of", broken)
    found = checked("--offline")
    assert "this could not be checked: RuntimeError: of another kind" in found["disk"]["found"]
    assert "database" in found


def test_a_deep_look_compares_the_indices(rollcast, checked):
    rollcast("fetch")
    assert checked("--offline", "--deep")["database"]["found"].endswith("sound, its indices too")
