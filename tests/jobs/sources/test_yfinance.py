"""The real yfinance client against a stand-in for Yahoo: what of its answers, good and bad, ends up in the database."""

import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from db import queries
from db.times import from_us
from jobs.fetch import fetch
from jobs.manners import Manners
from jobs.panel import Panel
from jobs.sources.base import SourceDownError
from jobs.sources.yfinance import HOST, YfinanceSource

DAY = timedelta(days=1)
MONTH = timedelta(days=30)
NEW_YORK, SYDNEY, TOKYO = "America/New_York", "Australia/Sydney", "Asia/Tokyo"
TOO_MANY_REQUESTS = (429, "text/html", "Too Many Requests\r\n")
SERVER_ERROR = (500, "text/html", "<html><body><h1>Internal Server Error</h1></body></html>")


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(zone, *dates, hour=10):
    """When the first trades of some days are made."""
    return [datetime.fromisoformat(date).replace(hour=hour, tzinfo=ZoneInfo(zone)) for date in dates]


APPLE = dict(zip(opens(NEW_YORK, "2024-03-06", "2024-03-07", "2024-03-08"), [169.125, 169.0, 170.75], strict=True))
(MONDAY,) = opens(NEW_YORK, "2024-03-11")
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
def run(sessions, source, clock, means):
    """Fetch a panel of that source; it is daily, unless told otherwise."""
    panel = Panel("prices", source, DAY, 5, fetch_every=DAY, refit_every=DAY, train_window=timedelta(days=365))
    return lambda **changes: fetch(sessions, replace(panel, **changes), clock, means)


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
def starts(yahoo):
    """From when on a symbol was asked for, request by request."""

    def read(symbol="AAPL"):
        return [
            datetime.fromtimestamp(int(query["period1"]), UTC)
            for name, query in yahoo.asked
            if name == symbol and "period1" in query
        ]

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


def test_a_month_is_stored_by_its_first_day(run, stored, yahoo, listing):
    months = opens(NEW_YORK, "2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01", hour=0)
    yahoo.listings["AAPL"] = listing(NEW_YORK, dict(zip(months, [1.0, 2.0, 3.0, 4.0], strict=True)))
    run(interval=MONTH, months=1)
    assert stored("AAPL") == {utc("2023-12-01"): 1.0, utc("2024-01-01"): 2.0, utc("2024-02-01"): 3.0}


@pytest.mark.parametrize(
    ("interval", "months", "name"),
    [
        *((timedelta(minutes=minutes), 0, f"{minutes}m") for minutes in (1, 2, 5, 15, 90)),
        (timedelta(minutes=30), 0, "15m"),  # of which the client makes it
        (timedelta(hours=1), 0, "1h"),
        (timedelta(hours=4), 0, "4h"),
        (DAY, 0, "1d"),
        (7 * DAY, 0, "1wk"),
        (MONTH, 1, "1mo"),
        (3 * MONTH, 3, "3mo"),
    ],
)
def test_every_interval_is_asked_for_by_its_name(run, yahoo, interval, months, name):
    run(interval=interval, months=months)
    assert {query["interval"] for _, query in yahoo.asked if "period1" in query} == {name}


@pytest.mark.parametrize(
    ("interval", "months", "told"),
    [(timedelta(hours=2), 0, "2:00:00"), (MONTH, 0, "30 days"), (12 * MONTH, 12, "12 months")],
)
def test_an_interval_that_yahoo_lacks_is_refused_with_those_it_has(run, interval, months, told):
    has = "it has 1m, 2m, 5m, 15m, 30m, 90m, 1h, 4h, 1d, 1wk, 1mo, 3mo"
    with pytest.raises(SourceDownError, match=f"Yahoo has no interval of {told}.*; {has}"):
        run(interval=interval, months=months)


# ── how much is asked for ───────────────────────────────────────────────────────────────────────────────────────────


def test_no_more_history_is_asked_for_than_the_panel_uses(run, stored):
    run(train_window=timedelta(days=4))
    assert list(stored("AAPL")) == [utc("2024-03-07"), utc("2024-03-08")]


@pytest.mark.parametrize(("minutes", "days"), [(1, 8), (15, 60), (60, 730), (240, 730)])
def test_no_more_history_is_asked_for_than_yahoo_has(run, yahoo, listing, clock, starts, minutes, days):
    clock.now = utc("2024-03-11T23:59")  # the latest that midnight in Tokyo lies back
    yahoo.listings["AAPL"] = listing(TOKYO, APPLE)
    run(interval=timedelta(minutes=minutes), train_window=timedelta(days=1000))
    assert min(starts()) > clock() - timedelta(days=days)


def test_a_history_of_three_thousand_years_is_asked_for_as_far_back_as_the_client_goes(run, clock, starts):
    run(interval=3 * MONTH, months=3, train_window=timedelta(days=1_100_000))
    assert starts()[0] > clock() - timedelta(days=100 * 365)


def test_what_was_brought_is_asked_for_again_from_some_days_before_the_overlap(run, starts):
    run(overlap=2 * DAY)
    run(overlap=2 * DAY)
    whole, again = starts()
    assert whole.date() == (AFTER - timedelta(days=365)).date()
    assert again == datetime(2024, 3, 2, tzinfo=ZoneInfo(NEW_YORK))


def test_a_value_changed_within_the_overlap_is_a_revision(run, stored, yahoo):
    run()
    yahoo.listings["AAPL"].closes[max(APPLE)] = 170.5
    assert run().revised == 1
    assert stored("AAPL")[utc("2024-03-08")] == 170.5


def test_a_symbol_without_observations_is_asked_for_its_whole_history_beside_others(
    run, source, yahoo, starts, listing
):
    source.symbols.append("NEW")
    run()
    yahoo.listings["NEW"] = listing(NEW_YORK, APPLE)
    run()
    assert starts("NEW") == starts("AAPL")[:1]
    assert starts("AAPL")[1] > starts("AAPL")[0]


def test_a_symbol_that_failed_for_long_is_asked_for_from_its_newest_value_on(run, yahoo, clock, starts, stored):
    run()
    apple = yahoo.listings.pop("AAPL")
    clock.advance(days=40)
    days = pd.date_range("2024-03-11", "2024-04-19", freq="D", tz="UTC").to_pydatetime()
    yahoo.listings["BTC-USD"].closes |= dict.fromkeys(days, 7e4)
    run()
    yahoo.listings["AAPL"] = apple
    apple.closes |= dict.fromkeys(opens(NEW_YORK, "2024-03-11", "2024-04-18"), 171.0)
    run()
    assert utc("2024-02-25") < starts()[-1] <= utc("2024-03-08")
    assert utc("2024-03-11") in stored("AAPL")


def test_after_an_outage_longer_than_the_history_all_since_is_asked_for(source, make_request, starts):
    known = dict.fromkeys(source.symbols, AFTER - 20 * DAY)
    since = AFTER - 21 * DAY
    list(source.fetch(make_request(now=AFTER, interval=DAY, history=5 * DAY, since=since, newest=known)))
    assert starts()[0] < since


def test_a_symbol_whose_observations_are_forgotten_is_asked_for_its_whole_history(source, make_request, starts):
    daily = {"now": AFTER, "interval": DAY}
    *_, last = source.fetch(make_request(**daily))
    list(source.fetch(make_request(**daily, since=AFTER - DAY, newest={"BTC-USD": AFTER}, state=last.state)))
    assert starts("AAPL")[1] == starts("AAPL")[0]
    assert starts("BTC-USD")[1] > starts("BTC-USD")[0]


@pytest.mark.parametrize("price", ["close", "adjusted"])
def test_with_other_options_all_is_asked_for_anew(run, source, starts, price):
    run()
    source.price = price
    run()
    assert (starts()[1] <= starts()[0]) == (price == "adjusted")


def test_weeks_begin_on_the_same_weekday_at_every_fetch(run, clock, starts):
    for _ in range(7):
        run(interval=7 * DAY)
        clock.advance(days=1)
    assert {start.weekday() for start in starts()} == {0}


@pytest.mark.parametrize(("months", "begin"), [(1, set(range(1, 13))), (3, {1, 4, 7, 10})])
def test_months_begin_on_the_first_at_every_fetch(run, clock, starts, yahoo, months, begin):
    bars = pd.date_range("2022-01-01", "2025-01-01", freq="MS", tz=NEW_YORK).to_pydatetime()
    yahoo.listings["AAPL"].closes = dict.fromkeys(bars, 1.0)
    for _ in range(12):
        run(interval=months * MONTH, months=months, overlap=40 * DAY)
        clock.advance(days=33)
    local = [start.astimezone(ZoneInfo(NEW_YORK)) for start in starts()]
    assert {start.day for start in local} == {1}
    assert {start.month for start in local} <= begin


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


# ── splits and dividends ────────────────────────────────────────────────────────────────────────────────────────────


SESSIONS = opens(NEW_YORK, *pd.bdate_range("2024-01-29", "2024-03-08").strftime("%Y-%m-%d"))
PRICES = [round(97.31 + 1.13 * k - 0.029 * k * k, 2) for k in range(len(SESSIONS))]


@pytest.fixture
def stock(source, yahoo, listing):
    """The only symbol: thirty days of prices in cents."""
    source.symbols = ["AAPL"]
    yahoo.listings = {"AAPL": listing(NEW_YORK, dict(zip(SESSIONS, PRICES, strict=True)))}
    return yahoo.listings["AAPL"]


@pytest.fixture
def monday(run, stock, clock):
    """Fetch, let the stock trade for one more day, and fetch again, two days of what is known."""

    def trade(price, **changes):
        if clock() == AFTER:
            run(overlap=2 * DAY)
            clock.advance(days=1)
        stock.closes[MONDAY] = price
        for name, value in changes.items():
            setattr(stock, name, value)
        return run(overlap=2 * DAY)

    return trade


RATIOS = [(4, 1), (3, 1), (7, 1), (10, 1), (3, 2), (21, 20), (1, 30)]


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_split_revises_no_price(monday, ratio):
    fetched = monday(round(PRICES[-1] * ratio[1] / ratio[0], 2), splits={MONDAY: ratio})
    assert (fetched.new, fetched.revised) == (1, 0)


@pytest.mark.parametrize("ratio", RATIOS)
def test_after_a_split_all_prices_are_read_in_its_measure(monday, stored, ratio):
    monday(30.0, splits={MONDAY: ratio})
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) * ratio[1] / ratio[0], 30.0])


def test_as_of_a_moment_before_a_split_prices_are_as_they_were(monday, stored):
    monday(30.0, splits={MONDAY: (4, 1)})
    assert list(stored("AAPL", as_of=AFTER).values()) == PRICES


def test_a_first_fetch_after_a_split_brings_the_prices_as_they_were_traded(source, stock, make_request):
    stock.splits = {SESSIONS[20]: (3, 1), SESSIONS[10]: (7, 1)}
    (delivery,) = source.fetch(make_request(now=AFTER, interval=DAY))
    assert delivery.values["AAPL"].tolist() == PRICES


def test_of_weeks_those_before_the_one_with_the_split_are_laid_on_its_measure(source, stock, make_request):
    stock.closes = dict(zip(opens(NEW_YORK, "2024-02-26", "2024-03-04", hour=0), [120.0, 30.5], strict=True))
    stock.splits = dict(zip(opens(NEW_YORK, "2024-03-06"), [(4, 1)], strict=True))
    (delivery,) = source.fetch(make_request(now=AFTER, interval=7 * DAY))
    assert delivery.values["AAPL"].tolist() == [120.0, 30.5]
    assert delivery.factors["AAPL"].to_dict() == {pd.Timestamp("2024-03-04", tz=NEW_YORK): 0.25}


@pytest.mark.parametrize("minutes", [5, 30, 60])
def test_a_split_takes_effect_with_the_first_bar_of_its_day(run, stock, stored, minutes):
    bars = [
        *opens(NEW_YORK, "2024-03-07", hour=15),
        *opens(NEW_YORK, "2024-03-08", hour=10),
        *opens(NEW_YORK, "2024-03-08", hour=11),
    ]
    stock.closes = dict(zip(bars, [120.0, 30.5, 31.0], strict=True))
    stock.splits = {bars[1]: (4, 1)}
    run(interval=timedelta(minutes=minutes))
    assert list(stored("AAPL").values()) == [30.0, 30.5, 31.0]


def test_a_dividend_changes_no_close(run, source, stored, stock):
    stock.dividends = {SESSIONS[20]: 5.0}
    run()
    assert list(stored("AAPL").values()) == PRICES


def test_a_dividend_revises_no_price(source, monday):
    source.price = "adjusted"
    fetched = monday(93.0, dividends={MONDAY: 5.0})
    assert (fetched.new, fetched.revised) == (1, 0)


def test_after_a_dividend_all_adjusted_prices_are_read_without_it(source, monday, stored):
    source.price = "adjusted"
    monday(93.0, dividends={MONDAY: 5.0})
    kept = 1 - 5.0 / PRICES[-1]
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) * kept, 93.0])


def test_as_of_a_moment_before_a_dividend_adjusted_prices_are_as_they_were(source, monday, stored):
    source.price = "adjusted"
    monday(93.0, dividends={MONDAY: 5.0})
    assert list(stored("AAPL", as_of=AFTER).values()) == PRICES


def test_a_split_leaves_the_factors_of_dividends_as_they_were(source, stock, make_request):
    source.price = "adjusted"
    stock.dividends = {SESSIONS[20]: 0.83}
    (before,) = source.fetch(make_request(now=AFTER, interval=DAY))
    stock.splits = {SESSIONS[25]: (7, 1)}
    (after,) = source.fetch(make_request(now=AFTER, interval=DAY))
    assert after.factors["AAPL"].iloc[19] == pytest.approx(before.factors["AAPL"].iloc[19], abs=1e-12)


def test_a_dividend_not_below_the_price_is_left_out_and_told(run, source, stock, stored):
    source.price = "adjusted"
    stock.dividends = {SESSIONS[20]: 4300.0}  # in pence, say
    assert run().dropped["dividends not below the price"] == 1
    assert list(stored("AAPL").values()) == PRICES


def test_a_dividend_is_measured_by_the_last_price_there_was_before(source, stock, make_request):
    source.price = "adjusted"
    stock.closes[SESSIONS[19]] = None
    stock.dividends = {SESSIONS[20]: 0.83}
    (delivery,) = source.fetch(make_request(now=AFTER, interval=DAY))
    assert delivery.factors["AAPL"].iloc[19] == 1 - 0.83 / PRICES[18]


def test_a_split_of_no_shares_is_none(source, stock, make_request):
    stock.splits, stock.undivided = {SESSIONS[20]: (4, 0)}, True
    (delivery,) = source.fetch(make_request(now=AFTER, interval=DAY))
    assert delivery.values["AAPL"].tolist() == PRICES
    assert set(delivery.factors["AAPL"]) == {1.0}


# ── Yahoo's measure and its splits do not agree ───────────────────────────────────────────────────────────────────────


def test_a_split_that_yahoo_lists_before_it_divides_prices_revises_none(monday, stored):
    assert monday(30.0, splits={MONDAY: (4, 1)}, undivided=True).revised == 0
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) / 4, 30.0])


def test_a_month_that_halves_a_price_is_no_split_that_yahoo_forgot(source, stock, make_request):
    months = opens(NEW_YORK, "2024-01-01", "2024-02-01", "2024-03-01", hour=0)
    stock.closes = dict(zip(months, [120.0, 30.0, 31.0], strict=True))
    stock.splits = {months[1]: (2, 1)}
    (delivery,) = source.fetch(make_request(now=AFTER, interval=MONTH, months=1))
    assert delivery.values["AAPL"].tolist() == [120.0, 30.0, 31.0]


def test_a_reverse_split_that_yahoo_lists_before_it_multiplies_prices_revises_none(monday, stored):
    assert monday(3000.0, splits={MONDAY: (1, 30)}, undivided=True).revised == 0
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) * 30, 3000.0])


def test_of_a_split_that_yahoo_divides_by_before_it_lists_it_the_whole_history_is_brought_again(monday, stored, starts):
    fetched = monday(30.0, splits={MONDAY: (4, 1)}, unlisted=True)
    assert fetched.revised == len(PRICES)
    assert starts()[-1].date() == starts()[0].date() + DAY  # so long a history, a day later
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) / 4, 30.0])


def test_once_yahoo_lists_it_prices_are_as_they_were_traded_again(run, monday, stored):
    monday(30.0, splits={MONDAY: (4, 1)}, unlisted=True)
    assert monday(30.0, unlisted=False).revised == len(PRICES)
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) / 4, 30.0])


def test_a_split_that_yahoo_takes_back_counts_no_more(monday, stored):
    monday(100.0, splits={MONDAY: (4, 1)})
    monday(100.0, splits={})
    assert list(stored("AAPL").values()) == [*PRICES, 100.0]


def test_a_split_that_yahoo_moves_to_another_day_counts_once(monday, stored, stock):
    monday(30.0, splits={SESSIONS[-1]: (4, 1)})
    monday(30.0, splits={MONDAY: (4, 1)})
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) / 4, 30.0])


def test_prices_in_another_currency_replace_the_whole_history(monday, stored, stock):
    monday(95.0)
    for ts in stock.closes:
        stock.closes[ts] *= 100
    assert monday(9500.0).revised == len(PRICES) + 1
    assert list(stored("AAPL").values()) == pytest.approx([*np.array(PRICES) * 100, 9500.0])


def test_a_single_price_corrected_is_no_other_measure(monday, stock, starts):
    monday(95.0)
    stock.closes[SESSIONS[-1]] *= 2
    assert monday(95.0).revised == 1
    assert len(starts()) == 3  # a request each time


def test_a_correction_of_the_only_known_price_is_no_other_measure(run, stock, starts):
    stock.closes = dict(zip(SESSIONS[-2:], PRICES[-2:], strict=True))  # the last may still be forming
    run()
    stock.closes[SESSIONS[-2]] *= 2
    assert run().revised == 1
    assert len(starts()) == 2


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────


events = st.dictionaries(st.integers(0, len(SESSIONS) - 1), st.sampled_from(RATIOS), max_size=3)
payments = st.dictionaries(st.integers(0, len(SESSIONS) - 1), st.floats(0.01, 0.9), max_size=4)
first_cents = st.integers(100, 99_999)
moves = arrays(float, len(SESSIONS) - 1, elements=st.floats(0.93, 1.07))  # a fall like a split's would pass for one
sampled = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@sampled
@given(first=first_cents, moves=moves, splits=events)
def test_prices_in_cents_come_as_they_were_traded_whatever_was_split(source, stock, make_request, first, moves, splits):
    prices = np.round(first * np.cumprod([1.0, *moves])) / 100
    stock.closes = dict(zip(SESSIONS, prices.tolist(), strict=True))
    stock.splits = {SESSIONS[k]: ratio for k, ratio in splits.items()}
    (delivery,) = source.fetch(make_request(now=AFTER, interval=DAY))
    assert delivery.values["AAPL"].tolist() == prices.tolist()


@sampled
@given(splits=events, dividends=payments)
def test_prices_times_factors_are_what_the_client_calls_adjusted(source, stock, make_request, splits, dividends):
    import yfinance

    source.price = "adjusted"
    stock.splits = {SESSIONS[k]: ratio for k, ratio in splits.items()}
    stock.dividends = {SESSIONS[k]: amount for k, amount in dividends.items()}
    (delivery,) = source.fetch(make_request(now=AFTER, interval=DAY))
    theirs = yfinance.Ticker("AAPL", session=source.session).history(start="2023-01-01", auto_adjust=True)["Close"]
    later = (
        delivery.factors["AAPL"].reindex(theirs.index, fill_value=1.0)[::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
    )
    np.testing.assert_allclose(delivery.values["AAPL"] * later, theirs, rtol=1e-6)


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


def test_a_good_fetch_takes_the_marks_away(run, yahoo, marks, clock):
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    yahoo.down = None
    clock.advance(minutes=1)
    run()
    assert marks() == {"AAPL": (None, None), "BTC-USD": (None, None)}


def test_after_too_many_requests_yahoo_is_left_alone_for_a_while(run, yahoo, clock):
    yahoo.down = TOO_MANY_REQUESTS
    with pytest.raises(SourceDownError):
        run()
    asked = len(yahoo.asked)
    clock.advance(seconds=9)
    with pytest.raises(SourceDownError, match=r"Yahoo limits the rate of requests .*asked again at 12:00:1\dZ"):
        run()
    assert len(yahoo.asked) == asked


def test_a_page_instead_of_data_has_yahoo_left_alone_for_a_while(run, yahoo):
    yahoo.down = SERVER_ERROR
    for told in ("overloaded or down$", "asked again at"):
        with pytest.raises(SourceDownError, match=told):
            run()


def test_a_broken_connection_has_yahoo_asked_again_at_once(run, yahoo, hang_up):
    yahoo.down = hang_up
    with pytest.raises(SourceDownError):
        run()
    yahoo.down = None
    run()


def test_a_good_answer_ends_the_trouble(run, yahoo, clock, means):
    means.manners.troubled(HOST, "too many requests")
    clock.advance(minutes=1)
    run()
    means.manners.troubled(HOST, "too many requests")
    clock.advance(seconds=13)  # the second time in a row it would be 20 s at least
    run()


def test_what_came_before_another_panel_was_refused_counts(source, make_request):
    request = make_request(now=AFTER, interval=DAY)
    deliveries = source.fetch(request)
    assert list(next(deliveries).values) == ["AAPL"]
    request.manners.troubled(HOST, "too many requests")
    (rest,) = deliveries
    assert rest.failures == {"BTC-USD": f"too many requests; {HOST} is asked again at 12:00:12Z"}


def test_each_symbol_waits_for_its_turn(source, make_request):
    waits = []
    manners = Manners(lambda: AFTER, random.Random(0), waits.append, rate=2, burst=1)
    list(source.fetch(make_request(now=AFTER, interval=DAY, manners=manners)))
    assert waits == [0.5]


# ── a host in other trouble ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_instead_of_data_fails_the_fetch_and_is_called_so(run, yahoo):
    yahoo.down = SERVER_ERROR
    with pytest.raises(SourceDownError, match="Yahoo answered with a page instead of data"):
        run()


def test_a_page_instead_of_data_is_forgotten_at_the_next_fetch(run, yahoo, stored, clock):
    yahoo.down = SERVER_ERROR
    with pytest.raises(SourceDownError):
        run()
    yahoo.down = None
    clock.advance(minutes=1)
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
