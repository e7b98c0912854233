"""A feed-forward network beside a recurrent one: the same windows, the same number of parameters.

A feed-forward network is a recurrent one of a single step: with the whole window as x and h = 0 before it, what remains
of the equations is h = tanh(b + U x), o = c + V h. So one library computes both, by `Unrolled(steps=1)`; W is
multiplied by 0, never learns, and is not counted. Demand for taxis in New York, half-hourly; 48 steps in, the next 6
out. In time, 60 % of the series train, 20 % choose the learning rate, and 20 % are the test. Five seeds a network, as
one fleet.

1. Windows of 48 steps, each scaled by itself: the home ground of the feed-forward network.
2. Sequences of any length, up to 48 steps in training. The recurrent network answers after each step and so learns
   from all lengths at once; the feed-forward one sees windows padded with zeros, or the last 48 steps of longer ones.

    python -m examples.feed_forward

Measured, mean squared error on the test part ± spread of the five seeds, with 1286 and 1271 parameters:

1. Recurrent 0.205 ± 0.021, feed-forward 0.156 ± 0.011, trained more than ten times as fast. Where all windows are
   alike, take the feed-forward network.
2. Recurrent 0.233, 0.121, 0.121, 0.120 at lengths of 6, 24, 48 and 336; feed-forward 0.262, 0.187, 0.123, 0.123. What
   the recurrent network learns at one step serves at every step. Sequences seven times longer than any in training do
   it no harm; they do it no good either: it makes no use of what is older.

Ten times the steps, and so more of the time, do not change that: the feed-forward network then has 0.154 in task 1, and
0.244, 0.184, 0.141 at lengths of 6, 24 and 48 in task 2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure

from examples.common import NETWORK, RIVAL, batches, command_line, fleet, read, save
from models.arrays import Array
from models.losses import mse
from models.parameters import Parameters, Shape
from models.rnn import Unrolled, predict
from models.training import Batch, fit

TRAIN, MIDDLE = 0.6, 0.2  # shares of the series, in time; the rest is the test
LOOKBACK, HORIZON, BATCH = 48, 6, 64
RATES = (3e-3, 1e-2)
SEEN, LONGER = (1, 3, 6, 12, 24, 36, 48), (96, 192, 336)  # lengths at test time: as in training, and longer ones


@dataclass(frozen=True)
class Kind:
    """One of the two networks."""

    recurrent: bool
    shape: Shape

    @property
    def name(self) -> str:
        """As in the report."""
        return "recurrent" if self.recurrent else "feed-forward"

    @property
    def n_parameters(self) -> int:
        """How many there are that do something."""
        return self.shape.n_parameters - (0 if self.recurrent else self.shape.hidden**2)

    def taken(self, windows: Array) -> Array:
        """Windows (n, length) as inputs (T, M, n): a value a step, or all in the only step, padded or cut to fit."""
        if self.recurrent:
            return windows.T[:, None]
        x = np.zeros((len(windows), LOOKBACK))
        length = min(LOOKBACK, windows.shape[1])
        x[:, LOOKBACK - length :] = windows[:, windows.shape[1] - length :]
        return x.T[None]


@dataclass(frozen=True)
class Outcome:
    """How a network fared on the test part."""

    rate: float  # chosen on the middle part
    seconds: float  # of training all seeds
    mse: Array  # (S,), task 1; (S, lengths), task 2


@dataclass(frozen=True)
class Result:
    """Both networks in both tasks, the recurrent one first."""

    kinds: tuple[Kind, Kind]
    fixed: tuple[Outcome, Outcome]
    any_length: tuple[Outcome, Outcome]


def rivals(hidden: int) -> tuple[Kind, Kind]:
    """A recurrent network, and the feed-forward one whose number of parameters comes nearest."""
    recurrent = Kind(True, Shape(1, hidden, HORIZON))
    sizes = (Kind(False, Shape(LOOKBACK, n, HORIZON)) for n in range(1, 4 * hidden))
    return recurrent, min(sizes, key=lambda kind: abs(kind.n_parameters - recurrent.n_parameters))


def windows(values: Array, lookback: int) -> tuple[Array, Array]:
    """All windows (n, lookback), and what comes after each, (n, H)."""
    pieces = np.lib.stride_tricks.sliding_window_view(values, lookback + HORIZON)
    return pieces[:, :lookback], pieces[:, lookback:]


def scaled(x: Array, y: Array) -> tuple[Array, Array]:
    """Windows and targets less the window's mean, in units of its standard deviation."""
    level, spread = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return (x - level) / spread, (y - level) / spread


def errors(kind: Kind, parameters: Parameters, x: Array, y: Array) -> Array:
    """The mean squared error of each network of the fleet, (S,)."""
    return np.asarray(((predict(parameters, kind.taken(x)) - y.T) ** 2).mean(axis=(1, 2)))


def fit_fixed(kind: Kind, x: Array, y: Array, rate: float, n_steps: int, seeds: int, seed: int) -> Parameters:
    """A fleet fitted to windows (n, 48) and targets (n, H)."""
    rng = np.random.default_rng(seed)
    X, parameters = kind.taken(x), fleet(kind.shape, seeds, rng)
    fit(Unrolled(parameters, steps=len(X), batch=BATCH), batches(X, y.T, BATCH, rng), mse, n_steps=n_steps, rate=rate)
    return parameters


def fit_any_length(kind: Kind, values: Array, rate: float, n_steps: int, seeds: int, seed: int) -> Parameters:
    """A fleet fitted to sequences of 1 to 48 steps of the values (n,)."""
    rng = np.random.default_rng(seed)
    parameters = fleet(kind.shape, seeds, rng)
    after = windows(values, 1)[1]  # (n, H)

    def draw(_: int) -> Batch:
        at = rng.integers(len(after) - LOOKBACK + 1, size=BATCH) + np.arange(LOOKBACK)[:, None]  # (T, B)
        seen, targets = values[at], after[at].swapaxes(-1, -2)  # (T, B), (T, H, B)
        if kind.recurrent:
            return Batch((seen[:, None],), targets)
        before = np.arange(LOOKBACK)[:, None] < rng.integers(LOOKBACK, size=BATCH)  # the sequence begins
        return Batch((np.where(before, 0.0, seen)[None],), targets[-1])

    steps = LOOKBACK if kind.recurrent else 1
    network = Unrolled(parameters, steps=steps, batch=BATCH, every_step=kind.recurrent)
    fit(network, draw, mse, n_steps=n_steps, rate=rate)
    return parameters


def best_rate(
    train: Callable[[float], Parameters], middle: Callable[[Parameters], Array], test: Callable[[Parameters], Array]
) -> Outcome:
    """Train at every rate, keep what does best on the middle part, and only then measure it on the test part."""
    tried = []
    for rate in RATES:
        begin = perf_counter()
        parameters = train(rate)
        tried.append((float(middle(parameters).mean()), rate, perf_counter() - begin, parameters))
    _, rate, seconds, parameters = min(tried, key=lambda each: each[0])
    return Outcome(rate, seconds, test(parameters))


def run(*, hidden: int = 32, n_steps: int = 3000, seeds: int = 5, seed: int = 0) -> Result:
    """Fit both networks to both tasks, and measure them on the test part."""
    values = read("nyc_taxi_30min.csv")[1]
    middle, test = int(TRAIN * len(values)), int((TRAIN + MIDDLE) * len(values))
    values = (values - values[:middle].mean()) / values[:middle].std()

    def part(first: int, last: int, lookback: int) -> tuple[Array, Array]:
        """Windows whose targets lie in values[first:last]; they themselves may reach further back."""
        return windows(values[first - lookback : last], lookback)

    def fixed(kind: Kind) -> Outcome:
        x, y = scaled(*windows(values[:middle], LOOKBACK))
        return best_rate(
            lambda rate: fit_fixed(kind, x, y, rate, n_steps, seeds, seed),
            lambda fitted: errors(kind, fitted, *scaled(*part(middle, test, LOOKBACK))),
            lambda fitted: errors(kind, fitted, *scaled(*part(test, len(values), LOOKBACK))),
        )

    def any_length(kind: Kind) -> Outcome:
        def by_length(fitted: Parameters, first: int, last: int, lengths: tuple[int, ...]) -> Array:
            return np.stack([errors(kind, fitted, *part(first, last, length)) for length in lengths], axis=-1)

        return best_rate(
            lambda rate: fit_any_length(kind, values[:middle], rate, n_steps, seeds, seed),
            lambda fitted: by_length(fitted, middle, test, SEEN),
            lambda fitted: by_length(fitted, test, len(values), SEEN + LONGER),
        )

    kinds = rivals(hidden)
    return Result(kinds, (fixed(kinds[0]), fixed(kinds[1])), (any_length(kinds[0]), any_length(kinds[1])))


def draw(result: Result, path: Path) -> None:
    """Task 1, every seed a dot; task 2, by length."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.9])
    lengths = SEEN + LONGER
    for place, (kind, one, two) in enumerate(zip(result.kinds, result.fixed, result.any_length, strict=True)):
        colour = (NETWORK, RIVAL)[place]
        left.plot(np.full(len(one.mse), place), one.mse, "o", color=colour, alpha=0.6)
        left.plot([place - 0.2, place + 0.2], [one.mse.mean()] * 2, color=colour, lw=2)
        mean, spread = two.mse.mean(axis=0), two.mse.std(axis=0, ddof=1)
        right.plot(lengths, mean, "o-", color=colour, label=kind.name)
        right.fill_between(lengths, mean - spread, mean + spread, color=colour, alpha=0.2)
    left.set_xticks([0, 1], [f"{kind.name}\n{kind.n_parameters} parameters" for kind in result.kinds])
    left.set(xlim=(-0.6, 1.6), ylabel="test MSE, in the window's own variance")
    left.set_ylim(bottom=0)
    left.set_title("1. Windows of 48 steps; a dot a seed")
    right.axvspan(LOOKBACK * 1.1, LONGER[-1] * 1.1, color="0.92", zorder=0)
    right.text(
        LOOKBACK * 1.2, 0.43, "longer than in training;\nthe feed-forward network\nsees the last 48 steps", va="top"
    )
    right.set(xscale="log", xlim=(0.9, LONGER[-1] * 1.1), xlabel="length of the sequence, half-hours")
    right.set(ylim=(0, None), ylabel="test MSE, in the training part's variance")
    right.set_xticks(lengths, [str(length) for length in lengths], minor=False)
    right.set_xticks([], minor=True)
    right.set_title("2. Sequences of any length; bands: spread of the seeds")
    right.legend(loc="lower left")
    save(figure, path)


def main() -> None:
    """Run, report and draw."""
    arguments = command_line(__doc__, "feed_forward")
    result = run(seed=arguments.seed)
    print("1. Windows of 48 steps: mean squared error on the test part, ± spread of the seeds")
    for kind, each in zip(result.kinds, result.fixed, strict=True):
        print(f"  {kind.name:12} {each.mse.mean():.4f} ± {each.mse.std(ddof=1):.4f}   ", end="")
        print(f"{kind.n_parameters} parameters, rate {each.rate:g}, trained in {each.seconds:.1f} s")
    print("2. Sequences of any length: the same, by length")
    print("  " + " " * 12 + "".join(f"{length:>8}" for length in SEEN + LONGER))
    for kind, each in zip(result.kinds, result.any_length, strict=True):
        print(f"  {kind.name:12}" + "".join(f"{value:8.3f}" for value in each.mse.mean(axis=0)))
        print(f"  {'±':>12}" + "".join(f"{value:8.3f}" for value in each.mse.std(axis=0, ddof=1)), end="")
        print(f"   rate {each.rate:g}, trained in {each.seconds:.1f} s")
    draw(result, arguments.picture)
    print(f"Picture: {arguments.picture}")


if __name__ == "__main__":
    main()
