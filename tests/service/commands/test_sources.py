"""The commands `rollcast sources` and `rollcast fetch --dry-run`."""

import json

import pytest

from jobs import sources

CONFIG = """
[panels.oil]
source = { type = "csv", path = "oil.csv" }
interval = "1d"
horizon = 5
"""
ROWS = ["OIL,2025-01-01,70", "OIL,2025-01-02,71.5", "GAS,2025-01-01,3", "GAS,2025-01-02,nan"]


@pytest.fixture
def rollcast(tmp_path, run_command):
    """The command on a panel of two series."""
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    (tmp_path / "oil.csv").write_text("\n".join(["unique_id,ds,y", *ROWS, ""]))
    return run_command


def test_every_source_is_listed_with_every_option_and_what_it_is(rollcast):
    code, out, _ = rollcast("sources", "--json")
    listed = {source["type"]: source for source in json.loads(out)["sources"]}
    assert code == 0
    assert set(listed) == set(sources.BUILT_IN)
    for source in listed.values():
        assert source["about"].endswith(".")
        assert all(option["help"] for option in source["options"]), source


def test_the_list_is_for_people_too(rollcast):
    _, out, err = rollcast("sources")
    assert "symbols" in out
    assert "required" in out
    assert "docs/sources.md" in err
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_a_dry_run_tells_what_would_come_and_stores_nothing(rollcast, tmp_path):
    code, out, _ = rollcast("fetch", "oil", "--dry-run")
    assert code == 0
    assert out.startswith("oil  would bring  3 new, 1 not finite\n")
    assert [line.split() for line in out.splitlines()[2:]] == [
        ["OIL", "2", "0", "2025-01-01", "00:00:00Z", "2025-01-02", "00:00:00Z"],
        ["GAS", "1", "0", "2025-01-01", "00:00:00Z", "2025-01-01", "00:00:00Z"],
    ]
    assert not (tmp_path / "data").exists()


def test_a_dry_run_tells_programs_the_same(rollcast):
    code, out, _ = rollcast("fetch", "--dry-run", "--json")
    (panel,) = json.loads(out)["panels"]
    gas, oil = sorted(panel.pop("series"), key=lambda series: series["name"])
    assert code == 0
    assert panel == {
        "name": "oil",
        "would_fail": None,
        "new": 3,
        "revised": 0,
        "dropped": {"not finite": 1},
        "failures": {},
    }
    assert (gas["name"], gas["new"]) == ("GAS", 1)
    times = {"first": "2025-01-01T00:00:00Z", "last": "2025-01-02T00:00:00Z"}
    assert oil == {"name": "OIL", "new": 2, "revised": 0, **times}


def test_json_of_a_fetch_that_is_made_is_refused(rollcast, tmp_path):
    code, _, err = rollcast("fetch", "--json")
    assert (code, "--dry-run" in err, (tmp_path / "data").exists()) == (2, True, False)


def test_a_dry_run_beside_stored_data_tells_what_is_new(rollcast, tmp_path):
    rollcast("fetch")
    with (tmp_path / "oil.csv").open("a") as file:
        file.write("OIL,2025-01-03,72\nOIL,2025-01-02,71\n")
    assert "would bring  1 new, 1 revised" in rollcast("fetch", "--dry-run")[1]
    assert "oil  ok  1 new, 1 revised" in rollcast("fetch")[1]


def test_a_dry_run_that_would_fail_says_why_and_ends_with_1(rollcast, tmp_path):
    (tmp_path / "oil.csv").unlink()
    code, out, _ = rollcast("fetch", "--dry-run")
    assert code == 1
    assert "oil  would fail  there is no file" in out
    code, out, _ = rollcast("fetch", "--dry-run", "--json")
    assert code == 1
    assert json.loads(out)["panels"][0]["would_fail"].startswith("there is no file")
