"""The commands about who serves: `rollcast models`, `promote` and `rollback`. What they do is in `jobs.promote`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy.orm import Session

from db import engine, queries
from db.engine import Sessions
from jobs.panel import Clock, Panel
from jobs.promote import PromotionError, promote, roll_back, standing
from service import answers
from service.commands.terminal import (
    Config,
    Json,
    UsageError,
    out,
    panels_named,
    reading,
    settings_of,
    table_of,
    time_told,
)
from service.daemon import utc_now
from service.shapes import ModelAnswer

OnePanel = Annotated[str, typer.Argument(metavar="PANEL")]


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


def models_command(panel: OnePanel, config: Config = None, json: Json = False) -> None:
    """The versions of a panel's model: which serves, served, or waits to be promoted, and what the gate said."""
    settings = settings_of(config)
    (chosen,) = panels_named(settings, panel)
    with reading(settings) as sessions, sessions() as session:
        found = models_of(session, chosen.name)
    if json:
        sys.stdout.write(answers.to_json({"panel": chosen.name, "models": found}).decode() + "\n")
        return
    table = table_of("version", "model", "trained", "cutoff", "standing", "verdict")
    for model in found:
        table.add_row(
            str(model.version),
            model.kind,
            time_told(model.trained_at),
            time_told(model.cutoff),
            model.standing,
            escape(model.verdict),
        )
    out.print(table if found else f"panel {chosen.name} has no model yet; the first refit makes one")


def promote_command(
    panel: OnePanel,
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", show_default=False, help="By default the newest that waits.")
    ] = None,
    config: Config = None,
) -> None:
    """Let a version of a panel's model serve; a running daemon forecasts with it at once."""
    _change(panel, config, lambda sessions, chosen, clock: promote(sessions, chosen, version, clock))


def rollback_command(panel: OnePanel, config: Config = None) -> None:
    """Let the model serve again that served before; a running daemon forecasts with it at once."""
    _change(panel, config, roll_back)


def _change(name: str, config: Path | None, change: Callable[[Sessions, Panel, Clock], str]) -> None:
    """Do something to a panel's models and tell what was done. Raises UsageError where it cannot be done."""
    settings = settings_of(config)
    (panel,) = panels_named(settings, name)
    with reading(settings):
        pass  # there must be a database already
    write_engine = engine.writer(settings.database_url)
    try:
        engine.migrate(write_engine)
        out.print(escape(f"{panel.name}  {change(engine.sessions(write_engine), panel, utc_now)}"))
    except PromotionError as error:
        raise UsageError(str(error)) from error
    finally:
        write_engine.dispose()
