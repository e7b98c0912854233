"""The connection to an MQTT broker, in a thread of its own: it comes back by itself, and keeps what it hears."""

import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from db.times import to_us
from jobs.sources.base import SourceDownError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

PORTS = {"mqtt": 1883, "mqtts": 8883}
CONNECT = 5.0  # seconds to wait for a first connection,
FIRST_MESSAGE = 2.0  # then for a first message,
QUIET = 0.25  # and until none has come for so long,
MOST_WAITS = 40  # but so often at most
RECONNECT = (1.0, 60.0)  # seconds until the next attempt, at first and at most
NO_ANSWER = "no answer yet"


class Message(NamedTuple):
    """What a broker sent."""

    arrived: int  # µs since 1970
    topic: str
    payload: bytes
    retained: bool  # published before we subscribed, no telling when


@dataclass(frozen=True)
class Broker:
    """Where it is, and who we are to it."""

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)


def broker_of(url: str, password: str) -> Broker:
    """The broker that a URL names. Raises ValueError."""
    try:
        parsed = urlsplit(url)
        host, port = parsed.hostname, parsed.port or PORTS.get(parsed.scheme)
    except ValueError:
        host = port = None
    if not host or not port or parsed.scheme not in PORTS or parsed.path.strip("/"):
        raise ValueError("url is no broker's: expected one like mqtt://host, or mqtts://user:password@host:8883")
    user, password = unquote(parsed.username or ""), password or unquote(parsed.password or "")
    if password and not user:
        raise ValueError("url has no user to the password: expected one like mqtt://user@host")
    return Broker(host, port, parsed.scheme == "mqtts", user, password)


class Link:
    """The connection to a broker, in a thread of its own: it comes back by itself, and keeps what it hears."""

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        *,
        qos: int,
        client_id: str,
        lasting: bool,  # whether the broker is to keep messages for us while we are away
        ca_file: Path | None,  # certificates to check the broker's with
        keepalive: int,  # seconds
        limit: int,  # of messages kept
    ) -> None:
        """Raises SourceDownError where that cannot be."""
        try:
            from paho.mqtt.client import Client, MQTTv311
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise SourceDownError("the client for MQTT is missing: install rollcast[mqtt]") from error
        self.trouble: str | None = NO_ANSWER
        self.since = datetime.now(UTC)
        self._broker, self._keepalive = broker, keepalive
        self._topics = [(topic, qos) for topic in topics]
        self._inbox: deque[Message] = deque(maxlen=limit)
        self._lost = 0
        self._taking = threading.Lock()
        self._told = threading.Event()  # whether we are connected, or why not
        self._heard = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqtt of {broker.host}", daemon=True)
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=not lasting,
            protocol=MQTTv311,
            reconnect_on_failure=False,  # it would not say why it has to
        )
        if broker.user:
            self._client.username_pw_set(broker.user, broker.password or None)
        if broker.tls:
            try:
                self._client.tls_set(None if ca_file is None else str(ca_file))
            except OSError as error:
                raise SourceDownError(f"ca_file {ca_file} cannot be used: {_reason(error)}") from error
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def start(self) -> None:
        """Connect, and wait a little for the outcome and for first messages."""
        self._thread.start()
        self._told.wait(CONNECT)
        if self.trouble is None and self._heard.wait(FIRST_MESSAGE):
            for _ in range(MOST_WAITS):
                self._heard.clear()
                if not self._heard.wait(QUIET):
                    break

    def take(self) -> tuple[list[Message], int]:
        """What was heard since the last time, and how much of it is lost."""
        with self._taking:
            messages, lost = list(self._inbox), self._lost
            self._inbox.clear()
            self._lost = 0
        return messages, lost

    def close(self) -> None:
        """End the connection."""
        self._closed.set()
        self._client.disconnect()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        first, longest = RECONNECT
        wait = first
        while not self._closed.is_set():
            self._worked = False
            try:
                self._client.connect(self._broker.host, self._broker.port, self._keepalive)
                self._client.loop_forever()  # until the connection ends
            except Exception as error:  # whatever it is, the next attempt may succeed
                self._broken(f"cannot connect: {_reason(error)}")
            wait = first if self._worked else wait
            self._closed.wait(wait)
            wait = min(2 * wait, longest)

    def _on_connect(
        self, client: "Client", _data: object, _flags: "ConnectFlags", code: "ReasonCode", _more: "Properties | None"
    ) -> None:
        if self._closed.is_set():
            client.disconnect()
        elif code.is_failure:
            self._broken(f"the broker refuses the connection: {code}")
        else:
            client.subscribe(self._topics)

    def _on_subscribe(
        self, _client: "Client", _data: object, _id: int, codes: "list[ReasonCode]", _more: "Properties | None"
    ) -> None:
        refused = [topic for (topic, _), code in zip(self._topics, codes, strict=True) if code.is_failure]
        self._worked = True
        if refused:
            self._broken(f"the broker refuses to tell of {', '.join(refused)}: ask for the right to subscribe")
        else:
            self.trouble = None
            self._told.set()

    def _on_message(self, _client: "Client", _data: object, message: "MQTTMessage") -> None:
        arrived = to_us(datetime.now(UTC))
        with self._taking:
            self._lost += len(self._inbox) == self._inbox.maxlen
            self._inbox.append(Message(arrived, sys.intern(message.topic), bytes(message.payload), message.retain))
        self._heard.set()

    def _on_disconnect(
        self,
        _client: "Client",
        _data: object,
        _flags: "DisconnectFlags",
        _code: "ReasonCode",
        _more: "Properties | None",
    ) -> None:
        if self.trouble is None:  # else it is known better why
            self._broken("the connection broke")

    def _broken(self, told: str) -> None:
        if self.trouble is None:
            self.since = datetime.now(UTC)
        self.trouble = told
        self._told.set()


def _reason(error: Exception) -> str:
    told = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(told.split()) or type(error).__name__
