"""What the queries share: rows in bulk, lists of ids, how many rows a statement changed."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, Integer, Update, column, func
from sqlalchemy.orm import Session


def changed(session: Session, statement: Delete | Update) -> int:
    """Execute a statement; returns how many rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def fetch(session: Session, statement: str, parameters: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement as the driver has them, one at a time: SQLAlchemy's own, or a list of them all, would
    take half of the time of many.
    """
    cursor = session.connection().connection.cursor()
    try:
        cursor.execute(statement, parameters)
        yield from cast("Iterator[tuple[Any, ...]]", cursor)
    finally:
        cursor.close()


def listed(ids: Iterable[int]) -> str:
    """Any number of ids as one parameter, for `json_each`: SQLite takes only so many parameters."""
    return json.dumps(list(ids))


def each_of(ids: Iterable[int]) -> ColumnElement[int]:
    """The same, to select from."""
    each: ColumnElement[int] = func.json_each(listed(ids)).table_valued(column("value", Integer)).c.value
    return each
