"""Answers as CSV; and the examples that the API's description shows, which are tables of the same answers."""

import csv
import io
import json
import math

import msgspec
import pytest

from service import shapes
from service.api import examples, tables

CASES = {
    "series": (shapes.SeriesListAnswer, examples.SERIES_LIST, lambda a: tables.series(a.series), examples.SERIES_CSV),
    "observations": (
        shapes.ObservationsAnswer,
        examples.OBSERVATIONS,
        tables.observations,
        examples.OBSERVATIONS_CSV,
    ),
    "latest": (shapes.LatestAnswer, examples.LATEST, lambda a: tables.latest([a]), examples.LATEST_CSV),
    "bulk": (shapes.BulkAnswer, examples.BULK, lambda a: tables.latest(a.forecasts), examples.LATEST_CSV),
    "ledger": (shapes.LedgerAnswer, examples.LEDGER, tables.ledger, examples.LEDGER_CSV),
    "scores": (shapes.ScoresAnswer, examples.SCORES, tables.scores, examples.SCORES_CSV),
    "models": (shapes.ModelsAnswer, examples.MODELS, tables.models, examples.MODELS_CSV),
    "panels": (shapes.PanelsAnswer, examples.PANELS, tables.panels, examples.PANELS_CSV),
    "runs": (shapes.RunsAnswer, examples.RUNS, tables.runs, examples.RUNS_CSV),
}


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("case", CASES)
def test_an_example_has_the_shape_it_is_an_example_of(case):
    kind, example, _, _ = CASES[case]
    assert json.loads(msgspec.json.encode(msgspec.convert(example, kind))) == example


@pytest.mark.parametrize("case", CASES)
def test_an_example_of_a_table_is_that_of_the_same_answer(case):
    kind, example, table, told = CASES[case]
    assert table(msgspec.convert(example, kind)) == told


def test_a_series_without_a_forecast_has_a_row_that_says_so():
    answer = msgspec.convert(
        {**examples.LATEST, "steps": [], "cutoff": None, "status": "no_model"}, shapes.LatestAnswer
    )
    (row,) = rows(tables.latest([answer]))
    assert (row["unique_id"], row["ds"], row["yhat"], row["status"]) == ("cpu_percent", "", "", "no_model")


def test_what_is_not_finite_is_empty():
    answer = msgspec.convert(examples.OBSERVATIONS, shapes.ObservationsAnswer)
    answer.observations[0].value = math.nan
    assert rows(tables.observations(answer))[0]["y"] == ""


def test_a_name_with_commas_and_quotes_comes_back_whole():
    answer = msgspec.convert({**examples.OBSERVATIONS, "series": 'up{job="a",x="b"}'}, shapes.ObservationsAnswer)
    assert rows(tables.observations(answer))[0]["unique_id"] == 'up{job="a",x="b"}'


def test_panels_of_other_levels_share_a_table():
    other = msgspec.convert(examples.LATEST, shapes.LatestAnswer)
    other.steps[0].intervals = {"50": (1.0, 2.0)}
    first, second = rows(tables.latest([msgspec.convert(examples.LATEST, shapes.LatestAnswer), other]))
    assert (first["lo_50"], first["lo_80"]) == ("", "48.1")
    assert (second["lo_50"], second["lo_80"]) == ("1.0", "")
