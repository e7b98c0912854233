"""A file played as if it were live."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.sources import replay
from jobs.sources.base import SourceDownError
from jobs.sources.replay import ReplaySource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2014, 7, 1, tzinfo=UTC)


@dataclass
class Played:
    """All deliveries of one fetch."""

    values: dict[str, pd.Series] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    state: dict = field(default_factory=dict)
    unchanged: bool = False
    deliveries: int = 0

    @classmethod
    def by(cls, source, request):
        played = cls()
        for delivery in source.fetch(request):
            for name, values in delivery.values.items():
                played.values[name] = pd.concat([played.values[name], values]) if name in played.values else values
            played.dropped |= delivery.dropped
            played.state = json.loads(json.dumps(delivery.state))
            played.unchanged |= delivery.unchanged
            played.deliveries += bool(delivery.values)
        return played

    def rows(self, name="a"):
        """(hours from now, value) of a series."""
        return [((ts - NOW) / HOUR, value) for ts, value in self.values[name].items()]


@pytest.fixture
def path(tmp_path):
    """Ten hours of a series that counts them."""
    return write(tmp_path / "a.csv", count=10)


def write(path, count, every=HOUR, start=START):
    path.write_text("ds,y\n" + "".join(f"{(start + k * every).isoformat()},{k}\n" for k in range(count)))
    return path


@pytest.fixture
def play(path, make_request):
    """What is played of a file until so many hours from now."""

    def play(hours=0, known=None, path=path, source=None, **options):
        given = {key: options.pop(key) for key in ("interval", "months", "tz", "since") if key in options}
        if known is not None:
            given = {"state": known.state, "since": NOW - 2 * HOUR} | given
        now = NOW + hours * HOUR
        open_from = options.pop("open_from", now - 2 * given.get("interval", HOUR))
        source = source or ReplaySource(path, **options)
        return Played.by(source, make_request(now=now, open_from=open_from, **given))

    return play


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_at_first_a_part_of_the_file_is_history(play):
    # The last interval that has ended before now is the newest of them, and one begins as they do.
    assert play(history=0.5).rows() == [(hour, hour + 7) for hour in range(-7, 0)]


def test_without_history_the_file_begins_now(play):
    assert play(history=0).rows() == [(-3, 0), (-2, 1), (-1, 2)]


def test_rows_appear_once_their_time_has_come(play):
    first = play()
    assert play(1, first).rows()[-1] == (0, 7)
    assert play(2, first).rows()[-1] == (1, 8)


def test_what_was_brought_keeps_its_time_when_the_daemon_starts_again(play):
    first = play()
    assert set(play(1, first).rows()) & set(first.rows()) == {(-2, 5), (-1, 6)}


def test_only_rows_from_since_on_come_again(play):
    assert play(1, play(), since=NOW - HOUR).rows() == [(-1, 6), (0, 7)]


def test_times_fall_on_the_grid_wherever_the_file_begins(play, tmp_path):
    path = write(tmp_path / "b.csv", 10, start=START + timedelta(minutes=20))
    assert [hour for hour, _ in play(path=path).rows("b")] == pytest.approx([hour + 1 / 3 for hour in range(-7, 0)])


def test_a_file_is_played_faster(play, tmp_path):
    path = write(tmp_path / "b.csv", 100, every=timedelta(minutes=30))
    values = play(path=path, speed=1800, interval=timedelta(seconds=1), history=0.1).values["b"]
    assert values.index.tolist() == [NOW + timedelta(seconds=k) for k in range(-12, 0)]


def test_days_are_dates(play, tmp_path):
    path = write(tmp_path / "b.csv", 10, every=DAY)
    values = play(path=path, interval=DAY, open_from=NOW - 2 * DAY, history=0).values["b"]
    assert [str(ts) for ts in values.index] == [f"2025-12-{day} 00:00:00" for day in (29, 30, 31)]


def test_days_that_the_file_leaves_out_stay_out(play, tmp_path):
    (tmp_path / "b.csv").write_text("ds,y\n2014-07-01,1\n2014-07-02,2\n2014-07-04,4\n")
    values = play(path=tmp_path / "b.csv", speed=24, history=1).rows("b")
    assert values == [(-6, 1), (-5, 2), (-3, 4)]


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_the_end_nothing_new_comes(play):
    first = play()
    assert play(100, first, since=NOW + HOUR).rows() == [(1, 8), (2, 9)]
    assert play(100, first, since=NOW + 50 * HOUR).unchanged


def test_it_begins_again_at_the_end_where_it_is_told_to(play):
    first = play(loop=True)
    assert play(6, first, loop=True, since=NOW).rows() == [(0, 7), (1, 8), (2, 9), (3, 0), (4, 1), (5, 2)]


def test_it_may_have_begun_many_times(play):
    assert play(1003, play(loop=True), loop=True, since=NOW + 1000 * HOUR).rows() == [(1000, 7), (1001, 8), (1002, 9)]


# ── what may happen ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_the_anchor_is_lost_play_begins_anew_from_now_on(play):
    play()
    assert play(5, since=NOW - 2 * HOUR).rows() == [(3, 0), (4, 1)]


def test_play_never_begins_anew_where_something_is_stored(play, make_request, path):
    request = make_request(now=NOW + 5 * HOUR, since=NOW, newest={"a": NOW + 3 * HOUR})
    assert Played.by(ReplaySource(path), request).rows() == [(4, 0)]


def test_another_file_is_played_from_now_on(play, path):
    first = play()
    write(path, 10, start=START + 5 * HOUR)
    assert play(5, first).rows() == [(3, 0), (4, 1)]


def test_a_file_that_grows_goes_on(play, path):
    first = play()
    write(path, 12)
    assert play(5, first, since=NOW + 3 * HOUR).rows() == [(3, 10), (4, 11)]


def test_the_file_is_read_once_as_long_as_it_is_the_same(play, path, monkeypatch):
    source = ReplaySource(path)
    play(source=source)
    monkeypatch.setattr("pathlib.Path.open", None)
    assert play(source=source).rows()


def test_rows_that_cannot_be_made_out_are_counted_when_they_are_read(play, path):
    path.write_text(path.read_text() + "soon,1\n")
    source = ReplaySource(path)
    assert play(source=source).dropped == {"without a readable time": 1}
    assert play(source=source).dropped == {}


def test_rows_may_lie_in_any_order(play, path):
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows), ""]))
    assert play().rows() == [(hour, hour + 7) for hour in range(-7, 0)]


def test_a_long_file_plays_all_its_series(play, tmp_path):
    rows = "".join(f"{name},{(START + k * HOUR).isoformat()},{k}\n" for k in range(10) for name in "ab")
    (tmp_path / "c.csv").write_text("unique_id,ds,y\n" + rows)
    played = play(path=tmp_path / "c.csv")
    assert played.rows("a") == played.rows("b") == [(hour, hour + 7) for hour in range(-7, 0)]


def test_a_long_history_comes_in_several_deliveries(play, monkeypatch):
    monkeypatch.setattr(replay, "AT_ONCE", 3)
    played = play()
    assert played.deliveries == 3
    assert played.rows() == [(hour, hour + 7) for hour in range(-7, 0)]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 15), min_size=1, max_size=6))
def test_however_often_it_is_asked_the_same_is_played(play, path, passed):
    source, played, seen, hours = ReplaySource(path, loop=True), None, {}, 0
    for each in [0, *passed]:
        hours += each
        since = {} if played is None else {"since": max(ts for ts in seen) - HOUR}
        played = play(hours, played, source=source, **since)
        seen |= dict(played.values["a"].items())
    assert list(seen.values()) == [k % 10 for k in range(7 + hours)]
    assert sorted(seen) == [NOW + k * HOUR for k in range(-7, hours)]


# ── what is wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"speed": 0}, "speed = 0: expected more than 0"),
        ({"speed": float("nan")}, "speed = nan: expected more than 0"),
        ({"history": 1.5}, "history = 1.5: expected a part of the file, from 0 to 1"),
        ({"tz": "Berlin"}, "tz = 'Berlin' is no time zone"),
    ],
)
def test_an_option_that_is_wrong_is_refused_at_once(path, options, told):
    with pytest.raises(ValueError, match=told):
        ReplaySource(path, **options)


def test_a_speed_that_does_not_fit_the_interval_is_told_with_what_would(play):
    told = (
        "has a row every 1h; at speed 60 that is one every 1m, and the panel's interval is 1h:"
        ' expected interval = "1m", or speed = 1$'
    )
    with pytest.raises(SourceDownError, match=told):
        play(speed=60)


def test_months_cannot_be_played(play, tmp_path):
    months = "".join(f"2014-{month:02}-01,{month}\n" for month in range(1, 13))
    (tmp_path / "b.csv").write_text("ds,y\n" + months)
    with pytest.raises(SourceDownError, match="expected rows that lie a fixed time apart"):
        play(path=tmp_path / "b.csv", interval=31 * DAY)


def test_a_single_row_cannot_be_played(play, tmp_path):
    with pytest.raises(SourceDownError, match="expected rows that lie a fixed time apart"):
        play(path=write(tmp_path / "b.csv", 1))


def test_a_file_without_anything_usable_is_told(play, tmp_path):
    (tmp_path / "b.csv").write_text("ds,y\nsoon,1\n")
    with pytest.raises(SourceDownError, match=r"has no row that can be played; .*row 2: 'soon' is no time"):
        play(path=tmp_path / "b.csv")
