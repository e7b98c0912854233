"""A panel's table of the configuration: what may stand in it, and the panel that it describes."""

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from jobs import calendars, exchanges, sources
from jobs.calendars import DAY
from jobs.panel import Aggregate, Fill, Jumps, Panel, Promote
from jobs.secrets import hide
from jobs.sources.base import Source
from models.panel import values_needed
from service import durations
from service.complaints import SettingsError, meant
from service.durations import Interval

NEVER = "never"
INTERVALS_OF_HISTORY = 5000
AFTER_CLOSE = re.compile(r"(\d+\s*[smhd]) after (?:the )?close")
VARIABLE = re.compile(r"\$\{(\w+)\}")  # in a source's options: a value from the environment


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected {durations.ACCEPTED}")
    return durations.parse(value)


def _expiry(value: object) -> timedelta | Literal["never"]:
    return "never" if value == NEVER else _duration(value)


@dataclasses.dataclass(frozen=True)
class AfterClose:
    """So long after each session's close."""

    delay: timedelta


def _interval(value: object) -> Interval:
    if not isinstance(value, str):
        raise ValueError(f"expected {durations.INTERVALS}")
    return durations.parse_interval(value)


def _every(value: object) -> timedelta | AfterClose:
    after = AFTER_CLOSE.fullmatch(value.strip()) if isinstance(value, str) else None
    return AfterClose(durations.parse(after[1])) if after else _duration(value)


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a time zone, as in Europe/Berlin or UTC") from error


def _calendar(value: object) -> str:
    exchanges.check(str(value))
    return str(value)


def listed(value: object) -> object:
    """A variable holds a list as text: 80,95 or [80, 95] or ["a", "b"]."""
    return [part.strip(" \"'") for part in value.strip("[] ").split(",")] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Every = Annotated[timedelta | AfterClose, PlainValidator(_every)]


class Table(BaseModel):
    """A table of the configuration: a key that is none is an error."""

    model_config = ConfigDict(extra="forbid")


@dataclasses.dataclass(frozen=True)
class ByDefault:
    """In words, what a key is by default where its own default does not say it."""

    words: str


class PanelSettings(Table):
    """One panel's table."""

    source: Annotated[
        dict[str, Any],
        Field(
            description="where observations come from: its `type`, and the type's options; `${NAME}` in one stands for"
            " a secret from the environment"
        ),
    ]
    interval: Annotated[Interval, PlainValidator(_interval), Field(description="time from one observation to the next")]
    horizon: Annotated[int, Field(ge=1, le=10_000, description="steps to forecast")]
    prefix: Annotated[
        str, Field(description="put before the source's own series names, to keep the names of two panels apart")
    ] = ""
    fetch_every: Annotated[
        Every | None,
        Field(description="how often to ask the source"),
        ByDefault("the interval, at least 10s, at most 1h"),
    ] = None
    fetch_timeout: Annotated[Duration, Field(description="how long a source may give no sign of life")] = timedelta(
        minutes=2
    )
    refit_every: Annotated[Every, Field(description="how often to fit the model again")] = DAY
    train_window: Annotated[
        Duration | None,
        Field(description="how much history a refit uses, back from the newest observation"),
        ByDefault("5,000 intervals"),
    ] = None
    promote: Annotated[
        Promote,
        Field(description="`managed`: a refit that wins serves; `manual`: it waits for `rollcast models promote`"),
    ] = "managed"
    tz: Annotated[
        Annotated[ZoneInfo, PlainValidator(_zone)] | None,
        Field(description="the zone of times without one; its midnight begins a day"),
        ByDefault("none: below a day such times are refused"),
    ] = None
    calendar: Annotated[
        Annotated[str, PlainValidator(_calendar)] | None,
        Field(description="the exchange whose sessions are the steps: `XNYS`, `24/7`, …"),
        ByDefault("for a daily series the weekdays with values of late, else every step"),
    ] = None
    settle: Annotated[
        Duration | None, Field(description="how long after its interval's end a value counts"), ByDefault("at once")
    ] = None
    overlap: Annotated[
        Duration | None,
        Field(description="how far back each fetch asks again, to see what was revised"),
        ByDefault("10 intervals"),
    ] = None
    aggregate: Annotated[Aggregate, Field(description="what becomes of several values in one interval")] = "last"
    offset: Annotated[
        Duration | None,
        Field(description="of the grid that values of less than a day are laid on, from midnight UTC"),
        ByDefault("none"),
    ] = None
    jumps: Annotated[Jumps, Field(description="whether to keep or drop a value absurdly far from its neighbours")] = (
        "keep"
    )
    fill: Annotated[Fill, Field(description="what stands in for the values of a gap, in the model's view only")] = (
        "last"
    )
    max_gap: Annotated[
        int | None,
        Field(ge=0, description="how many steps are filled at most; a longer gap splits the history"),
        ByDefault("the horizon"),
    ] = None
    levels: Annotated[
        list[Annotated[int, Field(ge=1, le=99)]],
        BeforeValidator(listed),
        Field(min_length=1, description="of the prediction intervals, in percent"),
    ] = [80, 95]
    expire_after: Annotated[
        timedelta | Literal["never"] | None,
        BeforeValidator(_expiry),
        Field(description="how long after its cutoff a forecast counts as expired"),
        ByDefault("when its last target has passed"),
    ] = None
    keep_forecasts: Annotated[
        Duration | None,
        Field(description="how long to keep forecasts, their scores, and the record of runs"),
        ByDefault("for ever"),
    ] = None
    keep_observations: Annotated[
        Duration | None,
        Field(description="how long to keep observations; what a refit uses stays"),
        ByDefault("for ever"),
    ] = None
    keep_models: Annotated[
        Duration | None, Field(description="how long to keep models that do not serve"), ByDefault("for ever")
    ] = None
    seed: Annotated[int, Field(ge=0, description="of all randomness")] = 0


def panel_of(name: str, table: PanelSettings, folder: Path, environ: Mapping[str, str]) -> Panel:
    """The panel that a table describes. Raises SettingsError."""
    expire_after = timedelta.max if table.expire_after == NEVER else table.expire_after
    assert not isinstance(expire_after, str)  # noqa: S101  for the type checker: NEVER is the only text
    key = f"panels.{name}"
    interval, months = table.interval.length, table.interval.months
    _check_times(key, table)
    a_step = _time_a_step(table)
    train_window = table.train_window or min(INTERVALS_OF_HISTORY * a_step, durations.LONGEST)
    needed = values_needed(table.horizon)
    if train_window < needed * a_step:
        raise SettingsError(
            f"{key}.train_window = {durations.told(train_window)}: a first fit of horizon {table.horizon} needs"
            f" {needed} observations, which take {durations.told(needed * a_step)}"
        )
    source, secrets = _source(f"{key}.source", table.source, folder, environ)
    fetch_every = table.fetch_every or min(max(interval, timedelta(seconds=10)), timedelta(hours=1))
    return Panel(
        name=name,
        source=source,
        interval=interval,
        months=months,
        horizon=table.horizon,
        tz=table.tz,
        calendar=table.calendar,
        fetch_every=DAY if isinstance(fetch_every, AfterClose) else fetch_every,
        fetch_after_close=fetch_every.delay if isinstance(fetch_every, AfterClose) else None,
        fetch_timeout=table.fetch_timeout,
        settle=table.settle or timedelta(0),
        overlap=table.overlap,
        offset=table.offset or timedelta(0),
        aggregate=table.aggregate,
        fill=table.fill,
        max_gap=table.max_gap,
        jumps=table.jumps,
        refit_every=DAY if isinstance(table.refit_every, AfterClose) else table.refit_every,
        refit_after_close=table.refit_every.delay if isinstance(table.refit_every, AfterClose) else None,
        train_window=train_window,
        expire_after=expire_after,
        levels=tuple(sorted(set(table.levels))),
        promote=table.promote,
        keep_forecasts=table.keep_forecasts,
        keep_observations=table.keep_observations,
        keep_models=table.keep_models,
        seed=table.seed,
        prefix=table.prefix,
        secrets=secrets,
    )


def _time_a_step(table: PanelSettings) -> timedelta:
    """How much time a step takes on the average: bars of an exchange's sessions come with nights between them."""
    interval = table.interval.length
    if table.calendar is None or table.calendar == calendars.ALWAYS or interval >= DAY:
        return interval
    a_week = exchanges.steps(table.calendar, interval, table.offset or timedelta(0)).seasons[-1]
    return 7 * DAY / a_week


def _check_times(key: str, table: PanelSettings) -> None:
    """Raise SettingsError where interval, grid, calendar and schedules do not go together."""
    interval, months = table.interval.length, table.interval.months
    told = durations.interval_told(interval, months)
    if not months and interval > DAY and interval % DAY:
        raise SettingsError(f"{key}.interval = {told}: above a day, expected whole days")
    if table.offset is not None and (months or interval >= DAY or table.offset >= interval):
        raise SettingsError(
            f"{key}.offset = {durations.told(table.offset)}: expected less than the interval, which is {told}, and that"
            " below a day"
        )
    if table.aggregate != "last" and not months and interval > DAY:
        raise SettingsError(
            f"{key}.aggregate = {table.aggregate}: of an interval of {told} each date has a value of its own; expected"
            " last, or an interval of 1d at most or of calendar months"
        )
    if table.calendar is not None and (months or interval > DAY):
        raise SettingsError(f"{key}.calendar = {table.calendar}: an interval of {told} has none; expected 1d at most")
    closes = table.calendar not in (None, calendars.ALWAYS)
    for name in ("fetch_every", "refit_every"):
        if isinstance(getattr(table, name), AfterClose) and not closes:
            raise SettingsError(f'{key}.{name} speaks of a close: say whose, as in calendar = "XNYS"')
    if isinstance(table.fetch_every, AfterClose) and table.settle and table.fetch_every.delay < table.settle:
        raise SettingsError(
            f"{key}.fetch_every = {durations.told(table.fetch_every.delay)} after the close: the day's value counts"
            f" only {durations.told(table.settle)} after it (settle); expected that or later"
        )


def _source(
    key: str, table: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> tuple[Source, tuple[str, ...]]:
    """The source that a table describes, and the secrets in it: `type` names its class, the other keys are the class's
    fields.
    """
    options = dict(table)
    kind = options.pop("type", None)
    try:
        source_class = sources.load(str(kind))
    except sources.NoSourceError as error:
        raise SettingsError(f"{key}.type = {kind!r}: {error}") from error
    fields = {field.name: field for field in dataclasses.fields(source_class) if field.init}
    for option in options:
        if option not in fields:
            raise SettingsError(f"{key}.{option} is no option of a {kind} source; {meant(option, fields)}")
    secrets: list[str] = []
    options = {option: _filled_in(f"{key}.{option}", value, environ, secrets) for option, value in options.items()}
    try:
        source: Any = TypeAdapter(source_class).validate_python(options)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join([key, *map(str, first["loc"])])
        if first["type"] == "missing":
            raise SettingsError(f"{path} is missing") from error
        message = first["msg"].removeprefix("Value error, ")
        # The complaint about a whole table names what is wrong itself.
        told = path if isinstance(first["input"], dict) else f"{path} = {first['input']!r}"
        raise SettingsError(hide(f"{told}: {message}", secrets)) from None
    for option in fields:
        value = getattr(source, option)
        if isinstance(value, Path):
            setattr(source, option, folder / value)
    if hasattr(source, "relative_to"):  # a file that is named in another way
        source.relative_to(folder)
    return cast(Source, source), tuple(secrets)


def _filled_in(key: str, value: Any, environ: Mapping[str, str], secrets: list[str]) -> Any:
    """An option's value with what `${NAME}` in it stands for, which is noted as a secret."""
    if isinstance(value, dict):
        return {name: _filled_in(f"{key}.{name}", inner, environ, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled_in(key, inner, environ, secrets) for inner in value]
    if not isinstance(value, str):
        return value
    if "${" in VARIABLE.sub("", value):
        raise SettingsError(f"{key} holds ${{ without a variable's name: expected ${{NAME}}, of letters, digits and _")
    for name in VARIABLE.findall(value):
        if not environ.get(name):
            raise SettingsError(f"{key} holds ${{{name}}}, and there is no environment variable {name}; set it")
        secrets.append(environ[name])
    return VARIABLE.sub(lambda found: environ[found[1]], value)
