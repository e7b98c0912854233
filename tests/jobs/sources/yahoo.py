"""A stand-in for Yahoo Finance on this machine, for the real yfinance client."""

import json
import math
import sys
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import numpy as np

HANG_UP, SILENT = (), ("silent",)  # answers that are none
CONSENT = '<form><input name="csrfToken" value="token"/><input name="sessionId" value="id"/></form>'


@dataclass
class Listing:
    """A symbol: the price that each bar closed at, as it was traded then, by the bar's time, which for a day is that of
    its first trade. Yahoo shows prices before a split divided by it, adjusted ones by dividends too, both as float32.
    """

    zone: str
    closes: dict[datetime, float | None]
    splits: dict[datetime, tuple[int, int]] = field(default_factory=dict)  # shares after, and before
    dividends: dict[datetime, float] = field(default_factory=dict)  # as paid
    currency: str | None = "USD"
    unlisted: bool = False  # the splits are not among the events
    undivided: bool = False  # the prices are not divided by the splits

    def chart(self, symbol, query):
        """The answer of `/v8/finance/chart`."""
        start, end = float(query.get("period1", "-inf")), float(query.get("period2", "inf"))
        bars = {ts: close for ts, close in sorted(self.closes.items()) if start <= ts.timestamp() < end}
        dividends = {ts: {"amount": paid / self._later_splits(ts)} for ts, paid in self.dividends.items()}
        splits = {ts: {"numerator": after, "denominator": before} for ts, (after, before) in self.splits.items()}
        meta = {
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": self.zone,
            "validRanges": ["1d", "max"],
        }
        if query["interval"].endswith(("m", "h")):
            meta["tradingPeriods"] = [[period] for period in self._trading_periods(bars)]
        if self.currency is not None:
            meta["currency"] = self.currency
        shown = {ts: self._shown(ts) for ts in bars}
        quote = {name: _float32(shown.values()) for name in ("open", "high", "low", "close", "volume")}
        result = {
            "meta": meta,
            "timestamp": [int(ts.timestamp()) for ts in bars],
            "indicators": {
                "quote": [quote],
                "adjclose": [{"adjclose": _float32(self._adjusted(ts) for ts in bars)}],
            },
            "events": {
                "dividends": _events(dividends, start, end),
                "splits": {} if self.unlisted else _events(splits, start, end),
            },
        }
        return {"chart": {"result": [result], "error": None}}

    def _later_splits(self, ts):
        """How many shares there are now for one of that time. A bar with a split in it closes after that."""
        ratios = (after / before for time, (after, before) in self.splits.items() if self._bar_of(time) > ts)
        return 1.0 if self.undivided else math.prod(ratios)

    def _bar_of(self, time):
        return max((ts for ts in self.closes if ts <= time), default=time)

    def _shown(self, ts):
        return None if self.closes[ts] is None else self.closes[ts] / self._later_splits(ts)

    def _adjusted(self, ts):
        adjusted = self._shown(ts)
        for ex_date, paid in self.dividends.items():
            if ex_date > ts and adjusted is not None:
                before = max(bar for bar, close in self.closes.items() if bar < ex_date and close is not None)
                adjusted *= 1 - paid / self._later_splits(ex_date) / self._shown(before)
        return adjusted

    def _trading_periods(self, bars):
        """The whole of each day: this exchange never closes."""
        zone = ZoneInfo(self.zone)
        for date in sorted({ts.astimezone(zone).date() for ts in bars}):
            start = datetime.combine(date, time(), zone)
            end = start + timedelta(days=1)
            yield {"timezone": "", "gmtoffset": 0, "start": int(start.timestamp()), "end": int(end.timestamp())}


class Yahoo:
    """Knows its listings. For a symbol in `broken` it answers with just that, and while `down` is set always so. Who
    shows another crumb than its own has to get a new one.
    """

    def __init__(self):
        self.listings = {}
        self.broken = {}  # symbol → (status, content type, body)
        self.down = None  # likewise
        self.crumb = "crumb"
        self.asked = []  # of each request for a chart: the symbol, and the query
        self._stopping = Event()
        yahoo = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer = yahoo._answer(urlsplit(self.path))
                while answer is SILENT and yahoo.down is SILENT and not yahoo._stopping.wait(0.02):
                    pass
                if answer in (HANG_UP, SILENT):
                    return
                status, content_type, body = answer
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self):
        """From now on connections are refused."""
        self._stopping.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def session(self):
        """A session for yfinance whose every request ends up here."""
        from curl_cffi.requests import Session

        here = f"127.0.0.1:{self._server.server_port}"

        class LocalSession(Session):
            def request(self, method, url, **options):
                return super().request(method, urlsplit(url)._replace(scheme="http", netloc=here).geturl(), **options)

        return LocalSession(trust_env=False)

    def _answer(self, url):
        page, _, symbol = unquote(url.path).rpartition("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if page == "/v8/finance/chart":
            self.asked.append((symbol, query))
        if self.down is not None:
            return self.down
        if url.path == "/v1/test/getcrumb":
            return 200, "text/plain", self.crumb
        if url.path == "/consent":
            return 200, "text/html", CONSENT
        if page == "/v8/finance/chart":
            return self._chart(symbol, query)
        if page == "/v10/finance/quoteSummary":
            return _json({"quoteSummary": _not_found("Quote not found for symbol")}, 404)
        return 200, "text/html", "<html></html>"  # the page that sets the cookie

    def _chart(self, symbol, query):
        if symbol in self.broken:
            return self.broken[symbol]
        if query.get("crumb", self.crumb) != self.crumb:
            error = {"code": "Unauthorized", "description": "Invalid Crumb"}
            return _json({"chart": {"result": None, "error": error}}, 401)
        if symbol not in self.listings:
            return _json({"chart": _not_found("No data found, symbol may be delisted")}, 404)
        return _json(self.listings[symbol].chart(symbol, query))


def _events(told, start, end):
    dates = {ts: int(ts.timestamp()) for ts in told if start <= ts.timestamp() < end}
    return {str(date): {"date": date} | told[ts] for ts, date in dates.items()}


def _float32(numbers):
    return [None if number is None else float(np.float32(number)) for number in numbers]


def _json(content, status=200):
    return status, "application/json", json.dumps(content)


def _not_found(description):
    return {"result": None, "error": {"code": "Not Found", "description": description}}


def forget(folder):
    """Make the yfinance client as new, where it is imported: it keeps session, crumb and caches in singletons."""
    if "yfinance" not in sys.modules:
        return
    from yfinance import base, cache, data

    type(data.YfData)._instances.pop(data.YfData, None)
    data.YfData.cache_get.cache_clear()
    cache.set_cache_location(str(folder / "elsewhere"))  # closes its databases, too
    cache._TzCacheManager._tz_cache = None
    cache._CookieCacheManager._Cookie_cache = None
    base._tz_info_fetch_ctr = 0
