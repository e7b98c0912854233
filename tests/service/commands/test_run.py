"""The command `rollcast run`: how the daemon reads its configuration again. tests/e2e/ starts real ones."""

import pytest

from service import daemon
from service.complaints import SettingsError
from tests.service.commands.conftest import CONFIG


@pytest.fixture
def load_again(sold, monkeypatch):
    """What the daemon is given, to read its configuration again."""
    given = {}
    monkeypatch.setattr(daemon, "run", lambda *_words, **options: given.update(options))
    assert sold("run")[0] == 0
    return given["load"]


def test_it_reads_what_stands_in_its_file_now(load_again, tmp_path):
    (tmp_path / "rollcast.toml").write_text(CONFIG.replace("horizon = 3", "horizon = 4"))
    assert load_again().panels["sales"].horizon == 4


def test_a_file_that_has_gone_is_told_and_the_built_in_one_does_not_take_its_place(load_again, tmp_path):
    (tmp_path / "rollcast.toml").unlink()
    with pytest.raises(SettingsError, match=r"rollcast\.toml cannot be read: No such file"):
        load_again()
