"""What a client can read: how well it accepts a form of answer (RFC 9110, sections 12.4.2, 12.5.1 and 12.5.3)."""

from functools import lru_cache

HEADERS_KEPT = 256  # different ones are few


@lru_cache(HEADERS_KEPT)
def wants_gzip(accept_encoding: str) -> bool:
    """Whether an answer may be compressed."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


@lru_cache(HEADERS_KEPT)
def wants_csv(accept: str) -> bool:
    """Whether CSV is asked for by its name, and no less than JSON."""
    weights = _weights(accept)
    json = next((weights[kind] for kind in ("application/json", "application/*", "*/*") if kind in weights), 0.0)
    csv = weights.get("text/csv", 0.0)
    return csv > 0 and csv >= json


def _weights(header: str) -> dict[str, float]:
    """How well each of the words of a header is liked, from 0 (not at all) to 1; what cannot be read counts as 0."""
    weights = {}
    for part in header.lower().split(","):
        word, *parameters = (each.strip() for each in part.split(";"))
        told = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            weights[word] = float(told)
        except ValueError:
            weights[word] = 0.0
    return weights
