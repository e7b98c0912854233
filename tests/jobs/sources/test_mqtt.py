"""Series from MQTT, through a real broker in a thread of this process."""

import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from jobs.sources.base import SourceDownError
from jobs.sources.mqtt import MqttSource
from tests.jobs.sources.mqtt_broker import PATIENCE, Broker

NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A first fetch that does not wait for long, and a link that comes back at once."""
    monkeypatch.setattr("jobs.sources.parts.broker.FIRST_MESSAGE", 0.2)
    monkeypatch.setattr("jobs.sources.parts.broker.QUIET", 0.05)
    monkeypatch.setattr("jobs.sources.parts.broker.RECONNECT", (0.05, 0.1))


@pytest.fixture
def make_broker(tmp_path):
    made = []

    def make(**listener):
        made.append(Broker(tmp_path, listener))
        return made[-1]

    yield make
    for broker in made:
        broker.stop()
        broker.close()


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def make_source(broker):
    """A source of the broker, which has left it at the end."""
    made = []

    def make(*topics, url=broker.url, **options):
        made.append(MqttSource(url, list(topics), **options))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def ask(make_request):
    """What a fetch brings: one at ten o'clock, of a panel of minutes, unless told otherwise."""

    def ask(source, **given):
        (delivery,) = source.fetch(make_request(**{"now": NINE + 60 * MINUTE, "interval": MINUTE} | given))
        return delivery

    return ask


@pytest.fixture
def until(ask):
    """Fetch until what a fetch brings is as it should be, and as many messages were dropped on the way as should be."""

    def until(source, right, drops=0, **given):
        dropped, ends = {}, time.monotonic() + PATIENCE
        while True:
            try:
                delivery = ask(source, **given)
            except SourceDownError as error:
                delivery = error
            else:
                for what, count in delivery.dropped.items():
                    dropped[what] = dropped.get(what, 0) + count
                if right(delivery) and sum(dropped.values()) >= drops:
                    return delivery, dropped
            assert time.monotonic() < ends, f"the last fetch brought {delivery}, and {dropped} was dropped"
            time.sleep(0.01)

    return until


@pytest.fixture
def trouble(ask):
    """Fetch until that fails, and why it did."""

    def trouble(source):
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            try:
                ask(source)
            except SourceDownError as error:
                return str(error)
        raise AssertionError("every fetch went well")

    return trouble


def told(delivery):
    return {name: series.tolist() for name, series in delivery.values.items()}


def rows(delivery):
    return sum(map(len, delivery.values.values()))


def reading(minute, value, **more):
    return {"at": (NINE + minute * MINUTE).isoformat(), "value": value} | more


TIMED = {"value": "value", "time": "at"}


def test_each_topic_under_a_wildcard_is_a_series(broker, make_source, ask, until):
    source = make_source("home/+/temperature", "garden/#")
    assert ask(source).unchanged
    broker.publish(("home/kitchen/temperature", "21.5"), ("garden/rain/today", " 3 "), ("home/kitchen/humidity", "40"))
    broker.publish(("home/cellar/temperature", "12"), ("home/kitchen/temperature", "21.75"))
    delivery, _ = until(source, lambda delivery: rows(delivery) == 4)
    assert told(delivery) == {
        "home/kitchen/temperature": [21.5, 21.75],
        "home/cellar/temperature": [12],
        "garden/rain/today": [3],
    }


def test_a_message_without_a_time_counts_when_it_arrives(broker, make_source, ask, until):
    before = datetime.now(UTC)
    source = make_source("a")
    ask(source, now=before)
    broker.publish(("a", "1"))
    delivery, _ = until(source, rows, now=before)
    assert before <= delivery.values["a"].index[0] <= datetime.now(UTC)


def test_number_time_and_name_can_come_from_the_payload(broker, make_source, ask, until):
    source = make_source(
        "sensors", value="reading.celsius", time="made", time_format="unix_ms", name="{site}/{sensor.id}"
    )
    ask(source)
    payload = {"site": "roof", "sensor": {"id": 7}, "reading": {"celsius": 4.5}, "made": NINE.timestamp() * 1000}
    broker.publish(("sensors", payload))
    delivery, _ = until(source, rows)
    assert told(delivery) == {"roof/7": [4.5]}
    assert delivery.values["roof/7"].index[0] == NINE


def test_a_name_can_be_a_level_of_the_topic(broker, make_source, ask, until):
    source = make_source("home/#", name="{2} in {1}")
    ask(source)
    broker.publish(("home/temperature", "21"), ("home", "1"))
    delivery, dropped = until(source, rows, drops=1)
    assert told(delivery) == {"temperature in home": [21]}
    assert dropped == {"without a name": 1}


def test_times_without_a_zone_stay_so(broker, make_source, ask, until):
    source = make_source("a", **TIMED)
    ask(source)
    broker.publish(("a", {"at": "2026-01-01 09:30", "value": 1}))
    delivery, _ = until(source, rows)
    assert delivery.values["a"].index.tz is None


def test_nothing_is_lost_between_fetches_until_it_is_stored(broker, make_source, ask, until):
    source = make_source("a", "b", **TIMED)
    ask(source)
    sent = [(topic, reading(minute, minute)) for minute in range(50) for topic in "ab"]
    broker.publish(*sent[:60])
    until(source, lambda delivery: rows(delivery) == 60)
    broker.publish(*sent[60:])
    delivery, dropped = until(source, lambda delivery: rows(delivery) == 100)
    assert {name: sorted(values) for name, values in told(delivery).items()} == {"a": [*range(50)], "b": [*range(50)]}
    assert not dropped
    stored = ask(source, newest={"a": NINE + 48 * MINUTE, "b": NINE + 10 * MINUTE})
    assert {name: sorted(values) for name, values in told(stored).items()} == {"a": [48, 49], "b": list(range(10, 50))}


def test_a_topic_that_is_silent_is_not_gone(make_source, ask):
    delivery = ask(make_source("a"), newest={"a": NINE})
    assert delivery.unchanged
    assert not delivery.complete


def test_late_and_reordered_and_repeated_messages_all_come_in_their_order(broker, make_source, ask, until):
    source = make_source("a", **TIMED)
    ask(source)
    sent = [reading(minute, value) for minute, value in [(3, 3), (1, 1), (1, 1), (3, 4), (2, 2)]]
    broker.publish(*(("a", each) for each in sent))
    delivery, _ = until(source, lambda delivery: rows(delivery) == 5)
    assert [reading(round((ts - NINE) / MINUTE), value) for ts, value in delivery.values["a"].items()] == sent


def test_a_message_of_an_interval_that_is_stored_for_good_is_too_late(broker, make_source, ask, until):
    source = make_source("a", **TIMED)
    ask(source)
    broker.publish(*(("a", reading(minute, minute)) for minute in (1, 5)))
    until(source, lambda delivery: rows(delivery) == 2)
    broker.publish(("a", reading(2, 2)), ("a", reading(5.5, 5.5)))
    delivery, dropped = until(source, lambda delivery: rows(delivery) == 2, drops=1, newest={"a": NINE + 5 * MINUTE})
    assert told(delivery) == {"a": [5, 5.5]}
    assert dropped == {"too late": 1}


def test_of_more_messages_than_the_buffer_holds_the_oldest_are_lost_and_counted(broker, make_source, ask, until):
    source = make_source("a", buffer=3, **TIMED)
    ask(source)
    broker.publish(*(("a", reading(minute, minute)) for minute in range(5)))
    delivery, dropped = until(source, lambda delivery: told(delivery) == {"a": [2, 3, 4]}, drops=2)
    assert dropped == {"lost, as more waited than the buffer holds": 2}
    assert rows(delivery) == 3


def test_a_first_fetch_brings_retained_messages_that_tell_their_time(broker, make_source, ask):
    broker.publish(("a", reading(30, 5)), retain=True)
    assert told(ask(make_source("#", **TIMED))) == {"a": [5]}


def test_a_retained_message_that_tells_no_time_is_left_out(broker, make_source, until):
    broker.publish(("a", "5"), ("b", "6"), retain=True)
    source = make_source("#")
    _, dropped = until(source, lambda delivery: delivery.unchanged, drops=2)
    assert dropped == {"retained, and so of an unknown time": 2}


def test_what_is_published_while_we_are_away_comes_when_we_are_back(broker, make_source, ask, until):
    before = make_source("a", **TIMED)
    ask(before)
    before.close()
    broker.publish(("a", reading(1, 1)), ("a", reading(2, 2)))
    delivery, _ = until(make_source("a", **TIMED), lambda delivery: rows(delivery) == 2)
    assert {name: sorted(values) for name, values in told(delivery).items()} == {"a": [1, 2]}  # in the broker's order


def test_messages_without_a_time_are_not_kept_for_us_while_we_are_away(broker, make_source, ask, until):
    before = make_source("a")
    ask(before)
    before.close()
    broker.publish(("a", "1"))
    back = make_source("a")
    assert not ask(back).dropped
    broker.publish(("a", "2"))
    delivery, dropped = until(back, rows)
    assert told(delivery) == {"a": [2]}
    assert not dropped


def test_what_was_heard_before_the_broker_stopped_comes_once_it_is_back(broker, make_source, ask, until, trouble):
    source = make_source("a", **TIMED)
    ask(source)
    broker.publish(("a", reading(1, 1)), ("a", reading(2, 2)))
    until(source, lambda delivery: rows(delivery) == 2)
    broker.stop()
    assert re.search(r"connection broke|cannot connect: Connection refused", trouble(source))
    broker.start()
    until(source, lambda delivery: told(delivery) == {"a": [1, 2]})
    broker.publish(("a", reading(3, 3)))
    until(source, lambda delivery: told(delivery) == {"a": [1, 2, 3]})


def test_two_with_the_same_options_do_not_throw_each_other_out(broker, make_source, ask, until):
    sources = [make_source("a", **TIMED), make_source("a", **TIMED)]
    for source in sources:
        ask(source)
    broker.publish(("a", reading(1, 1)))
    for source in sources:
        delivery, _ = until(source, rows)
        assert told(delivery) == {"a": [1]}


def test_messages_that_cannot_be_made_out_are_counted(broker, make_source, ask, until):
    source = make_source("a", **TIMED)
    ask(source)
    bad = [
        b"\xff\x00",
        '{"at": ',
        reading(1, "warm"),
        {"at": "soon", "value": 1},
        {"at": None, "value": 1},
        reading(1, None),
    ]
    broker.publish(("a", reading(0, 1)), *(("a", payload) for payload in bad))
    delivery, dropped = until(source, lambda delivery: rows(delivery) == 2, drops=5)
    assert delivery.values["a"].isna().tolist() == [False, True]
    assert dropped == {"no JSON": 2, "no number": 1, "without a readable time": 2}


def test_where_no_message_can_be_used_the_first_is_told(broker, make_source, ask, trouble):
    source = make_source("a")
    ask(source)
    broker.publish(("a", {"value": 5}))
    assert trouble(source).startswith("no message can be used: 1 no number; the first is 'a' with b'{\"value")


def test_a_wrong_password_is_refused_in_words_without_it(broker, make_source, ask):
    source = make_source("a", url=f"mqtt://me:wrong-word@localhost:{broker.port}")
    with pytest.raises(
        SourceDownError, match=rf"^localhost:{broker.port}: the broker refuses the connection: "
    ) as caught:
        ask(source)
    assert "wrong-word" not in str(caught.value)
    assert "since 20" in str(caught.value)


def test_a_password_may_be_given_as_it_is(broker, make_source, ask):
    source = make_source("a", url=f"mqtt://me@localhost:{broker.port}", password="secret-word")
    assert ask(source).unchanged


def test_a_topic_that_is_refused_is_told(make_source, ask):
    with pytest.raises(
        SourceDownError, match="the broker refuses to tell of top-secret: ask for the right to subscribe"
    ):
        ask(make_source("a", "top-secret"))


def test_a_broker_that_is_not_there_is_told(broker, make_source, ask):
    broker.stop()
    with pytest.raises(SourceDownError, match="cannot connect: Connection refused"):
        ask(make_source("a"))
    broker.start()


def test_a_broker_that_comes_later_is_found(broker, make_source, ask, until):
    broker.stop()
    source = make_source("a", **TIMED)
    with pytest.raises(SourceDownError):
        ask(source)
    broker.start()
    until(source, lambda delivery: delivery.unchanged)


def test_a_host_that_says_nothing_is_not_waited_for(make_source, ask, monkeypatch):
    monkeypatch.setattr("jobs.sources.parts.broker.CONNECT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = make_source("a", url=f"mqtt://localhost:{silent.getsockname()[1]}")
        with pytest.raises(SourceDownError, match="no answer yet, since"):
            ask(source)
        source.close()


def test_a_missing_client_is_told_with_what_to_install(make_source, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(SourceDownError, match=r"the client for MQTT is missing: install rollcast\[mqtt\]"):
        ask(make_source("a"))


@pytest.fixture
def certificate(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *made.split(), *names, *files], check=True, capture_output=True)  # noqa: S607
    return {"certfile": str(certificate), "keyfile": str(key)}


def test_a_broker_is_asked_through_tls(certificate, make_broker, make_source, ask):
    broker = make_broker(ssl=True, **certificate)
    assert ask(make_source("a", url=broker.url, ca_file=certificate["certfile"])).unchanged


# The client leaves the socket to the garbage collector when TLS fails.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, make_broker, make_source, ask):
    broker = make_broker(ssl=True, **certificate)
    with pytest.raises(SourceDownError, match="cannot connect: self-signed certificate"):
        ask(make_source("a", url=broker.url))


def test_a_missing_file_of_certificates_is_told(make_source, ask, tmp_path):
    source = make_source("a", url="mqtts://localhost", ca_file=tmp_path / "none.pem")
    with pytest.raises(SourceDownError, match=r"none.pem cannot be used: No such file or directory"):
        ask(source)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"url": "localhost:1883"}, "url is no broker's: expected one like mqtt://host"),
        ({"url": "mqtt://localhost:port"}, "url is no broker's: expected one like mqtt://host"),
        ({"url": "mqtt://:word@localhost"}, "url has no user to the password"),
        ({"topics": []}, "topics is empty: expected at least one"),
        ({"topics": ["a/#/b"]}, "topics has 'a/#/b': expected"),
        ({"topics": ["a/b+"]}, r"topics has 'a/b\+': expected"),
        ({"value": "a["}, r"value = 'a\[' is no JMESPath"),
        ({"name": "{a[}"}, r"name = 'a\[' is no JMESPath"),
        ({"time_format": "epoch"}, "time_format = 'epoch' is no format of times"),
        ({"qos": 3}, "qos = 3: expected 0, 1 or 2"),
        ({"keepalive": 0}, "keepalive = 0: expected seconds"),
        ({"buffer": 0}, "buffer = 0: expected a number of messages"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        MqttSource(**{"url": "mqtt://localhost", "topics": ["a"]} | options)


def test_a_source_describes_itself_without_its_password():
    told = [
        MqttSource("mqtt://me:secret-word@host", ["a"]),
        MqttSource("mqtt://me@host", ["a"], password="secret-word"),
    ]
    assert "host='host'" in repr(told)
    assert "secret-word" not in repr(told)
