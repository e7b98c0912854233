"""Series from a database: a query on any URL that SQLAlchemy knows, asked for what is new since a time.

The source only reads. PostgreSQL and SQLite are told so, and refuse whatever would write; for another database, give
the URL of a user that may do no more. Each fetch makes a connection of its own, and streams the answer.

`:since` begins an interval, and is bound as the times are kept:

- in PostgreSQL as `timestamptz`. The session is in the panel's time zone, in which `timestamp` and `date` compare;
- in SQLite, which has no times, as text. Text compares letter by letter, so it is written as the last fetch found the
  times: in the panel's time zone where they have no offset, in UTC where they end in Z or +00:00. Until that is known,
  and where times are written in several ways or with other offsets, the whole history is asked for;
- in other databases as a time without a zone, in the panel's;
- where `time_format` says how times are written, in that way.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import sqlalchemy as sa

from db.times import from_us
from jobs import calendars
from jobs.secrets import hide
from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.parts.rows import UNITS, Columns, check_time_format, series_of, time_told

CHUNK = 100_000  # rows of a delivery
CONNECT = 10  # seconds that making a connection may take
CONNECT_ARGUMENTS = {  # by driver
    "psycopg": {"connect_timeout": CONNECT},
    "psycopg2": {"connect_timeout": CONNECT},
    "pymysql": {"connect_timeout": CONNECT},
    "mysqldb": {"connect_timeout": CONNECT},
    "pysqlite": {"timeout": CONNECT},  # waiting for a lock
}
TIMED_OUT = "57014"  # PostgreSQL's code
AUTO = ("auto", "iso")
WRITTEN = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d[\d:.]*(Z|[+-]00(?::?00)?)?)?")
ZEROS = re.compile(r"(?:[T ]00:00:00|(?::00)+)$")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class SqlSource:
    """The rows of a query: the name of a series, a time and a value each."""

    url: Annotated[
        str,
        "the database as SQLAlchemy writes it: postgresql://user:password@host/database, sqlite:////path/to/file.db."
        " Special characters in it are percent-encoded",
    ] = field(repr=False)
    query: Annotated[
        str,
        "what to ask; :since stands for where to begin, the start of an interval: write ds >= :since, as > would leave"
        " the first row of that interval out. Without :since the whole answer is taken each time",
    ]
    id_column: Annotated[str, "the column with the names of the series; without unique_id it is one series"] = (
        "unique_id"
    )
    time_column: Annotated[str, "the column with the times"] = "ds"
    value_column: Annotated[str, "the column with the values"] = "y"
    name: Annotated[str, "what to call the one series of an answer without id_column; by default as value_column"] = ""
    time_format: Annotated[
        str,
        "how times are kept: auto for a database's own times and for ISO 8601 text, unix or unix_ms for counts since"
        " 1970, or as strptime reads it, like %d.%m.%Y",
    ] = "auto"
    password: Annotated[str, "the password where url has none; as it is, not percent-encoded"] = field(
        default="", repr=False
    )
    timeout: Annotated[float, "seconds that PostgreSQL may take for the answer or a part of it"] = 60.0
    _url: sa.URL = field(init=False)  # it describes itself without the password

    def __post_init__(self) -> None:
        try:
            parsed = sa.make_url(self.url)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ValueError(
                "url is none that SQLAlchemy reads: expected one like postgresql://user:password@host/database"
            ) from error
        self._url = parsed.set(password=self.password) if self.password else parsed
        self._kind = parsed.get_backend_name()
        check_time_format("time_format", self.time_format)
        if not self.timeout > 0:
            raise ValueError(f"timeout = {self.timeout:g} is too short: expected seconds, as in 60")
        if not self.query.strip():
            raise ValueError("query is empty: expected one like SELECT ds, y FROM prices WHERE ds >= :since")
        parameters = set(sa.text(self.query).compile().params)
        if unknown := sorted(parameters - {"since"}):
            raise ValueError(
                f"query has the bind parameter :{unknown[0]}: expected none but :since, and \\: for a mere colon"
            )
        self._incremental = bool(parameters)

    def relative_to(self, folder: Path) -> None:
        """A relative path of a SQLite file starts at this folder."""
        file = self._url.database
        if self._kind == "sqlite" and file and file != ":memory:" and not file.startswith("file:"):
            self._url = self._url.set(database=str(folder / file))

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """A delivery for each part of the answer."""
        usable, dropped = False, Counter[str]()
        written: set[str | None] = set()
        first = None
        with self._answer(request) as answer:
            places = self._places(list(answer.keys()))
            for rows in answer.partitions(CHUNK):
                columns = self._columns(rows, places)
                values, left_out = series_of(columns, self.time_format)
                written |= self._written(columns.times)
                first = columns.times[0] if first is None else first
                usable = usable or bool(values)
                dropped += left_out
                state = {"written": next(iter(written))} if len(written) == 1 else {}
                yield Delivery(values, dropped=left_out, state=state)
        if not usable:
            raise SourceDownError(self._nothing_usable(request, dropped, first))

    @contextmanager
    def _answer(self, request: Request) -> "Iterator[sa.CursorResult[Any]]":
        """The rows as the database sends them. What goes wrong before the last one is told in words."""
        engine = self._engine()
        if self._url.host:
            request.manners.ask(self._url.host)
        connected = False
        read_only = {"postgresql_readonly": True} if self._kind == "postgresql" else {}
        try:
            with engine.connect().execution_options(**read_only) as connection:
                connected = True
                self._set_up(connection, request)
                query = sa.text(self.query)
                if self._incremental:
                    query = query.bindparams(self._since(request))
                with connection.execute(query, execution_options={"yield_per": CHUNK}) as answer:
                    yield answer
        except sa.exc.DBAPIError as error:
            raise SourceDownError(self._in_words(error, connected)) from error
        except sa.exc.ResourceClosedError as error:
            raise SourceDownError("the query answers no rows; expected a SELECT") from error

    def _engine(self) -> sa.Engine:
        driver = ""
        try:
            driver = self._url.get_driver_name()
            if driver == "pysqlite":
                _check_file(self._url.database or "")
            connect = CONNECT_ARGUMENTS.get(driver, {})
            return sa.create_engine(self._url, poolclass=sa.NullPool, connect_args=connect, hide_parameters=True)
        except sa.exc.NoSuchModuleError as error:
            raise SourceDownError(
                f"SQLAlchemy knows no {self._url.drivername}: check how url begins, or install the dialect of that name"
            ) from error
        except ImportError as error:
            package = "rollcast[postgres]" if driver == "psycopg" else f"the package {error.name or driver}"
            raise SourceDownError(f"the driver for {self._url.drivername} is missing: install {package}") from error

    def _set_up(self, connection: sa.Connection, request: Request) -> None:
        if self._kind == "postgresql":
            zone = sa.func.set_config("TimeZone", str(request.tz or UTC), True)
            limit = sa.func.set_config("statement_timeout", str(round(self.timeout * 1000)), True)
            connection.execute(sa.select(zone, limit))
        elif self._kind == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")

    def _since(self, request: Request) -> "sa.BindParameter[Any]":
        """The bind parameter, of the type and in the form in which the times are kept."""
        start = _begin(request)
        if self.time_format in UNITS:
            return sa.bindparam("since", int(time_told(start, self.time_format, None)), sa.BigInteger)
        if self.time_format not in AUTO:
            local = _earliest(start, request.tz)
            return sa.bindparam("since", time_told(local, self.time_format, local.tzinfo), sa.String)
        if self._kind == "postgresql":
            return sa.bindparam("since", start, sa.DateTime(timezone=True))
        if self._kind == "sqlite":
            return sa.bindparam("since", _as_written(start, request), sa.String)
        return sa.bindparam("since", _earliest(start, request.tz).replace(tzinfo=None), sa.DateTime)

    def _places(self, columns: Sequence[str]) -> tuple[int | None, int, int]:
        """Which of the columns hold name, time and value."""
        needed = [self.time_column, self.value_column]
        if self.id_column != "unique_id":
            needed.insert(0, self.id_column)
        for column in needed:
            if column not in columns:
                raise SourceDownError(f"the query has no column {column!r}; its columns are {', '.join(columns)}")
        id_place = columns.index(self.id_column) if self.id_column in columns else None
        return id_place, columns.index(self.time_column), columns.index(self.value_column)

    def _columns(self, rows: "Sequence[sa.Row[Any]]", places: tuple[int | None, int, int]) -> Columns:
        """The rows as text and numbers, whatever types a database has for them."""
        id_place, time_place, value_place = places
        if id_place is None:
            names: list[object] = [self.name or self.value_column] * len(rows)
        else:
            names = [None if (name := row[id_place]) is None else str(name) for row in rows]
        times = [time.isoformat() if isinstance(time := row[time_place], date) else time for row in rows]
        values = [float(value) if isinstance(value := row[value_place], Decimal | bool) else value for row in rows]
        return Columns(names, times, values)

    def _written(self, times: Sequence[object]) -> set[str | None]:
        """In which forms text writes times, where that is needed to compare it: None for those that do not compare."""
        if self._kind != "sqlite" or not self._incremental or self.time_format not in AUTO:
            return set()
        return {_form(time) for time in times if isinstance(time, str) and time[:4].isdigit()}

    def _in_words(self, error: sa.exc.DBAPIError, connected: bool) -> str:
        if getattr(error.orig, "sqlstate", None) == TIMED_OUT:
            return f"the database took longer than its timeout of {self.timeout:g} s"
        lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        # After the first line of what is wrong with a query, PostgreSQL draws where.
        told = lines[0] if connected else " ".join(" ".join(lines).split())
        told = hide(told, [str(self._url.password)] if self._url.password else [])
        return f"the query failed: {told}" if connected else f"cannot connect to the database: {told}"

    def _nothing_usable(self, request: Request, dropped: Counter[str], first: object) -> str:
        if dropped:
            counts = ", ".join(f"{count:,} {what}" for what, count in dropped.items())
            return f"no row can be used: {counts}; {self.time_column} of the first is {first!r}"
        told = f"the query answered without rows since {request.start:%Y-%m-%d %H:%M}Z"
        if self._kind == "sqlite" and self._incremental and self.time_format in AUTO:
            told += f'; where {self.time_column} holds numbers, say time_format = "unix" or "unix_ms"'
        return told


def _check_file(database: str) -> None:
    """SQLite would make an empty file where there is none."""
    if database not in ("", ":memory:") and not database.startswith("file:") and not Path(database).is_file():
        raise SourceDownError(f"there is no file {database}")


def _form(text: str) -> str | None:
    """How a time is written: what stands between date and time, if anything, and Z if it is in UTC."""
    match = WRITTEN.fullmatch(text)
    return None if match is None else (match[1] or "") + ("Z" if match[2] else "")


def _begin(request: Request) -> datetime:
    """When the first interval that is wanted begins, be it days or months in the panel's zone."""
    if not request.months and request.interval % DAY:
        grid = request.open_from
        return grid + (request.start - grid) // request.interval * request.interval
    zone, index = request.tz or UTC, pd.DatetimeIndex([request.start])
    (label,) = calendars.labels(index, request.interval, request.months, timedelta(0), zone).tolist()
    return from_us(label).replace(tzinfo=zone)  # a label is the date's midnight in UTC


def _as_written(start: datetime, request: Request) -> str:
    """Text that no later time written like the stored ones comes before, and no earlier one after."""
    form = request.state.get("written")
    if form is None:
        return (request.now - request.history - DAY).date().isoformat()
    local = start.astimezone(UTC) if form.endswith("Z") else _earliest(start, request.tz)
    separator = "T" if form.startswith("T") else " "
    # Without zeros it comes before 12:00 as well as 12:00:00 and 12:00:00.000.
    return ZEROS.sub("", f"{local:%Y-%m-%d}{separator}{local:%H:%M:%S}")


def _earliest(start: datetime, tz: tzinfo | None) -> datetime:
    """The earliest that clocks in the zone show from the start on: in a doubled hour, how that begins."""
    local = start.astimezone(tz or UTC)
    if not _comes_twice(local):
        return local
    local = local.replace(second=0, microsecond=0)
    while _comes_twice(local - MINUTE):
        local -= MINUTE
    return local


def _comes_twice(local: datetime) -> bool:
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second
