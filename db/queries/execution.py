"""What the queries share: how many rows a statement changed."""

from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session


def changed(session: Session, statement: Delete | Update) -> int:
    """Execute a statement; returns how many rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
