"""Score: hold each forecast step against the truth once that has arrived."""

from datetime import datetime

from db import queries
from db.engine import Sessions
from jobs.panel import Panel


def score(sessions: Sessions, panel: Panel, now: datetime) -> int:
    """Score every step of the panel's forecasts whose target is known as of `now` and not scored yet. Returns how many.

    A step is scored once, against the first value learnt for its target: a later revision does not rewrite the score.
    """
    with sessions.begin() as session:
        return sum(
            queries.fill_scores(session, series.id, now) for series in queries.series_of_panel(session, panel.name)
        )
