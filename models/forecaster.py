"""The forecaster: a panel and a horizon in, a fitted model with honest intervals out.

`fit` finds out what the data allow: how seasons matter, which configurations of base, ridge and network forecast best
at validation origins, and whether their average beats the naive beyond chance; where it does not, the naive serves.
Habits of scikit-learn: no work in the constructor, `fit` returns self, what was learnt ends in `_`. The same data,
settings and seed give the same bits.

Shape letters: n forecasts, H horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from models import archive, intervals, selection
from models.arrays import Array
from models.bases import seasonal_naive
from models.configuration import families
from models.ensemble import Ensemble
from models.errors import BadInputError, BadModelBytesError, NotEnoughDataError
from models.floors import Floors, floors_of
from models.intervals import Calibration, Scales
from models.learner import Learner
from models.panel import MIN_PAST, ORIGINS_NEEDED, Histories, Panel, origins_of, values_needed
from models.search import SERVED, VALIDATED, Search
from models.selection import Judge, Origins, Verdict
from models.training import Progress
from models.windows import newest_contexts

FORMAT = 3  # of the saved bytes
FEW_VALUES = 4  # before a validation origin, and one more than a season
PLAIN_ORIGINS = 200  # to calibrate a naive forecast on, which needs no fitting, so that all of history serves
COMPARED = 40  # origins at which a challenger meets the champion
NOTHING: Mapping[str, Array] = MappingProxyType({})


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
    non_negative_: bool  # whether no value is below zero
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
        panel = Panel(histories, self.horizon)
        self._check_enough([len(values) for segments in panel.segments for values in segments])
        self.non_negative_ = all((values >= 0.0).all() for segments in panel.segments for values in segments)
        judged = self._judged(panel)
        self._find_season(panel, judged)
        warm = {SERVED: [], VALIDATED: []} if champion is None else champion._learners()
        search = Search(panel, judged, self._judge(panel, judged), self.seed, warm, progress)
        self._choose(search)
        self._calibrate(search)
        self.lookback_ = self._lookback()
        search.done()
        return self

    def _learners(self) -> dict[str, list[Learner]]:
        """What was learnt, by stage."""
        stages = {SERVED: self.ensemble_, VALIDATED: self._validated}
        return {stage: [] if ensemble is None else ensemble.learners for stage, ensemble in stages.items()}

    def _check_enough(self, lengths: Sequence[int]) -> None:
        found = origins_of(lengths, self.horizon)
        if found >= ORIGINS_NEEDED:
            return
        if len(lengths) <= 1:
            longest, needed = max(lengths, default=0), values_needed(self.horizon)
            raise NotEnoughDataError(f"{longest} consecutive values, but a horizon of {self.horizon} needs {needed}")
        raise NotEnoughDataError(
            f"{len(lengths)} runs of at most {max(lengths)} consecutive values can be forecast and judged at {found}"
            f" origins, but a horizon of {self.horizon} needs {ORIGINS_NEEDED}"
        )

    def _judged(self, panel: Panel) -> Origins:
        """The validation origins, of each series that is long enough; where none is, one for each that there can be."""
        backs = selection.spread_backs(panel.lengths, self.horizon)
        found = selection.origins(panel.judged, self.horizon, backs, max(FEW_VALUES, self._held(panel)[0] + 1))
        if not len(found.series):
            found = selection.origins(panel.judged, self.horizon, [self.horizon], MIN_PAST)
        self._span = int(found.back.max())
        return found

    def _held(self, panel: Panel) -> tuple[int, ...]:
        """The seasons of which the panel holds enough, shortest first; (1,) where there is none."""
        return families(self.seasons, panel.length, self.horizon)[-1].seasons or (1,)

    def _find_season(self, panel: Panel, judged: Origins) -> None:
        """The season of the naive forecast: that with which it errs least at the validation origins."""
        pasts, targets = judged.pasts(), judged.targets()
        units = panel.units(1)[judged.series]

        def error(season: int) -> float:
            made = _naive(pasts, season, self.horizon)
            return float((np.abs(made - targets).mean(axis=1) / units).mean())

        self.season_ = min((1, *self._held(panel)), key=error)

    def _judge(self, panel: Panel, judged: Origins) -> Judge:
        season = self._held(panel)[0]
        return Judge(judged.targets(), panel.units(season)[judged.series], _naive(judged.pasts(), season, self.horizon))

    def _choose(self, search: Search) -> None:
        """Let the gate decide at the validation origins whether an ensemble or a naive forecast serves."""
        self.ensemble_ = self._validated = None
        pasts = search.pasts
        errors = {"naive": search.judge.errors(_naive(pasts, 1, self.horizon))}
        if self.season_ > 1:
            errors["seasonal_naive"] = search.judge.errors(_naive(pasts, self.season_, self.horizon))
        chosen = search.choose(self.seasons)
        tried = Ensemble(chosen.learners, chosen.members, self.horizon, non_negative=self.non_negative_)
        name = "rnn" if any(kind == "rnn" for _, kind in chosen.members) else "base"
        made = tried.forecast(pasts, search.floors)
        errors |= {name: search.judge.errors(made)}
        groups = selection.evidence_groups(search.judged)
        if len(pasts) < ORIGINS_NEEDED:
            groups = np.zeros_like(groups)  # no evidence: intervals could not be calibrated on so few
        self.verdict_ = selection.gate(errors, groups)
        self.kind_ = self.verdict_.winner
        if self.kind_ == "naive":
            self.season_ = 1
        if self.kind_ == name:
            self._validated = tried
            self.ensemble_ = Ensemble(
                search.refit(chosen), chosen.members, self.horizon, non_negative=self.non_negative_
            )

    def _calibrate(self, search: Search) -> None:
        """Find how far off the served forecast was where it had not been fitted, and each series' usual error."""
        panel, judged = search.panel, search.judged
        if self._validated is None:  # nothing was fitted, so that all of history can be forecast and judged
            count = -(-PLAIN_ORIGINS // len(panel.names))
            last = max(self.horizon, max(panel.lengths) - MIN_PAST)
            spread = np.linspace(self.horizon, last, min(count, last - self.horizon + 1)).round().astype(int)
            judged = selection.origins(panel.judged, self.horizon, np.unique(spread).tolist(), MIN_PAST)
        pasts = judged.pasts()
        errors = np.abs(judged.targets() - self._mean(self._validated, pasts, search.floors_of(judged.series)))
        season = self._held(panel)[0]
        scale = panel.scales(season)
        usual, self.calibration_ = intervals.calibrate(errors, judged, scale, season)
        self.scales_ = Scales(tuple(panel.names), scale, usual, search.final_floors)

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
        if self.non_negative_:
            lo = np.maximum(lo, np.minimum(mean, 0.0))
        return Forecast(mean, naive, lo, hi, unit, scale)

    def live_errors(self, errors: Array, units: Array) -> Array:
        """The errors, value − mean, of forecasts whose truth is known, as `forecast` takes them: |error| / unit."""
        return np.asarray(np.abs(errors) / units)

    def outdoes(self, champion: "Forecaster", histories: Histories, unseen: Mapping[str, int]) -> tuple[bool, str]:
        """Whether this forecaster may replace the champion, and why, in words.

        Both forecast again from where the champion forecast live: at the origins since its own cutoff, of which
        `unseen` values of each series came after it; this one as it was for validation, fitted without them. It must
        not be worse beyond chance: level, the newer data decide. histories: those of `fit`. Call it after `fit`.
        """
        if (champion.horizon, champion.levels) != (self.horizon, self.levels):
            return True, "the champion was fitted for another horizon or other levels"
        panel = Panel(histories, self.horizon)
        newest = [
            min(max(0, unseen.get(name, 0) - later), self._span)
            for name, later in zip(panel.names, panel.later, strict=True)
        ]
        reach = max(newest, default=0)
        spread = np.unique(np.linspace(1, max(1, reach), min(COMPARED, max(1, reach))).round().astype(int))
        pairs = selection.origins(panel.judged, self.horizon, spread.tolist(), MIN_PAST)
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

    def _validation_mean(self, panel: Panel, pairs: Origins, latest: bool) -> Array:
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
            "non_negative": self.non_negative_,
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
            for stage, learners in self._learners().items():
                for number, learner in enumerate(learners):
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
            forecaster.lookback_, forecaster.non_negative_ = config["lookback"], config["non_negative"]
            forecaster.verdict_ = Verdict(**config["verdict"])
            floors = Floors(arrays["floors_raw"], arrays["floors_log"])
            forecaster.scales_ = Scales(tuple(config["names"]), arrays["scale"], arrays["usual"], floors)
            forecaster.calibration_ = Calibration(
                points=arrays["points"], expected=arrays["expected"], **config["calibration"]
            )
            forecaster.ensemble_, forecaster._validated = (
                forecaster._read_ensemble(stage, arrays, config) for stage in (SERVED, VALIDATED)
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
        return Ensemble(learners, members, self.horizon, non_negative=self.non_negative_)


def _naive(pasts: Sequence[Array], season: int, horizon: int) -> Array:
    """The naive forecast after each run of values, or the seasonal one: (n, H)."""
    if not pasts:
        return np.empty((0, horizon))
    return seasonal_naive(newest_contexts(pasts, season, season), season, horizon)
