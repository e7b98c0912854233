"""The speech example: what it claims, how it reads the data, and that masked steps do not matter."""

import importlib.util
from functools import cache

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")
if importlib.util.find_spec("aeon") is None:
    pytest.skip("JapaneseVowels comes with aeon: pip install --no-deps aeon==1.6.0", allow_module_level=True)

from examples import speech
from models.parameters import Parameters, Shape


@cache
def small():
    return speech.run(size=2, hidden=32, n_steps=300)


def test_a_small_fleet_recognises_nine_of_ten_utterances():
    assert small().accuracy >= 0.9


def test_the_split_is_the_published_one():
    train, test = speech.read("TRAIN"), speech.read("TEST")
    assert np.bincount(train.speakers).tolist() == [30] * 9
    assert np.bincount(test.speakers).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]


def test_utterances_have_7_to_29_steps():
    lengths = np.concatenate([speech.read(part).present.sum(axis=0) for part in ("TRAIN", "TEST")])
    assert (lengths.min(), lengths.max()) == (7, 29)


def test_standardised_training_steps_have_mean_0_and_deviation_1():
    train = speech.read("TRAIN")
    values = speech.standardised(train, train).X.swapaxes(1, 2)[train.present]
    assert np.allclose(values.mean(axis=0), 0.0, atol=1e-5)
    assert np.allclose(values.std(axis=0), 1.0, atol=1e-5)


def test_what_stands_in_missing_steps_changes_nothing():
    test = speech.read("TEST")
    filled = speech.Utterances(np.where(test.present[:, None], test.X, 7.0), test.present, test.speakers)
    parameters = Parameters.zeros(Shape(12, 8, 9))
    parameters.flat[:] = np.random.default_rng(0).normal(size=parameters.flat.shape)
    as_read = speech.listen(parameters, test)
    assert np.array_equal(as_read, speech.listen(parameters, filled))
    assert not np.allclose(as_read[-1], 1 / 9)


def test_every_test_utterance_is_in_the_confusion_matrix():
    speakers = small().utterances.speakers
    assert np.array_equal(small().confusion.sum(axis=1), np.bincount(speakers))


def test_where_aeon_is_missing_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps aeon==1\.6\.0"):
        speech.read("TRAIN")


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "folder" / "picture.png"
    speech.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
