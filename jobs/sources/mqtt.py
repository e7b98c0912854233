"""Series from an MQTT broker: what devices publish under some topics, a number a message.

A thread of the source's own listens from the first fetch on, and connects again by itself. What it hears waits until it
is stored (see `waiting`), so nothing is lost between two fetches, nor by one that fails. It waits in memory: what has
come and is not stored when the process ends is lost.

Where messages say when they were made (`time`), the session at the broker is a lasting one: with qos 1 or 2 the broker
keeps for us what is published while we are away. It knows us by `client_id`; with other options we are another client
to it, and the old session ends when the broker says so. Where messages have no time, one counts when it arrives. An old
one would pass for a new one then, so nothing is kept for us, and retained messages are left out.
"""

import fcntl
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import pandas as pd

from jobs.sources.base import Delivery, Request, SourceDownError
from jobs.sources.parts.broker import Broker, Link, Message, broker_of
from jobs.sources.parts.rows import Columns, check_time_format, expression, picked, series_of
from jobs.sources.parts.waiting import LOST, Waiting

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
WILDCARDS = {"+", "#"}


@dataclass
class MqttSource:
    """The messages of some topics. It has no history."""

    url: Annotated[str, "the broker: mqtt://host, mqtt://user:password@host:1883, or mqtts:// for TLS"] = field(
        repr=False
    )
    topics: Annotated[list[str], "what to subscribe to, as in home/+/temperature or sensors/#"]
    value: Annotated[str, "JMESPath of the number in a JSON payload; by default the payload itself is the number"] = ""
    time: Annotated[str, "JMESPath of the time in a JSON payload; by default a message counts when it arrives"] = ""
    time_format: Annotated[
        str, "of that time: auto for ISO 8601 and counts since 1970, unix_ms and the like, or as strptime reads it"
    ] = "auto"
    name: Annotated[
        str,
        "of a message's series: {topic}, a level of it as in {2}, or a JMESPath of a JSON payload as in {sensor.id}",
    ] = "{topic}"
    qos: Annotated[Literal[0, 1, 2], "0: messages may be lost; 1: they may come twice; 2: each comes once"] = 1
    client_id: Annotated[
        str, "what the broker knows us by, and no other client; by default made from the options, the same each time"
    ] = ""
    password: Annotated[str, "the password where url has none; as it is, not percent-encoded"] = field(
        default="", repr=False
    )
    ca_file: Annotated[Path | None, "certificates to check the broker's with; by default the system's"] = None
    keepalive: Annotated[int, "seconds of silence after which to see whether the broker is still there"] = 60
    buffer: Annotated[int, "messages that wait to be stored, at most; beyond that the oldest are lost"] = 1_000_000
    _broker: Broker = field(init=False)  # it describes itself without the password

    def apart(self) -> "MqttSource":
        """Another client, without a lasting session: what the broker keeps for this one, it hands out once."""
        return replace(self, time="", client_id="")

    def __post_init__(self) -> None:
        self._broker = broker_of(self.url, self.password)
        _check_topics(self.topics)
        self._placeholders: list[str] = PLACEHOLDER.findall(self.name)
        paths = [each for each in self._placeholders if each != "topic" and not each.isdigit()]
        for option, path in [("value", self.value), ("time", self.time), *(("name", path) for path in paths)]:
            if path:
                expression(option, path)
        self._reads_json = bool(self.value or self.time or paths)
        check_time_format("time_format", self.time_format)
        if self.qos not in (0, 1, 2):
            raise ValueError(f"qos = {self.qos}: expected 0, 1 or 2")
        if not 1 <= self.keepalive <= 65_535:
            raise ValueError(f"keepalive = {self.keepalive}: expected seconds, from 1 to 65535")
        if self.buffer < 1:
            raise ValueError(f"buffer = {self.buffer}: expected a number of messages, as in 1000000")
        self._listening: tuple[Link, Waiting] | None = None
        self._lock: IO[str] | None = None

    def fetch(self, request: Request) -> Iterator[Delivery]:
        """What waits to be stored. The first fetch connects, and waits some seconds for messages: there may be retained
        ones, or some that the broker has kept for us.
        """
        if self._listening is None:
            client_id, alone = self._identity(request.cache_dir)
            link = Link(
                self._broker,
                self.topics,
                qos=self.qos,
                client_id=client_id,
                lasting=alone and bool(self.time),
                ca_file=self.ca_file,
                keepalive=self.keepalive,
                limit=self.buffer,
            )
            request.manners.ask(self._broker.host)
            self._listening = link, Waiting(self.buffer, request)
            link.start()
        link, waiting = self._listening
        if link.trouble is not None:
            raise SourceDownError(
                f"{self._broker.host}:{self._broker.port}: {link.trouble}, since {link.since:%Y-%m-%d %H:%M:%S}Z"
            )
        messages, lost = link.take()
        dropped = Counter({LOST: lost})
        if not self.time:
            dropped["retained, and so of an unknown time"] += sum(message.retained for message in messages)
            messages = [message for message in messages if not message.retained]
        heard = self._series(messages, dropped)
        waiting.add(heard, request, dropped)
        rows = waiting.rows
        if messages and not heard and not rows and not request.newest:
            told = ", ".join(f"{count:,} {what}" for what, count in (+dropped).items())
            first = f"{messages[0].topic!r} with {messages[0].payload[:60]!r}"
            raise SourceDownError(f"no message can be used: {told}; the first is {first}")
        yield Delivery(rows, dropped=+dropped, complete=False, unchanged=not rows)

    def close(self) -> None:
        """Leave the broker. What it keeps for us waits there."""
        if self._listening is not None:
            self._listening[0].close()
        if self._lock is not None:
            self._lock.close()
        self._listening = self._lock = None

    def _identity(self, folder: Path) -> tuple[str, bool]:
        """The client id, and whether it is ours alone: two that connect under the same one throw each other out."""
        broker = self._broker
        own = (broker.host, broker.port, broker.user, self.topics, self.qos, self.value, self.time, self.name)
        client_id = self.client_id or f"rollcast-{_digest(own)}"
        if self._lock is None:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / f"mqtt-{_digest((broker.host, broker.port, client_id))}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # as by `rollcast fetch` beside a daemon
                lock.close()
                return f"{client_id}-{os.getpid()}", False
            self._lock = lock
        return client_id, True

    def _series(self, messages: Sequence[Message], dropped: Counter[str]) -> "dict[str, pd.Series[float]]":
        """The series that messages make, each in the order in which they came."""
        documents: list[Any] = []
        if self._reads_json:
            read = [_document(message.payload) for message in messages]
            dropped["no JSON"] += read.count(None)
            messages = [message for message, document in zip(messages, read, strict=True) if document is not None]
            documents = [document for document in read if document is not None]
        names = _names(
            self.name, {each: _found(each, messages, documents) for each in self._placeholders}, len(messages)
        )
        values = picked(self.value, documents) if self.value else [_text(message.payload) for message in messages]
        if self.time:
            times, time_format = picked(self.time, documents), self.time_format
        else:
            times, time_format = [message.arrived for message in messages], "unix_us"
        found, left_out = series_of(Columns(names, times, values), time_format)
        dropped.update(left_out)
        return found


def _check_topics(topics: Sequence[str]) -> None:
    if not topics:
        raise ValueError("topics is empty: expected at least one, as in home/+/temperature")
    for topic in topics:
        *levels, last = topic.split("/")
        plain = [level for level in [*levels, last] if level not in WILDCARDS]
        if not topic or "#" in levels or any(WILDCARDS & set(level) for level in plain):
            raise ValueError(
                f"topics has {topic!r}: expected + for any one level, and # only at the end, for all below"
            )


def _names(template: str, found: Mapping[str, Sequence[object]], count: int) -> list[object]:
    """The name of each of some messages, where there is all that the template asks for."""
    pieces = PLACEHOLDER.split(template)  # every other one is a placeholder
    names: list[object] = []
    for place in range(count):
        parts = [found[piece][place] if number % 2 else piece for number, piece in enumerate(pieces)]
        names.append("".join(map(str, parts)) if all(isinstance(part, str | int | float) for part in parts) else None)
    return names


def _found(placeholder: str, messages: Sequence[Message], documents: Sequence[Any]) -> Sequence[object]:
    """What a placeholder of the name stands for in each message; None where it has none."""
    if placeholder == "topic":
        return [message.topic for message in messages]
    if placeholder.isdigit():
        levels = [message.topic.split("/") for message in messages]
        return [dict(enumerate(each, 1)).get(int(placeholder)) for each in levels]
    return picked(placeholder, documents)


def _document(payload: bytes) -> Any:
    """What a JSON payload holds; None where it is none."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None


def _text(payload: bytes) -> str:
    return payload.decode(errors="replace").strip()


def _digest(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:12]
