"""The command line, as a person types it."""

import json
import subprocess
import sys

import pytest

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
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "80", **variables}
        command = [sys.executable, "-m", "service", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    return run


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


def test_status_says_that_no_daemon_runs_and_how_to_start_one(rollcast, configured):
    rollcast("fetch")
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
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(rollcast, configured, words, variables, message):
    rollcast("fetch")
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


def test_a_folder_that_cannot_be_made_is_told_in_one_line(rollcast, configured):
    ended = rollcast("init", "/proc/nowhere")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = "yfinance", "scipy", "matplotlib", "polars", "pyarrow"
    code = f"import sys, service.cli; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
