"""Settings: what is accepted, and what is said of the rest."""

from datetime import timedelta
from pathlib import Path

import pytest

from jobs.sources.csv import CsvSource
from jobs.sources.host import HostSource
from jobs.sources.yfinance import YfinanceSource
from service.complaints import SettingsError
from service.settings import DEFAULT_FILE, find_file, load

PANEL = '[panels.p]\nsource = { type = "csv", path = "a.csv" }\ninterval = "1h"\nhorizon = 3\n'


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Load a configuration under some environment variables."""

    def from_text(text=PANEL, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        file = tmp_path / "rollcast.toml"
        file.write_text(text)
        return load(file, variables)

    return from_text


@pytest.fixture
def complaint(read):
    def of(text=PANEL, **variables):
        with pytest.raises(SettingsError) as caught:
            read(text, **variables)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return of


def test_the_built_in_configuration_has_the_four_panels():
    panels = {panel.name: panel for panel in load(DEFAULT_FILE, {}).build_panels()}
    assert {name: type(panel.source) for name, panel in panels.items()} == {
        "host": HostSource,
        "oil": CsvSource,
        "taxi": CsvSource,
        "stocks": YfinanceSource,
    }
    assert [panels[name].horizon for name in ("host", "oil", "taxi", "stocks")] == [30, 5, 48, 5]


def test_the_built_in_samples_are_there():
    assert all(
        panel.source.path.is_file() for panel in load(DEFAULT_FILE, {}).build_panels() if panel.name in ("oil", "taxi")
    )


def test_a_file_that_this_user_may_not_see_is_not_taken_for_none(tmp_path, as_nobody):
    for option in (None, tmp_path / "rollcast.toml"):
        with as_nobody(), pytest.raises(SettingsError, match=r"rollcast\.toml cannot be read: Permission denied"):
            find_file(option, {}, tmp_path)


def test_what_a_panel_leaves_out_has_a_default(read):
    (panel,) = read().build_panels()
    assert (panel.fetch_every, panel.refit_every) == (timedelta(hours=1), timedelta(days=1))
    assert (panel.train_window, panel.levels, panel.promote) == (5000 * timedelta(hours=1), (80, 95), "managed")


def test_what_a_panel_says_of_its_data_reaches_the_jobs(read):
    (panel,) = read(
        PANEL
        + 'tz = "Europe/Berlin"\nsettle = "5m"\noverlap = "2d"\noffset = "30m"\naggregate = "mean"\nfill = "linear"\n'
        'max_gap = 0\njumps = "drop"\nfetch_timeout = "20s"\n'
    ).build_panels()
    assert (str(panel.tz), panel.aggregate, panel.fill, panel.jumps) == ("Europe/Berlin", "mean", "linear", "drop")
    assert (panel.settle, panel.overlap) == (timedelta(minutes=5), timedelta(days=2))
    assert (panel.offset, panel.fetch_timeout) == (timedelta(minutes=30), timedelta(seconds=20))
    assert (panel.max_gap, panel.gap_filled) == (0, 0)


@pytest.mark.parametrize(("text", "months"), [("1mo", 1), ("3mo", 3), ("12mo", 12), ("1y", 12)])
def test_an_interval_may_be_calendar_months(read, text, months):
    (panel,) = read(PANEL.replace("1h", text)).build_panels()
    assert panel.months == months
    assert timedelta(days=30) * months < panel.interval < timedelta(days=31) * months


def test_a_schedule_may_follow_the_close(read):
    (panel,) = read(
        PANEL + 'calendar = "XNYS"\nfetch_every = "30m after the close"\nrefit_every = "2h after close"\n'
    ).build_panels()
    assert (panel.fetch_after_close, panel.refit_after_close) == (timedelta(minutes=30), timedelta(hours=2))


def test_the_history_of_session_bars_is_counted_in_bars(read):
    (panel,) = read(PANEL.replace("1h", "30m") + 'calendar = "XNYS"\n').build_panels()
    assert panel.train_window.days == 5000 * 7 // (5 * 13)  # a session has thirteen half-hours


WEB = PANEL.replace(
    'type = "csv", path = "a.csv"', 'type = "http", url = "http://h/", headers = { Key = "Bearer ${K}" }'
)


def test_a_secret_of_a_source_comes_from_the_environment(read):
    (panel,) = read(WEB, K="hunter22").build_panels()
    assert panel.source.headers == {"Key": "Bearer hunter22"}
    assert panel.secrets == ("hunter22",)
    assert "secrets" not in repr(panel)


def test_a_complaint_about_an_option_tells_no_secret(complaint):
    told = complaint(PANEL.replace('"a.csv"', '"a.csv", tz = "${K}"'), K="hunter22")
    assert "*** is no time zone" in told.replace("'", "")
    assert "hunter22" not in told


def test_a_secret_may_have_a_name_like_a_variable_of_rollcast(read):
    (panel,) = read(WEB.replace("${K}", "${ROLLCAST_KEY}"), ROLLCAST_KEY="hunter22").build_panels()
    assert panel.secrets == ("hunter22",)


def test_relative_paths_start_at_the_file_s_folder(read, tmp_path):
    settings = read('data_dir = "d"\n' + PANEL)
    assert settings.data_dir == tmp_path / "d"
    assert settings.build_panels()[0].source.path == tmp_path / "a.csv"


def test_a_relative_sqlite_file_of_a_source_starts_at_the_file_s_folder(read, tmp_path):
    source = 'type = "sql", url = "sqlite:///plant.db", query = "SELECT ds, y FROM t"'
    (panel,) = read(PANEL.replace('type = "csv", path = "a.csv"', source)).build_panels()
    assert str(tmp_path / "plant.db") in repr(panel.source)


def test_without_a_file_the_data_are_in_the_working_folder():
    assert load(DEFAULT_FILE, {}).data_dir == Path("data")


@pytest.mark.parametrize(
    ("variable", "value", "found"),
    [
        ("ROLLCAST_API__PORT", "9000", lambda s: s.api.port == 9000),
        ("ROLLCAST_DATA_DIR", "/elsewhere", lambda s: s.data_dir == Path("/elsewhere")),
        ("ROLLCAST_DATABASE__URL", "sqlite:////x/y.db", lambda s: s.database_url == "sqlite:////x/y.db"),
        ("ROLLCAST_PANELS__P__HORIZON", "7", lambda s: s.panels["p"].horizon == 7),
        ("ROLLCAST_PANELS__P__LEVELS", "[50, 90]", lambda s: s.panels["p"].levels == [50, 90]),
        ("ROLLCAST_PANELS__P__LEVELS", "50,90", lambda s: s.panels["p"].levels == [50, 90]),
        ("ROLLCAST_API__CORS", "https://a.b, http://c:8000", lambda s: s.api.cors == ["https://a.b", "http://c:8000"]),
        ("ROLLCAST_API__CORS", '["https://a.b"]', lambda s: s.api.cors == ["https://a.b"]),
        ("ROLLCAST_API__CORS", "*", lambda s: s.api.cors == ["*"]),
        ("ROLLCAST_PANELS__P__PROMOTE", "manual", lambda s: s.panels["p"].promote == "manual"),
        ("ROLLCAST_PANELS__P__FETCH_EVERY", "90s", lambda s: s.panels["p"].fetch_every == timedelta(seconds=90)),
    ],
)
def test_the_environment_wins_over_the_file(read, variable, value, found):
    assert found(read("[api]\nport = 8000\n" + PANEL, **{variable: value}))


def test_an_override_of_one_key_leaves_the_others(read):
    settings = read('[api]\nhost = "127.0.0.2"\n' + PANEL, ROLLCAST_API__PORT="9000")
    assert settings.api.host == "127.0.0.2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dat_dir = 1\n" + PANEL, "dat_dir is no setting; did you mean data_dir?"),
        ("[api]\nprot = 1\n" + PANEL, "api.prot is no setting; did you mean port?"),
        (PANEL + "horizn = 3\n", "panels.p.horizn is no setting; did you mean horizon?"),
        (PANEL + "colour = 3\n", "panels.p.colour is no setting; expected one of source, interval, horizon"),
        *(
            (f'[api]\ncors = ["{origin}"]\n' + PANEL, f"api.cors.0 = {origin!r}: expected an origin, scheme://host")
            for origin in ("a.b", "https://a.b/", "https://a.b/x", "https://a.b c", "ftp://a.b")
        ),
        ("[api]\nport = 99999\n" + PANEL, "api.port = 99999: input should be less than or equal to 65535"),
        ('[api]\nport = "http"\n' + PANEL, "api.port = 'http': input should be a valid integer"),
        (PANEL.replace("1h", "1 hour"), "panels.p.interval = '1 hour': expected a duration from 1s to 1y as in 30s"),
        (PANEL.replace('"1h"', "60"), "panels.p.interval = 60: expected a duration from 1s to 1y as in 30s"),
        (PANEL.replace("3", "0"), "panels.p.horizon = 0: input should be greater than or equal to 1"),
        (PANEL.replace("horizon = 3\n", ""), "panels.p.horizon is missing"),
        (PANEL + "levels = [80, 100]\n", "panels.p.levels.1 = 100: input should be less than or equal to 99"),
        (PANEL + 'promote = "never"\n', "panels.p.promote = 'never': input should be 'managed' or 'manual'"),
        (PANEL + "lookback = 24\n", "panels.p.lookback is no setting"),
        (PANEL + 'expire_after = "soon"\n', "panels.p.expire_after = 'soon': expected a duration"),
        (PANEL.replace("1h", "36h"), "panels.p.interval = 36h: above a day, expected whole days"),
        (PANEL.replace("[panels.p]", "[panels.P]"), "panel name 'P': expected lower-case letters"),
        (PANEL.replace("csv", "cvs"), "panels.p.source.type = 'cvs': did you mean csv?"),
        (PANEL.replace("csv", "excel"), "panels.p.source.type = 'excel': expected one of csv, host, http"),
        (PANEL.replace("1h", "5mo"), "panels.p.interval = '5mo': expected a duration from 1s to 1y"),
        (PANEL.replace("1h", "2y"), "panels.p.interval = '2y': expected a duration from 1s to 1y"),
        (PANEL + 'tz = "Berlin"\n', "panels.p.tz = 'Berlin': expected a time zone, as in Europe/Berlin or UTC"),
        (PANEL + 'calendar = "XNYZ"\n', "panels.p.calendar = 'XNYZ': "),
        (PANEL.replace("1h", "7d") + 'calendar = "XNYS"\n', "panels.p.calendar = XNYS: an interval of 1w has none"),
        (PANEL + 'fetch_every = "30m after the close"\n', 'say whose, as in calendar = "XNYS"'),
        (
            PANEL + 'calendar = "XNYS"\nfetch_every = "5m after close"\nsettle = "10m"\n',
            "panels.p.fetch_every = 5m after the close: the day's value counts only 10m after it",
        ),
        (PANEL + 'fetch_every = "daily"\n', "panels.p.fetch_every = 'daily': expected a duration"),
        (PANEL + 'offset = "90m"\n', "panels.p.offset = 90m: expected less than the interval, which is 1h"),
        (
            PANEL.replace("1h", "7d") + 'aggregate = "sum"\n',
            "panels.p.aggregate = sum: of an interval of 1w each date has a value of its own; expected last, or an",
        ),
        (
            PANEL.replace('"a.csv"', '"${MY-FOLDER}/a.csv"'),
            "panels.p.source.path holds ${ without a variable's name: expected ${NAME}, of letters, digits and _",
        ),
        (PANEL + 'aggregate = "median"\n', "panels.p.aggregate = 'median': input should be 'last', 'mean' or 'sum'"),
        (PANEL + 'fill = "next"\n', "panels.p.fill = 'next': input should be 'last', 'linear' or 'zero'"),
        (PANEL + "max_gap = -1\n", "panels.p.max_gap = -1: input should be greater than or equal to 0"),
        (PANEL + 'jumps = "smooth"\n', "panels.p.jumps = 'smooth': input should be 'keep' or 'drop'"),
        (PANEL.replace("a.csv", "${NOT_SET}"), "panels.p.source.path holds ${NOT_SET}, and there is no environment"),
        (PANEL.replace("path", "pth"), "panels.p.source.pth is no option of a csv source; did you mean path?"),
        (PANEL.replace(', path = "a.csv"', ""), "panels.p.source.path is missing"),
        (PANEL.replace('"a.csv"', "5"), "panels.p.source.path = 5: "),
        ("", "panels is missing"),
        ("[panels]\n", "panels = {}: "),
        (
            '[database]\nurl = "mysql://h/d"\n' + PANEL,
            "database.url = 'mysql://h/d': expected a file, as in sqlite:///",
        ),
        ("horizon = = 3", "is no valid TOML"),
        (
            PANEL + 'train_window = "23h"\n',
            "panels.p.train_window = 23h: a first fit of horizon 3 needs 24 observations",
        ),
        (PANEL.replace('type = "csv"', 'type = ["csv"]'), "panels.p.source.type = ['csv']: did you mean csv"),
        (PANEL.replace('"a.csv"', '"a.csv", tz = "Berln"'), "tz = 'Berln' is no time zone, as in Europe/Berlin"),
        (
            PANEL.replace('type = "csv", path = "a.csv"', 'type = "yfinance", symbols = []'),
            "symbols is empty: expected at least one",
        ),
        ('[api]\nhost = ""\n' + PANEL, "api.host = '': string should have at least 1 character"),
        ('[database]\nurl = "sqlite+aiosqlite:///x"\n' + PANEL, "expected a file, as in sqlite:///"),
    ],
)
def test_what_is_wrong_is_told_with_key_and_value_and_what_is_accepted(complaint, text, expected):
    assert expected in complaint(text)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("ROLLCAST_API__PORT", "http", "ROLLCAST_API__PORT = 'http': input should be a valid integer"),
        ("ROLLCAST_API__PROT", "1", "ROLLCAST_API__PROT is no setting; did you mean port?"),
        ("ROLLCAST_APY__PORT", "1", "ROLLCAST_APY__PORT is no variable of Rollcast; did you mean"),
        ("rollcast_ap__port", "1", "rollcast_ap__port is no variable of Rollcast"),
        ("ROLLCAST_DATADIR", "x", "ROLLCAST_DATADIR is no variable of Rollcast; did you mean ROLLCAST_DATA_DIR?"),
        ("ROLLCAST_PANELS__P__HORIZN", "1", "ROLLCAST_PANELS__P__HORIZN is no setting; did you mean horizon?"),
        ("ROLLCAST_PANELS__Q__HORIZON", "1", "panels.q."),
        (
            "ROLLCAST_PANELS__P__LEVELS",
            "eighty",
            "ROLLCAST_PANELS__P__LEVELS = 'eighty': input should be a valid integer",
        ),
        ("ROLLCAST_PANELS", "x", "ROLLCAST_PANELS = 'x': input should be a valid dictionary"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(complaint, variable, value, expected):
    assert expected in complaint(**{variable: value})


def test_a_file_that_is_named_but_missing_is_told(tmp_path):
    with pytest.raises(
        SettingsError, match=r"there is no configuration file .*nowhere\.toml; `rollcast init` writes one"
    ):
        find_file(tmp_path / "nowhere.toml", {}, tmp_path)


def test_the_file_is_the_option_s_then_the_environment_s_then_the_folder_s_then_the_built_in_one(tmp_path):
    assert find_file(None, {}, tmp_path) == DEFAULT_FILE
    (tmp_path / "rollcast.toml").touch()
    assert find_file(None, {}, tmp_path) == tmp_path / "rollcast.toml"
    (tmp_path / "env.toml").touch()
    environ = {"ROLLCAST_CONFIG": str(tmp_path / "env.toml")}
    assert find_file(None, environ, tmp_path) == tmp_path / "env.toml"
    (tmp_path / "option.toml").touch()
    assert find_file(tmp_path / "option.toml", environ, tmp_path) == tmp_path / "option.toml"
