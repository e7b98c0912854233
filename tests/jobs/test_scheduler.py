"""The scheduler, with real threads, real workers and the real clock."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select, update

from db import queries
from db.schema import Forecast, Model, Run
from jobs.drift import Drift
from jobs.fit import fit
from jobs.scheduler import Scheduler
from jobs.workers import Workers


def utc_now():
    return datetime.now(UTC)


@pytest.fixture
def start(sessions, panel, means):
    """Start a scheduler of some panels; all are stopped in the end."""
    started = []

    def begin(*panels):
        workers = Workers(1, timedelta(seconds=30))
        scheduler = Scheduler(panels or (panel,), sessions, workers, utc_now, means)
        scheduler.start()
        started.append(scheduler)
        return scheduler

    yield begin
    for scheduler in started:
        scheduler.stop(timedelta(seconds=5))


@pytest.fixture
def count(sessions):
    def rows(entity, *conditions):
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(entity).where(*conditions))

    return rows


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def walk(source):
    source.put("a", np.random.default_rng(0).normal(size=200).cumsum())


def test_from_nothing_it_fetches_refits_and_forecasts(start, count, walk):
    start()
    wait_until(lambda: count(Forecast) == 1)


@pytest.mark.parametrize(("series", "lines"), [(2, ["p  a0 ", "p  a1 "]), (11, ["p  11 forecasts issued"])])
def test_a_few_forecasts_are_logged_one_by_one_and_many_in_a_line(start, count, source, caplog, series, lines):
    caplog.set_level("INFO", "rollcast")
    for k in range(series):
        source.put(f"a{k}", np.random.default_rng(k).normal(size=200).cumsum())
    start()
    wait_until(lambda: count(Run, Run.job == "forecast", Run.outcome == "ok") > 0)

    def told():
        return [line for line in caplog.messages if "steps, 80 %" in line or "issued" in line]

    wait_until(lambda: len(told()) == len(lines))
    assert all(line.startswith(begin) for line, begin in zip(told(), lines, strict=True))


def test_it_ticks_while_it_runs_and_not_before(start, sessions, panel, means):
    idle = Scheduler([panel], sessions, Workers(1, timedelta(seconds=1)), utc_now, means)
    assert not idle.is_ticking()
    wait_until(start().is_ticking)


def test_it_does_not_tick_for_a_clock_that_was_set_back(sessions, panel, means, clock):
    scheduler = Scheduler([panel], sessions, Workers(1, timedelta(seconds=1)), clock, means)
    scheduler._tick()
    assert scheduler.is_ticking()
    clock.advance(hours=-1)
    assert not scheduler.is_ticking()


def test_a_restart_refits_nothing_that_is_not_due(start, count, walk):
    first = start()
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    wait_until(lambda: count(Forecast) == 1)
    first.stop(timedelta(seconds=5))
    wait_until(start().is_ticking)
    time.sleep(1.0)
    assert (count(Run, Run.job == "refit"), count(Run, Run.job == "fetch"), count(Model)) == (1, 1, 1)


def test_what_was_fetched_before_a_kill_is_forecast_from_after_it(start, count, walk, sessions, panel, means):
    from jobs.fetch import fetch
    from jobs.refit import refit

    fetch(sessions, panel, utc_now, means)
    refit(sessions, panel, utc_now(), fit)
    start()
    wait_until(lambda: count(Forecast) == 1)


def test_a_source_that_is_down_is_recorded_and_tried_again_later(start, count, source):
    source.down = "no route to host"
    start()
    wait_until(lambda: count(Run, Run.outcome == "failed", Run.reason == "no route to host") == 1)
    time.sleep(0.5)
    assert count(Run, Run.job == "fetch") == 1


def test_a_panel_without_enough_data_gets_its_model_once_it_has(start, count, source, panel):
    source.put("a", range(10))
    start(replace(panel, fetch_every=timedelta(seconds=1)))
    wait_until(lambda: count(Run, Run.job == "fetch", Run.outcome == "ok") == 1)
    assert count(Run, Run.job == "refit") == 0
    source.put("a", range(100))
    wait_until(lambda: count(Model) == 1)


def test_new_observations_are_scored_and_forecast_from(start, count, source, panel, sessions):
    values = np.random.default_rng(0).normal(size=202).cumsum()
    source.put("a", values[:200])
    start(replace(panel, fetch_every=timedelta(seconds=1)))
    wait_until(lambda: count(Forecast) == 1)
    source.put("a", values)
    wait_until(lambda: count(Forecast) == 2)
    with sessions() as session:
        assert queries.score_summary(session, queries.find_series(session, "a").id).all.count == 2


def test_what_the_command_line_learns_beside_it_is_forecast_from(start, count, source, panel, sessions, means):
    from jobs.fetch import fetch

    values = np.random.default_rng(0).normal(size=201).cumsum()
    source.put("a", values[:200])
    quick = replace(panel, fetch_every=timedelta(seconds=1))
    start(quick)
    wait_until(lambda: count(Forecast) == 1)
    source.put("a", values)
    fetch(sessions, quick, utc_now, means)
    wait_until(lambda: count(Forecast) == 2)


def test_another_horizon_in_the_configuration_is_refitted_for_at_once(start, count, panel, walk, sessions):
    first = start()
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    first.stop(timedelta(seconds=5))
    with sessions.begin() as session:  # the last refit was a while ago, but the next is not due before tomorrow
        session.execute(update(Run).values(due=utc_now() - timedelta(hours=1), started=utc_now() - timedelta(hours=1)))
    start(replace(panel, horizon=5))
    wait_until(lambda: count(Model) == 2)


def test_runs_left_over_from_a_kill_are_closed_at_the_start(start, count, sessions, walk):
    with sessions.begin() as session:
        queries.start_run(session, "refit", "p", due=utc_now(), started=utc_now())
    start()
    wait_until(lambda: count(Run, Run.outcome == "interrupted") == 1)


def test_a_panel_that_fails_does_not_hold_another(start, count, source, panel, walk):
    failing = type(source)(down="no route to host")
    start(replace(panel, name="q", source=failing), panel)
    wait_until(lambda: count(Forecast) == 1)


def test_what_the_command_line_promotes_forecasts_at_once(start, count, walk, sessions, panel):
    from jobs.promote import roll_back
    from jobs.refit import refit

    start()
    wait_until(lambda: count(Forecast) == 1)
    refit(sessions, panel, utc_now(), fit)
    wait_until(lambda: count(Forecast) == 2)
    with sessions() as session:
        versions = {model.id: model.version for model in queries.models_of_panel(session, "p")}
        series = queries.find_series(session, "a")
        assert [model.version for _, model in queries.forecasts(session, series.id, issued_after=None, limit=9)] == [
            2,
            1,
        ]
    assert sorted(versions.values()) == [1, 2]
    roll_back(sessions, panel, utc_now)
    with sessions() as session:
        assert queries.latest_forecast(session, series.id)[1].version == 1


@pytest.fixture
def refitted(sessions, panel, walk, means):
    """The panel, which is fetched every second, after a refit five hours ago: the next is due in most of a day."""
    from jobs.fetch import fetch
    from jobs.refit import refit

    quick, before = replace(panel, fetch_every=timedelta(seconds=1)), utc_now() - timedelta(hours=5)
    fetch(sessions, quick, lambda: before, means)
    refit(sessions, quick, before, fit)
    with sessions.begin() as session:
        run_id = queries.start_run(session, "refit", "p", due=before, started=before)
        queries.end_run(session, run_id, ended=before, outcome="ok", reason="naive serves")
    return quick


@pytest.fixture
def drifts(monkeypatch):
    """Whether live errors drift."""
    answers = [False]
    found = Drift(utc_now(), 2.4)
    monkeypatch.setattr("jobs.scheduler.drift", lambda _session, _panel, _now: found if answers[0] else None)
    return answers


def test_drift_forces_a_refit_once_new_scores_show_it(start, count, refitted, drifts, source):
    start(refitted)
    wait_until(lambda: count(Forecast) == 1)
    time.sleep(1)
    assert count(Run, Run.job == "refit") == 1
    drifts[0] = True
    source.put("a", np.random.default_rng(0).normal(size=202).cumsum())
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok", Run.reason.startswith("drift: live")) == 1)


def test_drift_that_was_seen_before_a_restart_is_not_forgotten_and_forces_one_refit(start, count, refitted, drifts):
    drifts[0] = True
    start(refitted)
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok", Run.reason.startswith("drift: live")) == 1)
    time.sleep(1.5)
    assert count(Run, Run.job == "refit") == 2


def test_a_watch_that_fails_holds_nothing_up(start, count, refitted, monkeypatch):
    monkeypatch.setattr("jobs.scheduler.drift", lambda *_: 1 / 0)
    start(refitted)
    wait_until(lambda: count(Forecast) == 1)


def test_what_waits_for_a_close_is_next_done_after_the_next_one(start, count, walk, panel):
    delay = timedelta(minutes=30)
    scheduler = start(replace(panel, calendar="24/7", fetch_after_close=delay, refit_after_close=2 * delay))
    wait_until(lambda: count(Run, Run.job == "refit", Run.outcome == "ok") == 1)
    midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    turns = {f"fetch {panel.name}": midnight + delay, f"refit {panel.name}": midnight + 2 * delay}

    def planned():
        found = {job.id: job.next_run_time for job in scheduler._apscheduler.get_jobs() if job.id in turns}
        return found.keys() == turns.keys() and all(
            found[job] > utc_now() and found[job] - turn in (timedelta(0), timedelta(days=1), timedelta(days=2))
            for job, turn in turns.items()
        )

    wait_until(planned)


def test_a_job_that_cannot_be_recorded_is_tried_again_later_not_at_once(
    start, refitted, drifts, write_engine, monkeypatch
):
    from jobs import scheduler

    with write_engine.begin() as connection:  # as a full disk does
        connection.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'full'); END")
    tried, run = [], scheduler.run

    def noted(sessions, clock, job, *more, **others):
        tried.append(job)
        return run(sessions, clock, job, *more, **others)

    monkeypatch.setattr(scheduler, "run", noted)
    drifts[0] = True
    start(replace(refitted, fetch_every=timedelta(hours=1), keep_models=timedelta(days=1)))
    wait_until(lambda: {"fetch", "refit", "prune"} <= {*tried})
    time.sleep(1)
    assert {job: tried.count(job) for job in ("fetch", "refit", "prune")} == {"fetch": 1, "refit": 1, "prune": 1}


# ── other panels, while it runs ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def quick(panel):
    """The panel, fetched every second."""
    return replace(panel, fetch_every=timedelta(seconds=1))


@pytest.fixture
def other(quick, source):
    """A second panel like it, with a series `b` of its own."""
    second = type(source)()
    second.put("b", np.random.default_rng(1).normal(size=200).cumsum())
    return replace(quick, name="q", source=second)


@pytest.fixture
def slow_source(source):
    """A source that answers once the test lets it, and notes that it is asked and closed."""

    class Slow(type(source)):
        def __init__(self):
            super().__init__()
            self.asked, self.go_on, self.closed = threading.Event(), threading.Event(), threading.Event()

        def fetch(self, request):
            self.asked.set()
            self.go_on.wait(20)
            yield from super().fetch(request)

        def close(self):
            self.closed.set()

        def __eq__(self, other):
            return self is other

        __hash__ = object.__hash__

    made = []

    def make():
        made.append(Slow())
        return made[-1]

    yield make
    for each in made:
        each.go_on.set()


def planned(scheduler, panel):
    """The jobs of a panel that have a date."""
    return {job.id for job in scheduler._apscheduler.get_jobs() if job.id.endswith(f" {panel.name}")}


def test_a_new_panel_starts(start, count, walk, quick, other):
    scheduler = start(quick)
    scheduler.take([quick, other])
    wait_until(lambda: count(Run, Run.panel == "q", Run.job == "refit", Run.outcome == "ok") == 1)


def test_a_panel_that_went_is_fetched_no_more_and_its_data_stay(start, count, walk, quick, other):
    scheduler = start(quick, other)
    wait_until(lambda: count(Forecast) == 2 and planned(scheduler, other))
    scheduler.take([quick])
    assert planned(scheduler, other) == set()
    wait_until(lambda: count(Run, Run.panel == "q", Run.outcome == "running") == 0)
    before = count(Run, Run.panel == "q"), count(Run, Run.panel == "p")
    wait_until(lambda: count(Run, Run.panel == "p") >= before[1] + 2)
    assert count(Run, Run.panel == "q") == before[0]
    assert count(Forecast) == 2


def test_a_panel_that_is_as_it_was_goes_on_undisturbed(start, count, walk, panel, other, source):
    scheduler = start(panel)
    wait_until(lambda: count(Forecast) == 1)
    wait_until(lambda: planned(scheduler, panel) == {"fetch p", "refit p"})
    dates = {job.id: job.next_run_time for job in scheduler._apscheduler.get_jobs() if job.id.endswith(" p")}
    scheduler.take([replace(panel, source=replace(source)), other])
    wait_until(lambda: count(Forecast) == 2)
    assert scheduler.panels["p"] is panel
    assert {job.id: job.next_run_time for job in scheduler._apscheduler.get_jobs() if job.id in dates} == dates
    assert [count(Run, Run.panel == "p", Run.job == job) for job in ("fetch", "refit")] == [1, 1]


def test_the_panels_are_the_same_object_until_they_change(start, panel, other):
    scheduler = start(panel)
    before = scheduler.panels
    scheduler.take([panel])
    assert scheduler.panels is before
    scheduler.take([panel, other])
    assert scheduler.panels == {"p": panel, "q": other}


def test_a_changed_schedule_holds_at_once(start, count, walk, panel):
    scheduler = start(panel)
    wait_until(lambda: count(Forecast) == 1)
    scheduler.take([replace(panel, fetch_every=timedelta(seconds=1))])
    wait_until(lambda: count(Run, Run.job == "fetch", Run.outcome == "ok") >= 3)
    assert count(Run, Run.job == "refit") == 1


def test_a_changed_horizon_is_refitted_for(start, count, walk, refitted, drifts, sessions):
    scheduler = start(refitted)
    wait_until(lambda: count(Forecast) == 1)
    scheduler.take([replace(refitted, horizon=5)])
    wait_until(lambda: count(Model) == 2)


def test_another_source_is_asked_at_once_and_the_former_one_closed(start, count, panel, slow_source, walk):
    former = slow_source()
    former.go_on.set()
    scheduler = start(replace(panel, source=former))
    wait_until(lambda: count(Run, Run.job == "fetch", Run.outcome == "ok") == 1)  # it has no rows
    scheduler.take([panel])
    wait_until(lambda: count(Forecast) == 1)
    assert former.closed.wait(10)


def test_a_source_that_hangs_does_not_hold_the_one_that_takes_its_place(start, count, panel, slow_source, walk):
    hung = slow_source()
    scheduler = start(replace(panel, source=hung))
    assert hung.asked.wait(10)
    scheduler.take([panel])
    wait_until(lambda: count(Forecast) == 1)
    hung.go_on.set()
    assert hung.closed.wait(10)


def test_a_fetch_of_the_new_source_that_begins_before_the_panel_is_taken_up_counts(sessions, panel, means, slow_source):
    scheduler = Scheduler([panel], sessions, Workers(1, timedelta(seconds=1)), utc_now, means)  # takes nothing up
    after = replace(panel, source=slow_source())
    scheduler.take([after])
    fetching = threading.Thread(target=scheduler._fetch, args=["p", utc_now()])
    fetching.start()
    assert after.source.asked.wait(10)
    scheduler._take_up("p", panel.source)
    assert ("fetch", "p") in scheduler._under_way
    after.source.go_on.set()
    fetching.join(10)
    assert not scheduler._under_way


def test_a_panel_that_comes_back_does_not_wait_for_its_last_fetch_that_hangs(
    start, count, quick, other, slow_source, walk, sessions
):
    hung = slow_source()
    scheduler = start(replace(quick, source=hung))
    assert hung.asked.wait(10)
    scheduler.take([other])
    scheduler.take([quick, other])
    wait_until(lambda: count(Run, Run.panel == "p", Run.job == "fetch", Run.outcome == "ok") >= 1)
    with sessions() as session:
        assert queries.runs(session, panel="p", job="fetch", limit=9)[-1].outcome == "running"


def test_a_fetch_of_a_panel_that_went_ends_and_plans_nothing_more(start, count, panel, other, slow_source):
    source = slow_source()
    source.put("a", range(200))
    leaving = replace(panel, source=source)
    scheduler = start(leaving)
    assert source.asked.wait(10)
    scheduler.take([other])
    source.go_on.set()
    wait_until(lambda: count(Run, Run.panel == "p", Run.job == "fetch", Run.outcome == "ok") == 1)
    assert source.closed.wait(10)
    wait_until(lambda: not scheduler._under_way)
    assert planned(scheduler, leaving) == set()
    assert count(Run, Run.panel == "p") == 1


def test_a_panel_that_comes_back_while_its_last_fetch_still_runs_goes_on(start, count, quick, other, slow_source):
    source = slow_source()
    source.put("a", range(200))
    coming = replace(quick, source=source)
    scheduler = start(coming)
    assert source.asked.wait(10)
    scheduler.take([other])
    scheduler.take([coming, other])
    source.go_on.set()
    wait_until(lambda: count(Run, Run.panel == "p", Run.job == "fetch", Run.outcome == "ok") >= 2)


def test_a_panel_is_never_fetched_twice_at_a_time(start, count, walk, quick, slow_source):
    source = slow_source()
    source.put("a", range(200))
    slow = replace(quick, source=source)
    scheduler = start(slow)
    assert source.asked.wait(10)
    for horizon in (4, 5, 6):
        scheduler.take([replace(slow, horizon=horizon)])
    time.sleep(1.5)
    assert count(Run, Run.job == "fetch") == 1
    source.go_on.set()
    wait_until(lambda: count(Run, Run.job == "fetch", Run.outcome == "ok") >= 2)
    assert len(source.requests) == count(Run, Run.job == "fetch")


def test_a_refit_of_a_panel_that_went_ends_and_plans_nothing_more(start, count, walk, panel, other):
    scheduler = start(panel)
    wait_until(lambda: ("refit", "p") in scheduler._under_way)
    scheduler.take([other])
    wait_until(lambda: ("refit", "p") not in scheduler._under_way)
    assert planned(scheduler, panel) == set()
    assert count(Run, Run.panel == "p", Run.job == "refit", Run.outcome == "ok") == 1


def test_more_panels_than_it_was_started_with_do_not_hold_each_other(start, count, walk, quick, other, slow_source):
    scheduler = start(quick)
    hung = [replace(quick, name=f"hung{k}", source=slow_source()) for k in range(10)]
    scheduler.take([quick, *hung])
    assert all(panel.source.asked.wait(10) for panel in hung)
    scheduler.take([quick, *hung, other])
    wait_until(lambda: count(Run, Run.panel == "q", Run.job == "fetch", Run.outcome == "ok") >= 2)


def test_refits_that_wait_for_a_worker_are_counted(start, walk, panel, other):
    scheduler = start(panel, other)
    seen = set()
    wait_until(lambda: seen.add(scheduler.waiting()["refit"]) or {0, 1} <= seen)
