"""Backtests of a file's rows."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from jobs import longfile, summary
from jobs.backtest import BacktestError, frames, replay, usual_refits
from jobs.fit import Fitted, fit
from jobs.refit import Asked
from jobs.rows import RowHistory
from models.errors import DivergedError
from models.forecaster import Forecast

HORIZON, LEVELS = 4, (80, 95)
HOURS = pd.date_range("2026-01-05", periods=1000, freq="h").strftime("%Y-%m-%d %H:%M:%S").tolist()


@pytest.fixture
def history(tmp_path):
    """Make a history of some series, a row an hour."""

    def make(cutoffs=1, stride=1, horizon=HORIZON, season=1, seasons=(), shuffle=False, **series):
        table = pd.concat(
            [pd.DataFrame({"unique_id": name, "ds": HOURS[: len(y)], "y": y}) for name, y in series.items()]
        )
        path = tmp_path / "file.csv"
        (table.sample(frac=1, random_state=0) if shuffle else table).to_csv(path, index=False)
        asked = Asked("file", horizon, LEVELS, 0)
        return RowHistory(longfile.read(path), asked, cutoffs=cutoffs, stride=stride, seasons=seasons, season=season)

    return make


class Line:
    """A forecaster that goes on by one a step; with a bound one below and above, and errors of one expected."""

    lookback_ = 2
    horizon = HORIZON
    expected_ = np.ones(HORIZON)

    def __init__(self):
        self.live = []

    def forecast(self, contexts, live):
        self.live.append(live)
        found = {}
        for name, context in contexts.items():
            mean = context[-1] + np.arange(1.0, HORIZON + 1)
            bounds = np.stack([mean, mean])
            found[name] = Forecast(mean, mean, bounds - 1, bounds + 1, unit=2.0, scale=1.0)
        return found

    def live_errors(self, errors, units):
        return np.abs(errors) / units


def fitted(task, accepted=True, kind="line"):
    return Fitted(kind.encode(), kind, accepted, "")


def by_line(history, every=1, **options):
    return replay(history, every, **{"fit": fitted, "load": lambda _: Line(), **options})


def wave(n=150, seed=0):
    return 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 12) + np.random.default_rng(seed).normal(size=n)


def bits(replayed):
    """Every forecast and bound; and every model whole: its weights, scales, the gate's verdict, its calibration."""
    forecasts = [(made.mean.tobytes(), made.lo.tobytes(), made.hi.tobytes()) for made in replayed.made]
    return forecasts, [refit.fitted.content for refit in replayed.refits]


def test_a_forecaster_that_is_exact_scores_zero(history):
    t = np.arange(60.0)
    past = history(cutoffs=5, stride=3, a=t, b=t[:50] + 7)
    measures = summary.summarise(past, by_line(past)).measures["model"]
    assert (measures.smape, measures.mase, measures.owa) == (0.0, 0.0, 0.0)
    assert measures.coverage == {80: 1.0, 95: 1.0}


def test_nothing_after_the_cutoff_is_seen(history):
    before = {"a": wave(), "b": wave(120, seed=1)}
    noise = np.random.default_rng(9).normal(size=HORIZON) * 1000
    after = {name: np.r_[y[:-HORIZON], noise] for name, y in before.items()}
    first, second = (bits(replay(history(seasons=(12,), **series), 1)) for series in (before, after))
    assert first == second


def test_nothing_after_the_cutoff_of_another_series_is_seen(history):
    first = replay(history(seasons=(12,), a=wave(), b=wave(120, seed=1)), 1)
    other = np.r_[wave(120, seed=1)[:-HORIZON], np.full(HORIZON, 1e6)]
    assert bits(replay(history(seasons=(12,), a=wave(), b=other), 1)) == bits(first)


def test_at_an_old_cutoff_no_newer_row_is_seen(history):
    y = wave(140)
    forecasts, models = bits(replay(history(cutoffs=4, a=y), 1))
    assert (forecasts[:1], models[:1]) == bits(replay(history(a=y[:-3]), 1))


def test_the_order_of_the_rows_does_not_matter(history):
    series = {"b": wave(seed=1), "a": wave(120)}
    assert bits(replay(history(**series), 1)) == bits(replay(history(shuffle=True, **series), 1))


def test_cutoffs_lie_a_stride_apart_the_newest_one_horizon_before_the_end(history):
    past = history(cutoffs=3, stride=5, a=np.arange(30.0), b=np.arange(40.0))
    assert [{k.name: k.end for k in past.known(number)} for number in range(3)] == [
        {"a": 16, "b": 26},
        {"a": 21, "b": 31},
        {"a": 26, "b": 36},
    ]


def test_targets_are_the_rows_after_the_cutoff(history):
    (known,) = history(a=np.arange(30.0)).known(0)
    assert known.targets.tolist() == [26, 27, 28, 29]
    assert known.context(3).tolist() == [23, 24, 25]


def test_a_short_series_joins_in_once_it_has_two_rows(history):
    past = history(cutoffs=4, a=np.arange(30.0), b=np.arange(7.0))
    assert [[known.name for known in past.known(number)] for number in range(4)] == [
        ["a"],
        ["a"],
        ["a", "b"],
        ["a", "b"],
    ]


def test_cutoffs_that_no_series_reaches_are_not_gone_through(history):
    assert len(history(cutoffs=1000, stride=2, a=np.arange(10.0))) == 3


def test_where_no_series_is_long_enough_it_is_told_what_would_be(history):
    with pytest.raises(BacktestError, match="the longest, a, has 5 rows, and a horizon of 4 needs 6"):
        history(a=np.arange(5.0))


def test_where_no_model_can_be_fitted_it_is_told_why(history):
    with pytest.raises(BacktestError, match=r"nothing can be forecast: 6 of the .* consecutive observations"):
        by_line(history(a=np.arange(10.0)))


def test_fits_are_those_of_live_with_the_champion_of_the_refit_before(history):
    tasks = []

    def spy(task):
        tasks.append(task)
        return fit(task)

    replay(history(cutoffs=3, seasons=(12,), a=wave()), 1, fit=spy)
    assert [len(task.histories["a"][0]) for task in tasks] == [144, 145, 146]
    assert tasks[0].champion is None
    assert tasks[1].champion == fit(tasks[0]).content
    assert (tasks[0].seasons, tasks[0].horizon, tasks[0].levels) == ((12,), HORIZON, LEVELS)


def test_a_challenger_that_is_not_promoted_does_not_serve(history):
    kinds = iter(["first", "second", "third"])
    promotions = iter([True, False, True])
    seen, served = [], []

    def judged(task):
        seen.append(task.champion)
        return fitted(task, accepted=next(promotions), kind=next(kinds))

    def load(content):
        served.append(content)
        return Line()

    replayed = replay(history(cutoffs=3, a=np.arange(40.0)), 1, fit=judged, load=load)
    assert seen == [None, b"first", b"first"]
    assert served == [b"first", b"third"]
    assert replayed.kinds == {"first": 1, "second": 1, "third": 1}


def test_a_fit_is_told_how_many_rows_the_champion_was_fitted_without(history):
    tasks = []

    def spy(task):
        tasks.append(task.unseen)
        return fitted(task, accepted=len(tasks) < 3)

    replay(history(cutoffs=4, stride=3, a=np.arange(60.0), b=np.arange(45.0)), 1, fit=spy, load=lambda _: Line())
    assert tasks == [{}, {"a": 3, "b": 3}, {"a": 3, "b": 3}, {"a": 6, "b": 6}]


def test_live_errors_are_known_as_far_as_the_targets_have_come(history):
    y = np.arange(40.0)
    y[35] += 3  # the last value that is known at the newest cutoff
    line = Line()
    by_line(history(cutoffs=3, a=y), every=10, load=lambda _: line)
    nan = np.nan
    for live, expected in zip(
        line.live, ([], [[0, nan, nan, nan]], [[0, 1.5, nan, nan], [1.5, nan, nan, nan]]), strict=True
    ):
        np.testing.assert_array_equal(live["a"], np.reshape(expected, (-1, HORIZON)))


def test_a_new_champion_has_no_live_errors_yet(history):
    lines = []

    def load(_):
        lines.append(Line())
        return lines[-1]

    by_line(history(cutoffs=4, a=np.arange(40.0)), every=2, load=load)
    assert [[len(live["a"]) for live in line.live] for line in lines] == [[0, 1], [0, 1]]


def test_the_order_of_the_rows_does_not_matter_to_live_errors(history):
    lines = Line(), Line()
    for shuffle, line in zip((False, True), lines, strict=True):
        past = history(cutoffs=6, shuffle=shuffle, a=wave(60), b=wave(50, seed=1))
        by_line(past, every=10, load=lambda _, line=line: line)
    for first, second in zip(lines[0].live, lines[1].live, strict=True):
        assert [first[name].tobytes() for name in "ab"] == [second[name].tobytes() for name in "ab"]


def jump(n=100, at=60):
    """Exact for a while, and then far off what a line goes on to."""
    y = np.arange(float(n))
    y[at:] += 50 * (np.arange(n - at) % 2)
    return y


def test_drift_forces_a_refit_between_two_that_are_due(history):
    past = history(cutoffs=60, a=jump())
    replayed = by_line(past, every=100)
    forced = [refit for refit in replayed.refits if refit.drift]
    assert len(forced) == replayed.drift_refits >= 1
    assert 60 - 37 <= forced[0].number <= 60 - 37 + 20
    assert forced[0].drift.ratio > 2


def test_without_drift_no_refit_is_forced(history):
    assert by_line(history(cutoffs=60, a=np.arange(100.0)), every=100).drift_refits == 0


def test_refits_that_drift_forces_lie_a_cool_down_apart(history):
    replayed = by_line(history(cutoffs=60, a=jump()), every=100)
    numbers = [refit.number for refit in replayed.refits]
    assert len(numbers) > 2
    assert min(np.diff(numbers)) >= 10  # a tenth of the usual time, which is more than a horizon


@pytest.mark.parametrize(("every", "numbers"), [(1, [0, 1, 2, 3, 4, 5]), (4, [0, 4]), (timedelta(hours=6), [0, 3])])
def test_refits_come_after_so_many_cutoffs_or_so_much_time(history, every, numbers):
    replayed = by_line(history(cutoffs=6, stride=2, a=np.arange(60.0)), every)
    assert [refit.number for refit in replayed.refits] == numbers


@pytest.mark.parametrize(("cutoffs", "every"), [(1, 1), (12, 1), (13, 2), (250, 21)])
def test_unless_told_there_are_about_twelve_refits(cutoffs, every):
    assert usual_refits(cutoffs) == every


def test_a_refit_that_fails_is_due_again_at_the_next_cutoff(history):
    outcomes = iter([None, DivergedError("up and away"), None])

    def sometimes(task):
        error = next(outcomes)
        if error:
            raise error
        return fitted(task)

    replayed = by_line(history(cutoffs=3, a=np.arange(60.0)), 1, fit=sometimes)
    assert [refit.number for refit in replayed.refits] == [0, 2]
    assert replayed.forecasts == 3


def test_the_same_history_gives_the_same_bits(history):
    past = history(cutoffs=2, a=wave(), b=wave(100, seed=3))
    assert bits(replay(past, 1)) == bits(replay(past, 1))


def test_forecasts_come_with_the_file_s_own_words_for_series_and_time(history):
    past = history(cutoffs=2, a=np.arange(30.0), b=np.arange(40.0))
    older, newer = frames(past, by_line(past))
    assert list(newer.columns) == ["unique_id", "ds", "cutoff", "yhat", "lo_80", "hi_80", "lo_95", "hi_95"]
    assert older["ds"].tolist() == [*HOURS[25:29], *HOURS[35:39]]
    assert newer["ds"].tolist() == [*HOURS[26:30], *HOURS[36:40]]
    assert newer["cutoff"].tolist() == [HOURS[25]] * 4 + [HOURS[35]] * 4
    assert newer["unique_id"].tolist() == ["a"] * 4 + ["b"] * 4
    assert newer["yhat"].tolist() == [26, 27, 28, 29, 36, 37, 38, 39]
    assert newer["lo_95"].tolist() == [25, 26, 27, 28, 35, 36, 37, 38]


def test_the_fingerprint_of_a_fit_changes_with_the_rows_before_the_cutoff_alone(history):
    def fingerprint(y):
        return history(a=y).observed(0).fingerprint

    y = wave()
    assert fingerprint(y) == fingerprint(np.r_[y[:-1], 0.0])
    assert fingerprint(y) != fingerprint(np.r_[0.0, y[1:]])


def test_naive2_on_m4_weekly_scores_what_is_known_of_it():
    path = Path(__file__).parents[3] / "shared" / "data" / "m4_weekly_dev.csv.gz"
    if not path.exists():
        pytest.skip("the weekly series of M4 are not beside this checkout, in ../shared/data")
    past = RowHistory(longfile.read(path), Asked("m4", 13, LEVELS, 0), cutoffs=1, stride=1, seasons=(52,), season=1)

    def load(_):
        flat = SimpleNamespace(mean=np.zeros(13), lo=np.zeros((2, 13)), hi=np.zeros((2, 13)), unit=1.0)
        return SimpleNamespace(
            lookback_=2,
            horizon=13,
            forecast=lambda contexts, _live: dict.fromkeys(contexts, flat),
            live_errors=lambda errors, units: np.abs(errors) / units,
        )

    found = summary.summarise(past, replay(past, 1, fit=fitted, load=load))
    assert found.series == 144
    assert round(found.measures["naive2"].smape, 2) == 8.80
    assert round(found.measures["naive2"].mase, 3) == 3.120
    assert found.measures["naive2"].owa == 1.0


def test_a_file_that_counts_needs_no_times(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("ds,y\n" + "".join(f"{10**18 + k},{k}\n" for k in range(30)))
    past = RowHistory(longfile.read(path), Asked("c", 4, LEVELS, 0), cutoffs=1, stride=1, seasons=(), season=1)
    (made,) = frames(past, by_line(past))
    assert made["ds"].tolist() == [10**18 + k for k in range(26, 30)]
