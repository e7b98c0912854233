"""The commands `rollcast models list`, `show`, `promote` and `rollback`."""

import json

import pytest


@pytest.fixture
def standings(sold):
    def told():
        _, out, _ = sold("models", "list", "sales", "--json")
        return [(model["version"], model["standing"]) for model in json.loads(out)["models"]]

    return told


def test_the_versions_are_listed_with_how_they_stand(sold, history):
    code, out, _ = sold("models", "list", "sales")
    assert code == 0
    heading, newest, first = out.splitlines()
    assert heading.split() == ["version", "model", "trained", "cutoff", "standing", "verdict"]
    assert newest.split()[0] == "2"
    assert "2026-01-06 07:00:00Z  waiting" in newest
    assert "2026-01-06 05:00:00Z  serving" in first


def test_the_newest_that_waits_is_promoted_and_rolled_back(sold, history, standings):
    assert sold("models", "promote", "sales")[1].startswith("sales  version 2 (")
    assert standings() == [(2, "serving"), (1, "served")]
    assert "rolling back again undoes it" in sold("models", "rollback", "sales")[1]
    assert standings() == [(2, "served"), (1, "serving")]


def test_by_default_the_one_that_serves_is_shown_with_all_that_is_known(sold, history):
    code, out, _ = sold("models", "show", "sales")
    assert code == 0
    first, *lines = out.splitlines()
    told = {line[2:].split("  ")[0]: line.rpartition("  ")[2] for line in lines}
    assert first.startswith("sales  version 1: ")
    assert first.endswith(", serving")
    assert told["trained"] == "2026-01-06 06:00:00Z, from data up to 2026-01-06 05:00:00Z"
    assert told["promoted"] == "2026-01-06 06:00:00Z, won its refit"
    assert told["answers"] == "3 steps ahead, intervals of 80 and 95 percent"
    assert told["series"] == "a"
    assert told["size"].endswith("kB")


def test_a_version_is_shown_as_json(sold, history):
    shown = json.loads(sold("models", "show", "sales", 2, "--json")[1])
    assert (shown["version"], shown["standing"], shown["promotions"]) == (2, "waiting", [])
    assert shown["size"] > 1000
    assert shown["forecaster"]["seed"] == "0"


def test_a_model_that_cannot_be_read_is_shown_without_its_configuration(sold, stored, store_model):
    with stored.begin() as session:
        store_model(session, "sales", content=b"damaged")
    code, out, _ = sold("models", "show", "sales")
    assert code == 0
    assert "forecaster  cannot be read: " in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("models promote sales 7", "panel sales has no model of version 7; its versions: 1, 2"),
        ("models show sales 7", "panel sales has no model of version 7; its versions: 1, 2"),
        ("models promote sales 1", "version 1 of panel sales serves already"),
        ("models rollback sales", "panel sales has no model to roll back to: only version 1 has served"),
        ("models list gas", "there is no panel 'gas'; there are sales"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(sold, history, words, told):
    assert sold(*words.split()) == (2, "", f"rollcast: {told}\n")


def test_before_the_first_run_there_is_nothing_to_promote(sold, tmp_path):
    code, _, err = sold("models", "promote", "sales")
    assert (code, err.endswith("rollcast run makes it\n")) == (2, True)
    assert not (tmp_path / "data").exists()


def test_before_the_first_refit_there_is_no_version(sold, stored):
    told = "panel sales has no model yet; the first refit makes one\n"
    assert sold("models", "list", "sales")[1] == told
    assert sold("models", "show", "sales")[2] == f"rollcast: {told}"
