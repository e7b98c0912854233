"""To whom the API is open: this machine alone, or whoever bears its token. The one rule of the daemon, of a reload,
and of the commands that check.
"""

import ipaddress
from dataclasses import dataclass

from service.complaints import SettingsError
from service.settings import ApiSettings

SHORTEST_TOKEN = 16  # characters
MAKE_ONE = 'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'  # a token


@dataclass(frozen=True)
class Refusal:
    """Why nobody may listen like this, and what would be right."""

    reason: str
    cure: str


def token_of(api: ApiSettings) -> str | None:
    """What every question must bear; None where only this machine may ask. Raises SettingsError."""
    refused = refusal(api)
    if refused is not None:
        raise SettingsError(f"{refused.reason}; {refused.cure}")
    return None if api.token is None else api.token.get_secret_value()


def refusal(api: ApiSettings) -> Refusal | None:
    """What is wrong with the address and its token; None where the API may be served."""
    if api.token is None:
        if is_loopback(api.host):
            return None
        return Refusal(
            f"api.host = {api.host}: others can reach that, so the API wants a token",
            f"set ROLLCAST_API__TOKEN to what {MAKE_ONE} prints, or api.host to 127.0.0.1",
        )
    token = api.token.get_secret_value()
    if len(token) >= SHORTEST_TOKEN and all("!" <= each <= "~" for each in token):
        return None
    return Refusal(
        f"api.token: expected at least {SHORTEST_TOKEN} characters, ASCII letters, digits and signs without blanks",
        f"{MAKE_ONE} prints one",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
