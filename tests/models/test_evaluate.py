"""The gate."""

import numpy as np

from models.evaluate import folds, gate

FOLD = np.repeat([0, 1, 2], 10)


def test_the_network_serves_where_it_wins_in_every_fold():
    verdict = gate({"naive": np.ones(30), "rnn": np.full(30, 0.9)}, FOLD, yardsticks=("naive",))
    assert verdict.winner == "rnn"


def test_the_naive_serves_where_nothing_beats_it():
    verdict = gate({"naive": np.ones(30), "rnn": np.full(30, 1.1)}, FOLD, yardsticks=("naive",))
    assert verdict.winner == "naive"
    assert verdict.reason == "nothing beats the naive (1.000)"


def test_the_better_yardstick_is_the_one_to_beat():
    errors = {"naive": np.ones(30), "seasonal_naive": np.full(30, 0.5), "rnn": np.full(30, 0.7)}
    assert gate(errors, FOLD, yardsticks=("naive", "seasonal_naive")).winner == "seasonal_naive"


def test_one_lucky_fold_is_not_enough():
    lucky = np.where(FOLD == 0, 0.1, 1.1)
    verdict = gate({"naive": np.ones(30), "rnn": lucky}, FOLD, yardsticks=("naive",))
    assert verdict.winner == "naive"
    assert "better in only 1 of 3 folds" in verdict.reason


def test_folds_are_thirds_of_each_series_oldest_first():
    assert folds(np.array([0] * 6 + [1] * 3)).tolist() == [0, 0, 1, 1, 2, 2, 0, 1, 2]
