"""Series from databases: real SQLite files, and a real PostgreSQL that runs for these tests."""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.base import SourceDownError
from jobs.sources.sql import SqlSource
from tests.jobs.sources.postgres import SINCE

BERLIN, NEW_YORK, SEOUL = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Seoul")
NOON = datetime(2025, 12, 31, 12, tzinfo=UTC)


@pytest.fixture
def ask(make_request):
    """Everything that a source brings: its deliveries, and their rows by series."""

    def ask(source, **given):
        deliveries = list(source.fetch(make_request(**given)))
        names = {name for delivery in deliveries for name in delivery.values}
        rows = {name: pd.concat([each.values[name] for each in deliveries if name in each.values]) for name in names}
        return deliveries, rows

    return ask


@pytest.fixture
def one(ask):
    """The only series that a source brings."""

    def one(source, **given):
        ((_, series),) = ask(source, **given)[1].items()
        return series

    return one


@pytest.fixture
def lite(tmp_path):
    """Make an SQLite file with a table of prices, and a source of it."""

    def make(*rows, columns="unique_id, ds, y", query=SINCE, **options):
        path = tmp_path / "prices.db"
        marks = ", ".join("?" * len(columns.split(",")))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS prices")
            connection.execute(f"CREATE TABLE prices ({columns})")
            connection.executemany(f"INSERT INTO prices VALUES ({marks})", rows)  # noqa: S608  question marks
        return SqlSource(f"sqlite:///{path}", query, **options)

    return make


@pytest.fixture(scope="module")
def reader(postgres):
    """The URL of a user who needs a password, without it."""
    postgres.run(
        "CREATE ROLE reader LOGIN PASSWORD 'p@ss/w:rd%%'",
        "CREATE ROLE expired LOGIN PASSWORD 'secret-word' VALID UNTIL '2020-01-01'",
    )
    return postgres.url.set(username="reader")


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_times_with_a_zone_are_instants(postgres, one):
    source = postgres.prices(
        "ds timestamptz, y float", "'2025-12-31 12:00+01', 1", "'2025-12-31 13:00+01', 2", "'2025-12-31 09:00-05', 3"
    )
    series = one(source, since=NOON, tz=BERLIN)
    assert series.tolist() == [2, 3]
    assert list(series.index) == [NOON, NOON + timedelta(hours=2)]


def test_times_without_a_zone_compare_in_the_panel_s(postgres, one):
    source = postgres.prices("ds timestamp, y float", "'2025-12-31 20:59', 1", "'2025-12-31 21:00', 2")
    series = one(source, since=NOON, tz=SEOUL)
    assert series.tolist() == [2]
    assert list(series.index) == [pd.Timestamp("2025-12-31 21:00")]


@pytest.mark.parametrize("tz", [UTC, SEOUL, NEW_YORK])
def test_of_the_first_day_all_rows_come(postgres, one, tz):
    rows = [f"'2025-12-{day} {hour:02}:30', {day}" for day in (29, 30, 31) for hour in range(24)]
    source = postgres.prices("ds timestamp, y float", *rows)
    counts = one(source, since=datetime(2025, 12, 30, tzinfo=UTC), tz=tz, interval=timedelta(days=1)).value_counts()
    assert set(counts) == {24}
    assert {30, 31} <= set(counts.index)


def test_of_the_first_month_all_days_come(postgres, one):
    rows = [f"'2025-{month}-{day:02}', {month}" for month in (10, 11) for day in range(1, 31)]
    source = postgres.prices("ds date, y float", *rows)
    month = {"months": 1, "interval": timedelta(days=30)}
    assert one(source, since=datetime(2025, 11, 1, tzinfo=UTC), tz=SEOUL, **month).tolist() == [11] * 30


def test_a_first_fetch_begins_with_a_whole_interval(postgres, one):
    source = postgres.prices("ds timestamptz, y float", "'2025-12-31 20:00Z', 1", "'2025-12-31 21:00Z', 2")
    now = datetime(2025, 12, 31, 23, 30, tzinfo=UTC)
    open_from = datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert one(source, now=now, open_from=open_from, history=timedelta(hours=2)).tolist() == [2]


def test_both_passes_through_a_doubled_hour_come_as_instants(postgres, one):
    rows = [f"'2025-10-26 {time}', {value}" for value, time in enumerate(["02:30+02", "02:30+01"])]
    series = one(postgres.prices("ds timestamptz, y float", *rows), tz=BERLIN)
    assert series.index.tz_convert("UTC").hour.tolist() == [0, 1]


@pytest.mark.parametrize("column", ["timestamp", "text"])
def test_from_amid_a_doubled_hour_its_second_pass_comes_whole(postgres, lite, one, column):
    since = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, for the first time
    times = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    given = {"since": since, "tz": BERLIN, "interval": timedelta(minutes=30), "open_from": NOON}
    if column == "text":
        source = lite(*(("a", f"2025-10-26 {time}", n) for n, time in enumerate(times)))
        series = one(source, **given, state={"written": " "})
    else:
        rows = [f"'2025-10-26 {time}', {n}" for n, time in enumerate(times)]
        series = one(postgres.prices("ds timestamp, y float", *rows), **given)
    assert set(series) == {1, 2, 3, 4, 5}


def test_numbers_of_any_type_come_as_they_are(postgres, one):
    source = postgres.prices(
        "ds timestamptz, y numeric", "'2025-12-31 12:00Z', 12.50", "'2025-12-31 13:00Z', NULL", "'2025-12-31Z', 'NaN'"
    )
    assert one(source).isna().tolist() == [False, True, True]
    switch = postgres.prices("ds timestamptz, y boolean", "'2025-12-31 12:00Z', true", "'2025-12-31 13:00Z', false")
    assert one(switch).tolist() == [1.0, 0.0]


def test_names_of_any_type_are_told_as_text(postgres, ask):
    source = postgres.prices("unique_id uuid, ds timestamptz, y float", "gen_random_uuid(), '2025-12-31 12:00Z', 1")
    (name,) = ask(source)[1]
    assert len(name) == 36


def test_a_count_since_1970_is_compared_with_a_count(postgres, one):
    source = postgres.prices(
        "ds bigint, y float",
        f"{NOON.timestamp() - 1:.0f}, 1",
        f"{NOON.timestamp():.0f}, 2",
        time_format="unix",
    )
    series = one(source, since=NOON)
    assert series.tolist() == [2]
    assert series.index[0] == NOON


def test_a_revised_value_comes_with_the_next_fetch(postgres, one):
    source = postgres.prices("ds timestamptz, y float", "'2025-12-31 12:00Z', 1")
    assert one(source, since=NOON).tolist() == [1]
    postgres.run("UPDATE prices SET y = 2")
    assert one(source, since=NOON).tolist() == [2]


def test_an_answer_comes_part_by_part(postgres, ask, monkeypatch):
    monkeypatch.setattr("jobs.sources.sql.CHUNK", 2)
    rows = [f"'s{n % 2}', '2025-12-31 {n}:00Z', {n}" for n in range(10, 15)]
    source = postgres.prices("unique_id text, ds timestamptz, y float", *rows)
    deliveries, series = ask(source)
    assert [sum(map(len, delivery.values.values())) for delivery in deliveries] == [2, 2, 1]
    assert {name: rows.tolist() for name, rows in series.items()} == {"s0": [10, 12, 14], "s1": [11, 13]}


def test_a_connection_that_breaks_amid_the_answer_is_told(postgres, make_request, monkeypatch):
    monkeypatch.setattr("jobs.sources.sql.CHUNK", 100)
    query = "SELECT now() AS ds, g AS y FROM generate_series(1, 100000) g"
    deliveries = iter(postgres.source(query).fetch(make_request()))
    next(deliveries)
    postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(
        SourceDownError, match=r"^the query failed: terminating connection due to administrator command$"
    ):
        list(deliveries)


def test_a_slow_query_is_ended_by_the_timeout(postgres, ask):
    source = postgres.source("SELECT now() AS ds, 1 AS y, pg_sleep(60)", timeout=0.1)
    with pytest.raises(SourceDownError, match=r"^the database took longer than its timeout of 0\.1 s$"):
        ask(source)
    running = postgres.run("SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()")
    assert not [query for (query,) in running if "pg_sleep(60)" in query]


def test_postgresql_refuses_to_write(postgres, ask):
    postgres.run("CREATE SEQUENCE counter")
    with pytest.raises(SourceDownError, match=r"^the query failed: cannot execute nextval\(\) in a read-only"):
        ask(postgres.source("SELECT now() AS ds, nextval('counter') AS y"))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT ds, y FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT ds, y, z FROM prices", 'column "z" does not exist'),
        ("SELEC ds FROM prices", 'syntax error at or near "SELEC"'),
        ("SELECT ds, y FROM prices WHERE y >= :since", "operator does not exist: double precision >= timestamp with"),
    ],
)
def test_what_the_database_says_of_a_query_is_told_in_one_line(postgres, ask, query, told):
    source = postgres.prices("ds timestamptz, y float", "now(), 1", query=query)
    with pytest.raises(SourceDownError) as caught:
        ask(source)
    assert str(caught.value).startswith(f"the query failed: {told}")
    assert "\n" not in str(caught.value)
    assert "LINE 1" not in str(caught.value)  # where PostgreSQL draws the place


def test_a_password_may_be_given_as_it_is(postgres, reader, one):
    source = SqlSource(reader.render_as_string(), "SELECT now() AS ds, 5 AS y", password="p@ss/w:rd%")
    assert one(source).tolist() == [5]


@pytest.mark.parametrize("user", ["reader", "expired"])
def test_a_password_that_is_wrong_or_has_expired_is_refused_in_words_without_it(reader, ask, user):
    url = reader.set(username=user, password="secret-word").render_as_string(hide_password=False)
    with pytest.raises(SourceDownError, match=f'password authentication failed for user "{user}"') as caught:
        ask(SqlSource(url, "SELECT 1"))
    assert str(caught.value).startswith("cannot connect to the database: ")
    assert "secret-word" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(ask, closed_port):
    with pytest.raises(SourceDownError, match=r"^cannot connect to the database: .*Connection refused") as caught:
        ask(SqlSource(f"postgresql://reader:secret-word@127.0.0.1:{closed_port}/prices", SINCE))
    assert "secret-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def closed_port():
    import socket

    with socket.socket() as held:  # bound, and so nobody else's; not listening, and so refused
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_missing_driver_is_told_with_what_to_install(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SourceDownError, match=r"the driver for postgresql is missing: install rollcast\[postgres\]"):
        ask(SqlSource("postgresql://reader@127.0.0.1/prices", SINCE))


def test_the_driver_of_another_database_is_told_by_its_name(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(SourceDownError, match="is missing: install the package pymysql"):
        ask(SqlSource("mysql+pymysql://reader@127.0.0.1/prices", SINCE))


def test_an_unknown_database_is_told(ask):
    with pytest.raises(SourceDownError, match="SQLAlchemy knows no postgres: check how url begins"):
        ask(SqlSource("postgres://reader@127.0.0.1/prices", SINCE))


# ── SQLite ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_name_is_a_series(lite, ask):
    source = lite(("a", "2025-12-31 12:00", 1), ("b", "2025-12-31 12:00", 5), ("a", "2025-12-31 13:00", 2))
    assert {name: series.tolist() for name, series in ask(source)[1].items()} == {"a": [1, 2], "b": [5]}


def test_without_names_it_is_one_series_called_as_its_values(lite, ask):
    rows, columns = [("2025-12-31 12:00", 1)], "ds, price"
    assert list(ask(lite(*rows, columns=columns, value_column="price"))[1]) == ["price"]
    assert list(ask(lite(*rows, columns=columns, value_column="price", name="oil"))[1]) == ["oil"]


def test_columns_can_have_other_names(lite, ask):
    source = lite(
        ("a", "2025-12-31 12:00", 1),
        columns="symbol, at, price",
        query="SELECT * FROM prices WHERE at >= :since",
        id_column="symbol",
        time_column="at",
        value_column="price",
    )
    assert list(ask(source)[1]) == ["a"]


def test_without_since_in_the_query_the_whole_answer_comes(lite, one):
    source = lite(("a", "1999-12-31", 1), ("a", "2025-12-31", 2), query="SELECT * FROM prices")
    assert one(source, since=NOON).tolist() == [1, 2]


FORMS = {
    " ": "%Y-%m-%d %H:%M:%S",
    "T": "%Y-%m-%dT%H:%M:%S",
    " without seconds": "%Y-%m-%d %H:%M",
    "T with a fraction": "%Y-%m-%dT%H:%M:%S.000",
    "Z": "%Y-%m-%dT%H:%M:%SZ",
    "+00:00": "%Y-%m-%d %H:%M:%S.000000+00:00",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("tz", [SEOUL, NEW_YORK], ids=str)
def test_text_is_asked_for_as_it_is_written(lite, ask, form, tz):
    written_in = UTC if form.endswith(("Z", "+00:00")) else tz
    moments = [NOON + timedelta(minutes=15 * n) for n in range(-100, 40)]
    source = lite(*(("a", moment.astimezone(written_in).strftime(form), n) for n, moment in enumerate(moments)))
    deliveries, _ = ask(source)

    @given(st.integers(0, len(moments) - 1))
    def all_from_there_on_and_nothing_before(number):
        request = {"since": moments[number], "interval": timedelta(minutes=15), "open_from": NOON}
        _, rows = ask(source, **request, tz=tz, state=deliveries[-1].state)
        assert rows["a"].tolist() == list(range(number, len(moments)))

    all_from_there_on_and_nothing_before()


def test_dates_are_asked_for_as_dates(lite, one):
    source = lite(*(("a", f"2025-12-{day}", day) for day in range(10, 32)))
    given = {"since": datetime(2025, 12, 30, tzinfo=UTC), "interval": timedelta(days=1), "tz": SEOUL}
    assert one(source, **given, state={"written": ""}).tolist() == [30, 31]


@pytest.mark.parametrize("second", ["2025-12-31T13:00", "2025-12-31 13:00:00+01:00", "2025-12-31 13:00Z"])
def test_where_text_is_written_in_several_ways_the_whole_history_comes_each_time(lite, ask, second):
    source = lite(("a", "2025-12-01 12:00", 1), ("b", second, 2))
    deliveries, _ = ask(source)
    assert set(ask(source, since=NOON, state=deliveries[-1].state)[1]) == {"a", "b"} - (
        {"a"} if "Z" in second or "+" in second else set()  # as it has no offset, and b has
    )


@pytest.mark.parametrize(("time_format", "unit"), [("unix", 1), ("unix_ms", 1000)])
def test_counts_since_1970_come_from_since_on(lite, one, time_format, unit):
    count = round(NOON.timestamp()) * unit
    source = lite(("a", count - unit, 1), ("a", count, 2), time_format=time_format)
    series = one(source, since=NOON)
    assert series.tolist() == [2]
    assert series.index[0] == NOON


def test_times_of_a_stated_form_are_bound_in_it(lite, one):
    source = lite(("a", "20251231 2059", 1), ("a", "20251231 2100", 2), time_format="%Y%m%d %H%M")
    assert one(source, since=NOON, tz=SEOUL).tolist() == [2]


def test_rows_that_cannot_be_made_out_are_counted(lite, ask):
    noon = "2025-12-31 12:00"
    bad = [("a", "soon", 1), ("a", None, 1), (None, noon, 1), ("a", noon, "n. v."), ("a", noon, b"\0")]
    deliveries, rows = ask(lite(("a", noon, 1), ("a", noon, None), *bad, query="SELECT * FROM prices"))
    assert deliveries[0].dropped == {"without a name": 1, "without a readable time": 2, "no number": 2}
    assert rows["a"].isna().tolist() == [False, True]


def test_an_answer_of_which_nothing_can_be_used_is_told_with_its_first_time(lite, ask):
    source = lite(("a", "soon", 1), ("a", "later", 1))
    with pytest.raises(
        SourceDownError, match=r"no row can be used: 2 without a readable time; ds of the first is 'soon'"
    ):
        ask(source)


def test_an_answer_without_rows_is_told(lite, ask):
    with pytest.raises(
        SourceDownError, match=r"^the query answered without rows since 2025-12-31 12:00Z; where ds holds"
    ):
        ask(lite(), since=NOON)


def test_a_missing_column_is_told_with_those_there_are(lite, ask):
    source = lite(columns="unique_id, ds, price")
    with pytest.raises(SourceDownError, match="the query has no column 'y'; its columns are unique_id, ds, price"):
        ask(source)


def test_a_column_of_names_that_was_asked_for_and_is_missing_is_told(lite, ask):
    with pytest.raises(SourceDownError, match="the query has no column 'symbol'; its columns are unique_id, ds, y"):
        ask(lite(id_column="symbol"))


def test_a_missing_file_is_told_and_not_made(tmp_path, ask):
    path = tmp_path / "none.db"
    with pytest.raises(SourceDownError, match=f"there is no file {path}"):
        ask(SqlSource(f"sqlite:///{path}", SINCE))
    assert not path.exists()


def test_a_truncated_file_is_told(lite, tmp_path, ask):
    source = lite(*(("a", f"2025-12-31 12:00:{n % 60:02}", n) for n in range(1000)))
    path = tmp_path / "prices.db"
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(SourceDownError, match="the query failed: database disk image is malformed"):
        ask(source)


def test_a_file_that_is_no_database_is_told(tmp_path, ask):
    path = tmp_path / "prices.db"
    path.write_text("unique_id,ds,y\n" * 100)
    with pytest.raises(SourceDownError, match="file is not a database"):
        ask(SqlSource(f"sqlite:///{path}", SINCE))


def test_sqlite_refuses_to_write(lite, ask, one):
    source = lite(("a", "2025-12-31 12:00", 1))
    with pytest.raises(SourceDownError, match="the query failed: attempt to write a readonly database"):
        ask(SqlSource(source.url, "DELETE FROM prices RETURNING *"))
    assert one(source).tolist() == [1]


def test_a_query_that_answers_no_rows_is_told(lite, ask):
    with pytest.raises(SourceDownError, match="the query answers no rows; expected a SELECT"):
        ask(lite(query="PRAGMA case_sensitive_like = 1"))


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"query": "SELECT ds, y FROM prices WHERE ds > :start"},
            "query has the bind parameter :start: expected none but",
        ),
        ({"query": " "}, "query is empty: expected one like SELECT"),
        ({"time_format": "epoch"}, "time_format = 'epoch' is no format of times"),
        ({"timeout": 0}, "timeout = 0 is too short: expected seconds"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        SqlSource(**{"url": "sqlite:////prices.db", "query": SINCE} | options)


def test_a_url_that_is_none_is_refused_without_telling_it():
    with pytest.raises(
        ValueError, match="url is none that SQLAlchemy reads: expected one like postgresql://"
    ) as caught:
        SqlSource("reader:secret-word", SINCE)
    assert "secret-word" not in str(caught.value)


def test_a_source_describes_itself_without_its_password():
    told = [
        repr(SqlSource("postgresql://me:secret-word@host/db", SINCE)),
        repr(SqlSource("sqlite://", SINCE, password="secret-word")),
    ]
    assert "me:***@host/db" in told[0]
    assert "secret-word" not in "".join(told)
