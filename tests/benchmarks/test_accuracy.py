"""The benchmark of accuracy: its pairs are the backtest's, and so are its scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import accuracy, accuracy_lines, accuracy_tasks
from benchmarks.accuracy import line, measure, table
from benchmarks.accuracy_lines import LINES, METHODS, OURS, Row
from benchmarks.accuracy_ours import laid_out, our_forecasts
from benchmarks.accuracy_scores import score, yardstick
from benchmarks.accuracy_tasks import Task, counted

DAY = 10.0 * np.sin(np.arange(24) * 2 * np.pi / 24)


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    days = [50.0 + np.tile(DAY, 9)[:length] + rng.normal(size=length) for length in (216, 190)]
    series = {name: counted(np.round(values, 3)) for name, values in zip(("b", "a"), days, strict=True)}
    return Task("small", series, "1h", season=24, horizon=6, cutoffs=5, stride=7)


@pytest.fixture(scope="module")
def ours(task):
    """What the command makes of it."""
    return our_forecasts(task)


def test_the_scores_are_those_of_the_command(task, ours):
    mine, naive = score(task, ours.forecasts), yardstick(task)
    assert mine.owa(naive) == pytest.approx(ours.metrics["owa"], rel=1e-6)
    assert naive.smape.mean() == pytest.approx(ours.metrics["naive2"]["smape"], rel=1e-6)
    for level in (80, 95):
        assert mine.msis(level) == pytest.approx(ours.metrics["msis"][str(level)], rel=1e-6)
        assert mine.coverage(level) == pytest.approx(100 * ours.metrics["coverage"][str(level)], rel=1e-6)


def written(task, skipped=0):
    """Forecasts as the command writes them: pairs in its order, values that tell where they belong."""
    rows = [
        (name, str(end + step), str(end - 1), *(1000 * place + 10 * step + k for k in range(5)))
        for place, (name, end) in list(enumerate(task.pairs))[::-1][skipped:]
        for step in range(task.horizon)
    ]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "cutoff", "yhat", "lo_80", "hi_80", "lo_95", "hi_95"])


def test_what_the_command_writes_comes_to_its_pair_and_step(task):
    found = laid_out(task, written(task), 1.5)
    pair_step = 1000 * np.arange(len(task.pairs))[:, None] + 10 * np.arange(task.horizon)
    np.testing.assert_array_equal(found.mean, pair_step)
    np.testing.assert_array_equal(found.lo, np.stack([pair_step + 1, pair_step + 3], axis=1))
    np.testing.assert_array_equal(found.hi, np.stack([pair_step + 2, pair_step + 4], axis=1))
    assert found.seconds == 1.5


def test_a_pair_that_was_not_forecast_is_missing(task):
    missing = np.isnan(laid_out(task, written(task, skipped=3), 0.0).mean).all(axis=1)
    assert missing.tolist() == [False] * 7 + [True] * 3


def test_the_random_walk_is_the_yardstick_without_a_season(task):
    walk = replace(task, season=1)
    ends = [(walk.series[name].values, end) for name, end in walk.pairs]
    errors = [np.abs(values[end : end + 6] - values[end - 1]).mean() for values, end in ends]
    np.testing.assert_allclose(yardstick(walk).error, errors)


def test_origins_of_signals_lie_in_the_second_half(monkeypatch):
    monkeypatch.setattr(accuracy_tasks, "_values", lambda _name: np.arange(1127.0))
    ends = [end for _, end in accuracy_tasks.signals()[-1].pairs]
    assert len(ends) == 200
    assert 1127 // 2 < ends[0] < ends[-1] == 1127 - 12


def test_data_that_are_not_here_skip_their_lines(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(accuracy_tasks, "SHARED", tmp_path)
    assert list(measure(["weekly", "signals"], accuracy_lines.Setting(tmp_path, False, 1))) == []
    assert capsys.readouterr().out.count("skipped") == 2


def test_the_table_tells_what_is_asked_and_whether_it_is_reached():
    figures = dict(zip(METHODS, (0.651, 0.855, 0.946, 0.792), strict=True))
    row = Row("weekly", "owa", "OWA", figures, "≤ 0.66", True)
    assert line(row) == "| OWA | 0.651 | 0.855 | 0.946 | 0.792 | ≤ 0.66 | yes |  |"
    alone = Row("seconds", "walk", "2,000 values", {OURS: 2.5}, "≤ 2 s", False, "a note", digits=2)
    assert line(alone) == "| 2,000 values | 2.50 | – | – | – | ≤ 2 s | **no** | a note |"
    told = table([row, alone], {"libraries": {"numpy": "2"}, "python": "3.11", "processor": "a core"})
    assert "1 of 2 targets are reached" in told
    assert [told.index(f"## {LINES[name][0]}") for name in ("weekly", "seconds")]


def test_rows_of_before_stay_where_the_libraries_are_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path / "accuracy.json")
    about = {"libraries": {"numpy": "2"}, "python": "3.11", "processor": "a core"}
    row = Row("seconds", "walk", "2,000 values", {OURS: 2.5}, "≤ 2 s", False, "a note", digits=2)
    accuracy.write([row], about)
    assert accuracy.rows_before(about) == [row]
    assert accuracy.rows_before(about | {"python": "3.12"}) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.json", "accuracy.md", "accuracy.png"]
