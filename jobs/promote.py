"""Promote: let another model of a panel serve, because a person says so.

What is kept of a model's past is its promotions: a rollback is one more of them. Where a panel's promotions are left to
the gate, the next refit may promote another.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions, writing
from db.schema import Model
from jobs.events import RefitEnded
from jobs.panel import Clock, Panel
from jobs.refit import answers_to
from models.errors import BadModelBytesError
from models.forecaster import Forecaster


class PromotionError(Exception):
    """The model cannot serve; the message says why, and what would help."""


def standing(model: Model, champion: Model | None, served: set[int]) -> str:
    """How a model stands: serving, served, waiting, passed over or rejected. served: ids of all that ever did."""
    if champion is not None and model.id == champion.id:
        return "serving"
    if model.id in served:
        return "served"
    if not model.accepted:
        return "rejected"
    return "waiting" if champion is None or model.id > champion.id else "passed over"


def promote(sessions: Sessions, panel: Panel, version: int | None, clock: Clock) -> str:
    """Let a version of a panel's model serve, by default the newest that waits. Returns in words what was done.

    Raises PromotionError.
    """
    with writing(sessions) as session:
        champion = queries.champion(session, panel.name)
        model = _waiting(session, panel, champion) if version is None else _version(session, panel, version)
        if champion is not None and model.id == champion.id:
            raise PromotionError(f"version {model.version} of panel {panel.name} serves already")
        _promote(session, panel, model, clock(), "promoted by command")
        return _told(panel, model, champion)


def roll_back(sessions: Sessions, panel: Panel, clock: Clock) -> str:
    """Let the model serve again that served before the champion. Returns in words what was done.

    Raises PromotionError.
    """
    with writing(sessions) as session:
        champion = queries.champion(session, panel.name)
        before = queries.previous_champion(session, panel.name)
        if champion is None or before is None:
            served = "none has served yet" if champion is None else f"only version {champion.version} has served"
            raise PromotionError(f"panel {panel.name} has no model to roll back to: {served}")
        _promote(session, panel, before, clock(), f"rolled back from version {champion.version} by command")
        return f"{_told(panel, before, champion)}; rolling back again undoes it"


def _version(session: Session, panel: Panel, version: int) -> Model:
    model = queries.find_model(session, panel.name, version)
    if model is None:
        versions = ", ".join(str(model.version) for model in reversed(queries.models_of_panel(session, panel.name)))
        there = f"its versions: {versions}" if versions else "there is none yet"
        raise PromotionError(f"panel {panel.name} has no model of version {version}; {there}")
    return model


def _waiting(session: Session, panel: Panel, champion: Model | None) -> Model:
    served = {promotion.model_id for promotion in queries.promotions(session, panel.name)}
    for model in queries.models_of_panel(session, panel.name):
        if standing(model, champion, served) == "waiting":
            return model
    raise PromotionError(
        f"no model of panel {panel.name} waits to be promoted; name a version of rollcast models list {panel.name}"
    )


def _promote(session: Session, panel: Panel, model: Model, now: datetime, reason: str) -> None:
    """Promote a model that can serve. Raises PromotionError."""
    which = f"version {model.version} of panel {panel.name}"
    try:
        forecaster, _ = Forecaster.from_bytes(model.content)
    except BadModelBytesError as error:
        raise PromotionError(f"{which} cannot be read: {error}") from error
    if not answers_to(forecaster, panel):
        raise PromotionError(
            f"{which} answers a horizon of {forecaster.horizon} and levels {_listed(forecaster.levels)}, but the panel"
            f" asks for {panel.horizon} and {_listed(panel.levels)}; refit, or change the configuration"
        )
    queries.promote(session, model, now, reason)
    told = RefitEnded("promoted", model.version, model.kind, reason)
    queries.add_events(session, [told.of(panel.name)], now)


def _told(panel: Panel, model: Model, before: Model | None) -> str:
    told = f"version {model.version} ({model.kind}) serves now"
    if before is not None:
        told += f", version {before.version} ({before.kind}) no longer"
    if panel.promote == "managed":
        told += '; the next refit may promote another, unless promote = "manual"'
    return told


def _listed(levels: tuple[int, ...]) -> str:
    return ", ".join(map(str, levels))
