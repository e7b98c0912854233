"""The ensemble: the plain average of its members, hedged by how they did of late.

At the newest origins that a window itself holds, the average is compared with its base and with the last value. Where
it errs more than the better of these, it counts less: after a sudden change of level, what was learnt before it is
given up within a horizon, long before the next refit.

Shape letters: n windows, H horizon.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Array
from models.classical import N_RECENT, POWER
from models.floors import Floors
from models.learner import Learner
from models.selection import Key

TOLERANCE = 1.1  # times the error of base or naive, up to which the average is trusted whole
CHUNK = 256  # windows at a time, a bound on memory


class Ensemble:
    """Learners, and which of their answers are averaged. non_negative: no forecast is below zero: no value was."""

    def __init__(
        self, learners: Sequence[Learner], members: Sequence[Key], horizon: int, *, non_negative: bool
    ) -> None:
        self.learners = list(learners)
        self.members = list(members)
        self.horizon = horizon
        self.non_negative = non_negative

    @property
    def spacing(self) -> int:
        """Values between the origins at which the members are compared."""
        return self.learners[0].configuration.spacing

    @property
    def season(self) -> int:
        """That levels and units are taken over."""
        return self.learners[0].configuration.season

    @property
    def lookback(self) -> int:
        """Values that a forecast looks at."""
        longest = max(learner.configuration.context for learner in self.learners)
        return longest + self.horizon + (N_RECENT - 1) * self.spacing

    def forecast(self, pasts: Sequence[Array], floors: Floors) -> Array:
        """The hedged average after each run of values: (n, H)."""
        chunks = [slice(first, first + CHUNK) for first in range(0, len(pasts), CHUNK)]
        return np.concatenate([self._forecast(pasts[chunk], floors.take(chunk)) for chunk in chunks])

    def _forecast(self, pasts: Sequence[Array], floors: Floors) -> Array:
        n, horizon = len(pasts), self.horizon
        pasts = [values[-self.lookback :] for values in pasts]
        # The present, then the recent origins of each window; where a window does not reach so far, the present again.
        least = 2 * self.season + 2
        backs = [horizon + k * self.spacing for k in range(N_RECENT)]
        held = np.array([[len(values) - back >= least for values in pasts] for back in backs])
        asked = list(pasts)
        for back, there in zip(backs, held, strict=True):
            asked += [values[: len(values) - back] if ok else values for values, ok in zip(pasts, there, strict=True)]
        average, base = self._averages(asked, floors.repeat(1 + N_RECENT))
        naive = np.repeat([[values[-1]] for values in asked], horizon, axis=1)
        errors = np.zeros((3, n))
        for k, (back, there) in enumerate(zip(backs, held, strict=True), start=1):
            mine = slice(k * n, (k + 1) * n)
            came = np.stack([values[len(values) - back :][:horizon] if ok else np.zeros(horizon)
                             for values, ok in zip(pasts, there, strict=True)])  # fmt: skip
            errors += there * [np.abs(made[mine] - came).mean(axis=1) for made in (average, base, naive)]
        steady = np.where((errors[1] <= errors[2])[:, None], base[:n], naive[:n])
        ratio = errors[0] / np.maximum(np.minimum(errors[1], errors[2]), 1e-12 + 1e-9 * np.abs(naive[:n, 0]))
        trust = np.where(ratio <= TOLERANCE, 1.0, (TOLERANCE / np.maximum(ratio, TOLERANCE)) ** POWER)[:, None]
        hedged = trust * average[:n] + (1.0 - trust) * steady
        if not self.non_negative:
            return hedged
        floor = np.where([(values >= 0.0).all() for values in pasts], 0.0, -np.inf)  # one may have gone negative since
        return np.maximum(hedged, floor[:, None])

    def _averages(self, pasts: Sequence[Array], floors: Floors) -> tuple[Array, Array]:
        """The members' average, and that of their bases: (n, H) each."""
        made = [learner.predict(pasts, floors.of(learner.configuration.log)) for learner in self.learners]
        average = np.mean([made[number].get(kind, made[number]["base"]) for number, kind in self.members], axis=0)
        return average, np.mean([made[number]["base"] for number, _ in self.members], axis=0)
