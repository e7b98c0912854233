"""The versions of a panel's model."""

from sqlalchemy.orm import Session

from db import queries
from jobs.promote import standing
from service.answers.seeing import Panels, find
from service.shapes import ModelAnswer, ModelsAnswer


def models_of(session: Session, panel: str) -> list[ModelAnswer]:
    """The versions of a panel's model, newest first."""
    champion = queries.champion(session, panel)
    newest = {promotion.model_id: promotion for promotion in reversed(queries.promotions(session, panel))}
    found = []
    for model in queries.models_of_panel(session, panel):
        promotion = newest.get(model.id)
        found.append(
            ModelAnswer(
                model.version,
                model.kind,
                model.trained_at,
                model.cutoff,
                standing(model, champion, set(newest)),
                model.verdict,
                None if promotion is None else promotion.promoted_at,
                None if promotion is None else promotion.reason,
            )
        )
    return found


def models(session: Session, panels: Panels, name: str, limit: int) -> ModelsAnswer:
    """The newest versions of the model that forecasts a series. Raises NoSeriesError."""
    series = find(session, panels, name)
    return ModelsAnswer(series.name, series.panel, models_of(session, series.panel)[:limit])
