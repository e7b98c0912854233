"""Settings: a TOML file and environment variables in, panels and plain values out. Nothing below `service` reads
either.

Whatever is wrong becomes one SettingsError, whose single line names the key, the value and what would be accepted.
"""

import dataclasses
import difflib
import os
import tomllib
import types
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from db.engine import DatabaseUnusableError, sqlite_path
from jobs.calendars import DAY
from jobs.panel import Panel, Promote
from jobs.sources import SOURCES
from jobs.sources.base import Source
from models.panel import values_needed
from service import durations

PREFIX = "ROLLCAST_"
CONFIG_VARIABLE = "ROLLCAST_CONFIG"
CONFIG_NAME = "rollcast.toml"
DEFAULT_FILE = Path(__file__).parent / "default.toml"
NEVER = "never"
INTERVALS_OF_HISTORY = 5000


class SettingsError(Exception):
    """The configuration cannot be used; one line says which key, what it holds, and what would be accepted."""


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {durations.ACCEPTED}")
    return durations.parse(value)


def _expiry(value: object) -> timedelta | Literal["never"]:
    return "never" if value == NEVER else _duration(value)


def _levels(value: object) -> object:
    """A variable holds a list as text: 80,95 or [80, 95]."""
    return value.strip("[] ").split(",") if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ApiSettings(_Table):
    """Where the read API listens."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8765


class DatabaseSettings(_Table):
    """Which database; by default a file in the data folder."""

    url: str | None = None


class PanelSettings(_Table):
    """One panel's table."""

    source: dict[str, Any]
    interval: Duration
    horizon: int = Field(ge=1, le=10_000)
    fetch_every: Duration | None = None
    refit_every: Duration = DAY
    train_window: Duration | None = None
    expire_after: Annotated[timedelta | Literal["never"], BeforeValidator(_expiry)] | None = None
    levels: Annotated[list[Annotated[int, Field(ge=1, le=99)]], BeforeValidator(_levels), Field(min_length=1)] = [
        80,
        95,
    ]
    promote: Promote = "managed"
    keep_forecasts: Duration | None = None
    keep_observations: Duration | None = None
    keep_models: Duration | None = None
    seed: int = Field(0, ge=0)
    prefix: str = ""


class Settings(BaseSettings):
    """All settings. Made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", enable_decoding=False
    )

    data_dir: Path = Path("data")
    api: ApiSettings = ApiSettings()
    database: DatabaseSettings = DatabaseSettings()
    workers: Annotated[int, Field(ge=1, le=256)] = max(1, (os.cpu_count() or 1) - 1)
    refit_timeout: Duration = timedelta(minutes=10)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    panels: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], PanelSettings] = Field(min_length=1)

    _file: Path = PrivateAttr(DEFAULT_FILE)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the base class's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose content comes as the constructor's arguments."""
        return env_settings, init_settings

    @property
    def file(self) -> Path:
        """The file they were read from."""
        return self._file

    @property
    def database_url(self) -> str:
        """The database's URL."""
        return self.database.url or f"sqlite:///{(self.data_dir / 'rollcast.db').absolute()}"

    def build_panels(self) -> list[Panel]:
        """The panels as the jobs take them. Raises SettingsError."""
        return [_panel(name, table, self._file.parent) for name, table in self.panels.items()]


def find_file(option: Path | None, environ: Mapping[str, str], folder: Path) -> Path:
    """The configuration file: the option's, the environment's, rollcast.toml in the folder, or the built-in one."""
    named = option or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"there is no configuration file {named}; `rollcast init` writes one")
        return named
    own = folder / CONFIG_NAME
    return own if own.exists() else DEFAULT_FILE


def load(file: Path, environ: Mapping[str, str]) -> Settings:
    """Read a configuration file under the environment's variables. Raises SettingsError.

    pydantic-settings reads the process's own environment; `environ` must be that, and is asked for the names of
    variables.
    """
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is no valid TOML: {error}") from error
    for variable in environ:
        first = variable[len(PREFIX) :].split("__")[0].lower()
        ours = variable.upper().startswith(PREFIX) and variable != CONFIG_VARIABLE
        if ours and first not in Settings.model_fields:
            known = [PREFIX + name.upper() for name in Settings.model_fields]
            raise SettingsError(f"{variable} is no variable of Rollcast; {_meant(variable, known)}")
    if file != DEFAULT_FILE and isinstance(content.get("data_dir", "data"), str):
        content["data_dir"] = str(file.parent.absolute() / content.get("data_dir", "data"))
    try:
        settings = Settings(**content)
    except ValidationError as error:
        raise SettingsError(_line(error, file, environ)) from error
    settings._file = file
    settings.build_panels()
    try:
        sqlite_path(settings.database_url)
    except DatabaseUnusableError as error:
        raise SettingsError(str(error)) from error
    return settings


def _panel(name: str, table: PanelSettings, folder: Path) -> Panel:
    expire_after = timedelta.max if table.expire_after == NEVER else table.expire_after
    assert not isinstance(expire_after, str)  # noqa: S101  for the type checker: NEVER is the only text
    if table.interval > DAY and table.interval % DAY:
        raise SettingsError(
            f"panels.{name}.interval = {durations.told(table.interval)}: above a day, expected whole days"
        )
    train_window = table.train_window or min(INTERVALS_OF_HISTORY * table.interval, durations.LONGEST)
    needed = values_needed(table.horizon)
    if train_window // table.interval < needed:
        raise SettingsError(
            f"panels.{name}.train_window = {durations.told(train_window)}: a first fit of horizon {table.horizon} needs"
            f" {needed} observations, which take {durations.told(needed * table.interval)}"
        )
    return Panel(
        name=name,
        source=_source(f"panels.{name}.source", table.source, folder),
        interval=table.interval,
        horizon=table.horizon,
        fetch_every=table.fetch_every or min(max(table.interval, timedelta(seconds=10)), timedelta(hours=1)),
        refit_every=table.refit_every,
        train_window=train_window,
        expire_after=expire_after,
        levels=tuple(sorted(set(table.levels))),
        promote=table.promote,
        keep_forecasts=table.keep_forecasts,
        keep_observations=table.keep_observations,
        keep_models=table.keep_models,
        seed=table.seed,
        prefix=table.prefix,
    )


def _source(key: str, table: Mapping[str, Any], folder: Path) -> Source:
    """The source that a table describes: `type` names its class, the other keys are the class's fields."""
    options = dict(table)
    kind = options.pop("type", None)
    if not isinstance(kind, str) or kind not in SOURCES:
        raise SettingsError(f"{key}.type = {kind!r}: expected one of {', '.join(SOURCES)}")
    fields = {field.name: field for field in dataclasses.fields(SOURCES[kind]) if field.init}
    for option in options:
        if option not in fields:
            raise SettingsError(f"{key}.{option} is no option of a {kind} source; {_meant(option, fields)}")
    try:
        source: Any = TypeAdapter(SOURCES[kind]).validate_python(options)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join([key, *map(str, first["loc"])])
        if first["type"] == "missing":
            raise SettingsError(f"{path} is missing") from error
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{path} = {first['input']!r}: {message}") from error
    for option, field in fields.items():
        if field.type is Path:
            setattr(source, option, folder / getattr(source, option))
    return cast(Source, source)


def _line(error: ValidationError, file: Path, environ: Mapping[str, str]) -> str:
    """The first of pydantic's complaints in one line."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    place = _place(path, file, environ)
    if first["type"] == "missing":
        return f"{file}: {'.'.join(path)} is missing"
    if first["type"] == "extra_forbidden":
        return f"{place} is no setting; {_meant(path[-1], _keys_beside(path))}"
    if "[key]" in first["loc"]:
        return (
            f"{file}: panel name {first['input']!r}: expected lower-case letters, digits, - and _, with a letter first"
        )
    message = first["msg"].removeprefix("Value error, ")
    return f"{place} = {first['input']!r}: {message[0].lower()}{message[1:]}"


def _place(path: list[str], file: Path, environ: Mapping[str, str]) -> str:
    """Where a value comes from: the environment's variable for it or for its table, or the file and the key."""
    for length in range(len(path), 0, -1):
        variable = PREFIX + "__".join(path[:length]).upper()
        if variable in environ:
            return variable
    return f"{file}: {'.'.join(path)}"


def _keys_beside(path: list[str]) -> Iterable[str]:
    """The keys that a table of the settings may have, beside the last one of the path."""
    model: type[BaseModel] = Settings
    for part in path[:-1]:
        if part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = get_args(annotation)[-1] if isinstance(annotation, types.GenericAlias) else annotation
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    return model.model_fields


def _meant(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"expected one of {', '.join(known)}"
