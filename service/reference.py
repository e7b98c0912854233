"""The reference of the configuration, docs/configuration.md, made from the settings model.

python -m service.reference     # writes it
"""

import sys
import types
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from annotated_types import Ge, Le
from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from service import durations
from service.durations import Interval
from service.panels import AfterClose, ByDefault, PanelSettings
from service.settings import CONFIG_NAME, CONFIG_VARIABLE, PREFIX, ApiSettings, DatabaseSettings, Settings

FILE = Path(__file__).parent.parent / "docs" / "configuration.md"

WORDS: Mapping[object, str] = {
    str: "text",
    Path: "path",
    SecretStr: "text",
    int: "whole number",
    timedelta: "duration",
    Interval: "interval",
    AfterClose: '`"30m after the close"`',
    ZoneInfo: "time zone",
    dict: "table",
}

HEAD = f"""\
# Configuration

Made from the settings model by `python -m service.reference`; do not edit it by hand.

Rollcast reads one TOML file: the one that `--config FILE` names, or `{CONFIG_VARIABLE}`, or `{CONFIG_NAME}` in the
current folder, or else the one that is built in. `rollcast init` writes a commented one, and `rollcast check` validates
it and tells what would run when. A key that is none, or a value that cannot be, is told in one line with exit code 2,
and nothing is started.

Environment variables win over the file. Each key's own is in the last column. A list is written with commas: `80,95`.
In a panel's variables `NAME` is the panel's name in capitals, and `OPTION` an option of its source.

| type | is written as |
|---|---|
| duration | {durations.ACCEPTED.removeprefix("a duration as in ")} (365 days): above zero, at most 100y |
| interval | {durations.INTERVALS.removeprefix("a duration ")} |
| time zone | a name of the time zone database: `Europe/Berlin`, `UTC` |
| path | relative paths start at the configuration file's folder |
"""

TABLES: Mapping[str, tuple[str, type[BaseModel], tuple[str, ...]]] = {
    "At the top of the file": ("", Settings, ()),
    "`[api]`": ("Where the read API listens, and to whom it answers.", ApiSettings, ("api",)),
    "`[database]`": ("Which database.", DatabaseSettings, ("database",)),
    "`[panels.NAME]`": (
        "A table a panel: series of one source and one interval, which share a schedule and a model. Its name is made"
        " of lower-case letters, digits, `-` and `_`, with a letter first. [sources.md](sources.md) has the options of"
        " each type of source.",
        PanelSettings,
        ("panels", "NAME"),
    ),
}


def text() -> str:
    """The whole document."""
    return "\n".join([HEAD, *(_section(heading, *table) for heading, table in TABLES.items())])


def _section(heading: str, said: str, model: type[BaseModel], tables: tuple[str, ...]) -> str:
    lines = []
    for key, field in fields_of(model).items():
        cells = (f"`{key}`", type_told(field), default_told(field), field.description, variable(field, *tables, key))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    head = "| key | type | by default | what it is | variable |\n|---|---|---|---|---|"
    return "\n".join([f"## {heading}\n", *([f"{said}\n"] if said else []), head, *lines, ""])


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Its keys that are not tables with a section of their own."""
    nested = {tables[0] for _, _, tables in TABLES.values() if tables} if model is Settings else set()
    return {key: field for key, field in model.model_fields.items() if key not in nested}


def type_told(field: FieldInfo) -> str:
    """What may stand for a key, in words."""
    return _words(field.annotation, field.metadata)


def _words(annotation: Any, about: list[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(arguments[0], [*about, *arguments[1:]])
    if origin in (Union, types.UnionType):
        return ", or ".join(_words(argument, about) for argument in arguments if argument is not type(None))
    if origin is Literal:
        *most, last = (f"`{argument}`" for argument in arguments)
        return f"{', '.join(most)} or {last}" if most else last
    if origin is list:
        return f"list of: {_words(arguments[0], [])}"
    return WORDS[origin or annotation] + _bounds(about)


def _bounds(about: list[Any]) -> str:
    """Between which a number must lie."""
    least = next((limit.ge for limit in about if isinstance(limit, Ge)), None)
    most = next((limit.le for limit in about if isinstance(limit, Le)), None)
    if least is None:
        return ""
    return f", {least:,} or more" if most is None else f", {least:,} to {most:,}"


def default_told(field: FieldInfo) -> str:
    """What a key is where it is left out, in words."""
    if field.is_required():
        return "required"
    for words in field.metadata:
        if isinstance(words, ByDefault):
            return words.words
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in ("", []):
        return "none"
    return f"`{durations.told(default) if isinstance(default, timedelta) else default}`"


def variable(field: FieldInfo, *path: str) -> str:
    """The environment's variable for a key; a table has one an option, a list one where a text can become a list."""
    name = PREFIX + "__".join(path).upper()
    kind = get_origin(field.annotation)
    if kind is list and not any(isinstance(about, BeforeValidator) for about in field.metadata):
        return "–"
    return f"`{name}__OPTION`" if kind is dict else f"`{name}`"


def main() -> None:
    """Write the document."""
    if not FILE.parent.is_dir():
        sys.exit(f"there is no folder {FILE.parent}: run this where the source code is")
    FILE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
