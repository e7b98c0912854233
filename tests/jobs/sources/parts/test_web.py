"""The client of all sources that ask over HTTP, against a real server on this machine."""

import gzip
import random
import shutil
import socket
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from jobs.manners import CoolingDownError, Manners
from jobs.sources.base import SourceDownError
from jobs.sources.parts.web import Answer, TooLargeError, Web, check_headers, check_url, next_url
from tests.jobs.sources.servers import Reply, Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")  # a proxy of the caller's has no business here
    started = Site()
    yield started
    started.stop()


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manners(clock):
    return Manners(clock, random.Random(0), lambda _seconds: None, rate=1e9, burst=1e9)


@pytest.fixture
def ask(manners):
    def get(url, params=None, headers=None, timeout=5.0, largest=1.0):
        with Web(manners, NOW, timeout=timeout, largest=largest) as web:
            return web.get(url, params or {}, headers or {})

    return get


def reason(ask, *args, **options):
    """Why asking fails, in one line."""
    with pytest.raises(SourceDownError) as raised:
        ask(*args, **options)
    told = str(raised.value)
    assert "\n" not in told
    return told


def test_an_answer_comes_with_its_place_which_has_no_query(site, ask):
    site.replies = [Reply("x")]
    answer = ask(site.url("/a/b?key=secret"))
    assert (answer.content, answer.place) == (b"x", f"{site.host}/a/b")


def test_parameters_are_added_to_those_of_the_url(site, ask):
    site.replies = [Reply("x")]
    ask(site.url("/a?limit=5"), {"from": "2026-01-01T00:00:00+01:00"})
    assert site.asked[0].query == {"limit": "5", "from": "2026-01-01T00:00:00+01:00"}


def test_an_answer_packed_with_gzip_is_unpacked(site, ask):
    site.replies = [Reply(gzip.compress(b"x,y"), headers={"Content-Encoding": "gzip"})]
    assert ask(site.url()).content == b"x,y"


def test_the_host_is_asked_through_manners(site, ask, manners):
    manners.troubled(site.host, "it is in trouble")
    with pytest.raises(CoolingDownError, match="it is in trouble"):
        ask(site.url())
    assert site.asked == []


def test_another_port_is_another_host_to_manners(site, ask, manners):
    manners.troubled("127.0.0.1:1", "it is in trouble")
    site.replies = [Reply("x")]
    assert ask(site.url()).content == b"x"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_host_in_trouble_is_left_alone_for_a_while(site, ask, clock, status):
    site.replies = [Reply(status=status), Reply("x")]
    assert f"answered {status}" in reason(ask, site.url())
    with pytest.raises(CoolingDownError):
        ask(site.url())
    clock.now += timedelta(minutes=1)
    assert ask(site.url()).content == b"x"


@pytest.mark.parametrize(
    "retry_after", ["1800", format_datetime(NOW + timedelta(minutes=30), usegmt=True)], ids=["seconds", "date"]
)
def test_retry_after_is_obeyed(site, ask, clock, retry_after):
    site.replies = [Reply(status=429, headers={"Retry-After": retry_after}), Reply("x")]
    assert "ask less often" in reason(ask, site.url())
    clock.now += timedelta(minutes=29)
    with pytest.raises(CoolingDownError):
        ask(site.url())
    clock.now += timedelta(minutes=2)
    assert ask(site.url()).content == b"x"


@pytest.mark.parametrize("retry_after", ["soon", "-1", "9" * 30, ""])
def test_an_unreadable_retry_after_is_as_none(site, ask, clock, retry_after):
    site.replies = [Reply(status=503, headers={"Retry-After": retry_after}), Reply("x")]
    assert "answered 503" in reason(ask, site.url())
    clock.now += timedelta(minutes=1)
    assert ask(site.url()).content == b"x"


def test_an_answer_ends_a_hosts_trouble(site, ask, clock):
    site.replies = [Reply(status=500), Reply(status=404), Reply(status=500), Reply("x")]
    reason(ask, site.url())
    clock.now += timedelta(seconds=13)
    assert "answered 404 Not Found: check the URL" in reason(ask, site.url())
    reason(ask, site.url())
    clock.now += timedelta(seconds=13)  # were it the second time in a row, it would be at least 20
    assert ask(site.url()).content == b"x"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_told(site, ask, status):
    site.replies = [Reply(status=status)]
    assert "the token may have expired; check the variable it comes from" in reason(ask, site.url())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"status": "error", "error": "parse error"}, "; it says: parse error"),
        ({"error": {"code": 7, "message": "no such\nsymbol"}}, "; it says: no such symbol"),
        ({"errors": [{"detail": "bad date"}]}, "; it says: bad date"),
        ("just text", "; it says: just text"),
        ("<html>oops</html>", "answered 400 Bad Request"),
        ({"status": 3}, "answered 400 Bad Request"),
    ],
)
def test_what_a_server_says_about_an_error_is_told(site, ask, body, told):
    site.replies = [Reply(body, status=400)]
    assert reason(ask, site.url()).endswith(told)


def test_what_a_server_says_is_shortened(site, ask):
    site.replies = [Reply("x" * 100_000, status=400)]
    assert len(reason(ask, site.url())) < 400


def test_a_refused_connection_is_told(site, ask):
    site.stop()
    assert reason(ask, site.url()) == (
        f"{site.host}/prices.json refuses the connection: check that it is running, and the port"
    )


def test_a_name_that_cannot_be_found_is_told(ask, monkeypatch):
    # The resolver is the one part that is not real here: no test asks a name server.
    def unknown(*args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    assert "cannot be found: check the host's name, and this machine's DNS" in reason(ask, "http://nowhere.example/")


def test_http_where_tls_is_expected_is_told(site, ask):
    site.replies = [Reply("x")]
    assert "check that it is https and not http" in reason(ask, f"https://{site.host}/")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl, which makes a certificate, is not installed")
def test_a_certificate_that_is_not_trusted_is_told(ask, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    made = [shutil.which("openssl"), *kind, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site(tls)
    told = reason(ask, f"https://{site.host}/")
    site.stop()
    assert "shows a certificate that is not trusted: self-signed certificate" in told


def test_a_server_that_says_nothing_is_told(site, ask):
    site.replies = [Reply(silent=True)]
    assert "did not answer within 0.1 s" in reason(ask, site.url(), timeout=0.1)


def test_a_server_that_never_ends_its_answer_is_told(site, ask):
    site.replies = [Reply("x" * 10_000, dripping=True)]
    assert "did not end its answer within 0.2 s" in reason(ask, site.url(), timeout=0.2)


def test_an_answer_that_breaks_off_is_told(site, ask):
    site.replies = [Reply("x", missing=100)]
    assert "broke off its answer" in reason(ask, site.url())


def test_an_answer_that_cannot_be_unpacked_is_told(site, ask):
    site.replies = [Reply("no gzip", headers={"Content-Encoding": "gzip"})]
    assert "cannot be unpacked" in reason(ask, site.url())


def test_an_answer_that_is_too_large_is_not_read_to_its_end(site, ask):
    site.replies = [Reply(gzip.compress(b"x" * 2_000_000), headers={"Content-Encoding": "gzip"})]
    with pytest.raises(TooLargeError, match="more than 1 MB"):
        ask(site.url())


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<!doctype html><p>Log in", headers={"Content-Type": "application/json"}),
        Reply("Log in", headers={"Content-Type": "text/html; charset=utf-8"}),
    ],
    ids=["by its content", "by its type"],
)
def test_a_page_instead_of_data_is_told(site, ask, reply):
    site.replies = [reply]
    assert "answered with a web page instead of data" in reason(ask, site.url())


def test_a_redirect_is_followed_with_the_headers(site, ask):
    site.replies = [Reply(status=302, headers={"Location": "/b?page=2"}), Reply("x")]
    answer = ask(site.url("/a"), headers={"X-Key": "k"})
    assert (answer.content, answer.redirected) == (b"x", True)
    assert [(asked.path, asked.headers["x-key"]) for asked in site.asked] == [("/a", "k"), ("/b", "k")]


def test_headers_are_not_sent_to_another_server(site, ask):
    elsewhere = Site()
    elsewhere.replies = [Reply("x")]
    site.replies = [Reply(status=307, headers={"Location": elsewhere.url()})]
    ask(site.url(), headers={"X-Key": "k", "Authorization": "Bearer t"})
    elsewhere.stop()
    assert elsewhere.asked[0].headers.keys().isdisjoint({"x-key", "authorization"})


def test_endless_redirects_are_told(site, ask):
    site.replies = [Reply(status=302, headers={"Location": "/prices.json"})]
    assert "redirects more than 5 times" in reason(ask, site.url())
    assert len(site.asked) == 6


def test_a_redirect_to_what_is_no_web_server_is_told(site, ask):
    site.replies = [Reply(status=302, headers={"Location": "ftp://127.0.0.1/x"})]
    assert "cannot be asked" in reason(ask, site.url())


def test_nothing_has_changed_only_if_that_was_asked(site, ask):
    site.replies = [Reply(status=304)]
    assert ask(site.url(), headers={"If-None-Match": '"1"'}).unchanged
    assert "answered 304 Not Modified" in reason(ask, site.url())


@pytest.mark.parametrize("url", ["x", "ftp://h/x", "http://", "https:///x", "http://h:x/", "http://[h/"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match="expected one as in https://"):
        check_url("url", url)


@pytest.mark.parametrize("value", ["token\n", " token", "tokén", "a\rb"])
def test_a_header_that_cannot_be_sent_is_refused_without_telling_it(value):
    with pytest.raises(ValueError, match="the value of X-Key has a line break") as raised:
        check_headers({"X-Key": value})
    assert value.strip() not in str(raised.value)


def test_a_name_that_is_none_of_a_header_is_refused():
    with pytest.raises(ValueError, match="'X Key' is no name of a header"):
        check_headers({"X Key": "v"})


@pytest.fixture
def answer(site, ask):
    site.replies = [Reply("x")]
    return ask(site.url("/v1/prices?page=1"))


@pytest.mark.parametrize("found", ["?page=2", "/v1/prices?page=2", "prices?page=2"])
def test_the_url_of_the_next_page_may_be_a_part(site, answer, found):
    assert next_url(answer, found) == site.url("/v1/prices?page=2")


def test_a_next_page_on_another_server_is_refused(answer):
    with pytest.raises(SourceDownError, match="next page on another server, elsewhere"):
        next_url(answer, "http://elsewhere.example/v1/prices?page=2")


def test_a_server_that_does_not_know_its_own_tls_is_still_asked_over_it():
    answer = Answer("example.org/a", "https://example.org/a", {})
    assert next_url(answer, "http://example.org/a?page=2") == "https://example.org/a?page=2"
