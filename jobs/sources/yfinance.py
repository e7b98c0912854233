"""Prices from Yahoo Finance, from minutes to quarters, through the yfinance client.

Yahoo divides all past prices by each split, and its adjusted ones by each dividend as well: its whole history changes
again and again. So prices are delivered as they were traded, which never change, and beside them the factors that lay
them on today's measure.

The client is imported at the first fetch: that takes seconds, and a daemon without this source should not wait for it.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from json import JSONDecodeError
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from jobs.manners import CoolingDownError
from jobs.sources.base import Delivery, Request, SourceDownError

HOST = "query2.finance.yahoo.com"
TIMEOUT = 10  # seconds that a request may take
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
# Yahoo also has 5d, whose bars lie elsewhere in each answer.
NAMES = {
    **{timedelta(minutes=minutes): f"{minutes}m" for minutes in (1, 2, 5, 15, 30, 90)},
    HOUR: "1h",
    4 * HOUR: "4h",
    DAY: "1d",
    WEEK: "1wk",
}
MONTHS = {1: "1mo", 3: "3mo"}
# How far back Yahoo has each interval, less two days, because a start is rounded down to midnight at the exchange. The
# others go back to the beginning, which the client takes to be 99 years ago.
REACH = {
    timedelta(minutes=1): timedelta(days=6),
    **{timedelta(minutes=minutes): timedelta(days=58) for minutes in (2, 5, 15, 30, 90)},
    HOUR: timedelta(days=728),
    4 * HOUR: timedelta(days=728),
}
ALL = timedelta(days=99 * 365)
# Back from what is wanted: a start is rounded down to midnight at the exchange, and a dividend is measured by the bar
# before, which a long weekend may keep away.
MARGIN = timedelta(days=4)
FLOAT32 = 2.0**-23  # what rounding to float32, twice, may change in a number of 1
PLAIN = 1.5  # a split by more than this is not mistaken for a day's fall
REMEMBERED = 3  # newest prices of each symbol, to see whether the next answer is in the same measure
FAR = 0.02  # by how much more than a correction all of them differ where it is not
CURL_NOISE = re.compile(r"^Failed to perform, curl: \(\d+\) |\.? See https://curl\.se\S* first for more details\.?")


class HostDownError(SourceDownError):
    """The host, not one symbol, is in trouble."""


@dataclass(frozen=True)
class Bars:
    """What Yahoo has of a symbol."""

    prices: "pd.Series[float]"  # as traded
    factors: "pd.Series[float]"  # of each bar: what prices before it are worth in its measure, and so mostly 1
    dropped: dict[str, int]


@dataclass
class YfinanceSource:
    """Prices of what Yahoo Finance lists: stocks, funds, indices, currencies. Needs no account."""

    symbols: Annotated[list[str], "as Yahoo spells them: AAPL, ^GSPC, 005930.KS, EURUSD=X, BTC-USD"]
    price: Annotated[
        Literal["close", "adjusted"], "close: as traded, comparable across splits; adjusted: across dividends as well"
    ] = "close"

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ValueError("symbols is empty: expected at least one, as in AAPL")
        twice = [symbol for k, symbol in enumerate(self.symbols) if symbol in self.symbols[:k]]
        if twice:
            raise ValueError(f"symbols has {twice[0]} twice: expected each once")
        self.session: Any = None  # a curl_cffi session; None lets yfinance make its own

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """A delivery a symbol. State: of each symbol that was brought, the newest prices as they were then."""
        interval = _interval(request)
        client = _client(request)
        state = dict(request.state)
        for k, symbol in enumerate(self.symbols):
            try:
                bars = self._bars(client, request, symbol, interval)
            except (HostDownError, CoolingDownError) as error:
                # To go on asking would make it worse.
                yield Delivery(failures=dict.fromkeys(self.symbols[k:], str(error)), state=state)
                return
            except SourceDownError as error:
                yield Delivery(failures={symbol: str(error)}, state=state)
            else:
                state = state | {symbol: _newest(bars.prices)}
                yield Delivery({symbol: bars.prices}, {}, bars.dropped, {symbol: bars.factors}, state=state)

    def _bars(self, client: Any, request: Request, symbol: str, interval: str) -> Bars:
        """What is new of a symbol and some before it; its whole history where little would leave wrong what is stored.

        Where Yahoo divides prices before it lists the split, or lists it before it divides them, takes a split back or
        moves to another currency, what it has now is in another measure than what is stored, and replaces it.
        """
        known = request.state.get(symbol)
        if known is None or symbol not in request.newest:
            return self._ask(client, request, symbol, interval, _start(request, symbol, whole=True))
        bars = self._ask(client, request, symbol, interval, _start(request, symbol, whole=False))
        if _in_one_measure(bars.prices, known):
            return bars
        return self._ask(client, request, symbol, interval, _start(request, symbol, whole=True))

    def _ask(self, client: Any, request: Request, symbol: str, interval: str, start: date) -> Bars:
        request.manners.ask(HOST)
        try:
            frame = client.Ticker(symbol, session=self.session).history(
                start=start.isoformat(),
                interval=interval,
                auto_adjust=False,
                keepna=interval != "30m",  # which the client makes of 15m, with NaN for every night
                timeout=TIMEOUT,
            )
        except Exception as error:  # the client lets everything through, from KeyError to CurlError
            down = _in_words(client, error)
            if isinstance(down, HostDownError) and not isinstance(error, OSError):  # which is no answer at all
                request.manners.troubled(HOST, str(down))
            raise down from error
        request.manners.answered(HOST)
        if frame["Close"].isna().all():
            raise SourceDownError("Yahoo answered without prices; it does so when it is overloaded or out of reach")
        return _as_traded(frame, dividends=self.price == "adjusted", daily=request.interval <= DAY)


# ── what to ask ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _interval(request: Request) -> str:
    name = MONTHS.get(request.months) if request.months else NAMES.get(request.interval)
    if name is None:
        asked = f"{request.months} months" if request.months else str(request.interval)
        has = ", ".join([*NAMES.values(), *MONTHS.values()])
        raise SourceDownError(f"Yahoo has no interval of {asked}; it has {has}")
    return name


def _start(request: Request, symbol: str, *, whole: bool) -> date:
    start = request.now - min(request.history, ALL)
    if request.since is not None:
        # A symbol that failed for long is not what `since` goes by.
        wanted = min(request.since, request.newest.get(symbol, request.since)) - MARGIN
        start = min(start, wanted) if whole else wanted
    reach = ALL if request.months else REACH.get(request.interval, ALL)
    day = max(start, request.now - reach).date()
    # Yahoo's weeks begin on the weekday of the start, and its months on its day of the month.
    if request.months:
        return day.replace(month=(day.month - 1) // request.months * request.months + 1, day=1)
    return day - timedelta(days=day.weekday()) if request.interval == WEEK else day


def _client(request: Request) -> Any:
    import yfinance

    # The client's own use of pandas, which we cannot mend. Set at each fetch: to import the client turns them on.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(request.cache_dir))
    # It remembers answers as long as the process lives, and so would repeat an error page for ever.
    yfinance.data.YfData.cache_get.cache_clear()
    return yfinance


# ── what the answer means ───────────────────────────────────────────────────────────────────────────────────────────


def _as_traded(frame: pd.DataFrame, *, dividends: bool, daily: bool) -> Bars:
    """The prices of Yahoo's answer with later splits undone, and the factors of its splits and dividends.

    A bar in which a split or dividend took effect closed after it: it is the bars before that are worth less. A fund's
    capital gains are among its dividends. daily: whether bars last a day or less.
    """
    closes, splits = frame["Close"].astype(float), frame["Stock Splits"]
    ratios = splits.where(splits.between(0, np.inf, inclusive="neither"), 1.0)  # 0 where there is none
    divided = ratios.where(~_forgotten(closes, ratios), 1.0) if daily else ratios
    since_before = divided[::-1].cumprod()[::-1]  # of each bar, the ratios of its own and all later splits
    prices = (closes * since_before / divided).map(_meant)
    factors, dropped = 1 / ratios, {}
    if dividends:
        # As traded, too, lest the next split changes the factors; Yahoo divides dividends like prices.
        before = (closes.ffill().shift() * since_before).map(_meant)
        kept = 1 - frame["Dividends"] * since_before / before
        factors = factors * kept.where(kept > 0, 1.0)
        dropped = {"dividends not below the price": int((kept <= 0).sum())}
    # Those of 1 say that there is nothing any more where Yahoo has taken a split back, or moved it to another day. Of
    # what took effect in the first bar the price before is not known; an earlier answer had it.
    return Bars(prices, factors.iloc[1:], dropped)


def _forgotten(closes: "pd.Series[float]", ratios: "pd.Series[float]") -> "pd.Series[bool]":
    """Which splits Yahoo lists, but has not divided the prices before by: these are about the ratio times as high."""
    fall, between = closes.ffill().shift() / closes, ratios**0.5
    return (ratios > PLAIN) & (fall > between) | (ratios < 1 / PLAIN) & (fall < between)


def _meant(number: float) -> float:
    """The shortest decimal of six digits or more that the number can stand for.

    Yahoo keeps prices as float32, divided by later splits: 99.99, after 3:1, comes as 33.33000183, times 3 is
    99.99000549. Without this, fetching again after a split would seem to revise every price. Prices of up to six
    digits come out the same whatever the splits, as float32 tells such apart; longer ones mostly.
    """
    shortest = number
    for digits in (9, 8, 7, 6):
        shorter = float(f"{number:.{digits}g}")
        if abs(shorter - number) <= FLOAT32 * abs(number):
            shortest = shorter
    return shortest


def _newest(prices: "pd.Series[float]") -> dict[str, float]:
    """The newest prices by time, without the last, whose bar may still be forming."""
    newest = _by_time(prices).dropna().iloc[:-1].tail(REMEMBERED)
    return {str(time): price for time, price in newest.items()}


def _in_one_measure(prices: "pd.Series[float]", known: Mapping[str, float]) -> bool:
    """Whether prices are what they were: not all of several differ, as they do in another measure."""
    changes = (_by_time(prices).reindex(list(known)) / pd.Series(known) - 1).dropna().abs()
    return len(changes) < 2 or bool((changes <= FAR).any())


def _by_time(prices: "pd.Series[float]") -> "pd.Series[float]":
    return prices.set_axis(pd.DatetimeIndex(prices.index).strftime("%Y-%m-%dT%H:%M%z"))


def _in_words(client: Any, error: Exception) -> SourceDownError:
    """What an error of the client means, and whether for the host or for the one symbol."""
    told = CURL_NOISE.sub("", " ".join(str(error).split()))
    match error:
        case client.exceptions.YFRateLimitError():
            return HostDownError("Yahoo limits the rate of requests (HTTP 429): ask less often, or for fewer symbols")
        case client.exceptions.YFDataException() | JSONDecodeError():
            return HostDownError("Yahoo answered with a page instead of data; it does so when it is overloaded or down")
        case client.exceptions.YFTzMissingError() | object(response=object(status_code=404)):
            return SourceDownError("Yahoo does not know this symbol; check how it is spelt")
        case client.exceptions.YFPricesMissingError(rationale=rationale):
            return SourceDownError(f"Yahoo has no prices for this symbol: {' '.join(rationale.split())}")
        case OSError():
            return HostDownError(f"Yahoo does not answer: {told}")
    return SourceDownError(f"yfinance cannot read what Yahoo has for this symbol: {type(error).__name__}: {told}")
