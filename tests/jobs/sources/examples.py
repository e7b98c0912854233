"""The examples of docs/sources.md."""

import re
import tomllib
from pathlib import Path

SECRETS = {"PRICES_TOKEN": "let-me-in", "MQTT_PASSWORD": "secret-word", "ORDERS_PASSWORD": "of-orders"}
DOCUMENT = Path(__file__).parents[3] / "docs" / "sources.md"


def blocks(kind):
    """What the document shows in blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT.read_text(), flags=re.MULTILINE | re.DOTALL)


def panels():
    """Every panel, as it is written there, by the type of its source."""
    found = {}
    for block in blocks("toml"):
        for panel in tomllib.loads(block).get("panels", {}).values():
            found[panel["source"]["type"]] = block
    return found
