"""Checks of the configuration: it can be used, keeps its secrets, and does not offer the API to everybody."""

import ipaddress
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from service.checks.finding import Finding, bad, look, ok
from service.settings import DEFAULT_FILE

SECRET_KEY = re.compile(r"token|passw|secret|api_?key|authorization", re.IGNORECASE)
SECRET_IN_URL = re.compile(r"://[^/@:\s]*:[^/@\s]+@")
SHORTEST_TOKEN = 16
MAKE_A_TOKEN = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'  # noqa: S105  a command


def configuration(file: Path, panels: int) -> Finding:
    """Which configuration is in force: that it can be used was found by reading it."""
    told = f"{panels} panel{'s' if panels > 1 else ''}"
    if file == DEFAULT_FILE:
        return ok("configuration", f"the built-in one, {told}; rollcast init writes a file of your own")
    return ok("configuration", f"{file}, {told}")


def secrecy(file: Path) -> Finding:
    """Whether only those can write to the configuration who should, and read it where secrets stand in it."""
    mode = file.stat().st_mode
    if file != DEFAULT_FILE and mode & stat.S_IWOTH:
        return bad("permissions", f"everybody on this machine can write to {file}", f"chmod o-w {file}")
    keys = list(secrets_in(tomllib.loads(file.read_text())))
    if not keys:
        return ok("permissions", f"no secret stands in {file}")
    if mode & stat.S_IROTH:
        return look(
            "permissions",
            f"everybody on this machine can read {file}, and {', '.join(keys)} looks like a secret",
            f"chmod o-r {file}, or let the value be ${{NAME}}, from the environment",
        )
    return ok("permissions", f"others cannot read {file}, in which {', '.join(keys)} looks like a secret")


def secrets_in(table: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The keys of a configuration whose values look like secrets that are written out."""
    for key, value in table.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from secrets_in(value, f"{name}.")
        elif any(_is_secret(key, each) for each in (value if isinstance(value, list) else [value])):
            yield name


def _is_secret(key: str, value: object) -> bool:
    if not isinstance(value, str) or not value or "${" in value:
        return False
    return bool(SECRET_KEY.search(key) or SECRET_IN_URL.search(value))


def token(host: str, secret: SecretStr | None) -> Finding:
    """Whether the API asks those from elsewhere for a token."""
    length = 0 if secret is None else len(secret.get_secret_value())
    if secret is not None and length < SHORTEST_TOKEN:
        return bad("token", f"api.token has {length} characters, {SHORTEST_TOKEN} are the fewest", MAKE_A_TOKEN)
    if secret is not None:
        return ok("token", f"asked for, on {host}")
    if is_loopback(host):
        return ok("token", f"none is needed: {host} is reached from this machine alone")
    return bad(
        "token",
        f"the API is to listen on {host}, for other machines too, and there is no token: the daemon will not start",
        f"set ROLLCAST_API__TOKEN to what this prints: {MAKE_A_TOKEN}",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
