"""The state of a series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.state import Known, state

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = Known(
    now=NOW,
    failing_since=None,
    failure=None,
    newest=NOW - HOUR,
    overdue_at=NOW + 2 * HOUR,
    forecast_cutoff=NOW - HOUR,
    forecast_ends=NOW + 3 * HOUR,
    expire_after=None,
    interval=HOUR,
    lacking=None,
    refit="the first refit is about to begin",
)
DOWN = {"failing_since": NOW - 2 * HOUR, "failure": "no route to host"}
WITHOUT = {"forecast_cutoff": None, "forecast_ends": None}


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, "fresh", "made from the newest observation"),
        ({"overdue_at": NOW - HOUR}, "stale", "no observation since 2026-01-05 11:00:00Z"),
        ({"newest": NOW}, "stale", "there is an observation of 2026-01-05 12:00:00Z, but no forecast from it yet"),
        ({"forecast_ends": NOW - HOUR}, "expired", "the forecast expired at 2026-01-05 11:00:00Z"),
        ({"expire_after": timedelta(minutes=1), "forecast_cutoff": NOW - 2 * HOUR}, "expired", "expired at"),
        ({"forecast_ends": NOW - HOUR, "expire_after": timedelta.max}, "fresh", ""),
        (DOWN, "source_down", "the source fails since 2026-01-05 10:00:00Z: no route to host"),
        ({**DOWN, "forecast_ends": NOW - HOUR}, "expired", "no route to host"),
        ({**WITHOUT, **DOWN}, "source_down", "no route to host"),
        ({**WITHOUT, "newest": None}, "insufficient_data", "no observation yet"),
        ({**WITHOUT, "lacking": "3 of the 24"}, "insufficient_data", "3 of the 24"),
        (WITHOUT, "no_model", "the first refit is about to begin"),
    ],
)
def test_the_state_says_how_far_the_forecast_can_be_trusted(changes, status, reason):
    judged = state(replace(GOOD, **changes))
    assert judged.status == status
    assert reason in judged.reason


def test_every_state_has_a_reason():
    assert state(GOOD).reason


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        ({}, NOW + 2 * HOUR),  # overdue
        ({"overdue_at": NOW + 4 * HOUR}, NOW + 3 * HOUR),  # expired
        ({"overdue_at": NOW - HOUR}, NOW + 3 * HOUR),
        ({"overdue_at": None, "expire_after": timedelta.max}, None),
        ({"newest": NOW}, NOW + 3 * HOUR),
        (DOWN, NOW + 3 * HOUR),
        ({"forecast_ends": NOW - HOUR}, None),
        ({**WITHOUT, **DOWN}, None),
        (WITHOUT, None),
    ],
)
def test_the_state_says_after_which_moment_time_alone_changes_it(changes, until):
    assert state(replace(GOOD, **changes)).until == until


@pytest.mark.parametrize("changes", [{}, {"overdue_at": NOW - HOUR}, {"overdue_at": None}, {"newest": NOW}, DOWN])
def test_a_state_holds_until_that_moment_and_is_another_just_after_it(changes):
    known = replace(GOOD, **changes)
    before = state(known)
    assert state(replace(known, now=before.until)).status == before.status
    assert state(replace(known, now=before.until + timedelta(microseconds=1))).status != before.status
