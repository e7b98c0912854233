"""Answers in JSON or CSV, as columns of rows. What is not there is told together with what is there instead."""

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jobs.sources.base import SourceDownError
from jobs.sources.parts.rows import Columns, expression, picked
from jobs.sources.parts.web import Answer, said, shortened

USUAL_ID = "unique_id"
CHUNK = 100_000  # rows of CSV at once
KEYS_TOLD = 8
CHARSET = re.compile(r"charset=\"?([\w.:-]+)")

Format = Literal["json", "csv"]


@dataclass(frozen=True)
class Layout:
    """Where a document has what: JMESPaths in JSON, names of columns in CSV."""

    rows: str
    id: str | None  # None: USUAL_ID, and where that is not there all rows are one series
    time: str
    value: str
    name: str  # of that one series

    def options(self) -> dict[str, str]:
        """What is looked for in a row, by the option that says where."""
        return {"id": self.id or USUAL_ID, "time": self.time, "value": self.value}

    def check_paths(self) -> None:
        """Raise ValueError where one is no JMESPath."""
        for option, path in {"rows": self.rows, **self.options()}.items():
            expression(option, path)


def format_of(answer: Answer) -> Format:
    """What an answer is, as its Content-Type says, or else as it begins."""
    kind = answer.headers.get("Content-Type", "").lower()
    if "json" in kind or "csv" in kind:
        return "json" if "json" in kind else "csv"
    return "json" if answer.content.lstrip()[:1] in (b"{", b"[") else "csv"


def read_json(answer: Answer) -> Any:
    """The answer's document. Raises SourceDownError."""
    if not answer.content.strip():
        raise SourceDownError(f"{answer.place} answered with nothing")
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise SourceDownError(f"{answer.place} answered with broken JSON: {shortened(str(error))}") from error


def found_in(document: object, option: str, path: str, place: str) -> Any:
    """What an option's JMESPath finds in a document. Raises SourceDownError where it does not fit."""
    try:
        return expression(option, path).search(document)
    except ValueError as error:  # all of JMESPath's are
        raise SourceDownError(f"{place}: {option} = {path!r} does not fit: {shortened(str(error))}") from error


def json_columns(document: object, layout: Layout, place: str) -> Columns:
    """The rows of a document: a list of them, an object of columns, or a single row. Raises SourceDownError."""
    try:
        layout.check_paths()
    except ValueError as error:
        raise SourceDownError(str(error)) from error
    found = found_in(document, "rows", layout.rows, place)
    if isinstance(found, list):
        return _columns_of_list(found, layout, place)
    if isinstance(found, dict):
        return _columns_of_object(found, layout, place)
    raise _nothing_there(place, "rows", layout.rows, document)


def csv_columns(answer: Answer, layout: Layout) -> Iterator[tuple[Columns, Counter[str]]]:
    """The rows of a table, some at a time, and how many were left out, by what is wrong. Raises SourceDownError."""
    charset = CHARSET.search(answer.headers.get("Content-Type", "").lower())
    encoding = "utf-8-sig" if charset is None or charset[1] == "utf-8" else charset[1]
    content, dropped = answer.content, Counter[str]()
    if _may_be_cut(answer):
        content = content[: content.rfind(b"\n") + 1]
        dropped["cut off where the answer ends"] += 1
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding, newline="")
        reader = csv.reader(text, skipinitialspace=True, strict=True)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise SourceDownError(f"{answer.place} answered with nothing")
        places = _places(header, layout, answer.place)
        while rows := list(itertools.islice(reader, CHUNK)):
            fitting = [row for row in rows if row and not any(row[len(header) :])]
            dropped["with more fields than the header"] += sum(bool(row) for row in rows) - len(fitting)
            names, times, values = ([_cell(row, place) for row in fitting] for place in places)
            yield Columns(_named(names, layout), times, values), +dropped
            dropped.clear()
    except (csv.Error, UnicodeError, LookupError) as error:  # the last one: no such encoding
        raise SourceDownError(f"{answer.place} answered with broken CSV: {shortened(str(error))}") from error


def _may_be_cut(answer: Answer) -> bool:
    """Whether a part of the last row may be missing: that it ends there only the connection's end says."""
    told = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
    return not told and not answer.content.endswith((b"\n", b"\r"))


def _places(header: list[str], layout: Layout, place: str) -> list[int | None]:
    """Where in a row of a table the parts are; None where there need be none."""
    for option, column in layout.options().items():
        if column not in header and not (option == "id" and layout.id is None):
            raise _nothing_there(place, option, column, dict.fromkeys(header))
    return [header.index(column) if column in header else None for column in layout.options().values()]


def _cell(row: list[str], place: int | None) -> str | None:
    return row[place] if place is not None and place < len(row) else None


def _columns_of_list(rows: Sequence[object], layout: Layout, place: str) -> Columns:
    for option, path in layout.options().items():
        optional = option == "id" and layout.id is None
        plain = path.isidentifier()  # whether null is there, other paths do not tell
        if rows and plain and not optional and not any(isinstance(row, dict) and path in row for row in rows):
            raise _nothing_there(f"the rows of {place}", option, path, rows[0])
    names, times, values = (picked(path, rows) for path in layout.options().values())
    return Columns(_named(names, layout), times, values)


def _columns_of_object(found: dict[str, object], layout: Layout, place: str) -> Columns:
    names, times, values = (found_in(found, option, path, place) for option, path in layout.options().items())
    if times is None:
        raise _nothing_there(place, "time", layout.time, found)
    if not isinstance(times, list):
        names, times, values = [names], [times], [values]
    if not isinstance(values, list) or len(values) != len(times):
        raise SourceDownError(
            f"{place} has {len(times):,} times at time = {layout.time!r} and"
            f" {f'{len(values):,} values' if isinstance(values, list) else 'no list'} at value = {layout.value!r}"
        )
    if not isinstance(names, list) or len(names) != len(times):
        names = [names if isinstance(names, str) else None] * len(times)
    return Columns(_named(names, layout), times, values)


def _named(names: Sequence[object], layout: Layout) -> Sequence[object]:
    """The names of rows' series; the one name of all, where they have none and need none."""
    if layout.id is None and all(name is None for name in names):
        return [layout.name] * len(names)
    return names


def _nothing_there(place: str, option: str, path: str, instead: object) -> SourceDownError:
    told = said(instead) if isinstance(instead, dict) else ""
    if told:
        return SourceDownError(f"{place}: nothing at {option} = {path!r}; it says: {shortened(told)}")
    return SourceDownError(f"{place}: nothing at {option} = {path!r}; there is {_told(instead)}")


def _told(found: object) -> str:
    """What there is, in short."""
    if isinstance(found, dict):
        keys = [str(key) for key in found]
        more = f" and {len(keys) - KEYS_TOLD} more" if len(keys) > KEYS_TOLD else ""
        return shortened(", ".join(keys[:KEYS_TOLD])) + more if keys else "an empty object"
    return "a list" if isinstance(found, list) else shortened(repr(found))
