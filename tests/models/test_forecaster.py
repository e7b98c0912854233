"""The forecaster as its users meet it."""

import numpy as np
import pytest

from models.errors import BadInputError, BadModelBytesError, NotEnoughDataError
from models.forecaster import Forecaster
from models.panel import origins_of, values_needed

LEVELS = (80, 95)


def wave(n, noise=0.5, seed=0, period=24):
    return 50 + 10 * np.sin(np.arange(n) * 2 * np.pi / period) + np.random.default_rng(seed).normal(size=n) * noise


def walk(n, seed=3):
    return np.random.default_rng(seed).normal(size=n).cumsum()


def ar2(seed, n=800):
    """A damped oscillation kept alive by noise: predictable, and no season."""
    noise = np.random.default_rng(seed).normal(size=n)
    values = np.zeros(n)
    for t in range(2, n):
        values[t] = 1.6 * values[t - 1] - 0.9 * values[t - 2] + noise[t]
    return values


def one(forecaster, name, context, live=None):
    return forecaster.forecast({name: context}, {} if live is None else {name: live})[name]


def same(first, second):
    return all((getattr(first, part) == getattr(second, part)).all() for part in ("mean", "naive", "lo", "hi")) and (
        first.unit,
        first.scale,
    ) == (second.unit, second.scale)


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(6, seasons=(24,)).fit({"a": [wave(600)], "b": [wave(600, seed=1)]})


@pytest.fixture(scope="module")
def oscillating():
    return Forecaster(5).fit({f"s{k}": [ar2(k)] for k in range(4)})


# ── what serves ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_can_be_learnt_is_served_by_the_network(oscillating):
    assert oscillating.kind_ == "rnn"
    fresh = ar2(99, 900)
    errors, naive_errors = [], []
    for cutoff in range(500, 890, 10):
        made = one(oscillating, "s0", fresh[:cutoff])
        errors.append(np.abs(made.mean - fresh[cutoff : cutoff + 5]).mean())
        naive_errors.append(np.abs(made.naive - fresh[cutoff : cutoff + 5]).mean())
    assert np.mean(errors) < 0.7 * np.mean(naive_errors)


def test_a_random_walk_is_served_by_the_naive():
    values = walk(800)
    forecaster = Forecaster(5).fit({"walk": [values]})
    assert forecaster.kind_ == "naive"
    assert (one(forecaster, "walk", values).mean == values[-1]).all()


def test_the_verdict_tells_why_the_naive_serves():
    assert "naive" in Forecaster(5).fit({"walk": [walk(800)]}).verdict_.reason


def test_a_season_is_found_where_the_data_have_it(fitted):
    assert fitted.season_ == 24


def test_a_season_that_the_interval_suggests_and_the_data_lack_is_not_used():
    assert Forecaster(5, seasons=(24,)).fit({"walk": [walk(800)]}).season_ == 1


def test_of_two_seasons_both_are_learnt():
    t = np.arange(2000)
    values = 50 + 10 * np.sin(t * 2 * np.pi / 12) + 8 * (t % 84 >= 60) + np.random.default_rng(0).normal(size=2000)
    forecaster = Forecaster(12, seasons=(12, 84)).fit({"a": [values[:1960]]})
    made = one(forecaster, "a", values[:1960])
    assert np.abs(made.mean - values[1960:1972]).mean() < 1.5


def test_a_season_is_not_believed_with_fewer_than_three_of_them():
    assert Forecaster(6, seasons=(24,)).fit({"a": [wave(70)]}).season_ == 1


def test_a_trend_is_followed():
    values = 100 + 2.0 * np.arange(300) + np.random.default_rng(0).normal(size=300)
    made = one(Forecaster(6).fit({"a": [values]}), "a", values)
    assert np.abs(made.mean - (100 + 2.0 * np.arange(300, 306))).max() < 4.0


def test_a_constant_series_is_forecast_as_what_it_is():
    made = one(Forecaster(3).fit({"flat": [np.full(200, 7.0)]}), "flat", np.full(200, 7.0))
    assert (made.mean == 7.0).all()
    assert np.allclose(made.hi, 7.0, atol=1e-4)


def test_after_a_change_of_level_what_was_learnt_is_given_up_within_a_few_horizons():
    values = np.concatenate([ar2(0, 800), ar2(1, 60) + 200.0])
    forecaster = Forecaster(5).fit({"s": [values[:800]]})
    made = one(forecaster, "s", values[:850])
    assert np.abs(made.mean - values[850:855]).mean() < 10.0


def test_where_no_value_was_below_zero_no_forecast_is():
    values = np.maximum(0.0, np.random.default_rng(0).normal(size=600))
    made = one(Forecaster(5).fit({"a": [values]}), "a", values)
    assert (made.lo >= 0.0).all()
    assert (made.mean >= 0.0).all()


def test_a_series_that_falls_silent_does_not_keep_the_network_from_the_others():
    silent = ar2(9)
    silent[600:] = 0.0
    panel = {f"s{k}": [ar2(k)] for k in range(5)} | {"silent": [silent]}
    assert Forecaster(5).fit(panel).kind_ == "rnn"


# ── what it takes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_too_few_values_to_fit_are_told_with_how_many_are_needed():
    with pytest.raises(NotEnoughDataError, match=f"10 consecutive values, but a horizon of 5 needs {values_needed(5)}"):
        Forecaster(5).fit({"a": [np.arange(10.0)]})


def test_just_enough_values_give_a_naive_model():
    assert Forecaster(5).fit({"a": [np.arange(float(values_needed(5)))]}).kind_ == "naive"


def test_many_short_series_are_enough_together():
    panel = {f"s{k}": [walk(12, seed=k)] for k in range(10)}
    assert origins_of([12] * 10, 4) >= 20
    assert np.isfinite(one(Forecaster(4).fit(panel), "s3", panel["s3"][0]).hi).all()


def test_too_few_short_series_are_told_with_how_many_origins_are_needed():
    with pytest.raises(
        NotEnoughDataError, match=r"2 runs of at most 8 consecutive values .* at 6 origins, .* needs 20"
    ):
        Forecaster(4).fit({"a": [walk(8)], "b": [walk(8)]})


@pytest.mark.parametrize("season", [5, 7])
def test_every_length_from_the_least_on_can_be_fitted(season):
    for n in range(values_needed(5), values_needed(5) + 30):
        assert np.isfinite(one(Forecaster(5, seasons=(season,)).fit({"a": [wave(n)]}), "a", wave(n)).hi).all()


def test_a_context_of_one_value_is_forecast(fitted):
    made = one(fitted, "a", np.array([50.0]))
    assert np.isfinite(made.lo).all()
    assert np.isfinite(made.mean).all()


def test_an_empty_context_is_refused(fitted):
    with pytest.raises(NotEnoughDataError, match="a has no value"):
        one(fitted, "a", np.zeros(0))


def test_a_context_that_is_not_finite_is_refused(fitted):
    with pytest.raises(BadInputError, match="the context of a holds NaN or infinity"):
        one(fitted, "a", np.full(600, np.nan))


def test_a_history_that_is_not_finite_is_refused():
    with pytest.raises(BadInputError, match="series a holds NaN"):
        Forecaster(5).fit({"a": [np.full(600, np.inf)]})


def test_a_series_that_was_not_in_the_fit_is_forecast_too(fitted):
    assert np.isfinite(one(fitted, "new", wave(600)).hi).all()


def test_values_before_the_lookback_do_not_matter(fitted):
    long = np.concatenate([np.full(300, 1e6), wave(fitted.lookback_)])
    assert same(one(fitted, "a", long), one(fitted, "a", long[-fitted.lookback_ :]))


def test_a_series_with_gaps_is_fitted_from_its_segments():
    values = wave(700)
    forecaster = Forecaster(6, seasons=(24,)).fit({"a": [values[:300], values[324:]]})
    assert forecaster.season_ == 24


# ── no look-ahead ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_validation_span_changes_no_network_that_is_judged_there():
    values = ar2(0, 600)
    changed = values.copy()
    changed[-30:] += np.random.default_rng(1).normal(size=30) * 0.01
    first, second = (Forecaster(5).fit({"a": [data]}) for data in (values, changed))
    assert first._validated is not None
    mine, others = (
        {learner.configuration.name: learner for learner in each._validated.learners} for each in (first, second)
    )
    shared = mine.keys() & others.keys()
    assert shared
    for name in shared:
        assert (mine[name].parameters.flat == others[name].parameters.flat).all()


# ── intervals ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bounds_enclose_the_mean_and_each_other(fitted):
    made = one(fitted, "a", wave(600))
    assert (made.lo[1] <= made.lo[0]).all()
    assert (made.lo[0] <= made.mean).all()
    assert (made.mean <= made.hi[0]).all()
    assert (made.hi[0] <= made.hi[1]).all()


def test_intervals_never_narrow_with_the_step():
    made = one(Forecaster(8).fit({"walk": [walk(600)]}), "walk", walk(600))
    assert (np.diff(made.hi - made.lo, axis=1) >= -1e-12).all()


@pytest.mark.parametrize("seed", [3, 5])
def test_intervals_hold_what_they_promise_out_of_sample(seed):
    values = walk(3000, seed)
    forecaster = Forecaster(4).fit({"walk": [values[:1500]]})
    inside = []
    for cutoff in range(1500, 2990, 10):
        made = one(forecaster, "walk", values[:cutoff])
        truth = values[cutoff : cutoff + 4]
        inside.append((made.lo <= truth) & (truth <= made.hi))
    assert np.abs(np.mean(inside, axis=(0, 2)) - [0.80, 0.95]).max() < 0.05


def test_a_calm_start_does_not_make_later_intervals_absurd():
    values = np.zeros(60)
    values[45:] = np.random.default_rng(0).uniform(0, 100, 15)
    made = one(Forecaster(10).fit({"cpu": [values]}), "cpu", values)
    assert np.abs(made.hi).max() < 1000


def test_live_errors_that_are_three_times_the_promised_widen_the_intervals():
    values = walk(600)
    forecaster = Forecaster(4).fit({"walk": [values]})
    calm = one(forecaster, "walk", values)
    live = 3.0 * np.abs(np.random.default_rng(0).normal(size=(60, 4))) * forecaster.expected_
    stormy = one(forecaster, "walk", values, live)
    assert ((stormy.hi - stormy.lo) > 1.5 * (calm.hi - calm.lo)).all()


def test_live_errors_not_known_yet_change_nothing():
    values = walk(600)
    forecaster = Forecaster(4).fit({"walk": [values]})
    assert same(one(forecaster, "walk", values), one(forecaster, "walk", values, np.full((3, 4), np.nan)))


def test_a_live_error_is_measured_in_the_forecasts_unit(fitted):
    assert fitted.live_errors(np.array([-3.0]), np.array([2.0])).tolist() == [1.5]


def test_the_scale_is_that_of_mase(fitted):
    values = wave(600)
    assert one(fitted, "a", values).scale == pytest.approx(np.abs(values[24:] - values[:-24]).mean())


# ── bits and bytes ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_data_and_seed_give_the_same_bytes():
    first, second = (Forecaster(5, seed=4).fit({"a": [ar2(0, 400)]}).to_bytes({}) for _ in range(2))
    assert first == second


def test_a_warm_start_gives_the_same_bytes_twice():
    champion = Forecaster(5).fit({"a": [ar2(0, 700)]})
    first, second = (Forecaster(5).fit({"a": [ar2(0, 800)]}, champion=champion).to_bytes({}) for _ in range(2))
    assert first == second


def test_a_warm_start_begins_where_the_champion_ended():
    data = {"a": [ar2(0, 800)]}
    champion = Forecaster(5).fit({"a": [ar2(0, 790)]})
    cold, warm = Forecaster(5).fit(data), Forecaster(5).fit(data, champion=champion)
    assert champion.kind_ == "rnn"
    assert cold.to_bytes({}) != warm.to_bytes({})


def test_a_warm_start_leaves_the_champion_as_it_was():
    champion = Forecaster(5).fit({"a": [ar2(0, 700)]})
    before = champion.to_bytes({})
    Forecaster(5).fit({"a": [ar2(0, 800)]}, champion=champion)
    assert champion.to_bytes({}) == before


def test_another_seed_gives_other_weights():
    first, second = (Forecaster(5, seed=seed).fit({"a": [ar2(0)]}) for seed in (1, 2))
    assert first.to_bytes({}) != second.to_bytes({})


@pytest.mark.parametrize("name", ["fitted", "oscillating"])
def test_saved_and_read_again_it_forecasts_the_same_bits(name, request):
    forecaster = request.getfixturevalue(name)
    again, about = Forecaster.from_bytes(forecaster.to_bytes({"cutoff": "2026-01-01"}))
    assert about == {"cutoff": "2026-01-01"}
    live = np.array([[1.0] * forecaster.horizon, [np.nan] * forecaster.horizon])
    assert same(one(forecaster, "a", wave(600), live), one(again, "a", wave(600), live))
    assert again.to_bytes({}) == forecaster.to_bytes({})


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda _: b"no model", lambda b: b[:-60]]
)
def test_damaged_bytes_are_refused(fitted, damage):
    with pytest.raises(BadModelBytesError, match="fit it again"):
        Forecaster.from_bytes(damage(fitted.to_bytes({})))


def test_flipped_bits_are_noticed(oscillating):
    data = bytearray(oscillating.to_bytes({}))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadModelBytesError):
        Forecaster.from_bytes(bytes(data))


def test_progress_only_grows_and_ends_at_its_end():
    told = []
    Forecaster(5).fit({"a": [ar2(0, 500)]}, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1


# ── against the champion ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_challenger_replaces_a_champion_that_has_learnt_nothing():
    data = {"a": [ar2(0, 900)]}
    champion = Forecaster(5).fit({"a": [walk(300)]})
    won, reason = Forecaster(5).fit(data).outdoes(champion, data, {"a": 100})
    assert won
    assert "at least as good" in reason


def test_a_worse_challenger_does_not_replace_the_champion():
    champion = Forecaster(5).fit({"a": [ar2(0, 900)]})
    changed = {"a": [np.concatenate([walk(700), ar2(0, 1000)[800:]])]}
    won, reason = Forecaster(5).fit(changed).outdoes(champion, changed, {"a": 100})
    assert not won
    assert "standard errors worse than the champion" in reason


def test_without_anything_new_the_challenger_replaces_the_champion():
    data = {"a": [ar2(0)]}
    champion = Forecaster(5).fit(data)
    won, reason = Forecaster(5).fit(data).outdoes(champion, data, {"a": 0})
    assert won
    assert "nothing has come" in reason


def test_fewer_new_values_than_a_horizon_are_compared_as_far_as_they_reach():
    champion = Forecaster(5).fit({"a": [ar2(0, 798)]})
    _, reason = Forecaster(5).fit({"a": [ar2(0, 800)]}).outdoes(champion, {"a": [ar2(0, 800)]}, {"a": 2})
    assert "the champion (" in reason


def test_a_champion_for_another_horizon_is_replaced():
    champion = Forecaster(5).fit({"a": [walk(300)]})
    data = {"a": [walk(300)]}
    assert Forecaster(6).fit(data).outdoes(champion, data, {"a": 100})[0]


# ── what reading it afresh found ────────────────────────────────────────────────────────────────────────────────────


def test_a_run_just_begun_after_a_gap_does_not_keep_the_older_one_from_being_judged():
    forecaster = Forecaster(5).fit({"a": [ar2(0), np.array([1.0, 2.0, 3.0])]})
    assert forecaster.kind_ == "rnn"
    assert forecaster.calibration_.count >= 20


def test_runs_that_are_all_shorter_than_a_horizon_are_told():
    with pytest.raises(NotEnoughDataError):
        Forecaster(30).fit({f"s{k}": [walk(20), walk(25)] for k in range(30)})


def test_the_bounds_stay_in_order_when_a_series_goes_below_zero_for_the_first_time():
    values = np.abs(walk(600)) + 1.0
    made = one(Forecaster(5).fit({"a": [values]}), "a", np.append(values, -50.0))
    assert (made.lo <= made.mean).all()
    assert (made.mean <= made.hi).all()


def test_a_series_with_less_than_a_season_does_not_decide_for_the_panel():
    panel = {f"s{k}": [wave(400, seed=k)] for k in range(5)} | {"short": [wave(20)]}
    champion = Forecaster(4, seasons=(24,)).fit(panel)
    more = {name: [np.concatenate([each[0], wave(12, seed=9)])] for name, each in panel.items()}
    _, reason = Forecaster(4, seasons=(24,)).fit(more).outdoes(champion, more, dict.fromkeys(more, 12))
    assert max(float(word.strip("()")) for word in reason.split() if word.startswith("(")) < 100.0


def test_a_season_of_thousands_of_steps_is_forecast_within_bounds_of_memory():
    values = wave(6000, period=1440)
    forecaster = Forecaster(10, seasons=(1440, 10080)).fit({"a": [values]})
    assert np.isfinite(one(forecaster, "a", values).hi).all()


def test_what_came_after_a_new_gap_is_no_value_of_the_run_that_both_are_judged_by():
    champion = Forecaster(5).fit({"a": [ar2(0)]})
    data = {"a": [ar2(0), np.array([1.0, 2.0, 3.0])]}
    assert "nothing has come" in Forecaster(5).fit(data).outdoes(champion, data, {"a": 3})[1]


def test_a_series_that_has_no_value_yet_does_not_disturb_the_comparison():
    data = {"a": [ar2(0)], "b": []}
    champion = Forecaster(5).fit(data)
    assert Forecaster(5).fit(data).outdoes(champion, data, {"a": 20})[1]
