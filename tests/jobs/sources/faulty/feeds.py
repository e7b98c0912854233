"""A database, a broker and this machine, in trouble."""

import gc
import itertools
import threading
import time
import warnings

import psutil
import pytest

from jobs.sources import host
from jobs.sources.host import HostSource
from jobs.sources.mqtt import MqttSource
from jobs.sources.sql import SqlSource
from tests.jobs.sources.faulty.rig import GARBAGE, TIMEOUT, Rig
from tests.jobs.sources.mqtt_broker import PATIENCE


class SqlRig(Rig):
    """A table in a PostgreSQL, and a user with a password who may read it."""

    BAD = {  # noqa: RUF012  nobody changes it
        "429": ["ALTER ROLE keeper CONNECTION LIMIT 0"],
        "500": ["DROP TABLE rig.prices"],
        "garbage": ["INSERT INTO rig.prices VALUES ('a', '2026-01-05Z', 'n. a.')"],
        "truncated": [
            "ALTER TABLE rig.prices RENAME TO rows",
            "CREATE VIEW rig.prices AS SELECT unique_id, ds, CASE row_number() OVER () WHEN 4"
            " THEN pg_terminate_backend(pg_backend_pid())::text ELSE y END AS y FROM rig.rows",
            "GRANT SELECT ON rig.prices TO keeper",
        ],
        "expired token": ["ALTER ROLE keeper VALID UNTIL '2020-01-01'"],
    }

    def __init__(self, postgres, monkeypatch):
        monkeypatch.setattr("jobs.sources.sql.CHUNK", 2)  # rows, so that an answer can be cut amid them
        self._postgres = postgres
        self._hidden = postgres.socket.with_name("hidden")
        self._lock = None
        url = postgres.url.set(username="keeper", password="of-prices")
        query = "SELECT * FROM rig.prices WHERE ds >= :since"
        self.source = SqlSource(url.render_as_string(hide_password=False), query, timeout=TIMEOUT)

    def put(self, rows):
        zone = "with" if rows[0][0].tzinfo else "without"
        values = ", ".join(f"('a', '{at.isoformat()}', '{value}')" for at, value in rows)
        self._postgres.run(
            "DROP SCHEMA IF EXISTS rig CASCADE",
            "CREATE SCHEMA rig",
            "GRANT USAGE ON SCHEMA rig TO keeper",
            f"CREATE TABLE rig.prices (unique_id text, ds timestamp {zone} time zone, y text)",
            f"INSERT INTO rig.prices VALUES {values}",  # noqa: S608  likewise
            "GRANT SELECT ON rig.prices TO keeper",
        )

    def break_(self, fault):
        match fault:
            case "down":
                self._postgres.socket.rename(self._hidden)
            case "slow":
                self._lock = self._postgres.locked("rig.prices")
            case _:
                self._postgres.run(*self.BAD[fault])

    def mend(self):
        if self._hidden.exists():
            self._hidden.rename(self._postgres.socket)
        if self._lock is not None:
            self._lock.close()
        self._postgres.run("ALTER ROLE keeper CONNECTION LIMIT -1 VALID UNTIL 'infinity'")


class MqttRig(Rig):
    """A broker, and a source that listens. What is put is published, save what was before."""

    BAD = {  # noqa: RUF012  nobody changes it
        "garbage": [GARBAGE, {"ds": "yesterday", "y": 1}, {"ds": "2026-01-05T00:00:00Z", "y": "n. a."}],
        "truncated": ['{"ds": "2026-01-05T0'],
    }

    def __init__(self, broker, request):
        self._broker = broker
        self._published = {}
        self._fault = None
        self._thawed = threading.Event()
        self.source = MqttSource(broker.url, ["prices"], value="y", time="ds", name="a", keepalive=1)
        list(self.source.fetch(request))  # from here on it listens
        self._link = self.source._listening[0]

    def put(self, rows):
        self._publish([{"ds": at.isoformat(), "y": y} for at, y in rows if self._published.get(at) != y])
        self._published = dict(rows)

    def break_(self, fault):
        self._fault = fault
        match fault:
            case "down":
                self._broker.stop()
                self._until(lambda: "cannot connect" in (self._link.trouble or ""))
            case "slow":
                self._broker.freeze(self._thawed)
                self._until(lambda: self._link.trouble)
            case "expired token":
                self._broker.stop()
                self._broker.set_password("another-word")
                self._broker.start()
                self._until(lambda: "refuses" in (self._link.trouble or ""))
            case _:
                self._publish(self.BAD[fault])

    def mend(self):
        fault, self._fault = self._fault, None
        if fault in ("down", "expired token"):
            self._broker.stop()
            self._broker.set_password("secret-word")
            self._broker.start()
        self._thawed.set()
        self._until(lambda: self._link.trouble is None)
        if fault == "slow":
            with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                gc.collect()  # amqtt leaves the connection that broke to it

    def _publish(self, payloads):
        heard = len(self._link._inbox) + len(payloads)
        self._broker.publish(*(("prices", payload) for payload in payloads))
        self._until(lambda: len(self._link._inbox) == heard)

    def _until(self, done):
        ends = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < ends
            time.sleep(0.01)


class HostRig(Rig):
    """This machine. It has what it has: nothing can be put."""

    def __init__(self):
        self._patch = pytest.MonkeyPatch()
        self._hung = threading.Event()
        self.source = HostSource(["load", "disk_bytes_per_s"])

    def break_(self, fault):
        match fault:
            case "down":
                self._patch.setitem(host.READ, "load", self._denied)
            case "slow":
                self._patch.setitem(host.READ, "load", lambda: self._hung.wait() and 0.0)
            case "garbage":
                counts = itertools.count(1e9, -1)
                self._patch.setitem(host.COUNTED, "disk_bytes_per_s", lambda: next(counts))

    def mend(self):
        self._hung.set()
        self._patch.undo()

    def _denied(self):
        raise psutil.AccessDenied
