"""Hiding secrets."""

import json
from urllib.parse import quote

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


@pytest.mark.parametrize("text", ["Illegal header value b'Bearer hunter22\\n'", "Bearer hunter22", "hunter22\\n"])
def test_the_end_of_the_line_that_a_file_of_a_secret_has_does_not_save_it(text):
    assert "hunter22" not in hide(text, ["hunter22\n"])


@pytest.mark.parametrize("write", [repr, json.dumps, lambda text: quote(text).lower(), lambda text: quote(text, " +")])
def test_a_secret_is_hidden_however_it_is_written(write):
    hidden = 'it\'s p@ss/\\ "wörd"\ttoken'
    told = hide(f"GET {write(hidden)} failed", [hidden])
    assert "token" not in told.lower()
    assert "***" in told


@pytest.mark.parametrize(
    "text",
    ["hooks.example.com/services/T00/B00 answered HTTP 404", "password pw12345 is wrong", "?key=abcdef01", "abcdef01"],
)
def test_of_a_whole_url_the_parts_that_may_be_secret_are_hidden(text):
    told = hide(text, ["https://me:pw12345@hooks.example.com/services/T00/B00?key=abcdef01&format=json"])
    assert not any(part in told for part in ("T00", "pw12345", "abcdef01"))


def test_of_a_whole_url_the_host_is_told():
    assert (
        hide("db.example.com is down", ["postgresql://me:pw12345@db.example.com/metrics"]) == "db.example.com is down"
    )
