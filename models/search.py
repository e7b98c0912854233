"""The search: which learners forecast a panel best where they were not fitted.

All configurations of the family whose base does best are fitted without the span of validation. Those that the greedy
average takes are fitted once more, to all data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import selection
from models.arrays import Array
from models.configuration import Configuration, configurations, families
from models.floors import Floors, floors_of
from models.learner import Learner, effort
from models.panel import Panel
from models.selection import Judge, Key, Origins
from models.training import Progress
from models.windows import MAX_OF_SERIES, Index

SERVED, VALIDATED = "served", "validated"  # the stages of a fit: to all data, and without the span of validation


@dataclass(frozen=True)
class Chosen:
    """The learners that validation chose, as fitted for it, and which of their answers are averaged."""

    learners: list[Learner]
    members: list[Key]
    numbers: list[int]  # of the learners, among all that were tried


class Search:
    """Learners are fitted without the span of validation, chosen there, and fitted again to all.

    warm: of each stage, learners of an earlier fit of the panel, whose networks are trained on from where they are.
    """

    def __init__(
        self,
        panel: Panel,
        judged: Origins,
        judge: Judge,
        seed: int,
        warm: Mapping[str, Sequence[Learner]],
        progress: Progress | None,
    ) -> None:
        self.panel = panel
        self.judged = judged
        self.judge = judge
        self.pasts = judged.pasts()
        self._past = panel.without(int(judged.back.max()))
        self._size = effort(sum(min(MAX_OF_SERIES, max(0, length - panel.horizon)) for length in panel.lengths))
        self._seed = seed
        self._warm = warm
        self._progress = progress
        self._trained = 0
        self._planned = 1

    def choose(self, seasons: Sequence[int]) -> Chosen:
        """Fit each configuration of the best family, and find the members of the average."""
        found = self._best_family(seasons)
        self._season = found[0].season
        self.floors = self.floors_of(self.judged.series)
        self._planned = 2 * len(found)
        learners = [Learner(configuration, self.panel.horizon) for configuration in found]
        made: dict[Key, Array] = {}
        for number, learner in enumerate(learners):
            self._fit(learner, self._past, self._floors(self._past), number, VALIDATED)
            floors = self.floors.of(learner.configuration.log)
            for kind, forecasts in learner.predict(self.pasts, floors).items():
                made[number, kind] = forecasts
        members = selection.greedy(made, self.judge)
        numbers = sorted({number for number, _ in members})
        renumbered = [(numbers.index(number), kind) for number, kind in members]
        return Chosen([learners[number] for number in numbers], renumbered, numbers)

    def refit(self, chosen: Chosen) -> list[Learner]:
        """The chosen learners, fitted to all data."""
        floors = self.final_floors
        found = []
        for learner, number in zip(chosen.learners, chosen.numbers, strict=True):
            again = Learner(learner.configuration, self.panel.horizon)
            self._fit(again, self.panel.segments, floors, number, SERVED)
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

        warm = next((each for each in self._warm[stage] if each.configuration == learner.configuration), None)
        chosen = floors.of(learner.configuration.log)
        learner.fit(segments, chosen, self._size, [self._seed, number], progress, warm)
        self._trained += 1
