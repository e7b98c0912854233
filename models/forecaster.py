"""The forecaster: a panel and a horizon in, a fitted model with honest intervals out.

`fit` finds out what the data allow: how seasons matter, which configurations of base, ridge and network forecast best
at validation origins, and whether their average beats the naive beyond chance; where it does not, the naive serves.
Habits of scikit-learn: no work in the constructor, `fit` returns self, what was learnt ends in `_`. The same data,
settings and seed give the same bits.

Shape letters: n forecasts, H horizon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from models import archive, intervals, selection
from models.arrays import Array
from models.bases import seasonal_naive
from models.configuration import Configuration, configurations, families
from models.ensemble import Ensemble
from models.errors import BadInputError, BadModelBytesError, NotEnoughDataError
from models.floors import Floors, floors_of
from models.intervals import Calibration, Scales
from models.learner import Effort, Learner, effort
from models.metrics import naive_scale
from models.selection import Judge, Key, Origins, Verdict
from models.training import Progress
from models.windows import MAX_OF_SERIES, Index, newest_contexts

FORMAT = 3  # of the saved bytes
ORIGINS_NEEDED = 20  # to calibrate on: the fewest with which a 95 % interval means something
MIN_PAST = 2  # values before an origin
FEW_VALUES = 4  # before a validation origin, and one more than a season
PLAIN_ORIGINS = 200  # to calibrate a naive forecast on, which needs no fitting, all history serves
COMPARED = 40  # origins at which a challenger meets the champion
NOTHING: Mapping[str, Array] = MappingProxyType({})

Histories = Mapping[str, Sequence[Array]]


@dataclass(frozen=True)
class Forecast:
    """One series' forecast. mean, naive: (H,); lo, hi: (n_levels, H).

    unit: of its intervals, in which its live errors are comparable with those of calibration; scale: that of MASE.
    """

    mean: Array
    naive: Array
    lo: Array
    hi: Array
    unit: float
    scale: float


def values_needed(horizon: int) -> int:
    """The fewest consecutive values of a panel of one that a first fit can work with."""
    return MIN_PAST + horizon + ORIGINS_NEEDED - 1


def origins(lengths: Iterable[int], horizon: int) -> int:
    """From how many origins runs of so many values can be forecast and judged; a first fit needs ORIGINS_NEEDED."""
    return sum(max(0, length - horizon - MIN_PAST + 1) for length in lengths)


class Forecaster:
    """Forecasts `horizon` steps of any series of a panel.

    horizon: steps ahead. seasons: lengths in steps of the seasons that the data may have. levels: of the prediction
    intervals, in percent. seed: of all randomness.
    """

    def __init__(
        self, horizon: int, *, seasons: Sequence[int] = (), levels: Sequence[int] = (80, 95), seed: int = 0
    ) -> None:
        self.horizon = horizon
        self.seasons = tuple(seasons)
        self.levels = tuple(levels)
        self.seed = seed

    # What `fit` learns.
    kind_: str  # "rnn" or "base", or "naive" or "seasonal_naive" where nothing beats it
    verdict_: Verdict
    season_: int  # of the naive forecast, in steps; 1 is the last value
    lookback_: int  # values that a forecast looks at; of fewer it makes do
    positive_: bool  # whether no value is below zero
    scales_: Scales  # of each series
    calibration_: Calibration
    ensemble_: Ensemble | None  # None where a naive forecast serves
    _validated: Ensemble | None  # the same members as they were for validation, fitted without its span
    _span: int  # values at the end of each series that `_validated` was not fitted to

    @property
    def expected_(self) -> Array:
        """The mean error at each step that validation promises, in units of a forecast: (H,)."""
        return self.calibration_.expected

    def fit(self, histories: Histories, progress: Progress | None = None, champion: "Forecaster | None" = None) -> Self:
        """Fit to the segments of each series, each (n_i,) and finite; tell progress (steps done, of how many).

        champion: an earlier forecaster of the same panel, whose networks are trained on from where they are. Raises
        NotEnoughDataError where there are fewer than ORIGINS_NEEDED origins to judge by, BadInputError where a value is
        not finite.
        """
        named = {name: _checked(name, segments) for name, segments in histories.items()}
        named = {name: segments for name, segments in named.items() if segments}
        self._check_enough([len(values) for segments in named.values() for values in segments])
        panel = _Panel(list(named), list(named.values()), self.horizon)
        self.positive_ = all((values >= 0.0).all() for segments in panel.segments for values in segments)
        judged = self._judged(panel)
        self._find_season(panel, judged)
        work = _Work(panel, judged, self._judge(panel, judged), self.seed, champion, progress)
        self._choose(work)
        self._calibrate(work)
        self.lookback_ = self._lookback()
        work.done()
        return self

    def _check_enough(self, lengths: Sequence[int]) -> None:
        found = origins(lengths, self.horizon)
        if found >= ORIGINS_NEEDED:
            return
        if len(lengths) <= 1:
            longest, needed = max(lengths, default=0), values_needed(self.horizon)
            raise NotEnoughDataError(f"{longest} consecutive values, but a horizon of {self.horizon} needs {needed}")
        raise NotEnoughDataError(
            f"{len(lengths)} runs of at most {max(lengths)} consecutive values can be forecast and judged at {found}"
            f" origins, but a horizon of {self.horizon} needs {ORIGINS_NEEDED}"
        )

    def _judged(self, panel: "_Panel") -> Origins:
        """The validation origins, of each series that is long enough; where none is, one for each that there can be."""
        backs = selection.spread_backs(panel.lengths, self.horizon)
        found = selection.origins(panel.newest, self.horizon, backs, max(FEW_VALUES, self._held(panel)[0] + 1))
        if not len(found.series):
            found = selection.origins(panel.newest, self.horizon, [self.horizon], MIN_PAST)
        if not len(found.series):
            raise NotEnoughDataError(
                f"no run of values is longer than {max(panel.lengths)}, but a horizon of {self.horizon} needs"
                f" {self.horizon + MIN_PAST}"
            )
        self._span = int(found.back.max())
        return found

    def _held(self, panel: "_Panel") -> tuple[int, ...]:
        """The seasons of which the panel holds enough, shortest first; (1,) where there is none."""
        return families(self.seasons, panel.length, self.horizon)[-1].seasons or (1,)

    def _find_season(self, panel: "_Panel", judged: Origins) -> None:
        """The season of the naive forecast: that with which it errs least at the validation origins."""
        pasts, targets = judged.pasts(), judged.targets()
        units = panel.units(1)[judged.series]

        def error(season: int) -> float:
            made = _naive(pasts, season, self.horizon)
            return float((np.abs(made - targets).mean(axis=1) / units).mean())

        self.season_ = min((1, *self._held(panel)), key=error)

    def _judge(self, panel: "_Panel", judged: Origins) -> Judge:
        season = self._held(panel)[0]
        return Judge(judged.targets(), panel.units(season)[judged.series], _naive(judged.pasts(), season, self.horizon))

    def _choose(self, work: "_Work") -> None:
        """Let the gate decide at the validation origins whether an ensemble or a naive forecast serves."""
        self.ensemble_ = self._validated = None
        pasts = work.pasts
        errors = {"naive": work.judge.errors(_naive(pasts, 1, self.horizon))}
        if self.season_ > 1:
            errors["seasonal_naive"] = work.judge.errors(_naive(pasts, self.season_, self.horizon))
        chosen = work.choose(self.seasons)
        tried = Ensemble(chosen.learners, chosen.members, self.horizon, positive=self.positive_)
        name = "rnn" if any(kind == "rnn" for _, kind in chosen.members) else "base"
        made = tried.forecast(pasts, work.floors)
        errors |= {name: work.judge.errors(made)}
        groups = selection.evidence_groups(work.judged)
        if len(pasts) < ORIGINS_NEEDED:
            groups = np.zeros_like(groups)  # no evidence: intervals could not be calibrated on so few
        self.verdict_ = selection.gate(errors, groups)
        self.kind_ = self.verdict_.winner
        if self.kind_ == "naive":
            self.season_ = 1
        if self.kind_ == name:
            self._validated = tried
            self.ensemble_ = Ensemble(work.refit(chosen), chosen.members, self.horizon, positive=self.positive_)

    def _calibrate(self, work: "_Work") -> None:
        """Find how far off the served forecast was where it had not been fitted, and each series' usual error."""
        panel, judged = work.panel, work.judged
        if self._validated is None:  # nothing was fitted, so that all of history can be forecast and judged
            count = -(-PLAIN_ORIGINS // len(panel.names))
            last = max(self.horizon, max(panel.lengths) - MIN_PAST)
            spread = np.linspace(self.horizon, last, min(count, last - self.horizon + 1)).round().astype(int)
            judged = selection.origins(panel.newest, self.horizon, np.unique(spread).tolist(), MIN_PAST)
        pasts = judged.pasts()
        errors = np.abs(judged.targets() - self._mean(self._validated, pasts, work.floors_of(judged.series)))
        season = self._held(panel)[0]
        scale = np.array([scale_of(values, season) for values in panel.newest])
        usual, self.calibration_ = intervals.calibrate(errors, judged, scale, season)
        self.scales_ = Scales(tuple(panel.names), scale, usual, work.final_floors)

    def _lookback(self) -> int:
        seen = intervals.values_seen(self.calibration_.season, self.horizon)
        return max(seen, 0 if self.ensemble_ is None else self.ensemble_.lookback)

    def forecast(self, contexts: Mapping[str, Array], live: Mapping[str, Array] = NOTHING) -> dict[str, Forecast]:
        """Forecast the steps after each context, the newest consecutive values of a series: (n,), n ≥ 1.

        live: the errors of the series' forecasts by this model so far, (n, H), oldest first, as `live_errors` makes
        them; NaN where the truth is not known yet. A series may be one that was not there at the fit. Raises
        BadInputError where a value is not finite, NotEnoughDataError where there is none.
        """
        names = list(contexts)
        for name, context in contexts.items():
            if not len(context):
                raise NotEnoughDataError(f"{name} has no value to forecast from")
            if not np.isfinite(context).all():
                raise BadInputError(f"the context of {name} holds NaN or infinity; drop such values first")
        if not names:
            return {}
        pasts = [contexts[name] for name in names]
        known = self.scales_.of(names, pasts, self.calibration_.season)
        means = self._mean(self.ensemble_, pasts, known.floors)
        naives = _naive(pasts, self.season_, self.horizon)
        units = self.calibration_.units(pasts, known)
        return {
            name: self._with_intervals(means[k], naives[k], float(units[k]), float(known.scale[k]), live.get(name))
            for k, name in enumerate(names)
        }

    def _with_intervals(self, mean: Array, naive: Array, unit: float, scale: float, live: Array | None) -> Forecast:
        reach = self.calibration_.radii(self.levels, live) * unit
        lo, hi = mean - reach, mean + reach
        if self.positive_:
            lo = np.maximum(lo, np.minimum(mean, 0.0))
        return Forecast(mean, naive, lo, hi, unit, scale)

    def live_errors(self, values: Array, means: Array, units: Array) -> Array:
        """The errors of forecasts whose truth is known, as `forecast` takes them: |value − mean| / unit."""
        return np.asarray(np.abs(values - means) / units)

    def outdoes(self, champion: "Forecaster", histories: Histories, unseen: Mapping[str, int]) -> tuple[bool, str]:
        """Whether this forecaster may replace the champion, and why, in words.

        Both forecast again from where the champion forecast live: at the origins since its own cutoff, of which
        `unseen` values of each series came after it; this one as it was for validation, fitted without them. It must
        not be worse beyond chance: level, the newer data decide. histories: those of `fit`. Call it after `fit`.
        """
        if (champion.horizon, champion.levels) != (self.horizon, self.levels):
            return True, "the champion was fitted for another horizon or other levels"
        panel = _Panel(list(histories), list(histories.values()), self.horizon)
        newest = [min(unseen.get(name, 0), self._span) for name in panel.names]
        reach = max(newest, default=0)
        spread = np.unique(np.linspace(1, max(1, reach), min(COMPARED, max(1, reach))).round().astype(int))
        pairs = selection.origins(panel.newest, self.horizon, spread.tolist(), MIN_PAST)
        keep = pairs.back <= np.array(newest, dtype=np.intp)[pairs.series]
        pairs = replace(pairs, series=pairs.series[keep], back=pairs.back[keep])
        if not len(pairs.series):
            return True, "nothing has come since the champion's cutoff to compare them by"
        units = panel.units(self.season_)[pairs.series]
        targets = pairs.targets()
        mine, theirs = (
            np.nanmean(np.abs(each._validation_mean(panel, pairs, latest) - targets), axis=1) / units
            for each, latest in ((self, False), (champion, True))
        )
        proof = selection.evidence(mine - theirs, selection.evidence_groups(pairs))
        means = f"{self.kind_} ({mine.mean():.3f}) {{}} the champion ({theirs.mean():.3f})"
        if mine.mean() <= theirs.mean():
            return True, means.format("is at least as good as")
        if np.isnan(proof) or proof < 1.0:
            return True, means.format("is level within chance with")
        return False, means.format(f"is {proof:.1f} standard errors worse than")

    def _validation_mean(self, panel: "_Panel", pairs: Origins, latest: bool) -> Array:
        """What this forecaster makes of pairs of a panel: as it serves, or as it was for validation."""
        pasts = pairs.pasts()
        if latest:
            names = [panel.names[k] for k in pairs.series]
            return self._mean(self.ensemble_, pasts, self.scales_.of(names, pasts, self.calibration_.season).floors)
        season = 1 if self._validated is None else self._validated.season
        return self._mean(self._validated, pasts, floors_of(pasts, season))

    def _mean(self, ensemble: Ensemble | None, pasts: Sequence[Array], floors: Floors) -> Array:
        """The point forecasts: (n, H)."""
        if ensemble is not None:
            return ensemble.forecast(pasts, floors)
        return _naive(pasts, 1 if self.kind_ == "naive" else self.season_, self.horizon)

    def to_bytes(self, about: Mapping[str, Any]) -> bytes:
        """The fitted forecaster as npz bytes, without pickle. `about`: what to keep beside it, as JSON can hold it."""
        config: dict[str, Any] = {
            "settings": {"horizon": self.horizon, "seasons": self.seasons, "levels": self.levels, "seed": self.seed},
            "kind": self.kind_,
            "season": self.season_,
            "lookback": self.lookback_,
            "positive": self.positive_,
            "verdict": vars(self.verdict_),
            "names": self.scales_.names,
            "calibration": {
                "count": self.calibration_.count,
                "season": self.calibration_.season,
                "by_volatility": self.calibration_.by_volatility,
            },
            "about": dict(about),
        }
        arrays: dict[str, Array] = {
            "points": self.calibration_.points,
            "expected": self.calibration_.expected,
            "scale": self.scales_.scale,
            "usual": self.scales_.usual,
            "floors_raw": self.scales_.floors.raw,
            "floors_log": self.scales_.floors.log,
        }
        if self.ensemble_ is not None and self._validated is not None:
            config["members"] = self.ensemble_.members
            config["learners"] = [learner.to_words() for learner in self.ensemble_.learners]
            for stage, ensemble in (("served", self.ensemble_), ("validated", self._validated)):
                for number, learner in enumerate(ensemble.learners):
                    for name, array in learner.arrays().items():
                        arrays[f"{stage}_{number}_{name}"] = array
        return archive.pack("forecaster", FORMAT, arrays, config)

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[Self, dict[str, Any]]:
        """The forecaster that `to_bytes` saved, and what was kept beside it.

        Raises BadModelBytesError where the bytes are damaged, foreign, or of another version's format.
        """
        arrays, config = archive.unpack("forecaster", FORMAT, data)
        try:
            forecaster = cls(**config["settings"])
            forecaster.kind_, forecaster.season_ = config["kind"], config["season"]
            forecaster.lookback_, forecaster.positive_ = config["lookback"], config["positive"]
            forecaster.verdict_ = Verdict(**config["verdict"])
            floors = Floors(arrays["floors_raw"], arrays["floors_log"])
            forecaster.scales_ = Scales(tuple(config["names"]), arrays["scale"], arrays["usual"], floors)
            forecaster.calibration_ = Calibration(
                points=arrays["points"], expected=arrays["expected"], **config["calibration"]
            )
            forecaster.ensemble_, forecaster._validated = (
                forecaster._read_ensemble(stage, arrays, config) for stage in ("served", "validated")
            )
            return forecaster, config["about"]
        except (KeyError, TypeError, BadInputError) as error:
            raise BadModelBytesError(
                f"these bytes are no saved forecaster, or a damaged one ({error}); fit it again"
            ) from error

    def _read_ensemble(self, stage: str, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> Ensemble | None:
        if "members" not in config:
            return None
        learners = []
        for number, words in enumerate(config["learners"]):
            prefix = f"{stage}_{number}_"
            mine = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            learners.append(Learner.restored(words, self.horizon, mine))
        members = [(int(number), str(kind)) for number, kind in config["members"]]
        return Ensemble(learners, members, self.horizon, positive=self.positive_)


class _Panel:
    """The series of a panel: their names, the segments of each, and the one of them at whose end it is judged.

    That is the newest segment that is long enough by itself; where none is, the longest.
    """

    def __init__(self, names: Sequence[str], segments: Sequence[Sequence[Array]], horizon: int) -> None:
        self.names = list(names)
        self.horizon = horizon
        self.segments = [list(each) for each in segments]
        self._last = [_judged_segment([len(values) for values in each], horizon) for each in segments]
        self.newest = [each[last] for each, last in zip(self.segments, self._last, strict=True)]
        self.lengths = [len(values) for values in self.newest]
        self.length = int(np.median(self.lengths))

    def units(self, season: int) -> Array:
        """The scale of MASE of each series, made positive: (n_series,)."""
        sizes = np.array([np.abs(values).mean() for values in self.newest])
        return np.maximum([scale_of(values, season) for values in self.newest], 1e-6 * sizes + 1e-9)

    def without(self, span: int) -> list[list[Array]]:
        """The segments without the last `span` values of the judged one of each series, and without what came later."""
        return [
            [*each[:last], each[last][: max(0, len(each[last]) - span)]]
            for each, last in zip(self.segments, self._last, strict=True)
        ]


def _judged_segment(lengths: Sequence[int], horizon: int) -> int:
    enough = [number for number, length in enumerate(lengths) if length >= values_needed(horizon)]
    return enough[-1] if enough else int(np.argmax(lengths))


def scale_of(values: Array, season: int) -> float:
    """The scale of MASE; of fewer values than a season, from step to step; 0 where there is none."""
    return float(np.nan_to_num(naive_scale(values, season if len(values) > season else 1)))


@dataclass(frozen=True)
class _Chosen:
    """The learners that validation chose, as fitted for it, and which of their answers are averaged."""

    learners: list[Learner]
    members: list[Key]
    numbers: list[int]  # of the learners, among all that were tried


class _Work:
    """One fit's work: learners are fitted without the span of validation, chosen there, and fitted again to all."""

    def __init__(
        self,
        panel: _Panel,
        judged: Origins,
        judge: Judge,
        seed: int,
        champion: "Forecaster | None",
        progress: Progress | None,
    ) -> None:
        self.panel = panel
        self.judged = judged
        self.judge = judge
        self.pasts = judged.pasts()
        self._span = int(judged.back.max(initial=0))
        self._past = panel.without(self._span)
        self._size = effort(sum(min(MAX_OF_SERIES, max(0, length - panel.horizon)) for length in panel.lengths))
        self._seed = seed
        self._champion = champion
        self._progress = progress
        self._trained = 0
        self._planned = 1

    def choose(self, seasons: Sequence[int]) -> _Chosen:
        """Fit each configuration of the best family, and find the members of the average."""
        found = self._best_family(seasons)
        self._season = found[0].season
        self.floors = self.floors_of(self.judged.series)
        self._planned = 2 * len(found)
        learners = [Learner(configuration, self.panel.horizon) for configuration in found]
        made: dict[Key, Array] = {}
        for number, learner in enumerate(learners):
            self._fit(learner, self._past, self._floors(self._past), number, "validated")
            floors = self.floors.log if learner.configuration.log else self.floors.raw
            for kind, forecasts in learner.predict(self.pasts, floors).items():
                made[number, kind] = forecasts
        members = selection.greedy(made, self.judge)
        numbers = sorted({number for number, _ in members})
        renumbered = [(numbers.index(number), kind) for number, kind in members]
        return _Chosen([learners[number] for number in numbers], renumbered, numbers)

    def refit(self, chosen: _Chosen) -> list[Learner]:
        """The chosen learners, fitted to all data."""
        floors = self.final_floors
        found = []
        for learner, number in zip(chosen.learners, chosen.numbers, strict=True):
            again = Learner(learner.configuration, self.panel.horizon)
            self._fit(again, self.panel.segments, floors, number, "served")
            found.append(again)
        return found

    def floors_of(self, series: Index) -> Floors:
        """The floors at validation origins of these series: of the values before the span alone."""
        return self._floors(self._past).take(series)

    @property
    def final_floors(self) -> Floors:
        """The floors of each series, from all its values."""
        return self._floors(self.panel.segments)

    def done(self) -> None:
        """Tell that all is done."""
        if self._progress is not None:
            total = self._planned * self._size.n_steps
            self._progress(total, total)

    def _floors(self, segments: Sequence[Sequence[Array]]) -> Floors:
        """Of each series; where nothing is left before the span, of its first values."""
        least = self._season + 1
        return floors_of(
            [
                past[-1] if len(past[-1]) >= least else whole[-1][:least]
                for past, whole in zip(segments, self.panel.segments, strict=True)
            ],
            self._season,
        )

    def _best_family(self, seasons: Sequence[int]) -> list[Configuration]:
        """The configurations of the family whose best base errs least: the data tell how seasons matter."""
        length, horizon = self.panel.length, self.panel.horizon
        positive = all((values > 0.0).all() for segments in self.panel.segments for values in segments)
        best: list[Configuration] = []
        least = np.inf
        for family in families(seasons, length, horizon):
            found = configurations(family, length, horizon, positive=positive)
            score = min(self._base_score(configuration) for configuration in found)
            if score < least or not best:
                best, least = found, score
        return best

    def _base_score(self, configuration: Configuration) -> float:
        learner = Learner(configuration, self.panel.horizon)
        return self.judge.score(learner.base(self.pasts))

    def _fit(
        self, learner: Learner, segments: Sequence[Sequence[Array]], floors: Floors, number: int, stage: str
    ) -> None:
        before, steps = self._trained * self._size.n_steps, self._size.n_steps
        total = self._planned * steps

        def progress(done: int, of: int) -> None:
            if self._progress is not None:
                self._progress(min(before + done * steps // of, total - 1), total)

        size = self._warm_start(learner, stage)
        chosen = floors.log if learner.configuration.log else floors.raw
        learner.fit(segments, chosen, size, [self._seed, number], progress)
        self._trained += 1

    def _warm_start(self, learner: Learner, stage: str) -> Effort:
        """Give a learner the weights of the champion's own one, of the same stage, so that none has seen the span."""
        champion = self._champion
        ensemble = None if champion is None else champion.ensemble_ if stage == "served" else champion._validated
        for other in () if ensemble is None else ensemble.learners:
            if other.configuration == learner.configuration and other.is_of(self._size):
                learner.parameters = other.parameters
                return self._size.warm()
        return self._size


def _naive(pasts: Sequence[Array], season: int, horizon: int) -> Array:
    """The naive forecast after each run of values, or the seasonal one: (n, H)."""
    if not pasts:
        return np.empty((0, horizon))
    return seasonal_naive(newest_contexts(pasts, season, season), season, horizon)


def _checked(name: str, segments: Sequence[Array]) -> list[Array]:
    """The segments that hold anything. Raises BadInputError where one holds no numbers to use."""
    for values in segments:
        if not np.isfinite(values).all():
            raise BadInputError(f"series {name} holds NaN or infinity; drop such values first")
    return [np.asarray(values, dtype=np.float64) for values in segments if len(values)]
