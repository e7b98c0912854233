"""The command `rollcast check`: what it says; test_cli.py tries it, and `rollcast init`, as a process."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.service.commands.conftest import CONFIG


@pytest.fixture
def told(sold):
    """What it tells programs."""
    return lambda: json.loads(sold("check", "--json")[1])


def test_before_the_first_run_a_fetch_is_due_and_no_refit(told, tmp_path):
    before = datetime.now(UTC)
    found = told()
    (panel,) = found.pop("panels")
    assert found == {
        "configuration": str(tmp_path / "rollcast.toml"),
        "database": f"sqlite:///{tmp_path}/data/rollcast.db",
        "api": "http://127.0.0.1:8765",
    }
    assert before <= datetime.fromisoformat(panel.pop("next_fetch")) <= datetime.now(UTC)
    assert panel == {
        "name": "sales",
        "source": "csv sales.csv",
        "interval": "1h",
        "horizon": 3,
        "fetch_every": "1h",
        "refit_every": "1d",
        "next_refit": None,
    }


def test_later_it_tells_when_they_are_due(told, sold, tmp_path):
    (tmp_path / "sales.csv").write_text("unique_id,ds,y\na,2026-01-05T00:00:00Z,1\n")
    sold("fetch")
    sold("refit")
    (panel,) = told()["panels"]
    now = datetime.now(UTC)
    assert now < datetime.fromisoformat(panel["next_fetch"]) <= now + timedelta(hours=1)
    assert panel["next_refit"] is not None


def test_the_built_in_configuration_is_no_file(run_command):
    assert json.loads(run_command("check", "--json")[1])["configuration"] is None


def test_a_configuration_with_which_the_daemon_would_not_start_does_not_pass(sold, tmp_path):
    (tmp_path / "rollcast.toml").write_text('[api]\nhost = "192.168.1.7"\n' + CONFIG)
    code, out, err = sold("check")
    assert (code, out) == (2, "")
    assert err.startswith("rollcast: api.host = 192.168.1.7: others can reach that, so the API wants a token; ")


def test_a_file_that_is_not_there_is_to_be_looked_at_and_no_fault(sold, tmp_path):
    code, _, err = sold("check")
    assert (code, err) == (0, f"look  sales: there is no file {tmp_path}/sales.csv; until then its fetches fail\n")


def test_of_files_that_are_there_nothing_is_said(sold, tmp_path):
    (tmp_path / "sales.csv").touch()
    assert sold("check")[2] == ""
