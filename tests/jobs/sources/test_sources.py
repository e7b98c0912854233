"""Which sources there are: those of the house, and those of others by an entry point."""

import sys

import pytest

from jobs import sources


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package of somebody else's, whose entry point leads to a module with this text."""

    def install(text, value="their_weather:WeatherSource"):
        (tmp_path / "their_weather.py").write_text(text)
        info = tmp_path / "their_weather-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-weather\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[rollcast.sources]\nweather = {value}\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    sys.modules.pop("their_weather", None)


@pytest.mark.parametrize("name", sources.BUILT_IN)
def test_every_source_of_the_house_loads(name):
    assert sources.load(name).__name__.lower() == f"{name}source"


def test_a_source_of_somebody_else_s_comes_through_an_entry_point(installed):
    installed("class WeatherSource:\n    pass\n")
    assert "weather" in sources.names()
    assert sources.load("weather").__module__ == "their_weather"


def test_a_source_that_cannot_be_loaded_says_why(installed):
    installed("import no_such_module\n")
    with pytest.raises(
        sources.NoSourceError, match="their_weather:WeatherSource cannot be loaded: ModuleNotFoundError"
    ):
        sources.load("weather")


def test_a_name_that_is_none_is_told_with_those_there_are():
    with pytest.raises(sources.NoSourceError, match="expected one of csv, host, http"):
        sources.load("weather")


def test_a_misspelt_name_is_told_with_the_one_that_was_meant():
    with pytest.raises(sources.NoSourceError, match="did you mean prometheus"):
        sources.load("promethius")
