"""Shell completion: the command `rollcast completion`, and the names of panels and series that it offers.

A shell asks at every press of the tabulator key. So the names are read past the settings and past SQLAlchemy, which
take most of a second to import; and whatever is wrong, nothing is offered and nothing said.
"""

import os
import sqlite3
import sys
import tomllib
from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

MOST = 200  # names that are offered at once
PATIENCE = 0.2  # seconds, for a database that is locked
CONFIG_NAME = "rollcast.toml"  # as service.settings has it
BUILT_IN = Path(__file__).parent.parent / "default.toml"
BEGIN_COMPLETION = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"  # a plain .zshrc does not
VARIABLE = "_ROLLCAST_COMPLETE"  # by which the shell's script asks


class Shell(StrEnum):
    """The shells that can be helped."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the script that lets a shell complete commands, options, panels and series.

    It goes into the shell's own start-up file, as the examples show.
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="rollcast", complete_var=VARIABLE, shell=shell.value)
    if shell == Shell.ZSH:
        script = f"{BEGIN_COMPLETION}\n{script}"
    sys.stdout.write(script + "\n")


def panels(context: typer.Context, incomplete: str) -> list[str]:
    """The names of panels that begin so."""
    try:
        names = sorted(_configuration(context)[0]["panels"])
    except Exception:  # whatever it is, a prompt is no place to tell it
        return []
    return [name for name in names if name.startswith(incomplete)]


def series(context: typer.Context, incomplete: str) -> list[str]:
    """The names of series that begin so."""
    try:
        content, folder = _configuration(context)
        path = database(content, folder, os.environ)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            rows = connection.execute(
                "SELECT name FROM series WHERE substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
                (len(incomplete), incomplete, MOST),
            )
            return [name for (name,) in rows]
    except Exception:  # likewise
        return []


def database(content: Mapping[str, Any], folder: Path, environ: Mapping[str, str]) -> Path:
    """The file of the database, for a configuration that was read from a folder: what service.settings makes of it."""
    url = environ.get("ROLLCAST_DATABASE__URL") or content.get("database", {}).get("url")
    if url:
        return Path(url.partition("///")[2]).absolute()
    data_dir = environ.get("ROLLCAST_DATA_DIR") or folder / content.get("data_dir", "data")
    return (Path(data_dir) / "rollcast.db").absolute()


def _configuration(context: typer.Context) -> tuple[dict[str, Any], Path]:
    """The configuration file's content, and the folder that its paths start from."""
    named = context.params.get("config") or os.environ.get("ROLLCAST_CONFIG")
    file = Path(named) if named else Path(CONFIG_NAME)
    if named or file.exists():
        return tomllib.loads(file.read_text()), file.parent
    return tomllib.loads(BUILT_IN.read_text()), Path()
