"""A stand-in for Yahoo Finance on this machine, for the real yfinance client."""

import json
import sys
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

HANG_UP = ()  # the answer that is none
CONSENT = '<form><input name="csrfToken" value="token"/><input name="sessionId" value="id"/></form>'


@dataclass
class Listing:
    """A symbol as Yahoo has it: the close of each bar by the bar's time, which for a day is that of its first trade."""

    zone: str
    closes: dict[datetime, float | None]
    adjusted: dict[datetime, float | None] = field(default_factory=dict)  # where it differs from the close
    dividends: dict[datetime, float] = field(default_factory=dict)
    currency: str | None = "USD"

    def chart(self, symbol, query):
        """The answer of `/v8/finance/chart`."""
        start, end = float(query.get("period1", "-inf")), float(query.get("period2", "inf"))
        bars = {ts: close for ts, close in sorted(self.closes.items()) if start <= ts.timestamp() < end}
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
        quote = {name: list(bars.values()) for name in ("open", "high", "low", "close", "volume")}
        result = {
            "meta": meta,
            "timestamp": [int(ts.timestamp()) for ts in bars],
            "indicators": {
                "quote": [quote],
                "adjclose": [{"adjclose": [self.adjusted.get(ts, close) for ts, close in bars.items()]}],
            },
            "events": {
                "dividends": {
                    str(int(ts.timestamp())): {"amount": amount, "date": int(ts.timestamp())}
                    for ts, amount in self.dividends.items()
                }
            },
        }
        return {"chart": {"result": [result], "error": None}}

    def _trading_periods(self, bars):
        """The whole of each day: this exchange never closes."""
        zone = ZoneInfo(self.zone)
        for date in sorted({ts.astimezone(zone).date() for ts in bars}):
            start = datetime.combine(date, time(), zone)
            end = start + timedelta(days=1)
            yield {"timezone": "", "gmtoffset": 0, "start": int(start.timestamp()), "end": int(end.timestamp())}


class Yahoo:
    """Knows its listings. For a symbol in `broken` it answers with just that, and while `down` is set always so."""

    def __init__(self):
        self.listings = {}
        self.broken = {}  # symbol → (status, content type, body)
        self.down = None  # likewise
        self.asked = []  # of each request for a chart: the symbol, and the query
        yahoo = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer = yahoo._answer(urlsplit(self.path))
                if answer is HANG_UP:
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
        page, _, symbol = url.path.rpartition("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if page == "/v8/finance/chart":
            self.asked.append((symbol, query))
        if self.down is not None:
            return self.down
        if url.path == "/v1/test/getcrumb":
            return 200, "text/plain", "crumb"
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
        if symbol not in self.listings:
            return _json({"chart": _not_found("No data found, symbol may be delisted")}, 404)
        return _json(self.listings[symbol].chart(symbol, query))


def _json(content, status=200):
    return status, "application/json", json.dumps(content)


def _not_found(description):
    return {"result": None, "error": {"code": "Not Found", "description": description}}


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # a proxy of the caller's has no business here
    _forget(tmp_path)
    stub = Yahoo()
    yield stub
    stub.stop()
    _forget(tmp_path)


@pytest.fixture
def hang_up():
    return HANG_UP


@pytest.fixture
def listing():
    return Listing


def _forget(tmp_path):
    """Make the yfinance client as new, where it is imported: it keeps session, crumb and caches in singletons."""
    if "yfinance" not in sys.modules:
        return
    from yfinance import base, cache, data

    type(data.YfData)._instances.pop(data.YfData, None)
    data.YfData.cache_get.cache_clear()
    cache.set_cache_location(str(tmp_path / "elsewhere"))  # closes its databases, too
    cache._TzCacheManager._tz_cache = None
    cache._CookieCacheManager._Cookie_cache = None
    base._tz_info_fetch_ctr = 0
