"""Models, and which of them serves: the champion of a panel is the model of its newest promotion.

Newest means in order of writing, which no clock can turn back.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from db.schema import Model, Promotion


def champion(session: Session, panel: str) -> Model | None:
    """The model that serves a panel; its content is read where it is asked for."""
    return session.scalar(_promoted(panel).options(defer(Model.content)).limit(1))


def previous_champion(session: Session, panel: str) -> Model | None:
    """The model that served a panel before the champion did; None where there was no other."""
    newest = select(Promotion.model_id).where(Promotion.panel == panel).order_by(Promotion.id.desc()).limit(1)
    return session.scalar(_promoted(panel).where(Model.id != newest.scalar_subquery()).limit(1))


def _promoted(panel: str) -> Select[Model]:
    """The models of a panel's promotions, newest first."""
    promoted = select(Model).join(Promotion, Promotion.model_id == Model.id)
    return promoted.where(Promotion.panel == panel).order_by(Promotion.id.desc())


def promote(session: Session, model: Model, promoted_at: datetime, reason: str) -> None:
    """Let a model serve its panel from now on."""
    session.add(Promotion(panel=model.panel, model_id=model.id, promoted_at=promoted_at, reason=reason))
    session.flush()


def promotions(session: Session, panel: str) -> list[Promotion]:
    """A panel's promotions, newest first."""
    return list(session.scalars(select(Promotion).where(Promotion.panel == panel).order_by(Promotion.id.desc())))


def newest_promotions(session: Session) -> dict[str, int]:
    """Of each panel the id of its newest promotion."""
    newest = select(Promotion.panel, func.max(Promotion.id)).group_by(Promotion.panel)
    return dict(session.execute(newest).all())


def models_of_panel(session: Session, panel: str) -> Sequence[Model]:
    """The models of a panel, newest first; their content is read where it is asked for."""
    chosen = select(Model).where(Model.panel == panel).options(defer(Model.content))
    return session.scalars(chosen.order_by(Model.id.desc())).all()


def find_model(session: Session, panel: str, version: int) -> Model | None:
    """The model of a panel of that version."""
    return session.scalar(select(Model).where(Model.panel == panel, Model.version == version))


def add_model(
    session: Session,
    panel: str,
    *,
    kind: str,
    cutoff: datetime,
    trained_at: datetime,
    accepted: bool,
    verdict: str,
    content: bytes,
) -> Model:
    """Store a fitted candidate under the panel's next version. It serves once it is promoted."""
    newest = session.scalar(select(func.max(Model.version)).where(Model.panel == panel)) or 0
    model = Model(
        panel=panel,
        version=newest + 1,
        kind=kind,
        cutoff=cutoff,
        trained_at=trained_at,
        accepted=accepted,
        verdict=verdict,
        content=content,
    )
    session.add(model)
    session.flush()
    return model
