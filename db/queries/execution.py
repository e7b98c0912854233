"""What the queries share: rows in bulk, lists of ids, how many rows a statement changed.

A statement that answers or jobs ask for often is made once, as a constant with parameters: to put one together costs
SQLAlchemy four times as much as to execute it.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, Integer, Select, Update, bindparam, column, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

LEAST, MOST = -(2**63), 2**63 - 1  # before and after every id, and every time in microseconds


def changed(session: Session, statement: Delete | Update) -> int:
    """Execute a statement; returns how many rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def fetch(session: Session, statement: str, parameters: Mapping[str, object]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement as the driver has them, one at a time: SQLAlchemy's own, or a list of them all, would
    take half of the time of many.

    Raises SQLAlchemy's errors, as any other query does.
    """
    cursor = session.connection().connection.cursor()
    try:
        cursor.execute(statement, parameters)
        yield from cast("Iterator[tuple[Any, ...]]", cursor)
    except sqlite3.Error as error:
        raise DBAPIError.instance(statement, dict(parameters), error, sqlite3.Error) from error
    finally:
        cursor.close()


def listed(ids: Iterable[int]) -> str:
    """Any number of ids as one parameter, for `json_each`: SQLite takes only so many parameters."""
    return json.dumps(list(ids))


def each_of(name: str) -> Select[int]:
    """Each of the ids that are `listed` in a parameter of that name."""
    each: ColumnElement[int] = func.json_each(bindparam(name)).table_valued(column("value", Integer)).c.value
    return select(each)
