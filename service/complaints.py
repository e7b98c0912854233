"""What is said of a configuration that cannot be used."""

import difflib
from collections.abc import Iterable


class SettingsError(Exception):
    """The configuration cannot be used; one line says which key, what it holds, and what would be accepted."""


def meant(word: str, known: Iterable[str]) -> str:
    """Which of the known words was meant, or which there are."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"
