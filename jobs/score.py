"""Score: hold each forecast step against the truth once that has arrived."""

from dataclasses import dataclass

from db import queries
from db.engine import Sessions, writing
from jobs.events import Scored
from jobs.panel import Clock, Panel


@dataclass(frozen=True)
class Held:
    """What a score run did."""

    steps: int  # that were held against the truth

    def __bool__(self) -> bool:
        return self.steps > 0

    def __str__(self) -> str:
        return f"{self.steps} step{'' if self.steps == 1 else 's'} scored"


def score(sessions: Sessions, panel: Panel, clock: Clock) -> Held:
    """Score every step of the panel's forecasts whose target is known now and not scored yet.

    A step is scored once, against the first value learnt for its target: a later revision does not rewrite the score.
    The clock is read once the write lock is held: no forecast that was issued later had not seen these scores.
    """
    with writing(sessions) as session:
        now = clock()
        series = queries.series_of_panel(session, panel.name)
        scored = {each.name: queries.fill_scores(session, each.id, now) for each in series}
        told = {name: Scored(tally.count, tally.mae, tally.naive_mae) for name, tally in scored.items() if tally.count}
        queries.add_events(session, [each.of(panel.name, name) for name, each in told.items()], now)
        return Held(sum(tally.count for tally in scored.values()))
