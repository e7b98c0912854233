"""Refits."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from db import queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.refit import NotReadyError, observe, prepare, refit
from models.forecaster import Forecaster


@pytest.fixture
def learnt(sessions, panel, source, clock, means):
    """400 hours of a wave, fetched."""

    def put(n=400, name="a"):
        source.put(name, 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 24))
        clock.now = max(clock.now, source.values[name].index[-1].to_pydatetime() + timedelta(hours=1))
        fetch(sessions, panel, clock, means)

    return put


def test_the_first_model_serves(sessions, panel, clock, learnt):
    learnt()
    assert refit(sessions, panel, clock(), fit).promoted
    with sessions() as session:
        assert queries.champion(session, "p").version == 1


def test_too_few_observations_are_told_with_how_many_are_needed(sessions, panel, clock, learnt):
    learnt(10)
    with pytest.raises(NotReadyError, match="10 of the 24 consecutive observations that a first model needs"):
        refit(sessions, panel, clock(), fit)


def test_a_panel_without_any_observation_is_not_ready(sessions, panel, clock):
    with pytest.raises(NotReadyError, match=r"^0 of the"):
        refit(sessions, panel, clock(), fit)


def test_of_a_panel_of_many_it_is_told_how_many_forecasts_there_are_to_learn_from(sessions, panel, clock, learnt):
    learnt(10)
    learnt(8, "b")
    told = "10 of the 20 forecasts to learn from that a first model needs, over 2 series of at most 10 consecutive"
    with pytest.raises(NotReadyError, match=told):
        refit(sessions, panel, clock(), fit)


def test_short_series_make_up_for_one_another(sessions, panel, clock, learnt):
    for name in "abcd":
        learnt(10, name)
    assert refit(sessions, panel, clock(), fit).promoted


def test_the_model_keeps_what_it_was_made_from(sessions, panel, clock, learnt):
    learnt()
    refit(sessions, panel, clock(), fit)
    with sessions() as session:
        model = queries.champion(session, "p")
        _, about = Forecaster.from_bytes(model.content)
    assert about == {
        "panel": "p",
        "seed": 0,
        "cutoff": model.cutoff.isoformat(),
        "fingerprint": about["fingerprint"],
        "trained_at": clock().isoformat(),
    }
    assert len(about["fingerprint"]) == 64


def test_the_fingerprint_changes_with_the_data(sessions, panel, clock, learnt):
    fingerprints = set()
    for n in (300, 301):
        learnt(n)
        with sessions() as session:
            fingerprints.add(prepare(session, panel, clock()).about["fingerprint"])
    assert len(fingerprints) == 2


def test_the_same_data_and_seed_give_the_same_bytes(sessions, panel, clock, learnt):
    learnt()
    with sessions() as session:
        task = prepare(session, panel, clock())
    assert fit(task).content == fit(task).content


def test_what_was_learnt_after_now_is_not_seen(sessions, panel, clock, learnt):
    learnt(300)
    before = clock()
    with sessions() as session:
        seen = prepare(session, panel, before)
    learnt(400)
    with sessions() as session:
        again = prepare(session, panel, before)
    assert seen.about == again.about
    assert (seen.histories["a"][0] == again.histories["a"][0]).all()


def test_the_training_window_is_a_span_back_from_the_newest_observation(sessions, panel, clock, learnt):
    learnt(400)
    clock.advance(days=1000)
    with sessions() as session:
        task = prepare(session, replace(panel, train_window=timedelta(hours=99)), clock())
    assert len(task.histories["a"][0]) == 100


def losing(task):
    return replace(fit(task), accepted=False)


def test_a_challenger_that_loses_is_kept_but_does_not_serve(sessions, panel, clock, learnt):
    learnt()
    refit(sessions, panel, clock(), fit)
    refit(sessions, panel, clock(), losing)
    with sessions() as session:
        assert queries.champion(session, "p").version == 1
        assert [model.accepted for model in queries.models_of_panel(session, "p")] == [False, True]


def test_where_a_person_promotes_a_challenger_that_wins_waits(sessions, panel, clock, learnt):
    learnt()
    manual = replace(panel, promote="manual")
    first, second = (refit(sessions, manual, clock(), fit) for _ in range(2))
    assert (first.promoted, second.promoted, second.fitted.accepted) == (True, False, True)
    assert f"{second.fitted.kind} waits to be promoted: " in str(second)
    with sessions() as session:
        assert queries.champion(session, "p").version == 1


def test_where_a_person_promotes_a_champion_that_answers_another_horizon_is_replaced_all_the_same(
    sessions, panel, clock, learnt
):
    learnt()
    refit(sessions, panel, clock(), fit)
    assert refit(sessions, replace(panel, promote="manual", horizon=5), clock(), fit).promoted


def test_the_task_tells_how_many_values_came_after_the_champion_s_cutoff(sessions, panel, clock, learnt):
    learnt(300, "a")
    learnt(300, "b")
    refit(sessions, panel, clock(), fit)
    learnt(307, "a")
    with sessions() as session:
        assert prepare(session, panel, clock()).unseen == {"a": 7, "b": 0}


def test_without_a_champion_nothing_is_unseen(sessions, panel, clock, learnt):
    learnt()
    with sessions() as session:
        assert prepare(session, panel, clock()).unseen == {}


def test_a_challenger_starts_from_the_champion_and_meets_it_on_what_is_new(sessions, panel, clock, learnt, monkeypatch):
    learnt(300)
    refit(sessions, panel, clock(), fit)
    learnt(305)
    with sessions() as session:
        task = prepare(session, panel, clock())
    seen = []
    whole_fit, whole_meeting = Forecaster.fit, Forecaster.outdoes

    def spy(self, histories, progress=None, champion=None):
        seen.append(champion.kind_)
        return whole_fit(self, histories, progress, champion)

    def meeting(self, champion, histories, unseen):
        seen.append(unseen)
        return whole_meeting(self, champion, histories, unseen)

    monkeypatch.setattr(Forecaster, "fit", spy)
    monkeypatch.setattr(Forecaster, "outdoes", meeting)
    fit(task)
    assert seen == [Forecaster.from_bytes(task.champion)[0].kind_, {"a": 5}]


def test_a_champion_that_cannot_be_read_is_replaced(sessions, panel, clock, learnt, store_model):
    learnt()
    with sessions.begin() as session:
        store_model(session, kind="rnn", content=b"?")
    refitted = refit(sessions, panel, clock(), fit)
    assert refitted.promoted
    assert "the champion cannot be read" in refitted.fitted.verdict


def test_a_model_is_stored_without_pickle(sessions, panel, clock, learnt):
    import io

    learnt()
    refit(sessions, panel, clock(), fit)
    with sessions() as session:
        content = queries.champion(session, "p").content
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert json.loads(archive["rollcast"].tobytes())["about"]["settings"]["horizon"] == 3


@pytest.mark.parametrize(
    ("options", "histories"),
    [
        ({}, [[1.0, 2.0, 2.0, 2.0, 5.0, 6.0]]),
        ({"fill": "linear"}, [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]),
        ({"max_gap": 1}, [[1.0, 2.0], [5.0, 6.0]]),
    ],
)
def test_gaps_are_filled_as_the_panel_says(panel, options, histories):
    pairs = [(hour * 3_600_000_000, float(hour)) for hour in (1, 2, 5, 6)]
    seen = observe(replace(panel, **options), {"a": pairs})
    assert [run.tolist() for run in seen.histories["a"]] == histories


def test_months_are_fitted_as_steps_with_a_season_of_a_year(panel):
    january, march = 0, (31 + 28) * 86_400_000_000
    seen = observe(replace(panel, months=1), {"a": [(january, 1.0), (march, 3.0)]})
    assert [run.tolist() for run in seen.histories["a"]] == [[1.0, 1.0, 3.0]]
    assert seen.seasons == (12,)
