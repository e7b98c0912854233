"""Accuracy is what it was: small backtests against benchmarks/pinned.json."""

import pytest

from benchmarks import pinned

AGAIN = "if that is meant, pin it again with `python -m benchmarks.accuracy --pin` and say why in the commit"


@pytest.mark.slow
def test_accuracy_is_what_was_pinned():
    kept, found = pinned.read(), dict(pinned.measure())
    assert set(found) == set(kept), AGAIN
    changed = [
        f"{task}: {told}"
        for task, figures in kept.items()
        for name, figure in figures.items()
        if (told := pinned.difference(name, figure, found[task][name]))
    ]
    assert not changed, "\n".join([*changed, AGAIN])


def test_a_figure_that_lost_three_percent_is_told():
    assert pinned.difference("OWA", 0.60, 0.618) == "OWA was 0.6000 and is 0.6180; 0.0120 off is let pass"
    assert pinned.difference("OWA", 0.60, 0.609) is None
    assert pinned.difference("OWA", 0.60, float("nan")) is not None


def test_coverage_may_be_two_points_off():
    assert pinned.difference("coverage 80", 0.80, 0.815) is None
    assert pinned.difference("coverage 80", 0.80, 0.77) is not None
