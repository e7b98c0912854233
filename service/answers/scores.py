"""How forecasts did."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db import queries
from db.queries import ScoreSummary, Tally
from service.answers.seeing import Panels, find
from service.shapes import ScoreAnswer, ScoresAnswer, StepScoreAnswer

WINDOWS: dict[str, timedelta | None] = {"7d": timedelta(days=7), "30d": timedelta(days=30), "all": None}


def scores(
    session: Session, panels: Panels, name: str, now: datetime, *, window: str | None = None, by_step: bool = True
) -> ScoresAnswer:
    """The live scores of a series, in one window or in all of them. Raises NoSeriesError."""
    series = find(session, panels, name)
    asked = WINDOWS if window is None else {window: WINDOWS[window]}
    found = {}
    for each, span in asked.items():
        since = None if span is None else now - span
        found[each] = _whole(queries.score_summary(session, series.id, since, by_step=by_step), by_step)
    return ScoresAnswer(series.name, found)


def glance(summary: ScoreSummary) -> ScoreAnswer:
    """The errors alone."""
    total = summary.all
    return ScoreAnswer(
        total.count, summary.pending, total.mae, total.naive_mae, _skill(total), mase=None, coverage=None, by_step=None
    )


def _whole(summary: ScoreSummary, by_step: bool) -> ScoreAnswer:
    """All that is known of the live errors."""
    answer = glance(summary)
    answer.mase, answer.coverage = summary.all.mase, _shares(summary.all)
    if by_step:
        answer.by_step = [
            StepScoreAnswer(step, each.count, each.mae, each.naive_mae, each.mase, _skill(each), _shares(each))
            for step, each in summary.by_step.items()
        ]
    return answer


def _skill(tally: Tally) -> float | None:
    if tally.mae is None or not tally.naive_mae:
        return None
    return 1.0 - tally.mae / tally.naive_mae


def _shares(tally: Tally) -> dict[str, float]:
    return {str(level): share for level, share in tally.coverage.items()}
