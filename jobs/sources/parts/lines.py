"""A block of a text file's lines: which of them have as many fields as the header, and what is wrong with the others.

pandas reads a block's columns quickly, but does not say what it did with lines that do not fit. So such are taken out
first, and a line is a row, whose place in the file is known. A row is one line: no field may hold a line break.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TOLD = 60  # characters of a text from a file, at most
LINE_END, MARK, BLANK = b'\n" '
SPACES = tuple(b" \t\r")

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass
class LeftOut:
    """Rows that could not be made out: how many, by what is wrong, and what to say of the first."""

    counts: Counter[str] = field(default_factory=Counter)
    complaint: str = ""
    _first: float = np.inf

    def add(self, what: str, wrong: Mask, rows: Places, told: Callable[[int], str]) -> None:
        """Some more of the rows whose numbers are `rows`. told: what to say of the one at a place."""
        if not wrong.any():
            return
        self.counts[what] += int(wrong.sum())
        place = int(wrong.argmax())
        if rows[place] < self._first:
            self._first = int(rows[place])
            self.complaint = f"row {self._first:,}: {told(place)}"


class Lines:
    """The lines of a block, (n,), each of which should have so many fields."""

    def __init__(self, data: bytes, separator: str, expected: int) -> None:
        self._data = data
        self._raw = np.frombuffer(data, np.uint8)
        self._separator = ord(separator)
        ends = np.flatnonzero(self._raw == LINE_END)
        self._ends: Places = ends if data.endswith(b"\n") else np.append(ends, len(data))
        self.starts: Places = np.concatenate([[0], self._ends[:-1] + 1])
        separators = np.flatnonzero(self._raw == self._separator)
        self._unclear: Mask = np.zeros(len(self._ends), np.bool_)  # whether quotation marks do not enclose fields
        if b'"' in data:
            separators = self._unquoted(separators)
        self._expected = expected
        self._fields = np.diff(np.searchsorted(separators, self._ends), prepend=0) + 1
        self.good: Mask = ~self._unclear & (self._fields == expected)

    def _unquoted(self, separators: Places) -> Places:
        """The separators that are not within quotation marks. Notes lines whose marks do not enclose whole fields."""
        marks = np.flatnonzero(self._raw == MARK)
        before = np.searchsorted(marks, self.starts)
        unclosed = (np.searchsorted(marks, self._ends) - before) % 2 == 1
        line = np.searchsorted(self._ends, marks)
        opening = (np.arange(len(marks)) - before[line]) % 2 == 0
        # It begins a field, also after a blank, or is the second of two that stand for one within a field.
        one, two = (self._raw[np.maximum(marks - back, 0)] for back in (1, 2))
        begins = (marks == self.starts[line]) | (one == self._separator) | (one == MARK)
        begins |= (one == BLANK) & (two == self._separator)
        self._unclear = unclosed
        self._unclear[line[opening & ~begins]] = True
        quoted = (np.searchsorted(marks, separators) - before[np.searchsorted(self._ends, separators)]) % 2 == 1
        return np.asarray(separators[~quoted])

    def data(self) -> bytes:
        """The good lines, each with \\n at its end."""
        data = self._data
        if not self.good.all():
            lengths = np.diff(np.append(self.starts, len(data)))
            data = self._raw[np.repeat(self.good, lengths)].tobytes()
        return data.replace(b"\r\n", b"\n") if b"\r" in data else data

    def leave_out(self, row: int, left_out: LeftOut) -> None:
        """Note the others, except those that are blank. row: the number of the first line."""
        rows = np.arange(row, row + len(self.good))
        wrong = ~self.good & (self._ends > self.starts)
        candidates = np.flatnonzero(wrong)
        for line in candidates[np.isin(self._raw[self.starts[candidates]], SPACES)].tolist():
            wrong[line] = bool(self._data[self.starts[line] : self._ends[line]].strip())
        left_out.add("with quotation marks that do not enclose a field", wrong & self._unclear, rows, self._told)
        wrong &= ~self._unclear
        left_out.add("with too few fields", wrong & (self._fields < self._expected), rows, self._counted)
        left_out.add("with too many fields", wrong & (self._fields > self._expected), rows, self._counted)

    def _told(self, line: int) -> str:
        text = self._data[self.starts[line] : self._ends[line]].decode(errors="replace")
        return f"the quotation marks in {shortened(text.strip())} do not enclose a field on one line"

    def _counted(self, line: int) -> str:
        return f"{self._fields[line]:,} fields, where the header has {self._expected:,}"


def shortened(text: str) -> str:
    """Something from a file, as it is quoted in a message."""
    return repr(text) if len(text) <= TOLD else repr(text[:TOLD])[:-1] + "…'"
