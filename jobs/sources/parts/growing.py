"""What is known of files from one fetch to the next, so that of those that grow only what is new is read.

Of each file there is a mark: up to where all its rows are settled, which is to say older than what may still change;
up to where it has been read; and a digest of all that. Of a directory with very many files only the newest ones and
those that still change have a mark. The others are at rest: one digest stands for all of them.
"""

import hashlib
import heapq
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from jobs.sources.parts.textfile import Identity

KEPT = 100  # files whose marks are kept though they are at rest


class StartAnewError(Exception):
    """The files are not what they were, but for new rows at their ends: all has to be read anew."""


@dataclass(frozen=True)
class Mark:
    """How far a file has been read. Its places are bytes, of parquet rows."""

    identity: Identity
    position: int = 0  # all rows before it are settled
    end: int = 0  # all before it has been read
    digest: str = ""  # of what has been read
    pending: bool = True  # something after that has not, such as a line that is not complete

    @property
    def at_rest(self) -> bool:
        """Whether nothing will be asked of the file as long as it does not change."""
        return self.position == self.end and not self.pending

    def state(self) -> list[Any]:
        """As JSON."""
        return [*astuple(self.identity), self.position, self.end, self.digest, self.pending]

    @classmethod
    def of(cls, state: list[Any]) -> "Mark":
        return cls(Identity(*state[:3]), *state[3:])


@dataclass(frozen=True)
class Known:
    """What is known of some files."""

    until: int  # settled is what begins before, µs
    marks: Mapping[str, Mark]  # by the file's name
    resting: str  # digest of the files that are at rest and have no mark; empty where there are none
    newest: int  # of them, ns

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Known | None":
        """What the last fetch left, if anything."""
        try:
            marks = {name: Mark.of(mark) for name, mark in state["files"].items()}
            return cls(state["until"], marks, state["resting"], state["newest"])
        except (KeyError, TypeError):  # there is none, or another version's
            return None

    def at_rest(self, there: Mapping[str, Identity]) -> set[str]:
        """Which of the files that there are rest as before. Raises StartAnewError where others have taken part."""
        unmarked = {name: each for name, each in there.items() if name not in self.marks}
        resting = {name: each for name, each in unmarked.items() if each.mtime_ns <= self.newest}
        if not self.marks.keys() <= there.keys() or _digest(resting) != self.resting:
            raise StartAnewError
        unchanged = {name for name, mark in self.marks.items() if mark.at_rest and mark.identity == there[name]}
        return unchanged | resting.keys()


def state_of(until: int, marks: Mapping[str, Mark], there: Mapping[str, Identity]) -> dict[str, Any]:
    """What to keep for the next fetch. marks: of the files there are, except for some of those that are at rest."""
    newest = heapq.nlargest(KEPT, there, key=lambda name: there[name].mtime_ns)
    kept = {name: mark for name, mark in marks.items() if not mark.at_rest or name in newest}
    resting = {name: each for name, each in there.items() if name not in kept}
    return {
        "until": until,
        "files": {name: mark.state() for name, mark in kept.items()},
        "resting": _digest(resting),
        "newest": max((each.mtime_ns for each in resting.values()), default=-1),
    }


def _digest(files: Mapping[str, Identity]) -> str:
    if not files:
        return ""
    told = repr(sorted((name, *astuple(each)) for name, each in files.items()))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
