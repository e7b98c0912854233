"""The sources a panel can name: one file each, what they promise in `base`. Others come through Python entry points.

A package of somebody else's offers a source by an entry point of the group `rollcast.sources`, its name the `type` in
the configuration, its value a class like those here:

    [project.entry-points."rollcast.sources"]
    weather = "my_package.weather:WeatherSource"
"""

import difflib
import importlib
from importlib.metadata import entry_points

GROUP = "rollcast.sources"

BUILT_IN = {
    "csv": "jobs.sources.csv:CsvSource",
    "host": "jobs.sources.host:HostSource",
    "http": "jobs.sources.http:HttpSource",
    "mqtt": "jobs.sources.mqtt:MqttSource",
    "prometheus": "jobs.sources.prometheus:PrometheusSource",
    "replay": "jobs.sources.replay:ReplaySource",
    "sql": "jobs.sources.sql:SqlSource",
    "yfinance": "jobs.sources.yfinance:YfinanceSource",
}


class NoSourceError(Exception):
    """There is no source of that name, or it cannot be loaded; the message says why."""


def names() -> list[str]:
    """Of all sources that there are."""
    return sorted({*BUILT_IN, *(found.name for found in entry_points(group=GROUP))})


def load(name: str) -> type:
    """The class of a source; its file is imported only now. Raises NoSourceError."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
    for found in entry_points(group=GROUP, name=name):
        try:
            return found.load()  # type: ignore[no-any-return]
        except Exception as error:  # somebody else's module may raise anything
            told = " ".join(str(error).split())
            raise NoSourceError(f"{found.value} cannot be loaded: {type(error).__name__}: {told}") from error
    close = difflib.get_close_matches(name, names(), n=1)
    raise NoSourceError(f"did you mean {close[0]}?" if close else f"expected one of {', '.join(names())}")
