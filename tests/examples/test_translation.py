"""The translation example: what it claims, how it splits the dates, and how texts become numbers."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("babel", reason="the dates are written by babel")
pytest.importorskip("matplotlib", reason="the examples draw with matplotlib")

from examples import translation


@cache
def small():
    """One format, "November 3, 2026"."""
    return translation.run(formats=[("en_US", "long")], hidden=128, size=64, n_steps=3000, rate=2e-3)


@cache
def corpus():
    return translation.gather(2024, 2025, translation.FORMATS, np.random.default_rng(0))


@pytest.mark.slow
def test_a_small_network_translates_unseen_dates_exactly():
    assert small().right.mean() >= 0.97


def test_no_date_of_the_test_is_trained_on_in_any_format():
    full = {pair[1].rsplit(" ", 1)[0] if pair[1].endswith("요일") else pair[1] for pair in corpus().train}
    seen = [korean for _, korean in corpus().test if korean in full]
    assert seen == []


def test_the_three_parts_hold_every_date_in_every_format():
    parts = corpus().train, corpus().followed, corpus().test
    assert [len(part) for part in parts] == [(731 - 36 - 36) * 9, 36 * 9, 36 * 9]


def test_the_english_text_alone_decides_the_korean_one():
    pairs = corpus().train
    assert len(dict(pairs)) == len(set(pairs))


def test_the_korean_names_the_weekday_where_the_english_does():
    pair = ("Monday, November 24, 2025", "2025년 11월 24일 월요일")
    assert pair in corpus().train + corpus().followed + corpus().test


def test_the_encoder_reads_the_text_from_both_ends():
    X, _, present = translation.batch(corpus(), [("Nov 3, 2025", "")]).inputs
    letters, size = corpus().english, len(corpus().english)
    fore, back = X[present[:, 0], :size, 0].argmax(axis=1), X[present[:, 0], size:, 0].argmax(axis=1)
    assert "".join(letters[i] for i in fore) == "Nov 3, 2025"
    assert "".join(letters[i] for i in back) == "5202 ,3 voN"


def test_the_end_of_a_text_counts_and_what_comes_behind_it_does_not():
    batch = translation.batch(corpus(), [("Nov 3, 2025", "2025년 11월 3일")])
    assert np.asarray(batch.weights)[:, 0].tolist() == [True] * 13 + [False] * (corpus().steps_out - 13)


def test_hangul_is_romanised_in_the_picture():
    assert [translation.shown(letter) for letter in "년월일"] == ["nyeon", "weol", "il"]


@pytest.mark.slow
def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "folder" / "picture.png"
    translation.draw(small(), path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
