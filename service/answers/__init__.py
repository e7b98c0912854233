"""What Rollcast answers, to the API and the command line alike: read from the database, judged, shaped for the wire."""

from typing import Any

import msgspec

from service.answers.forecasts import NoLevelError, TooOldError, latest, latest_of, ledger
from service.answers.models import models, models_of
from service.answers.observations import observations
from service.answers.scores import WINDOWS, scores
from service.answers.seeing import NoSeriesError, Panels, find
from service.answers.series import all_panels, all_series, one_series, page_of_series, run_answer, runs

__all__ = [
    "WINDOWS",
    "NoLevelError",
    "NoSeriesError",
    "Panels",
    "TooOldError",
    "all_panels",
    "all_series",
    "find",
    "latest",
    "latest_of",
    "ledger",
    "models",
    "models_of",
    "observations",
    "one_series",
    "page_of_series",
    "run_answer",
    "runs",
    "scores",
    "to_json",
]


def to_json(answer: Any) -> bytes:
    """The answer as JSON; NaN and infinity become null."""
    return msgspec.json.encode(answer)
