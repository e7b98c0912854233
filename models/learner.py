"""The learner: one configuration, fitted to a panel. What it forecasts is base + ridge + network.

    context ──▶ candidates ──▶ base ───────────────────────────────────────────┐
       │             └─ less the base ─┐                                        ▼
       └──▶ lookback, scaled ──────────┴──▶ ridge ──▶ (+) ──▶ times unit ──▶ (+) ──▶ forecast
                                       └──▶ a fleet of networks, median ─▲

The ridge learns what is linear in (target − base) / unit, in closed form; the networks, by back-propagation through
time and MSE, what is left. Every window is scaled by itself, from its own values alone.

Shape letters: n windows, C context, L lookback, H horizon, K candidates, T patches, M values a patch, S seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from models import ridge, rnn, training
from models.arrays import Array
from models.classical import mix
from models.configuration import Configuration
from models.floors import ABSOLUTE
from models.losses import mse
from models.parameters import Parameters, Shape
from models.training import Progress
from models.windows import Windows, cut, newest_contexts

INPUT_CLIP = 10.0  # standard deviations: what lies beyond says no more than "extreme"
RIDGE_CLIP = 100.0
EXTRA_CLIP = 20.0
WINSOR = 3.0  # units: targets beyond are outliers to learning, and no forecast leaves the base by more
MIN_WINDOWS = 100  # with fewer there is nothing to learn from: the base serves
WARM_SHARE = 2  # a warm start trains for one in so many steps
FEW_WINDOWS = 6000  # with fewer a smaller network, fewer steps, fewer seeds


@dataclass(frozen=True)
class Effort:
    """The size of the networks and of their training."""

    hidden: int
    n_steps: int
    batch: int
    seeds: int


def effort(n_windows: int) -> Effort:
    """How much work so many windows deserve."""
    return Effort(16, 200, 64, 3) if n_windows < FEW_WINDOWS else Effort(32, 800, 256, 5)


@dataclass(frozen=True)
class Features:
    """Of contexts: the ridge's inputs (n, D), the network's (n, T, M), the base (n, H), the unit (n, 1)."""

    linear: Array
    patches: Array
    base: Array
    unit: Array


def features(contexts: Array, floors: Array, configuration: Configuration, horizon: int) -> Features:
    """contexts: (n, C), transformed; floors: (n,), the smallest unit of each window's series."""
    c = configuration
    candidates, base = mix(contexts, horizon, c.candidates, c.spacing)
    lookback = contexts[:, -c.lookback :]
    apart = lookback - lookback[:, -c.season :].mean(axis=1)[:, None]
    std = np.maximum(lookback.std(axis=1), floors)[:, None]
    unit = std
    if c.season > 1:
        unit = np.maximum(np.abs(lookback[:, c.season :] - lookback[:, : -c.season]).mean(axis=1), floors)[:, None]
    linear, patches = np.clip(apart / unit, -RIDGE_CLIP, RIDGE_CLIP), np.clip(apart / std, -INPUT_CLIP, INPUT_CLIP)
    if len(candidates) > 1:
        # What each candidate says, as further inputs: to the network as further patches at the sequence's end.
        extra = np.clip((candidates - base) / unit, -EXTRA_CLIP, EXTRA_CLIP).transpose(1, 0, 2)  # (n, K, H)
        linear = np.concatenate([linear, extra.reshape(len(extra), -1)], axis=1)
        extra = np.pad(extra, ((0, 0), (0, 0), (0, -horizon % c.patch)))
        patches = np.concatenate([patches, extra.reshape(len(extra), -1)], axis=1)
    return Features(
        linear.astype(np.float32), patches.astype(np.float32).reshape(len(contexts), -1, c.patch), base, unit
    )


class Learner:
    """A configuration with what was learnt: the ridge's coefficients, a fleet of networks."""

    def __init__(
        self,
        configuration: Configuration,
        horizon: int,
        coefficients: Array | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        self.configuration = configuration
        self.horizon = horizon
        self.coefficients = coefficients
        self.parameters = parameters

    def fit(
        self,
        histories: Sequence[Sequence[Array]],
        floors: Array,
        size: Effort,
        seed: Sequence[int],
        progress: Progress | None = None,
        warm: "Learner | None" = None,
    ) -> None:
        """Learn from the panel's segments; floors: (n_series,) of the transformed values.

        warm: a learner of the same configuration; where its networks are of this size, training begins with them.
        """
        c = self.configuration
        transformed = [[self._transformed(values) for values in segments] for segments in histories]
        chosen = cut(transformed, c.context, self.horizon, c.season)
        if len(chosen.contexts) < MIN_WINDOWS:
            self.coefficients = self.parameters = None
            return
        made = features(chosen.contexts, floors[chosen.series], c, self.horizon)
        residuals: Array = np.clip((chosen.targets - made.base) / made.unit, -WINSOR, WINSOR).astype(np.float32)
        weights = (1.0 / np.bincount(chosen.series)[chosen.series]).astype(np.float32)
        self.coefficients, ease = ridge.fit(made.linear, residuals, weights)
        residuals = residuals - ridge.predict(made.linear, self.coefficients)
        self.parameters = self._train(made.patches, residuals, chosen, ease, size, seed, progress, warm)

    def _train(
        self,
        patches: Array,
        residuals: Array,
        chosen: Windows,
        ease: Array,
        size: Effort,
        seed: Sequence[int],
        progress: Progress | None,
        warm: "Learner | None",
    ) -> Parameters:
        """Minimise the MSE of what the ridge left, on batches drawn uniformly over series, all seeds at once."""
        _, steps, inputs = patches.shape
        shape = Shape(inputs, size.hidden, self.horizon)
        begun = None if warm is None else warm.parameters
        if begun is not None and (begun.shape, begun.fleet) == (shape, (size.seeds,)):
            parameters, n_steps = Parameters(shape, begun.flat.copy()), size.n_steps // WARM_SHARE
        else:
            members = [Parameters.initial(shape, np.random.default_rng([*seed, k])) for k in range(size.seeds)]
            parameters, n_steps = Parameters.stack(members), size.n_steps
        network = rnn.Unrolled(parameters, steps=steps, batch=size.batch)
        rng = np.random.default_rng(seed)
        present, firsts, counts = np.unique(chosen.series, return_index=True, return_counts=True)

        def draw(_step: int) -> training.Batch:
            k = rng.integers(len(present), size=(size.seeds, size.batch))
            i = firsts[k] + (rng.random(k.shape) * counts[k]).astype(np.intp)
            return training.Batch((patches[i].transpose(2, 0, 3, 1),), residuals[i].transpose(0, 2, 1), ease[i])

        training.fit(network, draw, mse, n_steps=n_steps, progress=progress)
        return network.parameters

    def base(self, pasts: Sequence[Array]) -> Array:
        """What the base alone forecasts after each run of values: (n, H). Nothing has to be learnt for that."""
        c = self.configuration
        newest = [self._transformed(values[-c.context :]) for values in pasts]
        _, base = mix(newest_contexts(newest, c.context, c.season), self.horizon, c.candidates, c.spacing)
        return np.exp(base) if c.log else base

    def predict(self, pasts: Sequence[Array], floors: Array) -> dict[str, Array]:
        """Forecasts (n, H) after each run of values: by the base; with ridge and network, where learnt."""
        c = self.configuration
        newest = [self._transformed(values[-c.context :]) for values in pasts]
        made = features(newest_contexts(newest, c.context, c.season), floors, c, self.horizon)
        found = {"base": made.base}
        if self.coefficients is not None and self.parameters is not None:
            answers = rnn.predict(self.parameters, made.patches.transpose(1, 2, 0))  # (S, H, n)
            learnt = ridge.predict(made.linear, self.coefficients) + np.median(answers, axis=0).T
            found["rnn"] = made.base + np.clip(learnt, -WINSOR, WINSOR) * made.unit
        return {kind: np.exp(values) if c.log else values for kind, values in found.items()}

    def arrays(self) -> dict[str, Array]:
        """What was learnt, by name, to be saved."""
        if self.coefficients is None or self.parameters is None:
            return {}
        return {"coefficients": self.coefficients, "flat": self.parameters.flat}

    def to_words(self) -> dict[str, Any]:
        """Its configuration and the size of its networks, as JSON can hold them."""
        sizes = None if self.parameters is None else vars(self.parameters.shape)
        return {"configuration": self.configuration.to_words(), "sizes": sizes}

    @classmethod
    def restored(cls, words: Mapping[str, Any], horizon: int, arrays: Mapping[str, Array]) -> Self:
        """The learner of which `to_words` and `arrays` were kept. Raises KeyError, TypeError or BadInputError."""
        configuration = Configuration.from_words(words["configuration"])
        if words["sizes"] is None or not arrays:  # with fewer windows, for validation, nothing may have been learnt
            return cls(configuration, horizon)
        parameters = Parameters(Shape(**words["sizes"]), arrays["flat"])
        return cls(configuration, horizon, arrays["coefficients"], parameters)

    def _transformed(self, values: Array) -> Array:
        if not self.configuration.log:
            return values
        if not (values > 0.0).all():  # since the fit: such a value counts as the least that has a logarithm
            values = np.maximum(values, min(values[values > 0.0], default=ABSOLUTE))
        return np.log(values)
