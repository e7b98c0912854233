"""The cache: the same question within the same moment is answered once, and with the same bytes."""

import asyncio
import gzip
import json

import pytest

from service.api import cache
from service.api.cache import UNTIL, Cache


class App:
    """Answers each question with how often it was asked; slowly, if told."""

    def __init__(self, body=b'{"value":1}', status=200):
        self.asked = 0
        self.body, self.status, self.until = body, status, None

    async def __call__(self, scope, receive, send):
        self.asked += 1
        await asyncio.sleep(0)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"11")]
        if self.until is not None:
            headers.append((UNTIL.encode(), str(self.until).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Moment:
    """When it is, and how often something was written."""

    def __init__(self):
        self.now, self.written = 1000.0, 0


@pytest.fixture
def moment():
    return Moment()


@pytest.fixture
def app():
    return App()


@pytest.fixture
def cached(app, moment):
    return Cache(app, lambda: (moment.written,), lambda: moment.now, "/api/", "/api/stream")


async def ask(cached, path="/api/a", query=b"", method="GET", **headers):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    await cached(scope, None, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part["body"] for part in sent[1:])


def test_the_same_question_in_the_same_moment_is_answered_once(cached, app):
    first, second = asyncio.run(ask(cached)), asyncio.run(ask(cached))
    assert first == second
    assert app.asked == 1


@pytest.mark.parametrize("what", ["written", "now"])
def test_what_is_written_and_another_second_ask_again(cached, app, moment, what):
    asyncio.run(ask(cached))
    setattr(moment, what, getattr(moment, what) + 1)
    app.body = b'{"value":2}'
    assert asyncio.run(ask(cached))[2] == b'{"value":2}'


@pytest.mark.parametrize(
    "other", [{"path": "/api/b"}, {"query": b"limit=1"}, {"accept": "text/csv"}, {"accept_encoding": "gzip"}]
)
def test_another_question_is_asked_for_itself(cached, app, other):
    asyncio.run(ask(cached))
    asyncio.run(ask(cached, **other))
    assert app.asked == 2


def test_those_who_ask_at_once_wait_for_one_answer(cached, app):
    async def many():
        return await asyncio.gather(*(ask(cached) for _ in range(20)))

    found = asyncio.run(many())
    assert app.asked == 1
    assert len({body for _, _, body in found}) == 1


def test_one_who_goes_away_takes_the_answer_from_nobody(cached, app):
    async def two():
        leaving = asyncio.ensure_future(ask(cached))
        staying = asyncio.ensure_future(ask(cached))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(two())[0] == 200


@pytest.mark.parametrize("path", ["/elsewhere", "/api/stream"])
def test_what_is_not_to_be_kept_is_not(cached, app, path):
    asyncio.run(ask(cached, path))
    asyncio.run(ask(cached, path))
    assert app.asked == 2


def test_an_error_is_not_kept(cached, app):
    app.status = 503
    asyncio.run(ask(cached))
    app.status = 200
    assert asyncio.run(ask(cached))[0] == 200


class Failing(App):
    """Says something, and raises what it failed with, as FastAPI does; or raises at once."""

    def __init__(self, status):
        super().__init__(b'{"error":"internal"}', status)

    async def __call__(self, scope, receive, send):
        if self.status is not None:
            await super().__call__(scope, receive, send)
        raise ZeroDivisionError


def test_what_an_app_says_about_its_failure_is_passed_on(moment):
    failing = Cache(Failing(500), lambda: (0,), lambda: moment.now, "/api/", "/api/stream")
    status, _, body = asyncio.run(ask(failing))
    assert (status, body) == (500, b'{"error":"internal"}')


@pytest.mark.parametrize("status", [None, 200], ids=["without a word", "after a good one"])
def test_any_other_failure_is_the_servers_to_tell(moment, status):
    failing = Cache(Failing(status), lambda: (0,), lambda: moment.now, "/api/", "/api/stream")
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(failing))


def test_an_answer_that_is_known_is_not_sent_again(cached):
    _, headers, _ = asyncio.run(ask(cached))
    status, again, body = asyncio.run(ask(cached, if_none_match=headers[b"etag"].decode()))
    assert (status, body) == (304, b"")
    assert again[b"etag"] == headers[b"etag"]


def test_an_answer_that_changed_is_sent(cached, app, moment):
    _, headers, _ = asyncio.run(ask(cached))
    moment.now, app.body = 1001.0, b'{"value":2}'
    assert asyncio.run(ask(cached, if_none_match=headers[b"etag"].decode()))[0] == 200


def test_an_answer_whose_ages_alone_have_grown_is_the_same(cached, app, moment):
    app.body = b'{"ages":{"data_s":5,"forecast_s":4,"model_s":3},"mean":1.5}'
    _, headers, _ = asyncio.run(ask(cached))
    moment.now, app.body = 1001.0, b'{"ages":{"data_s":60,"forecast_s":59,"model_s":58},"mean":1.5}'
    assert asyncio.run(ask(cached, if_none_match=headers[b"etag"].decode()))[0] == 304


def test_a_long_answer_is_compressed_for_those_who_can_read_it(cached, app):
    app.body = b"1234567890" * 1000
    _, headers, body = asyncio.run(ask(cached, accept_encoding="br, gzip"))
    assert headers[b"content-encoding"] == b"gzip"
    assert int(headers[b"content-length"]) == len(body) < 1000
    assert gzip.decompress(body) == app.body
    assert b"content-encoding" not in asyncio.run(ask(cached))[1]


def test_what_is_kept_is_bounded(cached, app, monkeypatch):
    app.body = b"x" * 60
    monkeypatch.setattr(cache, "KEPT", 4 * (60 + cache.AROUND))
    for path in "abcd":
        asyncio.run(ask(cached, f"/api/{path}"))
    assert len(cached._kept) == 4
    asyncio.run(ask(cached, "/api/e"))
    assert list(cached._kept) == [("/api/e", b"", False, False)]


def test_an_answer_that_would_take_the_place_of_most_others_is_not_kept(cached, app, monkeypatch):
    app.body = b"x" * 60
    monkeypatch.setattr(cache, "KEPT", 4 * (59 + cache.AROUND))
    asyncio.run(ask(cached, "/api/a"))
    assert not cached._kept


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}', "W/{}, W/{}", "*"])
def test_an_etag_is_known_however_it_is_written(cached, known):
    strong = asyncio.run(ask(cached))[1][b"etag"].decode().removeprefix("W/")
    assert asyncio.run(ask(cached, if_none_match=known.format(strong, strong)))[0] == 304


def test_an_answer_as_of_now_is_known_again_while_nothing_is_written(cached, app, moment):
    app.body = b'{"as_of":"2026-01-05T00:00:00Z","value":1}'
    etag = asyncio.run(ask(cached))[1][b"etag"].decode()
    moment.now += 1
    app.body = b'{"as_of":"2026-01-05T00:00:01Z","value":1}'
    assert asyncio.run(ask(cached, if_none_match=etag))[0] == 304
    moment.now += 1
    app.body = b'{"as_of":"2026-01-05T00:00:02Z","value":2}'
    assert asyncio.run(ask(cached, if_none_match=etag))[0] == 200


def test_nothing_is_kept_of_what_a_commit_has_changed(cached, moment):
    asyncio.run(ask(cached, "/api/a"))
    moment.written = 1
    asyncio.run(ask(cached, "/api/b"))
    assert [path for path, *_ in cached._kept] == ["/api/b"]


def test_an_answer_during_which_something_was_written_is_not_kept(cached, app, moment):
    async def both():
        early = asyncio.create_task(ask(cached, "/api/a"))
        await asyncio.sleep(0)
        moment.written = 1
        await ask(cached, "/api/b")
        await early

    asyncio.run(both())
    asyncio.run(ask(cached, "/api/a"))
    assert app.asked == 3


AGED = b'{"ages":{"data_s":5,"forecast_s":4,"model_s":30},"mean":1.5}'


@pytest.fixture
def aging(app):
    app.body, app.until = AGED, 1100.0
    return app


def test_what_time_makes_only_older_is_kept_with_its_ages_counted_on(cached, aging, moment):
    asyncio.run(ask(cached))
    for moment.now, data in ((1000.9, 5), (1007.2, 12), (1007.9, 12), (1099.9, 104)):
        _, headers, body = asyncio.run(ask(cached))
        ages = {"data_s": data, "forecast_s": data - 1, "model_s": data + 25}
        assert json.loads(body) == {"ages": ages, "mean": 1.5}
        assert UNTIL.encode() not in headers
    assert aging.asked == 1


def test_what_time_makes_another_is_asked_for_again(cached, aging, moment):
    asyncio.run(ask(cached))
    moment.now = 1100.0
    asyncio.run(ask(cached))
    assert aging.asked == 2


def test_what_is_written_ends_it_too(cached, aging, moment):
    asyncio.run(ask(cached))
    moment.written = 1
    asyncio.run(ask(cached))
    assert aging.asked == 2


def test_a_clock_that_is_set_back_asks_again(cached, aging, moment):
    asyncio.run(ask(cached))
    moment.now = 900.0
    asyncio.run(ask(cached))
    assert aging.asked == 2


def test_compressed_ages_are_counted_on_too(cached, aging, moment):
    aging.body = AGED[:-1] + b',"more":"' + b"x" * 2000 + b'"}'
    asyncio.run(ask(cached, accept_encoding="gzip"))
    moment.now += 10
    body = asyncio.run(ask(cached, accept_encoding="gzip"))[2]
    assert json.loads(gzip.decompress(body))["ages"] == {"data_s": 15, "forecast_s": 14, "model_s": 40}
    assert aging.asked == 1


def test_what_grows_past_the_length_that_is_compressed_is_sent_as_it_was(cached, aging, moment):
    short = cache.COMPRESSED_FROM - len(AGED) - len(b',"more":""') - 1
    aging.body = AGED[:-1] + b',"more":"' + b"x" * short + b'"}'
    aging.until = 9999.0
    assert b"content-encoding" not in asyncio.run(ask(cached, accept_encoding="gzip"))[1]
    moment.now += 5000
    _, headers, body = asyncio.run(ask(cached, accept_encoding="gzip"))
    assert len(body) >= cache.COMPRESSED_FROM
    assert json.loads(body)["ages"]["data_s"] == 5005
    assert b"content-encoding" not in headers


def test_of_several_headers_the_first_one_counts(cached, app):
    async def twice():
        sent = []

        async def send(message):
            sent.append(message)

        headers = [(b"accept", b"text/csv"), (b"accept", b"application/json")]
        scope = {"type": "http", "method": "GET", "path": "/api/a", "query_string": b"", "headers": headers}
        await cached(scope, None, send)

    asyncio.run(twice())
    asyncio.run(ask(cached, accept="application/json"))
    assert app.asked == 2


def test_a_long_question_is_not_kept(cached, app):
    for _ in range(2):
        asyncio.run(ask(cached, query=b"x=" + b"y" * cache.LONGEST_QUESTION))
    assert app.asked == 2
    assert cached._kept == {}


def test_while_the_clock_goes_on_nothing_is_kept_for_long(cached, aging, moment):
    class Slow(App):
        async def __call__(self, scope, receive, send):
            moment.now += 3
            await aging(scope, receive, send)

    cached._app = Slow()
    asyncio.run(ask(cached))
    asyncio.run(ask(cached))
    assert aging.asked == 2


def test_a_large_answer_is_counted_on_too(cached, aging, moment):
    aging.body = AGED[:-1] + b',"more":"' + b"x" * cache.LARGE + b'"}'
    asyncio.run(ask(cached))
    moment.now += 10
    assert json.loads(asyncio.run(ask(cached))[2])["ages"]["data_s"] == 15
