"""Refits."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from db import queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.refit import NotReadyError, prepare, refit
from models.forecaster import Forecaster


@pytest.fixture
def learnt(sessions, panel, source, clock, tmp_path):
    """400 hours of a wave, fetched."""

    def put(n=400, name="a"):
        source.put(name, 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / 24))
        clock.now = max(clock.now, source.values[name].index[-1].to_pydatetime() + timedelta(hours=1))
        fetch(sessions, panel, clock, tmp_path)

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


def test_a_lookback_that_is_asked_for_raises_what_is_needed(sessions, panel, clock, learnt):
    learnt(50)
    with pytest.raises(NotReadyError, match="50 of the 62"):
        refit(sessions, replace(panel, lookback=40), clock(), fit)


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


def test_a_challenger_that_loses_is_kept_but_does_not_serve(sessions, panel, clock, learnt):
    learnt()
    refit(sessions, panel, clock(), fit)

    def losing(task):
        return replace(fit(task), promoted=False)

    refit(sessions, panel, clock(), losing)
    with sessions() as session:
        assert queries.champion(session, "p").version == 1
        assert session.query(queries.Model).count() == 2


def test_a_champion_that_cannot_be_read_is_replaced(sessions, panel, clock, learnt):
    learnt()
    with sessions.begin() as session:
        queries.add_model(
            session, "p", kind="rnn", cutoff=clock(), trained_at=clock(), promoted_at=clock(), verdict="", content=b"?"
        )
    fitted = refit(sessions, panel, clock(), fit)
    assert fitted.promoted
    assert "the champion cannot be read" in fitted.verdict


def test_a_model_is_stored_without_pickle(sessions, panel, clock, learnt):
    import io

    learnt()
    refit(sessions, panel, clock(), fit)
    with sessions() as session:
        content = queries.champion(session, "p").content
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert json.loads(archive["rollcast"].tobytes())["about"]["settings"]["horizon"] == 3
