"""What the queries share."""

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from db.queries.execution import fetch


def test_rows_come_as_the_driver_has_them(session):
    assert list(fetch(session, "SELECT :a, 'b'", {"a": 1})) == [(1, "b")]


def test_what_sqlite_refuses_is_told_as_sqlalchemy_tells_it(session):
    with pytest.raises(OperationalError, match="no such table: nowhere"):
        list(fetch(session, "SELECT * FROM nowhere", {}))


def test_damage_that_is_met_amid_the_rows_is_told_as_sqlalchemy_tells_it(session):
    session.connection().connection.driver_connection.create_function("damaged", 1, lambda row: 1 / (row - 3))
    rows = fetch(session, "SELECT damaged(value) FROM json_each('[1, 2, 3]')", {})
    assert next(rows) == (-0.5,)
    with pytest.raises(DatabaseError):
        next(rows)
