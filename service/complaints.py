"""What is said of a configuration that cannot be used, and of files that cannot be written."""

import difflib
import errno
from collections.abc import Iterable


class SettingsError(Exception):
    """The configuration cannot be used; one line says which key, what it holds, and what would be accepted."""


def meant(word: str, known: Iterable[str]) -> str:
    """Which of the known words was meant, or which there are."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"


def unwritable(path: object, error: OSError, elsewhere: str = "name another place") -> str:
    """Why a file cannot be written, and the cure; `elsewhere`: what else could be done than to put that right."""
    told = f"cannot write {path}: {error.strerror or error}"
    return f"{told}; {cure(error, elsewhere)}"


def cure(error: OSError, elsewhere: str) -> str:
    """What helps against what the system refuses."""
    if is_full(error):
        return "make room"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"run this as the user whose it is, or {elsewhere}"
    return elsewhere


def is_full(error: OSError) -> bool:
    """Whether it is for want of room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
