"""Hiding secrets."""

import pytest

from jobs.secrets import hide


@pytest.mark.parametrize(
    "text", ["GET /?key=p%40ss+w%2Frd", "GET /?key=p%40ss%20w%2Frd", "user:p@ss w/rd@host", "/p%40ss%20w/rd/"]
)
def test_a_secret_is_hidden_as_it_is_and_as_it_stands_in_a_url(text):
    assert "***" in hide(text, ["p@ss w/rd"])
    assert "ss" not in hide(text, ["p@ss w/rd"])


def test_a_secret_within_another_leaves_nothing_of_the_longer_one():
    assert hide("token abcdefgh", ["abcd", "abcdefgh"]) == "token ***"


def test_text_without_secrets_stays_as_it_is():
    assert hide("no route to host", ["hunter22", ""]) == "no route to host"


def test_what_is_too_short_to_be_a_secret_does_not_tear_words_apart():
    assert hide("a cat", ["a"]) == "a cat"
