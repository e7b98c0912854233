"""Signal processing: a noisy signal goes in, the clean one comes out, one output a step (many-to-many).

Taxi demand in New York, half-hourly, with Gaussian noise added at a signal-to-noise ratio of 5 dB. The network is
causal with a delay of d = 4 steps, two hours: at step t it estimates the signal at t − d. Beside it stand a moving
average, a Savitzky–Golay filter and the best linear filter for the training part (Wiener's), all of the same delay: the
estimate of t − d is made from samples up to t and no others. In time, the first 60 % of the series train the network
and choose both simple filters, the next 20 % choose the network's size and the Wiener filter's length, and the last
20 % are the test: 20 December to 31 January, with the holidays and a blizzard.

    python -m examples.denoising

Measured, as the gain in signal-to-noise ratio on the test part (seeds 0, 1, 2): network 7.9, 8.5, 8.4 dB; moving
average 6.3, 6.7, 6.6 dB; Savitzky–Golay 6.3, 6.5, 6.7 dB; Wiener 7.0, 7.3, 7.8 dB. The network's lead is knowledge of
the signal: a simple filter knows that it is smooth, the network what a day looks like. It is smaller in the test part
than before it, for nobody had seen a Christmas.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.signal import savgol_coeffs

from examples.common import FAINT, NETWORK, OTHER, RIVAL, TRUTH, Times, command_line, read, save
from models.arrays import Array
from models.losses import mse
from models.parameters import Parameters, Shape
from models.rnn import Stream, Unrolled
from models.training import Batch, fit

TRAIN, MIDDLE = 0.6, 0.2  # shares of the series, in time; the rest is the test
STEPS, BATCH = 144, 64  # three days a training sequence
LONGEST = 48  # samples in a simple filter
WIENER = (12, 24, 48, 96, 192, 336)  # samples in a Wiener filter

Candidate = tuple[str, Array]  # what a filter is, and its estimates (n,): at t, of the signal at t − delay


@dataclass(frozen=True)
class Filtered:
    """What one filter made of the test part."""

    name: str
    chosen: str  # which of its candidates
    estimate: Array  # (n,)
    gain: float  # dB


@dataclass(frozen=True)
class Result:
    """The test part, in passengers, with each estimate at the time that it speaks of."""

    delay: int
    times: Times  # (n,)
    clean: Array  # (n,)
    noisy: Array  # (n,)
    filters: list[Filtered]  # the network first


def gain(clean: Array, noisy: Array, estimate: Array) -> float:
    """By how many dB the estimate's signal-to-noise ratio is above that of the noisy signal."""
    return float(10.0 * np.log10(np.mean((noisy - clean) ** 2) / np.mean((estimate - clean) ** 2)))


def weighted(noisy: Array, weights: Array) -> Array:
    """The linear causal filter Σ_k weights_k · noisy_{t-k}, for every t; before the first sample all was 0."""
    return np.asarray(np.convolve(noisy, weights)[: len(noisy)])


def moving_averages(noisy: Array, delay: int) -> Iterator[Candidate]:
    """Means of any length that end at t, or up to `delay` samples earlier: those centred on t − delay among them."""
    for length in range(1, LONGEST + 1):
        for skipped in range(delay + 1):
            weights = np.r_[np.zeros(skipped), np.full(length, 1.0 / length)]
            yield f"{length} samples, the newest {skipped} before now", weighted(noisy, weights)


def savitzky_golays(noisy: Array, delay: int) -> Iterator[Candidate]:
    """Polynomials fitted to the samples up to t, and read at t − delay."""
    for order in range(6):
        for length in range(max(order, delay) + 1, LONGEST + 1):
            oldest_first = savgol_coeffs(length, order, pos=length - 1 - delay, use="dot")
            yield f"{length} samples, order {order}", weighted(noisy, oldest_first[::-1])


def wieners(noisy: Array, delay: int, train: Array, sigma: float) -> Iterator[Candidate]:
    """Least squares on the clean training part; that noise is added to it is known, and adds n σ² to the diagonal."""
    for length in WIENER:
        if length > len(train) // 4:
            continue
        X = np.lib.stride_tricks.sliding_window_view(train, length)[:, ::-1]  # (n, length), newest first
        y = train[length - 1 - delay : len(train) - delay]
        weights = np.linalg.solve(X.T @ X + len(X) * sigma**2 * np.eye(length), X.T @ y)
        yield f"{length} samples", weighted(noisy, weights)


def trained(train: Array, delay: int, sigma: float, hidden: int, n_steps: int, rng: np.random.Generator) -> Parameters:
    """A network fitted to pieces of the clean training part (n,), with new noise on them in every batch."""
    parameters = Parameters.initial(Shape(1, hidden, 1), rng)
    network = Unrolled(parameters, steps=STEPS, batch=BATCH, every_step=True)
    weights = np.ones((STEPS, BATCH))
    weights[:delay] = 0.0  # these outputs would speak of times before the piece began

    def draw(_: int) -> Batch:
        starts = rng.integers(len(train) - STEPS + 1, size=BATCH)
        clean = train[starts + np.arange(STEPS)[:, None]]  # (T, B)
        noisy = clean + sigma * rng.standard_normal(clean.shape)
        return Batch((noisy[:, None],), np.roll(clean, delay, axis=0)[:, None], weights)

    fit(network, draw, mse, n_steps=n_steps)
    return parameters


def live(parameters: Parameters, noisy: Array) -> Array:
    """The network's estimates (n,), from one long stream that is taken in a sample at a time."""
    stream = Stream(parameters)
    return np.array([stream.step([[x]])[0, 0] for x in noisy], dtype=float)


def run(
    *, snr: float = 5.0, delay: int = 4, hidden: tuple[int, ...] = (16, 32, 64), n_steps: int = 3000, seed: int = 0
) -> Result:
    """Add the noise (snr: in dB), fit and choose all filters, and measure them on the test part."""
    rng = np.random.default_rng(seed)
    times, passengers = read("nyc_taxi_30min.csv")
    middle, test = int(TRAIN * len(times)), int((TRAIN + MIDDLE) * len(times))
    level, scale = passengers[:middle].mean(), passengers[:middle].std()
    clean = (passengers - level) / scale
    sigma = 10.0 ** (-snr / 20.0)
    noisy = clean + sigma * rng.standard_normal(len(clean))
    train = clean[:middle]

    def measured(first: int, last: int) -> Callable[[Candidate], float]:
        last = min(last, len(clean) - delay)  # the last steps are estimated by nobody: that would take later samples
        part, then = slice(first, last), slice(first + delay, last + delay)
        return lambda candidate: gain(clean[part], noisy[part], candidate[1][then])

    on_train, on_middle, on_test = measured(LONGEST, middle - delay), measured(middle, test), measured(test, len(clean))
    networks = [(f"{n} hidden units", live(trained(train, delay, sigma, n, n_steps, rng), noisy)) for n in hidden]
    chosen = {
        "network": max(networks, key=on_middle),
        "moving average": max(moving_averages(noisy, delay), key=on_train),
        "Savitzky–Golay": max(savitzky_golays(noisy, delay), key=on_train),
        "Wiener": max(wieners(noisy, delay, train, sigma), key=on_middle),
    }
    end = len(clean) - delay
    filters = [
        Filtered(name, best[0], best[1][test + delay :] * scale + level, on_test(best)) for name, best in chosen.items()
    ]
    return Result(delay, times[test:end], passengers[test:end], noisy[test:end] * scale + level, filters)


def draw(result: Result, path: Path) -> None:
    """Above, a few days of the test part; below, the gains."""
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[3, 1.1])
    days = slice(24 * 48, 28 * 48)
    colours = dict(zip((f.name for f in result.filters), (NETWORK, RIVAL, OTHER, "#CC79A7"), strict=True))
    above.plot(result.times[days], result.noisy[days] / 1e3, ".", color=FAINT, label="noisy: what the filters see")
    above.plot(result.times[days], result.clean[days] / 1e3, color=TRUTH, lw=1.2, label="clean")
    for each in result.filters[:2]:
        above.plot(result.times[days], each.estimate[days] / 1e3, color=colours[each.name], lw=1.8, label=each.name)
    above.set_ylabel("taxi passengers in half an hour, thousands")
    above.set_title(f"Denoising with a delay of {result.delay / 2:g} hours (estimates drawn at the time they speak of)")
    above.legend(loc="upper left", ncols=4, fontsize=9)
    above.set_ylim(top=above.get_ylim()[1] + 5)
    midnights = result.times[days][::48]
    above.set_xticks(midnights, [f"{day.item():%a, %d %b %Y}" for day in midnights], ha="left")
    above.grid(alpha=0.3)
    bars = below.barh(list(colours), [f.gain for f in result.filters], color=list(colours.values()))
    below.bar_label(bars, [f"{f.gain:.1f} dB, {f.chosen}" for f in result.filters], padding=4, fontsize=9)
    below.invert_yaxis()
    below.set_xlim(right=1.6 * max(f.gain for f in result.filters))
    below.set_xlabel("gain in signal-to-noise ratio on the test part, dB")
    save(figure, path)


def main() -> None:
    """Run, report and draw."""
    arguments = command_line(__doc__, "denoising")
    result = run(seed=arguments.seed)
    print(f"Gain in signal-to-noise ratio on the test part, {result.times[0]} to {result.times[-1]}:")
    for each in result.filters:
        print(f"  {each.name:15} {each.gain:5.2f} dB   ({each.chosen})")
    draw(result, arguments.picture)
    print(f"Picture: {arguments.picture}")


if __name__ == "__main__":
    main()
