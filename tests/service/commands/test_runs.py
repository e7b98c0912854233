"""The commands `rollcast runs list` and `rollcast runs show`."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from db import queries

START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def recorded(stored):
    """Four runs: two good fetches, a refit that failed, and one that still runs."""
    with stored.begin() as session:
        for minutes, job, outcome, reason in (
            (0, "fetch", "ok", "3 new"),
            (5, "fetch", "ok", "1 new"),
            (6, "refit", "failed", "out of [memory]"),
        ):
            started = START + timedelta(minutes=minutes)
            run = queries.start_run(session, job, "sales", due=started, started=started)
            queries.end_run(session, run, ended=started + timedelta(seconds=90), outcome=outcome, reason=reason)
        queries.start_run(session, "refit", "sales", due=START, started=START + timedelta(minutes=9))


def ids(out):
    return [run["id"] for run in json.loads(out)["runs"]]


def test_the_newest_come_first_with_how_they_ended_and_why(sold, recorded):
    code, out, _ = sold("runs", "list")
    heading, newest, failed, *_ = out.splitlines()
    assert code == 0
    assert heading.split() == ["id", "panel", "job", "started", "took", "outcome", "reason"]
    assert newest.split() == ["4", "sales", "refit", "2026-01-05", "00:09:00Z", "–", "running"]
    assert failed.split()[3:] == ["2026-01-05", "00:06:00Z", "90s", "failed", "out", "of", "[memory]"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("--job fetch", [2, 1]),
        ("--outcome failed", [3]),
        ("--job fetch --limit 1", [2]),
        ("--panel sales --outcome running", [4]),
    ],
)
def test_they_can_be_chosen(sold, recorded, words, found):
    assert ids(sold("runs", "list", "--json", *words.split())[1]) == found


def test_it_says_that_there_are_more(sold, recorded):
    assert sold("runs", "list", "--limit", 3)[2] == "The newest 3 are shown; --limit tells more.\n"


def test_it_says_where_there_is_none(sold, recorded):
    code, out, err = sold("runs", "list", "--job", "prune")
    assert (code, out) == (0, "")
    assert err.startswith("There is no run like that on record")


def test_one_is_shown_with_all_that_is_known(sold, recorded):
    assert sold("runs", "show", 3)[1].splitlines() == [
        "run 3: refit of sales, failed",
        "  due      2026-01-05 00:06:00Z",
        "  started  2026-01-05 00:06:00Z",
        "  ended    2026-01-05 00:07:30Z, after 90s",
        "  reason   out of [memory]",
    ]
    assert json.loads(sold("runs", "show", 3, "--json")[1])["duration_s"] == 90


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("show 9", "there is no run 9 on record; rollcast runs list tells which there are"),
        ("list --panel gas", "there is no panel 'gas'; there are sales"),
        ("list --limit 0", "invalid value for '--limit': it should be greater than or equal to 1; "),
        ("list --job dance", "invalid value for '--job': 'dance' is not one of 'fetch', 'score', "),
        (f"show {2**63}", "invalid value for 'ID': it should be less than or equal to 9223372036854775807; "),
        ("show", "missing argument 'ID'; rollcast runs show --help tells what there is"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_exit_code_2(sold, recorded, words, told):
    code, out, err = sold("runs", *words.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"rollcast: {told}")
    assert err.count("\n") == 1
