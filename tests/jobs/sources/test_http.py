"""Series from JSON or CSV over HTTP, from a real server on this machine that answers well and badly."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from pydantic import TypeAdapter

from jobs.manners import CoolingDownError
from jobs.sources.base import SourceDownError
from jobs.sources.http import HttpSource
from tests.jobs.sources.servers import Reply, Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [
    {"unique_id": "a", "ds": "2025-12-31T10:00:00Z", "y": 1},
    {"unique_id": "b", "ds": "2025-12-31T10:00:00Z", "y": 2},
    {"unique_id": "a", "ds": "2025-12-31T11:00:00Z", "y": 3},
]
CSV = "unique_id,ds,y\na,2025-12-31T10:00:00Z,1\nb,2025-12-31T10:00:00Z,2\na,2025-12-31T11:00:00Z,3\n"
AS_CSV = {"Content-Type": "text/csv"}
BOTH = {"a": [1.0, 3.0], "b": [2.0]}


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # a proxy of the caller's has no business here
    started = Site()
    yield started
    started.stop()


@pytest.fixture
def fetch(site, make_request):
    """What a source with some options brings; `asked` are the request's own."""

    def run(options=None, path="/prices.json", **asked):
        source = HttpSource(**{"url": site.url(path), "timeout": 5.0} | (options or {}))
        return list(source.fetch(make_request(**asked)))

    return run


@pytest.fixture
def down(fetch):
    """Why a fetch fails, in one line."""

    def run(options=None, path="/prices.json", **asked):
        with pytest.raises(SourceDownError) as raised:
            fetch(options, path, **asked)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return run


def values_of(deliveries):
    """The values of each series, of all deliveries."""
    found = {}
    for delivery in deliveries:
        for name, values in delivery.values.items():
            found.setdefault(name, []).extend(values.tolist())
    return found


def hourly(count, start=0, name="a"):
    """So many rows of a series, an hour apart."""
    times = [NOW - timedelta(days=30) + timedelta(hours=start + k) for k in range(count)]
    return [{"unique_id": name, "ds": time.isoformat(), "y": start + k} for k, time in enumerate(times)]


# ── what an answer holds ────────────────────────────────────────────────────────────────────────────────────────────


def test_json_is_read(site, fetch):
    site.replies = [Reply(ROWS)]
    (delivery,) = fetch()
    assert values_of([delivery]) == BOTH
    assert delivery.values["a"].index[1] == pd.Timestamp("2025-12-31T11:00:00Z")
    assert delivery.complete


def test_csv_is_read(site, fetch):
    site.replies = [Reply(CSV, headers=AS_CSV)]
    assert values_of(fetch()) == BOTH


@pytest.mark.parametrize(("body", "told"), [(CSV, "text/plain"), (ROWS, "application/octet-stream")])
def test_an_answer_of_no_certain_type_is_read_as_what_it_looks_like(site, fetch, body, told):
    site.replies = [Reply(body, headers={"Content-Type": told})]
    assert values_of(fetch()) == BOTH


def test_the_format_may_be_said(site, fetch):
    site.replies = [Reply(CSV, headers={"Content-Type": "application/json"})]
    assert values_of(fetch({"format": "csv"})) == BOTH


def test_rows_and_what_is_in_them_are_found_by_jmespath(site, fetch):
    site.replies = [
        Reply({"data": {"items": [{"meta": {"sym": "a"}, "at": 1767168000, "ohlc": ["1", "2"]}, {"meta": None}]}})
    ]
    options = {"rows": "data.items", "id": "meta.sym", "time": "at", "value": "ohlc[1]"}
    (delivery,) = fetch(options)
    assert values_of([delivery]) == {"a": [2.0]}
    assert delivery.dropped == {"without a name": 1}


def test_rows_may_be_lists(site, fetch):
    site.replies = [Reply([[1767168000000, "1.5"], [1767171600000, "2.5"]])]
    assert values_of(fetch({"time": "[0]", "value": "[1]"}, "/v1/klines")) == {"klines": [1.5, 2.5]}


def test_columns_are_read_as_rows(site, fetch):
    site.replies = [Reply({"hourly": {"t": ["2025-12-31T10:00Z", "2025-12-31T11:00Z"], "v": [1, 2]}})]
    assert values_of(fetch({"rows": "hourly", "time": "t", "value": "v"})) == {"prices": [1.0, 2.0]}


def test_columns_may_have_an_id_of_their_own_or_one_for_all(site, fetch):
    columns = {"t": ["2025-12-31T10:00Z", "2025-12-31T10:00Z"], "v": [1, 2]}
    site.replies = [Reply(columns | {"n": ["a", "b"]}), Reply(columns | {"n": "c"})]
    options = {"id": "n", "time": "t", "value": "v"}
    assert values_of(fetch(options)) == {"a": [1.0], "b": [2.0]}
    assert values_of(fetch(options)) == {"c": [1.0, 2.0]}


def test_values_by_their_times_are_read_as_columns(site, fetch):
    site.replies = [Reply({"rates": {"2025-12-30": {"USD": 1.1}, "2025-12-31": {"USD": 1.2}}})]
    options = {"rows": "rates", "time": "keys(@)", "value": "*.USD", "name": "EURUSD"}
    assert values_of(fetch(options)) == {"EURUSD": [1.1, 1.2]}


def test_a_single_row_is_read(site, fetch):
    site.replies = [Reply({"at": "2025-12-31T10:00Z", "celsius": 21.5})]
    assert values_of(fetch({"time": "at", "value": "celsius"}, "/sensors/kitchen/")) == {"kitchen": [21.5]}


def test_columns_of_csv_are_found_by_name(site, fetch):
    site.replies = [Reply("Date, Close Price\n31.12.2025,1.5\n", headers=AS_CSV)]
    options = {"time": "Date", "value": "Close Price", "time_format": "%d.%m.%Y"}
    assert values_of(fetch(options, "/wti.csv?key=x")) == {"wti": [1.5]}


def test_csv_is_read_in_its_own_encoding(site, fetch):
    content = "unique_id,ds,y\nZürich,2025-12-31,1\n".encode("latin-1")
    site.replies = [Reply(content, headers={"Content-Type": "text/csv; charset=iso-8859-1"})]
    assert values_of(fetch()) == {"Zürich": [1.0]}


def test_large_csv_comes_in_parts(site, fetch):
    rows = "".join(f"a,{1767168000 - k},{k}\n" for k in range(100_001))
    site.replies = [Reply("unique_id,ds,y\n" + rows, headers=AS_CSV)]
    assert [len(delivery.values["a"]) for delivery in fetch()] == [100_000, 1]


def test_a_series_without_id_is_called_by_the_urls_end_or_its_host(site, fetch):
    site.replies = [Reply([{"ds": "2025-12-31", "y": 1}])]
    assert list(values_of(fetch(path="/v2/oil%20price.json"))) == ["oil price"]
    assert list(values_of(fetch(path="/v2/wti/{since}/"))) == ["wti"]
    assert list(values_of(fetch(path="/"))) == ["127.0.0.1"]


def test_duplicated_and_reordered_rows_are_brought_as_they_came(site, fetch):
    times = ["2025-12-31T11:00Z", "2025-12-31T10:00Z", "2025-12-31T11:00Z"]
    site.replies = [Reply([{"unique_id": "a", "ds": time, "y": k} for k, time in enumerate(times)])]
    assert values_of(fetch()) == {"a": [0.0, 1.0, 2.0]}


def test_rows_that_change_their_offset_keep_their_moments(site, fetch):
    times = ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"]
    site.replies = [Reply([{"unique_id": "a", "ds": time, "y": 1} for time in times])]
    index = fetch()[0].values["a"].index
    assert [ts.astimezone(UTC).hour for ts in index] == [0, 1]


def test_a_revised_history_is_brought_with_what_is_new(site, fetch):
    site.replies = [Reply(hourly(3)), Reply([{**row, "y": row["y"] + 10} for row in hourly(4)])]
    assert values_of(fetch()) == {"a": [0.0, 1.0, 2.0]}
    assert values_of(fetch(since=NOW - timedelta(days=1))) == {"a": [10.0, 11.0, 12.0, 13.0]}


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────────────────


def test_moments_are_filled_in(site, fetch):
    site.replies = [Reply(ROWS)]
    options = {
        "params": {"to": "{until}", "day": "{since:%Y-%m-%d}", "limit": 5, "flat": True},
        "headers": {"X-From": "{since:unix_ms}"},
    }
    fetch(options, "/v1/{since}?q=1", since=NOW - timedelta(hours=2))
    (asked,) = site.asked
    assert asked.path == "/v1/2025-12-31T22:00:00Z"
    expected = {"q": "1", "to": "2026-01-01T00:00:00Z", "day": "2025-12-31", "limit": "5", "flat": "true"}
    assert asked.query == expected
    assert asked.headers["x-from"] == "1767218400000"


def test_the_first_fetch_asks_for_all_the_history_that_is_of_use(site, fetch):
    site.replies = [Reply(ROWS)]
    fetch({"params": {"from": "{since:iso}"}, "time_format": "auto"}, history=timedelta(days=365))
    assert site.asked[0].query == {"from": "2025-01-01T00:00:00Z"}


def test_a_moment_without_an_offset_is_in_the_panels_zone(site, fetch):
    site.replies = [Reply(ROWS)]
    fetch({"params": {"from": "{since:%H:%M}"}}, since=NOW, tz=ZoneInfo("Asia/Seoul"))
    assert site.asked[0].query == {"from": "09:00"}


def test_other_braces_are_left_as_they_are(site, fetch):
    site.replies = [Reply(ROWS)]
    fetch({"params": {"filter": '{"kind": "{x}"}'}})
    assert site.asked[0].query == {"filter": '{"kind": "{x}"}'}


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def pages_by_cursor(rows, size):
    """A server of pages of so many rows, whose cursor is the place of the next row."""

    def serve(asked):
        start = int(asked.query.get("after", 0))
        following = str(start + size) if start + size < len(rows) else None
        return Reply({"rows": rows[start : start + size], "next": following})

    return serve


def test_pages_follow_by_cursor(site, fetch):
    site.serve = pages_by_cursor(hourly(5), 2)
    deliveries = fetch({"rows": "rows", "next": "next", "params": {"after": "{cursor}", "from": "{since}"}})
    assert [values_of([each]) for each in deliveries] == [{"a": [0.0, 1.0]}, {"a": [2.0, 3.0]}, {"a": [4.0]}]
    assert [asked.query.get("after") for asked in site.asked] == [None, "2", "4"]
    assert len({asked.query["from"] for asked in site.asked}) == 1


def test_a_cursor_may_be_sent_in_a_header(site, fetch):
    site.replies = [Reply({"rows": hourly(1), "next": 7}), Reply({"rows": hourly(1, 1), "next": ""})]
    fetch({"rows": "rows", "next": "next", "headers": {"X-Cursor": "{cursor}"}})
    assert [asked.headers.get("x-cursor") for asked in site.asked] == [None, "7"]


def test_pages_follow_by_url(site, fetch):
    site.replies = [
        Reply({"rows": hourly(1), "links": {"next": "/other?page=2"}}),
        Reply({"rows": hourly(1, 1), "links": {"next": site.url("/other?page=3")}}),
        Reply({"rows": [], "links": {}}),
    ]
    options = {"rows": "rows", "next": "links.next", "params": {"limit": 1}, "headers": {"X-Key": "k"}}
    assert values_of(fetch(options)) == {"a": [0.0, 1.0]}
    assert [asked.query for asked in site.asked] == [{"limit": "1"}, {"page": "2"}, {"page": "3"}]
    assert {asked.headers["x-key"] for asked in site.asked} == {"k"}


def test_a_page_that_leads_back_is_told(site, down):
    cursors = {None: "1", "1": "2", "2": "1"}
    site.serve = lambda asked: Reply({"rows": hourly(1), "next": cursors[asked.query.get("after")]})
    options = {"rows": "rows", "next": "next", "params": {"after": "{cursor}"}}
    assert "leads back to a page that was read already" in down(options)
    assert len(site.asked) == 3


def test_pages_without_an_end_are_told(site, down):
    site.serve = lambda asked: Reply({"rows": hourly(1), "next": int(asked.query.get("after", 0)) + 1})
    options = {"rows": "rows", "next": "next", "params": {"after": "{cursor}"}, "max_pages": 4}
    assert "has more than 4 pages: raise max_pages" in down(options)
    assert len(site.asked) == 4


def test_as_many_pages_as_may_be_are_read(site, fetch):
    site.serve = pages_by_cursor(hourly(4), 1)
    options = {"rows": "rows", "next": "next", "params": {"after": "{cursor}"}, "max_pages": 4}
    assert values_of(fetch(options)) == {"a": [0.0, 1.0, 2.0, 3.0]}


def test_trouble_on_a_later_page_is_trouble_of_the_fetch(site, down):
    site.replies = [Reply({"rows": hourly(1), "next": "?page=2"}), Reply(status=500)]
    assert "answered 500" in down({"rows": "rows", "next": "next"})


def pages_by_time(rows, size):
    """A server that gives the first so many rows from a time on."""

    def serve(asked):
        since = datetime.fromisoformat(asked.query["from"])
        return Reply([row for row in rows if datetime.fromisoformat(row["ds"]) >= since][:size])

    return serve


@pytest.mark.parametrize("count", [1, 3, 4, 5, 10])
def test_pages_follow_by_time(site, fetch, count):
    site.serve = pages_by_time(hourly(count), 4)
    deliveries = fetch({"params": {"from": "{since}"}, "page_size": 4})
    assert list(dict.fromkeys(values_of(deliveries)["a"])) == [float(k) for k in range(count)]


def test_pages_by_time_bring_all_series_of_a_time_that_two_pages_share(site, fetch):
    rows = sorted(hourly(4, name="a") + hourly(4, name="b"), key=lambda row: row["ds"])
    site.serve = pages_by_time(rows, 3)
    deliveries = fetch({"params": {"from": "{since}"}, "page_size": 3})
    assert {name: sorted(set(values)) for name, values in values_of(deliveries).items()} == {
        "a": [0.0, 1.0, 2.0, 3.0],
        "b": [0.0, 1.0, 2.0, 3.0],
    }


def test_a_page_that_ends_early_is_the_last(site, fetch):
    site.serve = pages_by_time(hourly(6), 4)
    fetch({"params": {"from": "{since}"}, "page_size": 4})
    assert len(site.asked) == 2


def test_full_pages_that_do_not_get_on_are_told(site, down):
    rows = [row for name in "abc" for row in hourly(1, name=name)]
    site.serve = pages_by_time(rows, 2)
    assert "filled a page with 2 rows of which none is newer" in down({"params": {"from": "{since}"}, "page_size": 2})


def test_pages_by_time_go_on_in_the_panels_zone(site, fetch):
    times = ["2025-12-31 10:00", "2025-12-31 11:00"]
    site.replies = [Reply([{"ds": time, "y": 1} for time in times]), Reply([{"ds": times[1], "y": 1}])]
    options = {"params": {"from": "{since}"}, "page_size": 2}
    fetch(options, tz=ZoneInfo("Asia/Seoul"))
    assert site.asked[1].query == {"from": "2025-12-31T02:00:00Z"}


# ── what has not changed ────────────────────────────────────────────────────────────────────────────────────────────


VALIDATORS = {"ETag": '"1"', "Last-Modified": "Wed, 31 Dec 2025 12:00:00 GMT"}


def test_what_has_not_changed_is_not_brought_again(site, fetch):
    site.replies = [Reply(ROWS, headers=VALIDATORS), Reply(status=304)]
    (first,) = fetch()
    (second,) = fetch(state=first.state)
    assert site.asked[1].headers["if-none-match"] == '"1"'
    assert (second.unchanged, second.state, second.values) == (True, first.state, {})


def test_without_an_etag_the_time_of_the_last_change_is_asked_for(site, fetch):
    site.replies = [Reply(ROWS, headers={"Last-Modified": VALIDATORS["Last-Modified"]}), Reply(status=304)]
    fetch(state=fetch()[0].state)
    assert site.asked[1].headers["if-modified-since"] == VALIDATORS["Last-Modified"]


def test_what_has_changed_is_brought_with_its_new_validators(site, fetch):
    site.replies = [Reply(ROWS, headers=VALIDATORS), Reply(ROWS, headers={"ETag": '"2"'})]
    (second,) = fetch(state=fetch()[0].state)
    assert second.state == {"ETag": '"2"'}
    assert values_of([second]) == BOTH


def test_what_may_still_be_forming_is_brought_again(site, fetch):
    site.replies = [Reply(ROWS, headers=VALIDATORS)]
    assert fetch(open_from=datetime(2025, 12, 31, 11, tzinfo=UTC))[0].state == {}
    assert fetch(open_from=datetime(2025, 12, 31, 12, tzinfo=UTC))[0].state == VALIDATORS


def test_the_state_of_csv_in_parts_is_that_of_the_whole(site, fetch):
    rows = "".join(f"a,{1767168000 + (k == 100_000) * 3600},{k}\n" for k in range(100_001))
    site.replies = [Reply("unique_id,ds,y\n" + rows, headers=AS_CSV | VALIDATORS)]
    deliveries = fetch(open_from=datetime(2025, 12, 31, 9, tzinfo=UTC))
    assert [delivery.state for delivery in deliveries] == [VALIDATORS, {}]


@pytest.mark.parametrize(
    "options", [{"params": {"from": "{since}"}}, {"next": "next"}, {"headers": {"X-To": "{until}"}}]
)
def test_a_part_of_a_document_has_no_validators(site, fetch, options):
    site.replies = [Reply({"rows": ROWS}, headers=VALIDATORS)]
    assert fetch({"rows": "rows", **options}, state=VALIDATORS)[0].state == {}
    assert "if-none-match" not in site.asked[0].headers


def test_the_validators_of_where_a_redirect_leads_are_not_kept(site, fetch):
    site.replies = [Reply(status=302, headers={"Location": "/today.json"}), Reply(ROWS, headers=VALIDATORS)]
    assert fetch()[0].state == {}


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_is_down_is_told(site, down):
    site.stop()
    assert "refuses the connection" in down()


def test_a_slow_server_is_told(site, down):
    site.replies = [Reply(silent=True)]
    assert "did not answer within 0.1 s" in down({"timeout": 0.1})


def test_a_server_that_asks_for_rest_gets_it(site, fetch, make_request):
    site.replies = [Reply({"message": "slow down"}, status=429, headers={"Retry-After": "60"}), Reply(ROWS)]
    request = make_request()
    source = HttpSource(site.url())
    with pytest.raises(SourceDownError, match=r"answered 429 Too Many Requests: .*; it says: slow down"):
        list(source.fetch(request))
    with pytest.raises(CoolingDownError):
        list(source.fetch(request))


def test_a_server_in_trouble_is_told(site, down):
    site.replies = [Reply(status=500)]
    assert "answered 500 Internal Server Error: the server is in trouble" in down()


def test_an_expired_token_is_told_without_it(site, down):
    site.replies = [Reply(status=401)]
    told = down({"headers": {"Authorization": "Bearer s3cret"}}, "/v1?key=s3cret")
    assert "the token may have expired; check the variable it comes from" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>Sorry</html>", "answered with a web page instead of data"),
        ('[{"ds": "2025', "answered with broken JSON"),
        (b'{"a": "\xff"}', "answered with broken JSON"),
        ("[" * 100_000, "answered with broken JSON"),
        ("", "answered with nothing"),
        ("null", "nothing at rows = '@'; there is None"),
    ],
)
def test_garbage_instead_of_json_is_told(site, down, body, told):
    site.replies = [Reply(body)]
    assert told in down()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "answered with nothing"),
        ("Sorry, try again later", "nothing at time = 'ds'; there is Sorry, try again later"),
        ('ds,y\n"2025', "answered with broken CSV"),
        (b"ds,y\n\xff\xfe,1\n", "answered with broken CSV"),
    ],
)
def test_garbage_instead_of_csv_is_told(site, down, body, told):
    site.replies = [Reply(body, headers=AS_CSV)]
    assert told in down()


def test_a_truncated_answer_is_told(site, down):
    site.replies = [Reply(CSV, headers=AS_CSV, missing=50)]
    assert "broke off its answer" in down()


def test_a_row_that_may_be_cut_off_is_left_out(site, fetch):
    site.replies = [Reply(CSV + "b,2025-12-31T11:00:00Z,4", headers=AS_CSV, sized=False)]
    (delivery,) = fetch()
    assert values_of([delivery]) == BOTH
    assert delivery.dropped == {"cut off where the answer ends": 1}


def test_a_row_with_more_fields_than_the_header_is_left_out(site, fetch):
    site.replies = [Reply(CSV + "b,2025-12-31T11:00:00Z,1,234.5\n\nb,2025-12-31T12:00:00Z,4,\nb\n", headers=AS_CSV)]
    (delivery,) = fetch()
    assert values_of([delivery]) == BOTH | {"b": [2.0, 4.0]}
    assert delivery.dropped == {"with more fields than the header": 1, "without a readable time": 1}


def test_the_last_row_needs_no_line_end_where_the_length_is_told(site, fetch):
    site.replies = [Reply(CSV.rstrip("\n"), headers=AS_CSV)]
    assert values_of(fetch()) == BOTH


def test_an_answer_without_rows_is_no_answer(site, down):
    site.replies = [Reply([])]
    assert down() == f"{site.host}/prices.json answered without rows"


def test_an_answer_without_usable_rows_is_no_answer(site, down):
    site.replies = [Reply([{"ds": "soon", "y": 1}, {"ds": "2025-12-31", "y": "high"}])]
    assert "answered without usable rows: 1 without a readable time, 1 no number" in down()


def test_rows_that_cannot_be_made_out_are_counted(site, fetch):
    site.replies = [Reply([*ROWS, {"unique_id": "a", "ds": "soon", "y": 1}, {"ds": "2025-12-31", "y": 1}])]
    (delivery,) = fetch()
    assert values_of([delivery]) == BOTH
    assert delivery.dropped == {"without a name": 1, "without a readable time": 1}


def test_an_error_with_a_status_of_success_is_told(site, down):
    site.replies = [Reply({"error": "unknown symbol"})]
    assert "nothing at rows = 'data'; it says: unknown symbol" in down({"rows": "data"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rows": "data"}, "nothing at rows = 'data'; there is items, page"),
        ({"rows": "items", "time": "at"}, "nothing at time = 'at'; there is ds, y"),
        ({"rows": "items", "value": "close"}, "nothing at value = 'close'; there is ds, y"),
        ({"rows": "items", "id": "symbol"}, "nothing at id = 'symbol'; there is ds, y"),
        ({}, "nothing at time = 'ds'; there is items, page"),
        ({"time": "items[].ds", "value": "page"}, "has 1 times at time = 'items[].ds' and no list at value = 'page'"),
        ({"time": "items[].ds", "value": "items[].z"}, "has 1 times at time = 'items[].ds' and 0 values"),
        ({"rows": "length(page)"}, "rows = 'length(page)' does not fit"),
        ({"rows": "items", "time": "a["}, "time = 'a[' is no JMESPath"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_what_there_is(site, down, options, told):
    site.replies = [Reply({"items": [{"ds": "2025-12-31", "y": 1}], "page": 1})]
    assert told in down(options)


def test_values_that_are_all_missing_are_no_error_of_the_path(site, fetch):
    site.replies = [Reply([{"ds": "2025-12-31", "y": None}])]
    assert fetch()[0].values["prices"].isna().all()


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "example.org"}, "url is no URL"),
        ({"rows": "a["}, "rows = 'a\\[' is no JMESPath"),
        ({"format": "json", "time": "a b"}, "time = 'a b' is no JMESPath"),
        ({"next": "a["}, "next = 'a\\[' is no JMESPath"),
        ({"time_format": "unixx"}, "time_format = 'unixx' is no format of times"),
        ({"params": {"from": "{since:unixx}"}}, "'unixx' is no format of times"),
        ({"headers": {"X-Key": "k\n"}}, "the value of X-Key has a line break"),
        ({"timeout": 0}, "timeout = 0: expected a number above 0"),
        ({"max_pages": -1}, "max_pages = -1"),
        ({"page_size": 0, "params": {"from": "{since}"}}, "page_size = 0"),
        ({"page_size": 5}, "expected {since} in url, params or headers"),
        ({"page_size": 5, "next": "n", "params": {"from": "{since}"}}, "pages are found by one of the two"),
        ({"next": "n", "format": "csv"}, "next is for JSON"),
        ({"params": {"after": "{cursor}"}}, "expected `next`, a JMESPath"),
        ({"next": "n", "url": "http://h/{cursor}"}, "expected it in params or headers"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        HttpSource(**{"url": "http://h/x", **options})


def test_options_are_read_as_the_configuration_has_them():
    source = TypeAdapter(HttpSource).validate_python(
        {"url": "http://h/x", "params": {"limit": 5, "flat": True}, "headers": {"A": "b"}}
    )
    assert source.params == {"limit": 5, "flat": True}
