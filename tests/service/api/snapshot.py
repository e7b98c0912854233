"""Writes the snapshot that the API's description is held to: python -m tests.service.api.snapshot"""

import json
from datetime import UTC, datetime

from sqlalchemy import create_engine

from db import engine
from service.api import create_app
from tests.service.api.test_openapi import SNAPSHOT

if __name__ == "__main__":
    sessions = engine.sessions(create_engine("sqlite://"))
    document = create_app(dict, sessions, lambda: datetime.now(UTC), lambda: True).openapi()
    document["info"]["version"] = ""
    SNAPSHOT.write_text(json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
