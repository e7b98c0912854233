"""The commands about who serves: `rollcast models list`, `show`, `promote` and `rollback`; `jobs.promote` does it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.filesize import decimal
from rich.markup import escape
from sqlalchemy.orm import Session

from db import queries
from db.engine import Sessions
from db.schema import Model
from jobs import promote as promotions
from jobs.panel import Clock, Panel
from jobs.promote import PromotionError, roll_back
from models.errors import BadModelBytesError
from models.forecaster import Forecaster
from service import answers
from service.commands.store import writing
from service.commands.tables import Table
from service.commands.terminal import (
    Config,
    Json,
    PanelName,
    UsageError,
    out,
    panel_named,
    print_json,
    reading,
    settings_of,
    time_told,
)
from service.daemon import utc_now
from service.shapes import ModelAnswer

NAMES_TOLD = 8


class PromotionTold(msgspec.Struct):
    """A promotion of a version."""

    at: datetime
    reason: str


class ModelTold(msgspec.Struct):
    """All that is known of a version. forecaster: its configuration in words, a line a subject."""

    panel: str
    version: int
    kind: str
    trained_at: datetime
    cutoff: datetime
    standing: str
    verdict: str
    size: int  # bytes
    promotions: list[PromotionTold]  # oldest first
    forecaster: dict[str, str]


def list_models(panel: PanelName, config: Config = None, json: Json = False) -> None:
    """The versions of a panel's model: which serves, served, or waits, and what the gate said.

    A version is serving, served, waiting (to be promoted), passed over (one that is newer serves) or rejected.
    """
    settings = settings_of(config)
    chosen = panel_named(settings, panel)
    with reading(settings) as sessions, sessions() as session:
        found = answers.models_of(session, chosen.name)
    if json:
        print_json({"panel": chosen.name, "models": found})
        return
    if not found:
        out.print(f"panel {chosen.name} has no model yet; the first refit makes one")
        return
    table = Table("version", "model", "trained", "cutoff", "standing", "verdict")
    for model in found:
        table.add_row(
            str(model.version),
            model.kind,
            time_told(model.trained_at),
            time_told(model.cutoff),
            model.standing,
            escape(model.verdict),
        )
    table.print()


def show(
    panel: PanelName,
    version: Annotated[
        int | None,
        typer.Argument(metavar="VERSION", show_default=False, help="By default the one that serves, or the newest."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """All that is known of a version: by default of the one that serves, or else the newest."""
    settings = settings_of(config)
    chosen = panel_named(settings, panel)
    with reading(settings) as sessions, sessions() as session:
        found = _told(session, chosen, _answer(answers.models_of(session, chosen.name), chosen, version))
    if json:
        print_json(found)
        return
    out.print(f"{found.panel}  version {found.version}: {found.kind}, {found.standing}")
    lines = {
        "verdict": found.verdict,
        "trained": f"{time_told(found.trained_at)}, from data up to {time_told(found.cutoff)}",
        "promoted": "; ".join(f"{time_told(each.at)}, {each.reason}" for each in found.promotions) or "never",
        "size": decimal(found.size),
        **found.forecaster,
    }
    width = max(map(len, lines))
    for subject, told in lines.items():
        out.print(escape(f"  {subject:<{width}}  {told}"))


def promote(
    panel: PanelName,
    version: Annotated[
        int | None, typer.Argument(metavar="VERSION", show_default=False, help="By default the newest that waits.")
    ] = None,
    config: Config = None,
) -> None:
    """Let a version of a panel's model serve; a running daemon forecasts with it at once.

    Where the panel says promote = "managed", the next refit may promote another.
    """
    _change(panel, config, lambda sessions, chosen, clock: promotions.promote(sessions, chosen, version, clock))


def rollback(panel: PanelName, config: Config = None) -> None:
    """Let the model serve again that served before; a running daemon forecasts with it at once."""
    _change(panel, config, roll_back)


def described(forecaster: Forecaster) -> dict[str, str]:
    """The configuration of a forecaster in words."""
    told = {
        "answers": f"{forecaster.horizon} steps ahead, intervals of {_listed(forecaster.levels)} percent",
        "series": _names(forecaster.scales_.names),
        "naive": "the last value" if forecaster.season_ == 1 else f"the value a season of {forecaster.season_} ago",
        "looks at": f"{forecaster.lookback_:,} values" + (", none below zero" if forecaster.non_negative_ else ""),
        "calibrated on": f"{forecaster.calibration_.count:,} forecasts",
        "seed": str(forecaster.seed),
    }
    ensemble = forecaster.ensemble_
    if ensemble is not None:
        members = Counter((number, kind) for number, kind in ensemble.members)
        told["averages"] = ", ".join(
            f"{kind} of {ensemble.learners[number].configuration.name}" + (f" × {count}" if count > 1 else "")
            for (number, kind), count in members.items()
        )
        for number, learner in enumerate(ensemble.learners, start=1):
            c = learner.configuration
            season = "no season" if c.season == 1 else f"season {c.season}"
            told[f"learner {number}"] = (
                f"{c.name}: {season}, lookback {c.lookback} in patches of {c.patch}, base of {len(c.candidates)}"
                f" candidates{', of logarithms' if c.log else ''}"
            )
    return told


def _told(session: Session, panel: Panel, answer: ModelAnswer) -> ModelTold:
    model = queries.find_model(session, panel.name, answer.version)
    assert model is not None  # noqa: S101  it was listed in the same transaction
    promoted = [each for each in reversed(queries.promotions(session, panel.name)) if each.model_id == model.id]
    return ModelTold(
        panel=panel.name,
        version=answer.version,
        kind=answer.kind,
        trained_at=answer.trained_at,
        cutoff=answer.cutoff,
        standing=answer.standing,
        verdict=answer.verdict,
        size=len(model.content),
        promotions=[PromotionTold(each.promoted_at, each.reason) for each in promoted],
        forecaster=_forecaster(model),
    )


def _forecaster(model: Model) -> dict[str, str]:
    try:
        forecaster, _ = Forecaster.from_bytes(model.content)
    except BadModelBytesError as error:
        return {"forecaster": f"cannot be read: {error}"}
    return described(forecaster)


def _answer(found: Sequence[ModelAnswer], panel: Panel, version: int | None) -> ModelAnswer:
    """The version asked for, else the one that serves, else the newest. Raises UsageError where there is none."""
    if not found:
        raise UsageError(f"panel {panel.name} has no model yet; the first refit makes one")
    if version is None:
        return next((model for model in found if model.standing == "serving"), found[0])
    for model in found:
        if model.version == version:
            return model
    versions = ", ".join(str(model.version) for model in reversed(found))
    raise UsageError(f"panel {panel.name} has no model of version {version}; its versions: {versions}")


def _change(name: str, config: Path | None, change: Callable[[Sessions, Panel, Clock], str]) -> None:
    """Do something to a panel's models and tell what was done. Raises UsageError where it cannot be done."""
    settings = settings_of(config)
    panel = panel_named(settings, name)
    with writing(settings) as sessions:
        try:
            out.print(escape(f"{panel.name}  {change(sessions, panel, utc_now)}"))
        except PromotionError as error:
            raise UsageError(str(error)) from error


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join([", ".join(map(str, numbers[:-1])), str(numbers[-1])]) if len(numbers) > 1 else str(numbers[0])


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_TOLD
    return ", ".join(names[:NAMES_TOLD]) + (f" and {more:,} more" if more > 0 else "")
