"""Checks of the configuration: it can be used, keeps its secrets, and does not offer the API to everybody."""

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.checks.finding import Finding, bad, look, ok
from service.exposure import refusal
from service.settings import DEFAULT_FILE, ApiSettings

SECRET_KEY = re.compile(r"token|passw|secret|api_?key|authorization", re.IGNORECASE)
SECRET_IN_URL = re.compile(r"://[^/@:\s]*:[^/@\s]+@")


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


def token(api: ApiSettings) -> Finding:
    """Whether the API asks those from elsewhere for a token."""
    refused = refusal(api)
    if refused is not None:
        return bad("token", f"{refused.reason}; the daemon will not start", refused.cure)
    if api.token is None:
        return ok("token", f"none is needed: {api.host} is reached from this machine alone")
    return ok("token", f"asked for, on {api.host}")
