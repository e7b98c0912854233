"""Commands whose modules are imported when they are called.

What `rollcast --help` tells stands in a table (`service.cli`): to list twenty commands, or to do one, the modules of
the others with pandas, SQLAlchemy and what else they need are not imported.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from inspect import getdoc
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from service.commands import completion

HELP_OPTIONS = {"help_option_names": ["--help", "-h"]}


@dataclass(frozen=True)
class Entry:
    """A command as the list of commands tells it.

    function: where it is, in `service.commands`; names: what a shell can offer for its arguments.
    """

    name: str
    function: str
    help: str
    examples: tuple[str, ...]
    names: Literal["panels", "series"] | None = None


@dataclass(frozen=True)
class Group:
    """Commands that share their first word."""

    name: str
    help: str
    entries: tuple[Entry, ...]


class LazyCommand(TyperCommand):
    """A command that is known by its entry until it is called."""

    def __init__(self, entry: Entry, panel: str | None) -> None:
        super().__init__(entry.name, help=entry.help, rich_help_panel=panel)
        self.entry = entry

    @cached_property
    def real(self) -> Any:
        """The command itself, as typer makes it of the function."""
        module, _, name = self.entry.function.rpartition(".")
        function = getattr(import_module(f"service.commands.{module}"), name)
        # typer would end the lines of the help where the docstring does.
        told = "\n\n".join(" ".join(part.split()) for part in (getdoc(function) or "").split("\n\n"))
        app = typer.Typer(add_completion=False)
        app.command(self.name, help=escape(told), epilog=_examples(self.entry.examples))(function)
        return get_command(app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """What is asked of the command is asked of the real one.

        Save by a shell that wants a name for an argument: it must not wait for the imports.
        """
        if extra.get("resilient_parsing") and self.entry.names and not any(word.startswith("-") for word in args):
            self.params = STAND_INS[self.entry.names]
            return super().make_context(info_name, args, parent, **extra)
        return self.real.make_context(info_name, args, parent, **extra)

    def shell_complete(self, context: Any, incomplete: str) -> Any:
        """The options that begin so."""
        return self.real.shell_complete(context, incomplete)


def _arguments(offer: Callable[[typer.Context, str], list[str]]) -> list[Any]:
    """An argument that may be repeated, for which names are offered."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def named(names: Annotated[list[str], typer.Argument(autocompletion=offer)]) -> None:
        raise NotImplementedError(names)  # it is only ever asked for names

    return list(get_command(app).params)


STAND_INS = {"panels": _arguments(completion.panels), "series": _arguments(completion.series)}


def _tell_version(asked: bool) -> None:
    """Print the version, and end."""
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"rollcast {version('rollcast')}\n")
        raise typer.Exit


def _options() -> list[Any]:
    """The options of the whole, without a command."""
    app = typer.Typer(add_completion=False)
    told = typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)

    @app.command()
    def optioned(version: Annotated[bool, told] = False) -> None:
        raise NotImplementedError(version)  # what is asked of it ends before

    return list(get_command(app).params)


def assemble(panels: Mapping[str, Sequence[Entry | Group]], *, help: str, epilog: str) -> TyperGroup:  # noqa: A002  typer's word
    """The command line: its commands, by the heading that they are listed under."""
    commands: dict[str, Any] = {each.name: _made(each, panel) for panel, listed in panels.items() for each in listed}
    return TyperGroup(
        name="rollcast",
        commands=commands,
        params=_options(),
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        context_settings=HELP_OPTIONS,
    )


def _made(each: Entry | Group, panel: str) -> LazyCommand | TyperGroup:
    if isinstance(each, Entry):
        return LazyCommand(each, panel)
    commands: dict[str, Any] = {entry.name: LazyCommand(entry, None) for entry in each.entries}
    return TyperGroup(
        name=each.name,
        commands=commands,
        help=each.help,
        epilog=_examples(entry.examples[0] for entry in each.entries),
        rich_help_panel=panel,
        no_args_is_help=True,
    )


def _examples(lines: Iterable[str]) -> str:
    """Examples below a help, which is read as markup, in which a bracket opens a tag."""
    return escape("\n".join(["", "Examples:", *(f"  {line}" for line in lines)]))
