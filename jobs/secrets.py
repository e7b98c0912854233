"""Secrets: values from the environment that must appear in no log, error, answer or row."""

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 4  # characters; anything shorter stands in ordinary words too, and to hide it would tell it


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, as they are or as they stand in a URL."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret), quote(secret))}
    for form in sorted(forms, key=len, reverse=True):  # one may hold another
        if len(form) >= SHORTEST:
            text = text.replace(form, HIDDEN)
    return text
