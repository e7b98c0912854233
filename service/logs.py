"""The daemon's log: lines on standard error, without secrets."""

import logging
import sys
from collections.abc import Iterable, Sequence

from jobs.panel import Panel
from jobs.secrets import hide
from service.settings import Settings

# What matters of theirs stands in our own lines.
OTHERS = {
    "apscheduler": "WARNING",
    "httpx2": "WARNING",
    "uvicorn": "WARNING",
    "alembic": "WARNING",
    "yfinance": "CRITICAL",
}


class HidingFormatter(logging.Formatter):
    """Log lines, tracebacks included, without secrets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these from now on, beside the former ones: what runs still may know them."""
        self._secrets = tuple(dict.fromkeys([*self._secrets, *secrets]))

    def format(self, record: logging.LogRecord) -> str:
        """The line that is written."""
        return hide(super().format(record), self._secrets)


class Log:
    """What the process writes to standard error from here on."""

    def __init__(self) -> None:
        self._formatter = HidingFormatter()
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(self._formatter)
        logging.basicConfig(handlers=[handler])
        for name, level in OTHERS.items():
            logging.getLogger(name).setLevel(level)

    def take(self, settings: Settings, panels: Sequence[Panel]) -> None:
        """Go on at the level that the settings ask for, and hide their secrets too."""
        token = settings.api.token
        self._formatter.hide(secret for panel in panels for secret in panel.secrets)
        self._formatter.hide([] if token is None else [token.get_secret_value()])
        logging.getLogger().setLevel(settings.log_level.upper())
