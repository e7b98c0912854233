"""Another configuration for a running daemon. tests/e2e/test_reload.py tries it on a real one."""

import logging
import os
import queue
import threading

import pytest

from jobs.changes import Changes
from service import reload
from service.logs import Log
from service.notify import Notifier
from service.reload import Reloading
from service.settings import load

CONFIGURATION = """
[panels.oil]
source = { type = "csv", path = "oil.csv" }
interval = "1d"
horizon = 5
"""
ANOTHER = CONFIGURATION.replace("horizon = 5", "horizon = 6")


class Rig:
    """A reloading whose panels a test can wait for."""

    def __init__(self, file, *, watch=False):
        self.file = file
        self.write(CONFIGURATION)
        self.asked = queue.SimpleQueue()
        self.taken = queue.Queue()  # by horizon of oil
        self.lines = Log()
        self.reloading = Reloading(
            load(file, os.environ), self.asked, self._load, self._take, self.lines, Notifier({}), watch=watch
        )
        self.loads = 0
        self.reloading.start()

    def write(self, text):
        self.file.write_text(text)

    def _load(self):
        self.loads += 1
        return load(self.file, os.environ)

    def _take(self, panels):
        self.taken.put(panels[0].horizon)
        return Changes([], [], ["oil"])

    def asks(self):
        self.asked.put("reload")


@pytest.fixture
def rig(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(reload, "LOOK_EVERY", 0.02)
    caplog.set_level("INFO", logger="rollcast")
    level, made = logging.getLogger().level, []

    def make(**options):
        made.append(Rig(tmp_path / "rollcast.toml", **options))
        return made[-1]

    yield make
    for each in made:
        each.reloading.stop()
        each.reloading._thread.join(10)
    logging.getLogger().setLevel(level)


@pytest.fixture
def told(caplog):
    """Wait for so many lines of the log."""

    def lines(count):
        deadline = threading.Event()
        for _ in range(1000):
            if len(caplog.messages) >= count:
                break
            deadline.wait(0.01)
        return caplog.messages

    return lines


def test_what_was_asked_for_is_taken_and_told(rig, told):
    made = rig()
    made.write(ANOTHER)
    made.asks()
    assert made.taken.get(timeout=10) == 6
    assert told(1) == ["configuration taken; changed: oil"]


def test_a_wrong_configuration_is_not_taken_and_the_log_says_why_in_one_line(rig, told):
    made = rig()
    made.write(CONFIGURATION + "horizont = 5\n")
    made.asks()
    assert told(1) == [
        "the new configuration is wrong, so the last good one stays:"
        f" {made.file}: panels.oil.horizont is no setting; did you mean horizon?"
    ]
    assert made.taken.empty()


def test_after_a_wrong_one_a_good_one_is_taken(rig, told):
    made = rig()
    made.write("[panels")
    made.asks()
    told(1)
    made.write(ANOTHER)
    made.asks()
    assert made.taken.get(timeout=10) == 6


def test_a_configuration_with_which_the_daemon_would_not_start_is_not_taken(rig, told):
    made = rig()
    made.write('[api]\nhost = "192.168.1.7"\n' + ANOTHER)
    made.asks()
    assert told(1)[0].startswith("the new configuration is wrong, so the last good one stays: api.host = 192.168.1.7: ")
    assert made.taken.empty()


def test_an_error_that_nobody_foresaw_does_not_end_it(rig, told, monkeypatch):
    made = rig()
    monkeypatch.setattr(made.lines, "take", lambda *_: 1 / 0)
    made.asks()
    assert "cannot be taken" in told(1)[0]
    monkeypatch.undo()
    made.asks()
    assert made.taken.get(timeout=10) == 5


@pytest.mark.parametrize(
    ("added", "line"),
    [
        ("workers = 7\n", "workers takes effect at the next start"),
        ('[api]\nport = 9\nhost = "::1"\n', "api.host, api.port take effect at the next start"),
        ('[api]\ntoken = "0123456789abcdef"\n', "api.token takes effect at the next start"),
        ('data_dir = "elsewhere"\n', "data_dir takes effect at the next start"),
        ('[database]\nurl = "sqlite:////tmp/other.db"\n', "database.url takes effect at the next start"),
        ('data_dir = "data"\nlog_level = "debug"\n', None),
    ],
)
def test_what_cannot_change_while_it_runs_is_told(rig, told, added, line):
    made = rig()
    made.write(added + ANOTHER)
    made.asks()
    expected = "configuration taken; changed: oil"
    assert told(1) == [expected if line is None else f"{expected}; {line}"]


def test_secrets_of_the_new_configuration_are_hidden_and_the_former_ones_stay_so(rig, told, monkeypatch):
    monkeypatch.setenv("NEW_TOKEN", "open-sesame-now")
    made = rig()
    made.lines._formatter.hide(["the-former-one"])
    source = '{ type = "http", url = "http://127.0.0.1/?t=${NEW_TOKEN}", format = "json", time = "t", value = "v" }'
    made.write(CONFIGURATION.replace('{ type = "csv", path = "oil.csv" }', source))
    made.asks()
    told(1)
    record = logging.LogRecord("rollcast", logging.INFO, "", 0, "open-sesame-now the-former-one", None, None)
    assert made.lines._formatter.format(record).endswith("*** ***")


def test_a_file_that_has_changed_is_taken_without_being_asked_for(rig):
    made = rig(watch=True)
    made.write(ANOTHER)
    assert made.taken.get(timeout=10) == 6


def test_a_file_that_is_not_watched_is_not_looked_at(rig, told):
    made = rig()
    made.write(ANOTHER)
    with pytest.raises(queue.Empty):
        made.taken.get(timeout=0.2)


def test_a_file_that_stays_wrong_is_told_of_once(rig, told):
    made = rig(watch=True)
    made.write("[panels")
    assert len(told(1)) == 1
    assert len(told_for_a_while(told)) == 1


def test_a_file_that_goes_and_comes_back_is_told_of_and_taken_again(rig, told):
    made = rig(watch=True)
    made.file.unlink()
    assert "cannot be read: No such file or directory" in told(1)[0]
    made.write(ANOTHER)
    assert made.taken.get(timeout=10) == 6


def test_a_file_that_was_only_touched_is_not_taken_again(rig, told):
    made = rig(watch=True)
    os.utime(made.file)
    assert told_for_a_while(told) == []


def test_a_file_that_is_still_being_written_is_not_taken_yet(tmp_path):
    file = tmp_path / "rollcast.toml"
    file.write_text("a")
    watched = reload._Watched(file)
    seen = []
    for text in ("ab", "abc", "abc", "abc"):
        file.write_text(text)
        seen.append(watched.has_changed())
    assert seen == [False, False, True, True]
    watched.note()
    assert not watched.has_changed()


def test_many_requests_at_once_are_one(rig, told):
    made = rig()
    made.reloading._take = lambda panels: made.taken.put(len(panels)) or threading.Event().wait(0.3) or "slow"
    for _ in range(50):
        made.asks()
    told(1)
    assert told_for_a_while(told, 0.5) != []
    assert made.loads <= 3


def told_for_a_while(told, seconds=0.3):
    """What the log holds after a while in which nothing need happen."""
    threading.Event().wait(seconds)
    return told(0)
