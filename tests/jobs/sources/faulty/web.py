"""Web servers that answer badly: one of rows, Prometheus, and Yahoo's."""

from datetime import UTC, datetime, time

import httpx2

from jobs.sources.http import HttpSource
from jobs.sources.prometheus import PrometheusSource
from jobs.sources.yfinance import YfinanceSource
from tests.jobs.sources.faulty.rig import DAY, GARBAGE, HOUR, MINUTE, PATIENCE, TIMEOUT, Rig
from tests.jobs.sources.prometheus_server import push
from tests.jobs.sources.servers import Reply
from tests.jobs.sources.yahoo import HANG_UP, SILENT, Listing


class HttpRig(Rig):
    """A site that answers `good` as long as nothing is wrong."""

    BAD = {  # noqa: RUF012  nobody changes it
        "slow": Reply(silent=True),
        "429": Reply("Too Many Requests", status=429, headers={"Retry-After": "60"}),
        "500": Reply(GARBAGE, status=500),
        "garbage": Reply(GARBAGE),
        "truncated": Reply([{"ds": "2026-01-05T00:00:00Z", "y": 1}], missing=10),
        "expired token": Reply({"error": "token expired"}, status=401),
    }

    def __init__(self, site):
        self._site = site
        self._site.serve = self.good
        self.source = HttpSource(site.url(), name="a", headers={"Authorization": "Bearer token"}, timeout=TIMEOUT)

    def put(self, rows):
        self._rows = [{"ds": at.isoformat(), "y": value} for at, value in rows]

    def good(self, _asked):
        return Reply(self._rows)

    def break_(self, fault):
        if fault == "down":
            self._site.stop()
        else:
            self._site.serve = lambda _asked: self.BAD[fault]

    def mend(self):
        self._site.stop()
        self._site.start()
        self._site.serve = self.good


class PrometheusRig(HttpRig):
    """A site that passes on what a real Prometheus says."""

    def __init__(self, site, server, metric):
        super().__init__(site)
        self._server = server
        self._metric = metric
        self._put = {}
        self.source = PrometheusSource(site.url(""), metric, name="a", timeout=TIMEOUT)

    def put(self, rows):
        """What an interval's value is, its end says. Prometheus changes no sample, but a newer one may come late."""
        late = {at for at, value in rows if self._put.setdefault(at, value) != value}
        push(self._server, self._metric, [(at + HOUR - MINUTE * (at not in late), value) for at, value in rows])

    def put_days(self, zone, days):
        ends = {datetime.combine(date + DAY, time(), zone).astimezone(UTC): value for date, value in days.items()}
        push(self._server, self._metric, [(end - MINUTE, value) for end, value in ends.items()])

    def good(self, asked):
        with httpx2.Client(trust_env=False) as client:
            answer = client.get(self._server + asked.path, params=asked.query)
        return Reply(answer.content, answer.status_code)


class YfinanceRig(Rig):
    """The real client of Yahoo Finance, and a stand-in for what it asks."""

    BAD = {  # noqa: RUF012  nobody changes it
        "down": HANG_UP,
        "slow": SILENT,
        "429": (429, "text/html", "Too Many Requests\r\n"),
        "500": (500, "text/html", GARBAGE),
        "garbage": (200, "text/html", GARBAGE),
        "truncated": (200, "application/json", '{"chart": {"result": [{"meta": {'),
    }

    def __init__(self, yahoo):
        self._yahoo = yahoo
        self.source = YfinanceSource(["A"])
        self.source.session = yahoo.session()

    def put(self, rows):
        self._yahoo.listings["A"] = Told("UTC", dict(rows))
        self._yahoo.listings["A"].order = [at.timestamp() for at, _ in rows]

    def put_days(self, zone, days):
        opens = {datetime.combine(date, time(9), zone): value for date, value in days.items()}
        self._yahoo.listings["A"] = Listing(zone.key, opens)

    def break_(self, fault):
        if fault == "slow":
            self.patience = PATIENCE
        if fault == "expired token":
            self._yahoo.crumb = "another crumb"
        else:
            self._yahoo.down = self.BAD[fault]

    def mend(self):
        super().mend()
        self._yahoo.down = None


class Told(Listing):
    """Tells its bars in the order of `order`, by their times."""

    order = ()

    def chart(self, symbol, query):
        answer = super().chart(symbol, query)
        (result,) = answer["chart"]["result"]
        places = [result["timestamp"].index(at) for at in self.order if at in result["timestamp"]]
        for told in (*result["indicators"]["quote"], *result["indicators"]["adjclose"], result):
            told |= {name: [each[place] for place in places] for name, each in told.items() if isinstance(each, list)}
        return answer
