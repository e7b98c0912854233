"""Promotions and rollbacks that a person asks for."""

import re
from dataclasses import replace

import numpy as np
import pytest

from db import queries
from jobs.fetch import fetch
from jobs.fit import fit
from jobs.promote import PromotionError, promote, roll_back, standing
from jobs.refit import refit


@pytest.fixture
def refitted(sessions, panel, source, clock, means):
    """Three refits of one panel: version 1 serves, version 2 waits, version 3 was rejected."""
    source.put("a", np.random.default_rng(0).normal(size=100).cumsum())
    clock.advance(hours=100)
    fetch(sessions, panel, clock, means)
    manual = replace(panel, promote="manual")
    refit(sessions, manual, clock(), fit)
    refit(sessions, manual, clock(), fit)
    refit(sessions, manual, clock(), lambda task: replace(fit(task), accepted=False))
    return manual


@pytest.fixture
def standings(sessions):
    def of(panel="p"):
        with sessions() as session:
            champion = queries.champion(session, panel)
            served = {promotion.model_id for promotion in queries.promotions(session, panel)}
            models = queries.models_of_panel(session, panel)
            return {model.version: standing(model, champion, served) for model in reversed(models)}

    return of


def test_a_model_serves_waits_or_was_rejected(refitted, standings):
    assert standings() == {1: "serving", 2: "waiting", 3: "rejected"}


def test_unless_told_which_the_newest_that_waits_is_promoted(sessions, refitted, clock, standings):
    told = promote(sessions, refitted, None, clock)
    assert re.fullmatch(r"version 2 \(\w+\) serves now, version 1 \(\w+\) no longer", told)
    assert standings() == {1: "served", 2: "serving", 3: "rejected"}


def test_a_version_can_be_promoted_though_the_gate_rejected_it(sessions, refitted, clock, standings):
    promote(sessions, refitted, 3, clock)
    assert standings() == {1: "served", 2: "passed over", 3: "serving"}


def test_a_rollback_lets_the_model_serve_that_served_before(sessions, refitted, clock, standings):
    promote(sessions, refitted, 2, clock)
    told = roll_back(sessions, refitted, clock)
    assert told.startswith("version 1 (")
    assert told.endswith(") no longer; rolling back again undoes it")
    assert standings() == {1: "serving", 2: "served", 3: "rejected"}


def test_a_rollback_can_be_undone(sessions, refitted, clock, standings):
    promote(sessions, refitted, 2, clock)
    roll_back(sessions, refitted, clock)
    roll_back(sessions, refitted, clock)
    assert standings()[2] == "serving"


def test_where_the_gate_promotes_it_is_told_that_the_next_refit_may_promote_another(sessions, panel, refitted, clock):
    assert "the next refit may promote another" in promote(sessions, panel, 2, clock)


def test_who_promoted_and_when_is_kept(sessions, refitted, clock):
    promote(sessions, refitted, 2, clock)
    clock.advance(hours=1)
    roll_back(sessions, refitted, clock)
    with sessions() as session:
        newest = queries.promotions(session, "p")
    assert [promotion.reason for promotion in newest] == [
        "rolled back from version 2 by command",
        "promoted by command",
        "won its refit",
    ]
    assert newest[0].promoted_at == clock()


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (9, "panel p has no model of version 9; its versions: 1, 2, 3, 4"),
        (1, "version 1 of panel p serves already"),
        (4, "version 4 of panel p cannot be read: "),
    ],
)
def test_what_cannot_serve_is_not_promoted_and_it_is_told_why(sessions, refitted, clock, store_model, version, told):
    with sessions.begin() as session:
        store_model(session, content=b"of another time", promoted=False)
    with pytest.raises(PromotionError, match=told):
        promote(sessions, refitted, version, clock)
    with sessions() as session:
        assert len(queries.promotions(session, "p")) == 1


def test_a_model_that_answers_another_horizon_is_not_promoted(sessions, refitted, clock):
    with pytest.raises(PromotionError, match="version 2 of panel p answers a horizon of 3 and levels 80, 95, but the"):
        promote(sessions, replace(refitted, horizon=5), None, clock)


def test_where_nothing_waits_it_is_told(sessions, refitted, clock):
    promote(sessions, refitted, None, clock)
    with pytest.raises(PromotionError, match="no model of panel p waits to be promoted"):
        promote(sessions, refitted, None, clock)


def test_where_no_other_has_served_there_is_nothing_to_roll_back_to(sessions, refitted, clock):
    with pytest.raises(PromotionError, match="no model to roll back to: only version 1 has served"):
        roll_back(sessions, refitted, clock)


def test_where_none_has_served_there_is_nothing_to_roll_back_to(sessions, panel, clock):
    with pytest.raises(PromotionError, match="no model to roll back to: none has served yet"):
        roll_back(sessions, panel, clock)
