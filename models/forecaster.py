"""The forecaster: a panel and a horizon in, a fitted model with honest intervals out.

`fit` finds out what the data allow, trains a recurrent network on the residual over a naive forecast, and lets the
gate decide whether the network or the naive serves. Habits of scikit-learn: no work in the constructor, `fit` returns
self, what was learnt ends in `_`. The same data, settings and seed give the same bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from models import archive, evaluate, rnn, training, windows
from models.arrays import Array
from models.bases import seasonal_naive
from models.errors import BadInputError, BadModelBytesError, NotEnoughDataError
from models.intervals import conformal_radii
from models.losses import mse
from models.metrics import naive_scale, scaled_errors
from models.parameters import Parameters, Shape
from models.training import Progress
from models.windows import CLIP, Windows

FORMAT = 2  # of the saved bytes
MIN_ORIGINS = 20  # windows to calibrate on: the fewest with which a 95 % interval means something
MIN_TRAIN = 100  # windows to train the network on; with fewer the naive serves
MIN_PATCHES = 8  # steps that back-propagation runs over, at least, where the lookback allows
SEASONS_NEEDED = 4  # whole seasons that a history must hold before the season is believed
VALIDATION_SHARE = 0.2
FLOOR_SHARE = 0.1  # of a series' usual move: a calmer window is scaled as if it moved that much

Histories = Mapping[str, Sequence[Array]]


@dataclass(frozen=True)
class Forecast:
    """One series' forecast: mean and naive (H,); lo and hi (n_levels, H)."""

    mean: Array
    naive: Array
    lo: Array
    hi: Array


def values_needed(horizon: int, lookback: int | None = None) -> int:
    """The fewest consecutive values of one series that a first fit can work with; a lookback of 2 unless told."""
    return (lookback or 2) + horizon + MIN_ORIGINS - 1


class Forecaster:
    """Forecasts `horizon` steps of any series of a panel.

    horizon: steps ahead. seasons: lengths in steps of the seasons that the data may have. lookback: steps the model
    takes in; None finds one. levels: of the prediction intervals, in percent. seed: of all randomness.
    """

    def __init__(
        self,
        horizon: int,
        *,
        seasons: Sequence[int] = (),
        lookback: int | None = None,
        levels: Sequence[int] = (80, 95),
        seed: int = 0,
        hidden: int = 32,
        n_steps: int = 500,
        batch: int = 128,
        rate: float = 3e-3,
    ) -> None:
        self.horizon = horizon
        self.seasons = tuple(seasons)
        self.lookback = lookback
        self.levels = tuple(levels)
        self.seed = seed
        self.hidden = hidden
        self.n_steps = n_steps
        self.batch = batch
        self.rate = rate

    # What `fit` learns.
    kind_: str  # "rnn", or "naive" or "seasonal_naive" where nothing beats it
    verdict_: evaluate.Verdict
    season_: int  # of the naive forecast, in steps; 1 is the last value
    lookback_: int
    patch_: int
    floors_: dict[str, float]  # of each series, the smallest scale of a window
    usual_errors_: dict[str, float]  # of each series, the mean absolute error out of sample
    radii_: Array  # (n_levels, H), in units of a window's `_reach`
    parameters_: Parameters | None

    def fit(self, histories: Histories, progress: Progress | None = None) -> Self:
        """Fit to the segments of each series, each (n_i,) and finite; tell progress (steps done, of how many).

        Raises NotEnoughDataError where no series has `values_needed(horizon)` consecutive values.
        """
        longest = max((len(values) for segments in histories.values() for values in segments), default=0)
        if longest < values_needed(self.horizon):
            raise NotEnoughDataError(
                f"{longest} consecutive values, but a horizon of {self.horizon} needs {values_needed(self.horizon)}"
            )
        usable = [
            season
            for season in self.seasons
            if season > 1
            and SEASONS_NEEDED * season + self.horizon <= longest
            and values_needed(self.horizon, 2 * season) <= longest
        ]
        self.lookback_, self.patch_ = _window_sizes(longest, self.horizon, usable, self.lookback)
        everything = windows.cut(list(histories.values()), self.lookback_, self.horizon)
        train, valid = windows.split(everything, VALIDATION_SHARE, MIN_ORIGINS)
        older = train if len(train) else valid
        self.season_ = _best_season(older, [1, *(season for season in usable if season < self.lookback_)])
        floors = FLOOR_SHARE * np.array([_usual_move(older, k, self.season_) for k in range(len(histories))])
        self.floors_ = dict(zip(histories, floors.tolist(), strict=True))
        self.parameters_ = self._train(train, floors[train.series], progress) if len(train) >= MIN_TRAIN else None
        self._choose(train, valid, floors[valid.series])
        self._calibrate(valid, floors[valid.series], list(histories))
        return self

    def _choose(self, train: Windows, valid: Windows, floors: Array) -> None:
        """Let the gate decide on the validation windows whether the network or a naive forecast serves."""
        contexts, targets = valid.contexts(), valid.targets()
        yardsticks = ("naive",) if self.season_ == 1 else ("naive", "seasonal_naive")
        candidates = (*yardsticks, "rnn") if self.parameters_ is not None else yardsticks
        units = _units([train, valid], self.season_)[valid.series]
        errors = {kind: scaled_errors(self._mean(contexts, floors, kind), targets, units) for kind in candidates}
        self.verdict_ = evaluate.gate(errors, evaluate.folds(valid.series), yardsticks=yardsticks)
        self.kind_ = self.verdict_.winner
        if self.kind_ == "naive":
            self.season_ = 1
        if self.kind_ != "rnn":
            self.parameters_ = None

    def _calibrate(self, valid: Windows, floors: Array, names: Sequence[str]) -> None:
        """Find the intervals' radii on the validation windows."""
        contexts = valid.contexts()
        residuals = valid.targets() - self._mean(contexts, floors, self.kind_)
        errors = _mean_by(valid.series, np.abs(residuals).mean(axis=1))
        self.usual_errors_ = {names[k]: float(errors[k]) for k in np.unique(valid.series)}
        reach = self._reach(contexts, floors, errors[valid.series])
        self.radii_ = conformal_radii(residuals / reach[:, None], self.levels)

    def forecast(self, name: str, context: Array) -> Forecast:
        """Forecast the steps after `context`, the newest consecutive values of series `name`: (n,) with n ≥ lookback_.

        Raises NotEnoughDataError where the context is too short, BadInputError where it is not finite.
        """
        if len(context) < self.lookback_:
            raise NotEnoughDataError(f"{len(context)} consecutive values, but the model takes in {self.lookback_}")
        contexts = context[None, -self.lookback_ :]
        if not np.isfinite(contexts).all():
            raise BadInputError("the context holds NaN or infinity; drop such values first")
        floors = np.array([self.floors_.get(name, 0.0)])
        mean = self._mean(contexts, floors, self.kind_)[0]
        scale = windows.scales(contexts, self.season_, floors)
        reach = self.radii_ * self._reach(contexts, floors, np.array([self.usual_errors_.get(name, scale[0])]))
        naive = seasonal_naive(contexts, self.season_, self.horizon)[0]
        return Forecast(mean=mean, naive=naive, lo=mean - reach, hi=mean + reach)

    def outdoes(self, champion: "Forecaster", histories: Histories) -> tuple[bool, str]:
        """Whether this forecaster does at least as well as the champion on the newest windows; and why, in words.

        histories: those of `fit`. Neither was trained on these windows: the champion was fitted on older data.
        """
        if (champion.horizon, champion.levels) != (self.horizon, self.levels):
            return True, "the champion was fitted for another horizon or other levels"
        lookback = max(self.lookback_, champion.lookback_)
        train, valid = windows.split(
            windows.cut(list(histories.values()), lookback, self.horizon), VALIDATION_SHARE, MIN_ORIGINS
        )
        if len(valid) == 0:
            return True, f"no run of values is left that is long enough for the champion, which takes in {lookback}"
        units = _units([train, valid], self.season_)[valid.series]
        mine, theirs = (
            float(scaled_errors(each._mean_of(valid, list(histories)), valid.targets(), units).mean())
            for each in (self, champion)
        )
        wording = "better than" if mine < theirs else "level with" if mine == theirs else "not better than"
        return mine <= theirs, f"{self.kind_} ({mine:.3f}) is {wording} the champion ({theirs:.3f})"

    def _mean_of(self, chosen: Windows, names: Sequence[str]) -> Array:
        """The served point forecast of each window, whose lookback may be longer than needed. Returns (n, H)."""
        floors = np.array([self.floors_.get(name, 0.0) for name in names])[chosen.series]
        return self._mean(chosen.contexts()[:, -self.lookback_ :], floors, self.kind_)

    def _mean(self, contexts: Array, floors: Array, kind: str) -> Array:
        """The point forecast of one kind for many lookbacks. contexts: (n, L); floors: (n,). Returns (n, H)."""
        if kind == "naive":
            return seasonal_naive(contexts, 1, self.horizon)
        base = seasonal_naive(contexts, self.season_, self.horizon)
        if kind == "seasonal_naive":
            return base
        if self.parameters_ is None:
            raise BadModelBytesError("a recurrent network is asked for, but the model holds no weights")
        outputs = rnn.predict(self.parameters_, windows.inputs(contexts, self.season_, self.patch_, floors))
        return base + outputs.T * windows.scales(contexts, self.season_, floors)[:, None]

    def _reach(self, contexts: Array, floors: Array, usual_errors: Array) -> Array:
        """The unit of a window's interval: between how much it moves and how much its series is usually missed.

        The geometric mean of the two: intervals follow volatility, but a calm window does not promise a calm future.
        contexts: (n, L); floors, usual_errors: (n,). Returns (n,).
        """
        scale = np.maximum(windows.scales(contexts, self.season_, floors), FLOOR_SHARE * usual_errors)
        return windows.floored(np.sqrt(scale * usual_errors), contexts)

    def _train(self, train: Windows, floors: Array, progress: Progress | None) -> Parameters:
        """Minimise the MSE of the scaled residual over the base, on batches drawn uniformly over series."""
        rng = np.random.default_rng(self.seed)
        parameters = Parameters.initial(Shape(self.patch_, self.hidden, self.horizon), rng)
        series, firsts, counts = np.unique(train.series, return_index=True, return_counts=True)

        def draw(_step: int) -> training.Batch:
            drawn = rng.integers(len(series), size=self.batch)
            chosen = firsts[drawn] + (rng.random(self.batch) * counts[drawn]).astype(np.intp)
            batch = train.take(chosen)
            contexts = batch.contexts()
            X = windows.inputs(contexts, self.season_, self.patch_, floors[chosen])
            base = seasonal_naive(contexts, self.season_, self.horizon)
            scales = windows.scales(contexts, self.season_, floors[chosen])
            return training.Batch((X,), np.clip((batch.targets() - base) / scales[:, None], -CLIP, CLIP).T)

        network = rnn.Unrolled(parameters, steps=self.lookback_ // self.patch_, batch=self.batch)
        training.fit(network, draw, mse, n_steps=self.n_steps, rate=self.rate, progress=progress)
        return parameters

    def to_bytes(self, about: Mapping[str, Any]) -> bytes:
        """The fitted forecaster as npz bytes, without pickle. `about`: what to keep beside it, as JSON can hold it."""
        config = {
            "settings": {name: value for name, value in vars(self).items() if not name.endswith("_")},
            "kind": self.kind_,
            "season": self.season_,
            "lookback": self.lookback_,
            "patch": self.patch_,
            "floors": self.floors_,
            "usual_errors": self.usual_errors_,
            "verdict": vars(self.verdict_),
            "about": dict(about),
        }
        arrays = {"radii": self.radii_}
        if self.parameters_ is not None:
            arrays["flat"] = self.parameters_.flat
        return archive.pack("forecaster", FORMAT, arrays, config)

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[Self, dict[str, Any]]:
        """The forecaster that `to_bytes` saved, and what was kept beside it.

        Raises BadModelBytesError where the bytes are damaged, foreign, or of another version's format.
        """
        arrays, config = archive.unpack("forecaster", FORMAT, data)
        try:
            forecaster = cls(**config["settings"])
            forecaster.seasons, forecaster.levels = tuple(forecaster.seasons), tuple(forecaster.levels)
            forecaster.kind_, forecaster.season_ = config["kind"], config["season"]
            forecaster.lookback_, forecaster.patch_ = config["lookback"], config["patch"]
            forecaster.floors_, forecaster.usual_errors_ = config["floors"], config["usual_errors"]
            forecaster.verdict_ = evaluate.Verdict(**config["verdict"])
            forecaster.radii_ = arrays["radii"]
            shape = Shape(forecaster.patch_, forecaster.hidden, forecaster.horizon)
            forecaster.parameters_ = Parameters(shape, arrays["flat"]) if "flat" in arrays else None
            return forecaster, config["about"]
        except (KeyError, TypeError, BadInputError) as error:
            raise BadModelBytesError(
                f"these bytes are no saved forecaster, or a damaged one ({error}); fit it again"
            ) from error


def _window_sizes(longest: int, horizon: int, seasons: Sequence[int], lookback: int | None) -> tuple[int, int]:
    """The lookback and the patch for the longest run of values: two of the longest season, or twice the horizon."""
    room = longest - horizon - MIN_ORIGINS + 1
    if lookback is None:
        if seasons:
            patch = min(seasons)
            lookback = patch * max(MIN_PATCHES, -(-2 * max(seasons) // patch))
        else:
            patch = -(-max(24, 2 * horizon) // 12)
            lookback = 12 * patch
        # A fifth of a short history at most, so that enough windows remain to train and to validate on.
        lookback = min(lookback, max(2, room // 5, *(2 * season for season in seasons)))
    if lookback > room:
        raise NotEnoughDataError(
            f"{longest} consecutive values, but a lookback of {lookback} and a horizon of {horizon} need"
            f" {lookback + horizon + MIN_ORIGINS - 1}"
        )
    for patch in sorted(seasons, reverse=True):
        if lookback % patch == 0 and lookback // patch >= MIN_PATCHES:
            return lookback, patch
    divisors = [d for d in range(1, lookback + 1) if lookback % d == 0 and lookback // d >= min(lookback, MIN_PATCHES)]
    return lookback, max(divisors)


def _best_season(sample: Windows, seasons: Sequence[int]) -> int:
    """The season whose naive forecast errs least on these windows."""
    contexts, targets = sample.contexts(), sample.targets()
    return min(
        seasons, key=lambda season: float(np.abs(targets - seasonal_naive(contexts, season, sample.horizon)).mean())
    )


def _mean_by(series: windows.Index, values: Array) -> Array:
    """The mean of the values (n,) of each series. Returns (highest series number + 1,); 0 where there is none."""
    counts = np.bincount(series)
    return np.asarray(np.bincount(series, weights=values) / np.maximum(1, counts))


def _units(samples: Sequence[Windows], season: int) -> Array:
    """Of each series the unit in which its errors are counted: what the naive forecast errs on it.

    The larger of the samples' figures, so that a series that fell silent, or has only begun to move, does not outweigh
    all others. Returns (highest series number + 1,), positive.
    """
    units = np.zeros(1 + max(int(sample.series.max(initial=0)) for sample in samples))
    for sample in samples:
        if len(sample):
            contexts = sample.contexts()
            naive = np.abs(sample.targets() - seasonal_naive(contexts, season, sample.horizon)).mean(axis=1)
            errors = np.maximum(_mean_by(sample.series, naive), _mean_by(sample.series, windows.noise(contexts)))
            units[: len(errors)] = np.maximum(units[: len(errors)], errors)
    return units


def _usual_move(sample: Windows, number: int, season: int) -> float:
    """How much series `number` usually moves over one season: the scale of its MASE. 0 where it has no window."""
    starts = sample.starts[sample.series == number]
    if len(starts) == 0:
        return 0.0
    scale = naive_scale(sample.values[starts[0] : starts[-1] + sample.lookback], season)
    return 0.0 if np.isnan(scale) else scale
