"""Series: which are listed, and whether anything has changed."""

import pytest

from db import queries

NAMES = {"p": ["cpu_a", "cpu_b", "cpuXa", "50%", "a\\b"], "q": ["CPU_c", "zeta"], "r": ["cpu_r"]}


@pytest.fixture
def listed(session):
    """Series of three panels, added in no order."""
    for panel, names in reversed(NAMES.items()):
        for name in names:
            queries.add_series(session, name, panel)
    session.flush()


def names(found):
    return [(series.panel, series.name) for series in found]


def test_series_are_listed_by_panel_and_name(session, listed):
    found = queries.list_series(session, panels=["q", "p"], limit=99)
    assert names(found) == sorted((panel, name) for panel in "pq" for name in NAMES[panel])


def test_no_panels_have_no_series(session, listed):
    assert queries.list_series(session, panels=[], limit=99) == []


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_series_follow_each_other(session, listed, limit):
    paged, after = [], None
    while page := names(queries.list_series(session, panels=["p", "q", "r"], after=after, limit=limit)):
        paged += page
        after = page[-1]
    assert paged == sorted((panel, name) for panel in NAMES for name in NAMES[panel])


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("cpu_", ["cpu_a", "cpu_b", "CPU_c", "cpu_r"]),
        ("U_A", ["cpu_a"]),
        ("%", ["50%"]),
        ("\\", ["a\\b"]),
        ("", ["50%", "a\\b", "cpuXa", "cpu_a", "cpu_b", "CPU_c", "zeta", "cpu_r"]),
        ("none", []),
    ],
)
def test_a_search_finds_what_names_hold_and_no_pattern(session, listed, search, expected):
    found = queries.list_series(session, panels=["p", "q", "r"], search=search, limit=99)
    assert [series.name for series in found] == expected


def test_series_are_counted_by_panel(session, listed):
    assert queries.count_series(session) == {"p": 5, "q": 2, "r": 1}
