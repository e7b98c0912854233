"""Settings: a TOML file and environment variables in, panels and plain values out. Nothing below `service` reads
either.

Whatever is wrong becomes one SettingsError, whose single line names the key, the value and what would be accepted.
"""

import os
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from db.engine import DatabaseUnusableError, sqlite_path
from jobs.panel import Panel
from service.complaints import SettingsError, meant
from service.panels import ByDefault, Duration, PanelSettings, Table, listed, panel_of

PREFIX = "ROLLCAST_"
CONFIG_VARIABLE = "ROLLCAST_CONFIG"
CONFIG_NAME = "rollcast.toml"
DEFAULT_FILE = Path(__file__).parent / "default.toml"


def _origin(value: str) -> str:
    if not re.fullmatch(r"\*|https?://[^/\s\"']+", value):
        raise ValueError("expected an origin, scheme://host or scheme://host:port, as in https://example.org; or *")
    return value


class ApiSettings(Table):
    """Where the read API listens, and to whom it answers."""

    host: Annotated[str, Field(min_length=1, description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="the port to listen on")] = 8765
    token: Annotated[
        SecretStr | None,
        Field(description="what every question must bear as `Authorization: Bearer TOKEN`; best kept in the variable"),
        ByDefault("none"),
    ] = None
    cors: Annotated[
        list[Annotated[str, AfterValidator(_origin)]],
        BeforeValidator(listed),
        Field(description="origins whose pages may read the answers, as in `https://example.org`"),
    ] = Field(default_factory=list)


class DatabaseSettings(Table):
    """Which database; by default a file in the data folder."""

    url: Annotated[
        str | None,
        Field(description="a SQLite file: `sqlite:////path/to.db`"),
        ByDefault("`rollcast.db` in `data_dir`"),
    ] = None


class Settings(BaseSettings):
    """All settings. Made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", enable_decoding=False
    )

    data_dir: Annotated[
        Path,
        Field(description="where the database lies, and the caches of clients"),
        ByDefault("`data` beside the configuration file; without one `./data`"),
    ] = Path("data")
    api: Annotated[ApiSettings, Field(description="the read API")] = ApiSettings()
    database: Annotated[DatabaseSettings, Field(description="the database")] = DatabaseSettings()
    workers: Annotated[
        int,
        Field(ge=1, le=256, description="processes that refit"),
        ByDefault("one less than there are cores, at least 1"),
    ] = max(1, (os.cpu_count() or 1) - 1)
    refit_timeout: Annotated[Duration, Field(description="a refit that takes longer is ended")] = timedelta(minutes=10)
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="what is logged: this, and what is graver")
    ] = "info"
    panels: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], PanelSettings] = Field(
        min_length=1, description="the panels, each a table of its own"
    )

    _file: Path = PrivateAttr(DEFAULT_FILE)
    _environ: dict[str, str] = PrivateAttr(default_factory=dict)

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
        return [panel_of(name, table, self._file.parent, self._environ) for name, table in self.panels.items()]


def find_file(option: Path | None, environ: Mapping[str, str], folder: Path) -> Path:
    """The configuration file: the option's, the environment's, rollcast.toml in the folder, or the built-in one.

    Raises SettingsError.
    """
    named = option or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    own = folder / CONFIG_NAME
    try:
        if named is None:
            return own if own.exists() else DEFAULT_FILE
        if named.is_file():
            return named
    except PermissionError as error:
        raise SettingsError(f"{named or own} cannot be read: {error.strerror}") from error
    raise SettingsError(f"there is no configuration file {named}; `rollcast init` writes one")


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
        if ours and first not in Settings.model_fields and f"${{{variable}}}" not in repr(content):
            known = [PREFIX + name.upper() for name in Settings.model_fields]
            raise SettingsError(f"{variable} is no variable of Rollcast; {meant(variable, known)}")
    if file != DEFAULT_FILE and isinstance(content.get("data_dir", "data"), str):
        content["data_dir"] = str(file.parent.absolute() / content.get("data_dir", "data"))
    try:
        settings = Settings(**content)
    except ValidationError as error:
        raise SettingsError(_line(error, file, environ)) from error
    settings._file = file
    settings._environ = dict(environ)
    settings.build_panels()
    try:
        sqlite_path(settings.database_url)
    except DatabaseUnusableError as error:
        raise SettingsError(str(error)) from error
    return settings


def _line(error: ValidationError, file: Path, environ: Mapping[str, str]) -> str:
    """The first of pydantic's complaints in one line."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    place = _place(path, file, environ)
    if first["type"] == "missing":
        return f"{file}: {'.'.join(path)} is missing"
    if first["type"] == "extra_forbidden":
        return f"{place} is no setting; {meant(path[-1], _keys_beside(path))}"
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
