"""The real yfinance client against a stand-in for Yahoo: what of its answers, good and bad, ends up in the database."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from db import queries
from db.schema import Observation
from db.times import from_us
from jobs.fetch import fetch
from jobs.panel import Panel
from jobs.sources.base import SourceDownError
from jobs.sources.yfinance import YfinanceSource

DAY = timedelta(days=1)
NEW_YORK, SYDNEY, TOKYO = "America/New_York", "Australia/Sydney", "Asia/Tokyo"
TOO_MANY_REQUESTS = (429, "text/html", "Too Many Requests\r\n")
SERVER_ERROR = (500, "text/html", "<html><body><h1>Internal Server Error</h1></body></html>")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(zone, *dates, hour=10):
    """When the first trades of some days are made."""
    return [datetime.fromisoformat(date).replace(hour=hour, tzinfo=ZoneInfo(zone)) for date in dates]


APPLE = dict(zip(opens(NEW_YORK, "2024-03-06", "2024-03-07", "2024-03-08"), [169.125, 169.0, 170.75], strict=True))
BITCOIN = dict(zip(opens("UTC", "2024-03-08", "2024-03-09", "2024-03-10", hour=0), [68e3, 68.5e3, 69e3], strict=True))
AFTER = utc("2024-03-11T12:00")


@pytest.fixture
def clock(clock):
    clock.now = AFTER
    return clock


@pytest.fixture
def source(yahoo, listing):
    """Of a stock and a currency, both listed."""
    yahoo.listings = {"AAPL": listing(NEW_YORK, dict(APPLE)), "BTC-USD": listing("UTC", dict(BITCOIN))}
    made = YfinanceSource(["AAPL", "BTC-USD"])
    made.session = yahoo.session()
    yield made
    made.session.close()


@pytest.fixture
def run(sessions, source, clock, tmp_path):
    """Fetch a panel of that source; it is daily, unless told otherwise."""
    panel = Panel("prices", source, DAY, 5, fetch_every=DAY, refit_every=DAY, train_window=timedelta(days=365))
    return lambda **changes: fetch(sessions, replace(panel, **changes), clock, tmp_path)


@pytest.fixture
def stored(sessions, clock):
    """The values of a series by time, as of now or of another moment."""

    def read(name, as_of=None):
        with sessions() as session:
            series = queries.find_series(session, name)
            pairs = [] if series is None else queries.observations(session, series.id, as_of=as_of or clock())
            return {from_us(ts): value for ts, value in pairs}

    return read


@pytest.fixture
def marks(sessions):
    """Of each series why it is failing, and since when; None and None where it is not."""

    def read():
        with sessions() as session:
            return {s.name: (s.failure, s.failing_since) for s in queries.series_of_panel(session, "prices")}

    return read


# ── good data ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_closes_of_a_stock_are_stored_by_the_date_of_the_day(run, stored):
    run()
    assert stored("AAPL") == {
        utc("2024-03-06"): 169.125,
        utc("2024-03-07"): 169.0,
        utc("2024-03-08"): 170.75,
    }


def test_the_closes_of_a_currency_that_never_rests_are_stored_for_the_weekend_too(run, stored):
    run()
    assert stored("BTC-USD") == {
        utc("2024-03-08"): 68e3,
        utc("2024-03-09"): 68.5e3,
        utc("2024-03-10"): 69e3,
    }


@pytest.mark.parametrize(
    ("zone", "dates"),
    [
        (NEW_YORK, ["2024-03-08", "2024-03-11"]),  # an hour is skipped
        (NEW_YORK, ["2023-11-03", "2023-11-06"]),  # an hour comes twice
        (SYDNEY, ["2024-04-05", "2024-04-08"]),  # on the 5th the first trade is still on the 4th in UTC
        (SYDNEY, ["2023-09-29", "2023-10-02"]),
    ],
)
def test_days_keep_their_dates_across_a_change_of_daylight_saving(run, stored, yahoo, listing, clock, zone, dates):
    yahoo.listings["AAPL"] = listing(zone, dict.fromkeys(opens(zone, *dates), 1.0))
    clock.now = utc(dates[-1]) + 2 * DAY
    run()
    assert list(stored("AAPL")) == [utc(date) for date in dates]


def test_an_hour_is_stored_by_its_start(run, stored, yahoo, listing):
    hours = {utc("2024-03-11T10:00"): 1.0, utc("2024-03-11T11:00"): 2.0}
    yahoo.listings["BTC-USD"] = listing("UTC", hours)
    run(interval=timedelta(hours=1))
    assert stored("BTC-USD") == hours


def test_the_night_between_two_half_hours_is_no_loss(run, yahoo, listing):
    yahoo.listings["AAPL"] = listing(NEW_YORK, APPLE)
    assert not run(interval=timedelta(minutes=30)).dropped["not finite"]


def test_fetching_twice_stores_nothing_twice(run):
    assert run().new == len(APPLE) + len(BITCOIN)
    again = run()
    assert (again.new, again.revised) == (0, 0)


def test_no_more_history_is_asked_for_than_the_panel_uses(run, stored):
    run(train_window=timedelta(days=4))
    assert list(stored("AAPL")) == [utc("2024-03-07"), utc("2024-03-08")]


@pytest.mark.parametrize(("minutes", "days"), [(1, 8), (15, 60), (60, 730)])
def test_no_more_history_is_asked_for_than_yahoo_has(run, yahoo, listing, clock, minutes, days):
    clock.now = utc("2024-03-11T23:59")  # the latest that midnight in Tokyo lies back
    yahoo.listings["AAPL"] = listing(TOKYO, APPLE)
    run(interval=timedelta(minutes=minutes), train_window=timedelta(days=1000))
    starts = [from_us(int(query["period1"]) * 10**6) for symbol, query in yahoo.asked if "period1" in query]
    assert min(starts) > clock() - timedelta(days=days)


def test_weeks_begin_on_the_same_weekday_at_every_fetch(run, yahoo, clock):
    for _ in range(7):
        run(interval=timedelta(days=7))
        clock.advance(days=1)
    starts = [from_us(int(query["period1"]) * 10**6) for symbol, query in yahoo.asked if "period1" in query]
    assert {start.weekday() for start in starts} == {0}


def test_an_interval_that_yahoo_lacks_is_refused_with_those_it_has(run):
    with pytest.raises(SourceDownError, match="no interval of 2:00:00; it has 1m, 2m, 5m, 15m, 30m, 90m, 1h, 1d, 1wk"):
        run(interval=timedelta(hours=2))


# ── the newest bar ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_last_row_without_a_value_is_not_stored(run, stored, yahoo):
    yahoo.listings["BTC-USD"].closes[utc("2024-03-10")] = None
    run()
    assert list(stored("BTC-USD")) == [utc("2024-03-08"), utc("2024-03-09")]


def test_a_last_row_without_a_value_is_counted(run, yahoo):
    yahoo.listings["BTC-USD"].closes[utc("2024-03-10")] = None
    assert run().dropped["not finite"] == 1


def test_a_bar_still_forming_is_not_stored(run, stored, yahoo):
    yahoo.listings["AAPL"].closes[AFTER] = 171.0  # Yahoo gives the newest day the time of the newest trade
    assert run().dropped["still forming"] == 1
    assert max(stored("AAPL")) == utc("2024-03-08")


@pytest.mark.parametrize(("now", "is_stored"), [("2024-03-12T03:59:59", False), ("2024-03-12T04:00", True)])
def test_a_day_is_stored_once_it_has_ended_at_the_exchange(run, stored, yahoo, clock, now, is_stored):
    yahoo.listings["AAPL"].closes[AFTER] = 171.0
    run()
    yahoo.listings["AAPL"].closes[AFTER] = 172.5
    clock.now = utc(now)
    run()
    assert stored("AAPL").get(utc("2024-03-11")) == (172.5 if is_stored else None)


# ── dividends ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def dividend(yahoo, listing, clock):
    """Yahoo pays a dividend: halves the adjusted history before the next day."""

    def pay():
        clock.advance(days=1)
        (paid,) = opens(NEW_YORK, "2024-03-11")
        halves = {ts: close / 2 for ts, close in APPLE.items()}
        yahoo.listings["AAPL"] = listing(NEW_YORK, APPLE | {paid: 171.0}, adjusted=halves, dividends={paid: 85.0})

    return pay


def test_a_dividend_gives_every_adjusted_day_a_second_revision(run, source, sessions, dividend, clock):
    source.price = "adjusted"
    run()
    before = clock()
    dividend()
    assert run().revised == len(APPLE)
    with sessions() as session:
        series = queries.find_series(session, "AAPL")
        rows = select(Observation.ts, Observation.observed_at).where(Observation.series_id == series.id)
        revisions = {tuple(row) for row in session.execute(rows.where(Observation.ts < utc("2024-03-11")))}
    days = [utc("2024-03-06"), utc("2024-03-07"), utc("2024-03-08")]
    assert revisions == {(day, moment) for day in days for moment in (before, clock())}


def test_after_a_dividend_the_newest_adjusted_values_count(run, source, stored, dividend):
    source.price = "adjusted"
    run()
    dividend()
    run()
    assert list(stored("AAPL").values()) == [84.5625, 84.5, 85.375, 171.0]


def test_as_of_a_moment_before_a_dividend_the_adjusted_values_are_the_old_ones(run, source, stored, dividend, clock):
    source.price = "adjusted"
    run()
    before = clock()
    dividend()
    run()
    assert list(stored("AAPL", as_of=before).values()) == [169.125, 169.0, 170.75]


def test_a_dividend_changes_no_close(run, stored, dividend):
    run()
    before = stored("AAPL")
    dividend()
    assert run().revised == 0
    assert stored("AAPL") == before | {utc("2024-03-11"): 171.0}


# ── too many requests ───────────────────────────────────────────────────────────────────────────────────────────────


def test_too_many_requests_fail_the_fetch_and_are_called_so(run, yahoo):
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError, match="Yahoo limits the rate of requests"):
        run()


def test_after_too_many_requests_no_other_symbol_is_asked_for(run, yahoo):
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    assert {symbol for symbol, _ in yahoo.asked} == {"AAPL"}


def test_after_too_many_requests_all_series_are_marked_with_one_reason(run, yahoo, marks):
    run()
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    assert marks()["AAPL"][1] == AFTER
    assert marks()["AAPL"] == marks()["BTC-USD"]


def test_after_too_many_requests_the_last_good_data_stay(run, yahoo, stored):
    run()
    before = stored("AAPL"), stored("BTC-USD")
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    assert (stored("AAPL"), stored("BTC-USD")) == before


def test_what_came_before_too_many_requests_is_stored(run, yahoo, stored):
    yahoo.broken["BTC-USD"] = TOO_MANY_REQUESTS
    assert list(run().failures) == ["BTC-USD"]
    assert len(stored("AAPL")) == len(APPLE)


def test_a_good_fetch_takes_the_marks_away(run, yahoo, marks):
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    yahoo.down = None
    run()
    assert marks() == {"AAPL": (None, None), "BTC-USD": (None, None)}


# ── a host in other trouble ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_instead_of_data_fails_the_fetch_and_is_called_so(run, yahoo):
    yahoo.down = SERVER_ERROR
    with pytest.raises(SourceDownError, match="Yahoo answered with a page instead of data"):
        run()


def test_a_page_instead_of_data_is_forgotten_at_the_next_fetch(run, yahoo, stored):
    yahoo.down = SERVER_ERROR
    with pytest.raises(SourceDownError):
        run()
    yahoo.down = None
    run()
    assert len(stored("AAPL")) == len(APPLE)


def test_a_host_out_of_reach_fails_the_fetch(run, yahoo):
    yahoo.stop()
    with pytest.raises(SourceDownError, match="Yahoo does not answer: Failed to connect"):
        run()


def test_after_a_broken_connection_no_other_symbol_is_asked_for(run, yahoo, hang_up):
    yahoo.down = hang_up
    with pytest.raises(SourceDownError, match="Empty reply from server"):
        run()
    assert {symbol for symbol, _ in yahoo.asked} == {"AAPL"}


def test_the_reason_for_a_host_out_of_reach_has_no_links_or_codes_of_curl(run, yahoo, marks):
    yahoo.stop()
    with pytest.raises(SourceDownError):
        run()
    assert "curl" not in marks()["AAPL"][0]


@pytest.mark.parametrize("trouble", [TOO_MANY_REQUESTS, SERVER_ERROR, None])
def test_a_reason_is_one_line_and_the_same_for_all_series(run, yahoo, marks, trouble):
    yahoo.down = trouble
    if trouble is None:
        yahoo.stop()
    with pytest.raises(SourceDownError):
        run()
    (reason,) = {failure for failure, _ in marks().values()}
    assert len(reason.splitlines()) == 1


# ── a symbol in trouble ─────────────────────────────────────────────────────────────────────────────────────────────


def test_symbols_that_yahoo_does_not_know_fail_with_one_reason(run, source):
    source.symbols = ["NONE", "NADA", "NIENTE", "AAPL"]  # the client asks differently from the third on
    unknown = "Yahoo does not know this symbol; check how it is spelt"
    assert run().failures == {"NONE": unknown, "NADA": unknown, "NIENTE": unknown}


def test_symbols_after_one_that_yahoo_does_not_know_are_stored(run, source, stored):
    source.symbols = ["NONE", "AAPL"]
    run()
    assert len(stored("AAPL")) == len(APPLE)


def test_a_symbol_that_yahoo_no_longer_knows_fails_with_its_reason(run, yahoo):
    run()
    del yahoo.listings["AAPL"]
    assert run().failures == {"AAPL": "Yahoo has no prices for this symbol: No data found, symbol may be delisted"}


@pytest.mark.parametrize("closes", [{}, dict.fromkeys(APPLE)])
def test_no_prices_where_there_were_some_are_a_failure_and_not_no_news(run, yahoo, closes):
    run()
    yahoo.listings["AAPL"].closes = closes
    assert run().failures == {"AAPL": "Yahoo answered without prices; it does so when it is overloaded or out of reach"}


def test_after_an_answer_without_prices_the_last_good_data_stay(run, yahoo, stored):
    run()
    yahoo.listings["AAPL"].closes = {}
    run()
    assert len(stored("AAPL")) == len(APPLE)


def test_a_symbol_that_the_client_cannot_read_fails_with_its_error(run, yahoo):
    yahoo.listings["AAPL"].currency = None
    assert run().failures == {"AAPL": "yfinance cannot read what Yahoo has for this symbol: KeyError: 'currency'"}


def test_symbols_after_one_that_the_client_cannot_read_are_stored(run, yahoo, stored):
    yahoo.listings["AAPL"].currency = None
    run()
    assert len(stored("BTC-USD")) == len(BITCOIN)


# ── the client ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_client_is_not_imported_before_a_source_fetches():
    told = "import sys, jobs.sources, service.cli; print('yfinance' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_client_keeps_its_files_in_the_folder_it_is_given(run, tmp_path):
    run()
    assert (tmp_path / "tkr-tz.db").exists()
