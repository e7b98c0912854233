"""What a client can read."""

import pytest

from service.api.negotiation import wants_csv, wants_gzip


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.5, br", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("x-gzip", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*;q=0", False),
        ("gzip;q=much", False),
    ],
)
def test_gzip_is_wanted_by_its_name_or_by_any_but_not_with_no_weight(header, wanted):
    assert wants_gzip(header) is wanted


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("text/csv", True),
        ("Text/CSV; charset=utf-8", True),
        ("text/csv, */*;q=0.1", True),
        ("text/csv, application/json", True),
        ("application/json, text/csv;q=0.1", False),
        ("application/*;q=0.2, text/csv;q=0.1", False),
        ("text/csv;q=0, */*", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_csv_is_wanted_by_its_name_and_no_less_than_json(header, wanted):
    assert wants_csv(header) is wanted
