"""Writes docs/command-line.md from the commands themselves: `python -m service.commands.reference`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from service import cli
from service.commands.lazy import LazyCommand

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "command-line.md"
BEGINNING = """# The command line

Written by `python -m service.commands.reference` from the commands themselves; a test checks that it is up to date.
`rollcast COMMAND --help` tells the same.

Answers go to standard output; logs, progress and complaints to standard error. Whatever is wrong is told in one line
that says what to do. Progress is shown on a terminal only. `--json` prints JSON as the read API answers it, with times
in ISO 8601 and null where there is no value.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a job failed, or `doctor` found something bad |
| 2 | the call or the configuration is wrong; nothing was done |
| 130 | ended by Ctrl-C or SIGTERM; what was committed until then stays. `run`, which goes on until then, ends with 0 |
| 141 | the reader of a pipe went away, as `head` does |

`--config FILE` (`-c`) names the configuration. Without it the variable `ROLLCAST_CONFIG` does, else `rollcast.toml`
in the folder that one is in; without that the built-in one serves.

Shells complete commands, options, panels and series once they have read what `rollcast completion` prints.
"""


def document() -> str:
    """The text of the document."""
    parts = [BEGINNING]
    for panel, listed in cli.COMMANDS.items():
        parts.append(f"## {panel}\n")
        for each in listed:
            parts += (_section(command, path) for path, command in _leaves(cli.app.commands[each.name], each.name))
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, LazyCommand]]:
    """Every command, with the words that call it."""
    for name, command in cli.app.commands.items():
        yield from _leaves(command, name)


def _leaves(command: Any, path: str) -> Iterator[tuple[str, LazyCommand]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _leaves(inner, f"{path} {name}")
    else:
        yield path, command


def _section(command: LazyCommand, path: str) -> str:
    real = command.real
    usage = " ".join(real.collect_usage_pieces(typer.Context(real))).replace("{", "").replace("}", "")
    lines = [f"### `rollcast {path}`\n", real.help.replace("\\[", "["), "", f"    rollcast {path} {usage}".rstrip(), ""]
    rows = [_row(parameter) for parameter in real.params]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    lines += ["Examples:", "", *(f"    {example}" for example in command.entry.examples), ""]
    return "\n".join(lines)


def _row(parameter: Any) -> str:
    """An argument or an option, with what it means and what holds without it."""
    names = parameter.metavar
    if parameter.param_type_name == "option":
        value = "" if parameter.is_flag else f" {parameter.metavar or 'VALUE'}"
        names = "`, `".join([f"{parameter.opts[0]}{value}", *parameter.opts[1:], *parameter.secondary_opts])
    told = parameter.help
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    if parameter.param_type_name == "option" and default not in (None, False, []):
        told += f" By default {default}."
    return f"| `{names}` | {told} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
