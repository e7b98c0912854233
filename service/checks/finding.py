"""What a check found."""

from typing import Literal

import msgspec

Level = Literal["ok", "look", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """What a check found, and the cure. level: ok; look: a person should see to it; bad: something does not work."""

    check: str
    level: Level
    found: str
    cure: str | None = None


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", found)


def look(check: str, found: str, cure: str) -> Finding:
    """It works, but a person should see to it."""
    return Finding(check, "look", found, cure)


def bad(check: str, found: str, cure: str) -> Finding:
    """Something does not work, or will not for long."""
    return Finding(check, "bad", found, cure)
