"""The command `rollcast scores`."""

import json


def test_scores_are_shown_step_by_step(sold, history):
    code, out, _ = sold("scores", "a")
    assert code == 0
    assert "a  all that is kept: 3 steps scored, 3 wait for their truth" in out
    words = " ".join(out.split())
    assert "step scored MAE naive skill MASE coverage 80 coverage 95 1 2 " in words
    assert " 2 1 " in words
    assert " all 3 " in words


def test_scores_as_json_are_the_api_s(sold, history):
    window = json.loads(sold("scores", "a", "--json")[1])["windows"]["all"]
    assert [(step["step"], step["scored"]) for step in window["by_step"]] == [(1, 2), (2, 1)]


def test_a_series_that_is_not_there_is_told_in_one_line(sold, history):
    assert sold("scores", "b") == (2, "", "rollcast: there is no series 'b'; there are a\n")


def test_one_window_can_be_chosen(sold, history):
    assert sold("scores", "a", "--window", "all")[1].count(" steps scored, ") == 1
    assert list(json.loads(sold("scores", "a", "--window", "30d", "--json")[1])["windows"]) == ["30d"]
