"""The reference of the configuration: it says what the models say, and the variables that it names work."""

import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from service import reference
from service.durations import Interval
from service.panels import PanelSettings
from service.settings import DEFAULT_FILE, ApiSettings, DatabaseSettings, Settings, load

FIELDS = {
    f"{table}{key}": field
    for table, model in {"": Settings, "api.": ApiSettings, "database.": DatabaseSettings, "p.": PanelSettings}.items()
    for key, field in reference.fields_of(model).items()
}
PANEL = '[panels.p]\nsource = { type = "csv", path = "a.csv" }\ninterval = "1h"\nhorizon = 3\n'
HOURS = timedelta(hours=50)

# Another value of each key that has a variable: as text, and what becomes of it.
OTHERS = {
    "data_dir": ("/elsewhere", Path("/elsewhere")),
    "workers": ("3", 3),
    "refit_timeout": ("50h", HOURS),
    "log_level": ("debug", "debug"),
    "api.host": ("127.0.0.2", "127.0.0.2"),
    "api.port": ("9000", 9000),
    "api.token": ("a secret", SecretStr("a secret")),
    "api.cors": ("https://a.example,https://b.example", ["https://a.example", "https://b.example"]),
    "database.url": ("sqlite:////x.db", "sqlite:////x.db"),
    "p.source": ("b.csv", {"type": "csv", "path": "b.csv"}),
    "p.interval": ("30m", Interval(timedelta(minutes=30))),
    "p.horizon": ("4", 4),
    "p.prefix": ("x/", "x/"),
    "p.promote": ("manual", "manual"),
    "p.tz": ("Europe/Berlin", ZoneInfo("Europe/Berlin")),
    "p.calendar": ("24/7", "24/7"),
    "p.offset": ("30m", timedelta(minutes=30)),
    "p.aggregate": ("mean", "mean"),
    "p.jumps": ("drop", "drop"),
    "p.fill": ("zero", "zero"),
    "p.max_gap": ("7", 7),
    "p.levels": ("50,90", [50, 90]),
    "p.expire_after": ("never", "never"),
    "p.seed": ("8", 8),
} | {
    f"p.{key}": ("50h", HOURS)
    for key in (
        "fetch_every",
        "fetch_timeout",
        "refit_every",
        "train_window",
        "settle",
        "overlap",
        "keep_forecasts",
        "keep_observations",
        "keep_models",
    )
}


def variable(name):
    """As the document names it, of panel `p`."""
    told = reference.variable(FIELDS[name], *name.replace("p.", "panels.NAME.", 1).split(".")).strip("`")
    return told.replace("NAME", "P").replace("OPTION", "PATH")


def test_the_document_is_what_the_models_say():
    assert reference.FILE.read_text() == reference.text(), "run `python -m service.reference`"


@pytest.mark.parametrize("name", FIELDS)
def test_a_key_is_told_with_its_type_its_default_and_its_meaning(name):
    field = FIELDS[name]
    assert field.description
    told = f"| `{name.rpartition('.')[2]}` | {reference.type_told(field)} | {reference.default_told(field)} |"
    assert told in reference.text()
    assert "None" not in told


@pytest.mark.parametrize("name", FIELDS)
def test_a_variable_that_is_named_sets_its_key(name, tmp_path, monkeypatch):
    text, value = OTHERS[name]
    file = tmp_path / "rollcast.toml"
    file.write_text(PANEL)
    monkeypatch.setenv(variable(name), text)
    settings = load(file, {variable(name): text})
    table, _, key = name.rpartition(".")
    holder = settings.panels["p"] if table == "p" else getattr(settings, table) if table else settings
    assert getattr(holder, key) == value


@pytest.mark.parametrize("name", FIELDS)
def test_the_commented_configuration_names_every_key(name):
    assert re.search(rf"(?<!\w){name.rpartition('.')[2]}(?!\w)", DEFAULT_FILE.read_text())
