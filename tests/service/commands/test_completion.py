"""Shell completion: what the shells are offered, and that they never see an error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.commands import completion
from service.settings import find_file, load
from tests.service.commands.conftest import CONFIG

BASH = shutil.which("bash")
ROLLCAST = str(Path(sys.executable).parent / "rollcast")


@pytest.fixture
def offered(run_command, monkeypatch):
    """What a shell is offered for the last of some words: in this process. Bash itself asks another one, below."""

    def ask(*words, **variables):
        asked = {"COMP_WORDS": " ".join(["rollcast", *words]), "COMP_CWORD": str(len(words))}
        with monkeypatch.context() as patched:
            for name, value in {completion.VARIABLE: "complete_bash", **asked, **variables}.items():
                patched.setenv(name, value)
            _, out, err = run_command()
        assert err == ""
        return out.split()

    return ask


def test_commands_begin_as_asked(offered):
    assert offered("re") == ["refit"]
    assert offered("models", "") == ["list", "show", "promote", "rollback"]


def test_options_are_offered(offered):
    assert "--csv" in offered("latest", "--")


def test_panels_come_from_the_configuration(offered, tmp_path):
    assert offered("fetch", "") == ["host", "oil", "stocks", "taxi"]  # the built-in one
    (tmp_path / "rollcast.toml").write_text(CONFIG)
    (tmp_path / "other.toml").write_text(CONFIG.replace("sales", "salaries"))
    assert offered("models", "show", "s") == ["sales"]
    assert offered("runs", "list", "--panel", "s") == ["sales"]
    assert offered("fetch", "--config", "other.toml", "sal") == ["salaries"]
    assert offered("fetch", "", ROLLCAST_CONFIG="other.toml") == ["salaries"]


def test_series_come_from_the_database(offered, history):
    assert offered("latest", "") == ["a"]
    assert offered("export", "a", "") == ["a"]
    assert offered("latest", "b") == []


def test_percent_and_underscore_stand_for_themselves(offered, history):
    assert offered("latest", "%") == offered("latest", "_") == []


@pytest.mark.parametrize("words", [("latest", ""), ("fetch", ""), ("latest", "--config", "nowhere.toml", "")])
def test_what_is_wrong_offers_nothing_and_says_nothing(offered, tmp_path, words):
    (tmp_path / "rollcast.toml").write_text("this is = no [toml")
    assert offered(*words) == []


def test_a_database_that_is_none_offers_nothing(offered, stored, tmp_path):
    (tmp_path / "data" / "rollcast.db").write_bytes(b"none" * 5000)
    assert offered("latest", "") == []


@pytest.mark.parametrize(
    ("more", "environ"),
    [
        ("", {}),
        ('data_dir = "elsewhere"\n', {}),
        ('data_dir = "/somewhere/else"\n', {}),
        ("", {"ROLLCAST_DATA_DIR": "there"}),
        ('data_dir = "elsewhere"\n', {"ROLLCAST_DATA_DIR": "there"}),
        ('database = { url = "sqlite:///my.db" }\n', {}),
        ('database = { url = "sqlite:////my.db" }\n', {"ROLLCAST_DATABASE__URL": "sqlite:////other.db"}),
    ],
)
def test_the_database_is_the_one_that_the_settings_name(tmp_path, monkeypatch, more, environ):
    monkeypatch.chdir(tmp_path)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "rollcast.toml"
    file.write_text(more + CONFIG)
    content = completion.tomllib.loads(file.read_text())
    settings = load(find_file(None, environ, tmp_path), environ)
    assert (
        completion.database(content, tmp_path, environ).absolute()
        == Path(settings.database_url.removeprefix("sqlite:///")).absolute()
    )


def test_nothing_heavy_is_imported_to_offer_a_name(tmp_path, history):
    code = (
        "import sys; sys.argv = ['rollcast']\nfrom service.cli import main\ntry: main()\nfinally:"
        " print([name for name in ('numpy', 'pandas', 'sqlalchemy', 'alembic') if name in sys.modules])"
    )
    environ = {"COMP_WORDS": "rollcast latest ", "COMP_CWORD": "2", "_ROLLCAST_COMPLETE": "complete_bash"}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "a\n[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(run_command, shell):
    code, out, _ = run_command("completion", shell)
    assert code == 0
    assert f"complete_{shell}" in out


def test_a_zsh_that_has_not_begun_its_completion_begins_it(run_command):
    assert "autoload -Uz compinit && compinit" in run_command("completion", "zsh")[1].splitlines()[0]


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes_with_the_script(tmp_path, history):
    script = subprocess.run([ROLLCAST, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    ask = f'COMP_WORDS=(rollcast latest ""); COMP_CWORD=2; _rollcast_completion {ROLLCAST}; echo "${{COMPREPLY[@]}}"'
    (tmp_path / "script").write_text(f"{script}\n{ask}\n")
    told = subprocess.run([BASH, "--norc", "script"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("a\n", "")
