"""The next price of oil (many-to-one), and why a fine-looking chart proves nothing.

The price of WTI crude, daily. A window of log changes, in units of the window's own volatility, goes in; the next
change comes out. Networks are fitted anew for each test year, on everything before it, and the mean of four is the
forecast. The rival is the random walk: tomorrow's price is today's. The number that counts is the ratio of the two mean
absolute errors: below 1 the network is better. Lookback and size are chosen on 2004–2008, before the test years.

As a control, the very same networks and code forecast taxi demand, where there is something to learn.

    python -m examples.oil_price

Measured on 2009–2018, with 95 % intervals (seeds 0, 1, 2): 1.0005 ± 0.0012, 0.9997 ± 0.0013, 1.0033 ± 0.0031. The
network does not beat the random walk, and which setting is chosen is chance. On taxi demand: 0.72, 0.69, 0.64 ± 0.03.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from examples.common import FAINT, NETWORK, RIVAL, TRUTH, Times, batches, command_line, fleet, read, save
from models.arrays import Array
from models.losses import mse
from models.parameters import Shape
from models.rnn import Unrolled, predict
from models.training import fit

VALIDATION = (2004, 2009)  # years: from, to before
FLEET, BATCH = 4, 128
TAXI_TEST = 0.2  # share of the taxi series, the newest


@dataclass(frozen=True)
class Setting:
    """What is chosen on the validation years."""

    lookback: int
    hidden: int


SETTINGS = tuple(Setting(lookback, hidden) for lookback in (10, 20, 60) for hidden in (4, 16))


@dataclass(frozen=True)
class Score:
    """The network's mean absolute error over the random walk's, and half the width of its 95 % interval."""

    ratio: float
    margin: float


@dataclass(frozen=True)
class Result:
    """The test years."""

    setting: Setting
    times: Times  # (n,)
    truth: Array  # (n,), dollars
    naive: Array  # (n,): the price of the day before
    forecast: Array  # (n,)
    by_year: dict[int, Score]
    oil: Score
    taxi: Score


def windows(values: Array, lookback: int) -> tuple[Array, Array]:
    """Every window of log changes in units of its own volatility, (T, 1, n), and those volatilities, (n,).

    Window k holds the changes up to value lookback + k, and is to forecast the value after it.
    """
    changes = np.lib.stride_tricks.sliding_window_view(np.diff(np.log(values)), lookback)  # (n, T)
    volatility = np.sqrt(np.mean(changes**2, axis=1))
    return (changes / volatility[:, None]).T[:, None], volatility


def forecast(values: Array, first: int, last: int, setting: Setting, n_steps: int, seed: int) -> Array:
    """Forecasts of values[first:last], each from the values before it, by networks fitted to values[:first]."""
    rng = np.random.default_rng(seed)
    X, volatility = windows(values[: last - 1], setting.lookback)
    begin = first - 1 - setting.lookback  # this window ends at value first − 1
    change = np.diff(np.log(values[setting.lookback : first]))  # after each window before that one
    Y = (change / volatility[:begin])[None]
    parameters = fleet(Shape(1, setting.hidden, 1), FLEET, rng)
    network = Unrolled(parameters, steps=setting.lookback, batch=BATCH)
    fit(network, batches(X[..., :begin], Y, BATCH, rng), mse, n_steps=n_steps)
    o = predict(parameters, X[..., begin:]).mean(axis=0)[0]
    return np.asarray(values[first - 1 : last - 1] * np.exp(o * volatility[begin:]))


def score(truth: Array, naive: Array, made: Array) -> Score:
    """The ratio of the mean absolute errors; its interval comes from the differences, day by day."""
    network, walk = np.abs(made - truth), np.abs(naive - truth)
    spread = np.std(network - walk) / np.sqrt(len(truth))
    return Score(float(network.mean() / walk.mean()), float(1.96 * spread / walk.mean()))


def run(
    *,
    years: tuple[int, int] = (2009, 2019),
    settings: tuple[Setting, ...] = SETTINGS,
    n_steps: int = 600,
    seed: int = 0,
) -> Result:
    """Choose a setting on the validation years, then go through the test years (from, to before)."""
    times, prices = read("wti_daily.csv")
    year_of = times.astype("datetime64[Y]").astype(int) + 1970

    def span(first: int, last: int) -> tuple[int, int]:
        return int(np.searchsorted(year_of, first)), int(np.searchsorted(year_of, last))

    def on_validation(setting: Setting) -> float:
        a, b = span(*VALIDATION)
        return score(prices[a:b], prices[a - 1 : b - 1], forecast(prices, a, b, setting, n_steps, seed)).ratio

    setting = min(settings, key=on_validation) if len(settings) > 1 else settings[0]
    spans = [span(*pair) for pair in pairwise(range(years[0], years[1] + 1))]
    made = np.concatenate([forecast(prices, a, b, setting, n_steps, seed) for a, b in spans])
    start, end = span(*years)
    truth, naive = prices[start:end], prices[start - 1 : end - 1]
    inside = {year: year_of[start:end] == year for year in range(*years)}
    taxi = read("nyc_taxi_30min.csv")[1]
    cut = int((1.0 - TAXI_TEST) * len(taxi))
    return Result(
        setting=setting,
        times=times[start:end],
        truth=truth,
        naive=naive,
        forecast=made,
        by_year={year: score(truth[mine], naive[mine], made[mine]) for year, mine in inside.items()},
        oil=score(truth, naive, made),
        taxi=score(taxi[cut:], taxi[cut - 1 : -1], forecast(taxi, cut, len(taxi), setting, n_steps, seed)),
    )


def draw(result: Result, path: Path) -> None:
    """The chart that convinces, the chart that should, and the ratios."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplot_mosaic([["price", "price"], ["change", "ratio"]], width_ratios=[1, 1.5])
    last = slice(-120, None)
    axes["price"].plot(result.times[last], result.truth[last], color=TRUTH, lw=1.2, label="price")
    axes["price"].plot(result.times[last], result.forecast[last], color=NETWORK, lw=1.5, label="network, a day ahead")
    axes["price"].plot(
        result.times[last], result.naive[last], ":", color=RIVAL, lw=2, label="random walk: the day before"
    )
    axes["price"].set_title("The chart that convinces: the forecast hugs the price, for it repeats the last one")
    axes["price"].set_ylabel("WTI, dollars a barrel")
    axes["price"].legend()
    truth, made = (100.0 * np.log(each / result.naive) for each in (result.truth, result.forecast))
    axes["change"].plot(made, truth, ".", color=NETWORK, ms=2)
    axes["change"].axline((0, 0), slope=1, color=TRUTH, lw=1, ls="--", label="a perfect forecast")
    axes["change"].set(xlim=(-8, 8), ylim=(-8, 8), xlabel="forecast change, %", ylabel="true change, %")
    axes["change"].set_title("The chart that should: the changes")
    axes["change"].legend(loc="upper left", fontsize=9)
    scores = {str(year): each for year, each in result.by_year.items()} | {"all": result.oil, "taxi": result.taxi}
    colours = [NETWORK] * len(result.by_year) + [TRUTH, RIVAL]
    for place, (each, colour) in enumerate(zip(scores.values(), colours, strict=True)):
        axes["ratio"].errorbar(place, each.ratio, each.margin, fmt="o", capsize=3, color=colour)
    axes["ratio"].axhline(1.0, color=FAINT, zorder=0)
    axes["ratio"].set_xticks(range(len(scores)), scores, rotation=45)
    axes["ratio"].set_ylabel("error ÷ error of the random walk")
    axes["ratio"].set_title("Ratios with 95 % intervals; below 1 is better")
    save(figure, path)


def main() -> None:
    """Run, report and draw."""
    arguments = command_line(__doc__, "oil_price")
    result = run(seed=arguments.seed)
    print(f"Chosen on {VALIDATION[0]}–{VALIDATION[1] - 1}: {result.setting}")
    print("Mean absolute error, network ÷ random walk (below 1: the network is better), with 95 % interval:")
    for year, each in result.by_year.items():
        print(f"  oil {year}  {each.ratio:.4f} ± {each.margin:.4f}")
    print(f"  oil, all  {result.oil.ratio:.4f} ± {result.oil.margin:.4f}")
    print(f"  taxi      {result.taxi.ratio:.4f} ± {result.taxi.margin:.4f}")
    if result.oil.ratio + result.oil.margin < 1.0:
        print("Better than the random walk, by a hair; look for a leak before you believe it.")
    else:
        print("On oil the network does not beat the random walk. On taxi demand the same code finds much to learn.")
    draw(result, arguments.picture)
    print(f"Picture: {arguments.picture}")


if __name__ == "__main__":
    main()
