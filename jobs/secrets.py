"""Secrets: values from the environment that must appear in no log, error, answer or row."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

HIDDEN = "***"
NOTHING = "(?!)"  # a regular expression that fits nowhere
SHORTEST = 4  # characters; anything shorter stands in ordinary words too, and to hide it would tell it
LONG = 8  # characters; shorter values in a URL's query are mostly words


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets: as they are, as they stand in a URL, or as Python or JSON write them; without the
    blanks at their ends, and of a URL without the parts that may be secret by themselves.
    """
    return _pattern_of_all(tuple(secrets)).sub(HIDDEN, text)


@lru_cache(maxsize=100)
def _pattern_of_all(secrets: tuple[str, ...]) -> re.Pattern[str]:
    parts = {part.strip() for secret in secrets for part in _parts(secret)}
    longest_first = sorted(parts, key=len, reverse=True)  # one may hold another
    return re.compile("|".join(_pattern(part) for part in longest_first if len(part) >= SHORTEST) or NOTHING)


def _parts(secret: str) -> Iterator[str]:
    yield secret
    if "://" not in secret:
        return
    try:
        url = urlsplit(secret)
    except ValueError:  # it only looks like one
        return
    yield from (url.password or "", url.path.strip("/"), url.query)
    yield from (value for _, value in parse_qsl(url.query) if len(value) >= LONG)


def _pattern(secret: str) -> str:
    """A regular expression for all the ways in which a text may be written, one character at a time."""
    return "".join(f"(?:{'|'.join(map(re.escape, _ways(each)))})" for each in secret)


def _ways(character: str) -> list[str]:
    quoted = quote(character, safe="", errors="replace")
    ways = {character, quoted, quoted.lower(), json.dumps(character)[1:-1], repr(character)[1:-1]}
    ways |= {"+"} if character == " " else set()
    ways |= {f"\\{character}"} if character in "'\"" else set()
    return sorted(ways, key=len, reverse=True)
