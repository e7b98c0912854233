"""To whom the API may be open."""

import pytest
from pydantic import SecretStr

from service.complaints import SettingsError
from service.exposure import is_loopback, token_of
from service.settings import ApiSettings

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_an_address_of_this_machine_alone_is_loopback(host):
    assert is_loopback(host)


ELSEWHERE = ["0.0.0.0", "::", "192.168.1.7", "2001:db8::1", "example.com", "127.0.0.1.example.com"]  # noqa: S104


@pytest.mark.parametrize("host", ELSEWHERE)
def test_any_other_is_not(host):
    assert not is_loopback(host)


def test_on_loopback_no_token_is_needed():
    assert token_of(ApiSettings()) is None


def test_elsewhere_a_token_is_demanded_with_how_to_make_one():
    with pytest.raises(
        SettingsError, match=r"^api.host = 192.168.1.7: .*ROLLCAST_API__TOKEN.*python3 -c.*secrets.token_urlsafe"
    ):
        token_of(ApiSettings(host="192.168.1.7"))


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.1.7"])
def test_a_token_of_sixteen_characters_is_enough(host):
    assert token_of(ApiSettings(host=host, token=SecretStr(TOKEN))) == TOKEN


@pytest.mark.parametrize("token", ["", TOKEN[1:], f"{TOKEN} ", f"{TOKEN}\n", f"{TOKEN}ü", f"two words {TOKEN}"])
def test_a_token_that_is_short_or_that_no_header_can_hold_is_refused_without_telling_it(token):
    with pytest.raises(SettingsError, match="expected at least 16 characters") as refused:
        token_of(ApiSettings(token=SecretStr(token)))
    assert not token or token not in str(refused.value)
