"""Daily and intraday prices from Yahoo Finance, through the yfinance client.

The client is imported at the first fetch: that takes seconds, and a daemon without this source should not wait for it.
"""

import re
import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from json import JSONDecodeError
from typing import Any, Literal

import pandas as pd

from jobs.sources.base import Delivery, Request, SourceDownError

WEEK = timedelta(days=7)
NAMES = {
    **{timedelta(minutes=minutes): f"{minutes}m" for minutes in (1, 2, 5, 15, 30, 90)},
    timedelta(hours=1): "1h",
    timedelta(days=1): "1d",
    WEEK: "1wk",
}
# How far back Yahoo has each interval, less two days, because a start is rounded down to midnight at the exchange. The
# others go back to the beginning.
REACH = {
    timedelta(minutes=1): timedelta(days=6),
    **{timedelta(minutes=minutes): timedelta(days=58) for minutes in (2, 5, 15, 30, 90)},
    timedelta(hours=1): timedelta(days=728),
}
CURL_NOISE = re.compile(r"^Failed to perform, curl: \(\d+\) |\.? See https://curl\.se\S* first for more details\.?")


class HostDownError(SourceDownError):
    """The host, not one symbol, is in trouble."""


@dataclass
class YfinanceSource:
    """Prices of some symbols.

    `close` is the price as traded, splits undone; `adjusted` also undoes dividends, and so rewrites history with each.
    """

    symbols: list[str]
    price: Literal["close", "adjusted"] = "close"

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ValueError("symbols is empty: expected at least one, as in AAPL")
        self.session: Any = None  # a curl_cffi session; None lets yfinance make its own

    def fetch(self, request: Request) -> Delivery:
        """Ask for the whole history that the panel uses: one request a symbol either way, and no revision is missed."""
        if request.interval not in NAMES:
            raise SourceDownError(f"Yahoo has no interval of {request.interval}; it has {', '.join(NAMES.values())}")
        client = _client(request)
        values: dict[str, pd.Series[float]] = {}
        failures: dict[str, str] = {}
        for k, symbol in enumerate(self.symbols):
            try:
                values[symbol] = self._closes(client, symbol, _start(request), NAMES[request.interval])
            except HostDownError as error:
                # To go on asking would make it worse.
                failures |= dict.fromkeys(self.symbols[k:], str(error))
                break
            except SourceDownError as error:
                failures[symbol] = str(error)
        return Delivery(values, failures)

    def _closes(self, client: Any, symbol: str, start: date, interval: str) -> "pd.Series[float]":
        try:
            frame = client.Ticker(symbol, session=self.session).history(
                start=start.isoformat(),
                interval=interval,
                auto_adjust=self.price == "adjusted",
                actions=False,
                keepna=interval != "30m",  # which the client makes of 15m, with NaN for every night
                timeout=10,
            )
        except Exception as error:  # the client lets everything through, from KeyError to CurlError
            raise _in_words(client, error) from error
        closes: pd.Series[float] = frame["Close"].astype(float)
        if closes.isna().all():
            raise SourceDownError("Yahoo answered without prices; it does so when it is overloaded or out of reach")
        return closes


def _start(request: Request) -> date:
    start = (request.now - min(request.history, REACH.get(request.interval, request.history))).date()
    # Yahoo's weeks begin on the weekday of the start, and would be other weeks every day.
    return start - timedelta(days=start.weekday()) if request.interval == WEEK else start


def _client(request: Request) -> Any:
    import yfinance

    # The client's own use of pandas, which we cannot mend. Set at each fetch: to import the client turns them on.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(request.cache_dir))
    # It remembers answers as long as the process lives, and so would repeat an error page for ever.
    yfinance.data.YfData.cache_get.cache_clear()
    return yfinance


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
