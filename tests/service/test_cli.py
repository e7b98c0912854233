"""The command line, as a person types it."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest

from db import engine, queries
from service import cli

ENVIRON = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}  # so that this checkout is run
CONFIG = """
[panels.oil]
source = { type = "csv", path = "oil.csv" }
interval = "1d"
horizon = 5
"""


@pytest.fixture
def rollcast(tmp_path):
    """Run the command in a folder of its own, without any variable of Rollcast."""

    def run(*words, **variables):
        environ = ENVIRON | {"HOME": str(tmp_path), "COLUMNS": "80", **variables}
        command = [sys.executable, "-m", "service", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture
def start(tmp_path):
    """Start the command likewise, and leave it running."""
    started = []

    def run(*words):
        environ = ENVIRON | {"HOME": str(tmp_path)}
        command = [sys.executable, "-m", "service", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environ, **pipes))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def fetched(tmp_path, configured):
    """One series, whose panel has not been fitted."""
    write_engine = engine.writer(f"sqlite:///{tmp_path}/data/rollcast.db")
    engine.migrate(write_engine)
    with engine.sessions(write_engine).begin() as session:
        queries.add_series(session, "OIL", "oil")
    write_engine.dispose()


@pytest.fixture
def configured(tmp_path):
    rows = [f"OIL,2025-{month:02}-{day:02},{month + day / 10}" for month in range(1, 13) for day in range(1, 29)]
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    (tmp_path / "rollcast.toml").write_text(CONFIG)


def test_fetch_refit_forecast_and_latest_bring_a_forecast_onto_the_screen(rollcast, configured):
    assert rollcast("fetch").stdout == "oil  ok  336 new\n"
    assert rollcast("refit", "oil").stdout.startswith("oil  ok  ")
    assert rollcast("forecast").stdout == "oil  ok  1 issued\n"
    shown = rollcast("latest", "OIL").stdout
    assert shown.startswith("OIL  ")
    assert "step  target" in shown
    latest = json.loads(rollcast("latest", "OIL", "--json").stdout)
    assert len(latest["steps"]) == 5
    assert "OIL" in rollcast("status").stdout


def test_status_says_that_no_daemon_runs_and_how_to_start_one(rollcast, fetched):
    assert "No daemon is running" in rollcast("status").stderr


def test_before_the_first_run_status_says_what_to_do(rollcast, configured):
    ended = rollcast("status")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("rollcast run makes it\n")


def test_check_tells_what_would_run_when(rollcast, configured):
    told = rollcast("check").stdout
    assert "oil" in told
    assert "at start" in told


def test_init_writes_a_configuration_that_passes_check(rollcast, tmp_path):
    assert rollcast("init").returncode == 0
    assert "taxi" in rollcast("check").stdout
    assert (tmp_path / "samples" / "wti_daily.csv").exists()


def test_init_overwrites_nothing_unless_told(rollcast, tmp_path, configured):
    ended = rollcast("init")
    assert ended.returncode == 2
    assert (tmp_path / "rollcast.toml").read_text() == CONFIG
    assert rollcast("init", "--force").returncode == 0


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        (["check"], {"ROLLCAST_API__PROT": "1"}, "rollcast: ROLLCAST_API__PROT is no setting; did you mean port?\n"),
        (["run", "-c", "nowhere.toml"], {}, "rollcast: there is no configuration file nowhere.toml; "),
        (["latest", "GAS"], {}, "rollcast: there is no series 'GAS'; there are OIL\n"),
        (["scores", "GAS"], {}, "rollcast: there is no series 'GAS'; there are OIL\n"),
        (["fetch", "gas"], {}, "rollcast: there is no panel 'gas'; there are oil\n"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(rollcast, fetched, words, variables, message):
    ended = rollcast(*words, **variables)
    assert ended.returncode == 2
    assert ended.stderr.startswith(message)
    assert ended.stderr.count("\n") == 1


def test_a_wrong_setting_starts_nothing(rollcast, configured, tmp_path):
    assert rollcast("run", ROLLCAST_API__PORT="0").returncode == 2
    assert not (tmp_path / "data").exists()


def test_a_failed_job_ends_with_exit_code_1_and_its_reason(rollcast, configured, tmp_path):
    (tmp_path / "oil.csv").unlink()
    ended = rollcast("fetch")
    assert ended.returncode == 1
    assert "there is no file" in ended.stdout


@pytest.mark.parametrize("command", [["status"], ["check"], ["latest", "OIL"], ["fetch"]])
def test_a_database_that_is_none_is_told_in_one_line(rollcast, configured, tmp_path, command):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rollcast.db").write_bytes(
        b"this is no database at all, but long enough to be read as one" * 50
    )
    ended = rollcast(*command)
    assert ended.returncode == 2
    assert "cannot use the database" in ended.stderr
    assert ended.stderr.count("\n") == 1


HEAVY = ("yfinance", "scipy", "matplotlib", "polars", "pyarrow", "uvicorn", "fastapi")


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], (*HEAVY, "numpy", "pandas", "sqlalchemy", "alembic")),
        (["models", "--help"], (*HEAVY, "numpy", "pandas", "sqlalchemy", "alembic")),
        (["latest", "--help"], HEAVY),
        (["status"], HEAVY),
        (["check"], HEAVY),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(tmp_path, configured, words, heavy):
    code = (
        f"import sys; sys.argv = ['rollcast', *{words}]\nfrom service.cli import main\ntry: main()\n"
        f"finally: print('imported', [name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.stdout.endswith("imported []\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["promote", "oil"], "no such command 'promote'; there is rollcast models promote"),
        (["stauts"], "no such command 'stauts'. Did you mean 'status'? rollcast --help tells what there is"),
        (["latest"], "missing argument 'SERIES'; rollcast latest --help tells what there is"),
        (
            ["latest", "OIL", "--jsn"],
            "no such option: --jsn (Possible options: --csv, --json); rollcast latest --help ",
        ),
        (["models", "dance"], "no such command 'dance'; rollcast models --help tells what there is"),
    ],
)
def test_a_mistyped_call_is_told_in_one_line_with_exit_code_2(rollcast, words, told):
    ended = rollcast(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"rollcast: {told}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["models"], ["runs"], ["db"]])
def test_without_a_command_the_help_is_shown_with_exit_code_2(rollcast, words):
    ended = rollcast(*words)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert "Usage: " in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_told_to_end_says_so_in_one_line_and_on_record(start, rollcast, configured, tmp_path, number):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/oil.csv"
        source = f'source = {{ type = "http", url = "{url}", format = "csv" }}'
        file = tmp_path / "rollcast.toml"
        file.write_text(CONFIG.replace('source = { type = "csv", path = "oil.csv" }', source))
        process = start("fetch")
        asked, _ = silent.accept()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        asked.close()
    assert (process.returncode, out, err) == (130, "", "rollcast: ended by Ctrl-C or SIGTERM\n")
    (run,) = json.loads(rollcast("runs", "list", "--json").stdout)["runs"]
    assert run["outcome"] == "interrupted"


def test_a_reader_of_a_pipe_who_has_gone_is_no_trouble(rollcast, start, tmp_path):
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    rows = [f"OIL,{1900 + k // 360}-{k // 30 % 12 + 1:02}-{k % 30 % 28 + 1:02},{k}" for k in range(20_000)]
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    rollcast("fetch")
    process = start("export")
    assert process.stdout.readline() == "unique_id,ds,y\n"
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("words", [["sources"], ["sources", "--json"], ["--help"]], ids=" ".join)
def test_an_output_that_takes_no_more_is_told_in_one_line(tmp_path, words):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "service", *words]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    told = "rollcast: cannot write what it has to say: No space left on device; make room\n"
    assert (ended.returncode, ended.stderr) == (2, told)


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("/proc/nowhere", "cannot write /proc/nowhere: No such file or directory; name another place"),
        ("rollcast.toml", "rollcast.toml is no folder; expected one to write into"),
    ],
)
def test_where_no_folder_can_be_made_init_says_so(rollcast, configured, folder, told):
    ended = rollcast("init", folder)
    assert (ended.returncode, ended.stderr) == (2, f"rollcast: {told}\n")


def test_what_cannot_be_copied_is_told_by_the_file_that_was_to_be_written(monkeypatch, run_command):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr("shutil.copy", full)
    code, _, err = run_command("init", "sub")
    assert code == 2
    assert re.fullmatch(r"rollcast: cannot write sub/samples/\S+: No space left on device; make room\n", err)


def test_a_reader_who_has_gone_before_a_help_is_printed_is_no_trouble_either():
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "service", "--help"]
    ended = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(theirs)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_are_no_trouble(tmp_path, configured, closed):
    command = f'"{sys.executable}" -m service check {closed}'
    ended = subprocess.run(command, shell=True, cwd=tmp_path, env=ENVIRON, capture_output=True, timeout=60, check=False)  # noqa: S602
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_version_is_told(rollcast):
    assert rollcast("--version").stdout == f"rollcast {version('rollcast')}\n"


@pytest.mark.parametrize("group", ["models", "runs", "db"])
def test_the_help_of_a_group_has_an_example_of_each_of_its_commands(rollcast, group):
    told = rollcast(group, "--help").stdout
    (found,) = (each for each in chain.from_iterable(cli.COMMANDS.values()) if each.name == group)
    assert all(f"  {entry.examples[0]}" in told for entry in found.entries)
