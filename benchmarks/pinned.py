"""Small backtests whose results are pinned in pinned.json, so that a loss of accuracy cannot pass unnoticed.

They run by the command `rollcast backtest`, with one thread, and all that they need is in the repository or made up
from a seed. They say whether accuracy has changed, and nothing of how good it is: that is for `benchmarks.accuracy`.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy_ours import our_forecasts
from benchmarks.accuracy_tasks import ID, LEVELS, ROOT, TIME, VALUE, Series, Task, counted

PINNED = Path(__file__).parent / "pinned.json"
SAMPLES = ROOT / "service" / "samples"
RELATIVE = 0.02  # what another processor or BLAS may change of OWA, MASE, MSIS
POINTS = 0.02  # and of coverage, a share

Figures = dict[str, float]


def tasks() -> list[tuple[Task, int]]:
    """What is forecast, and from how many cutoffs to how many it is refitted: two samples, a made-up panel and price.

    The panel is fitted once, as that takes longest; each other one twice, so that a challenger meets a champion.
    """
    taxi, wti = _sample("nyc_taxi_30min.csv", 3000), _sample("wti_daily.csv", 2000)
    return [
        (Task("taxi", {"taxi": taxi}, "30min", season=48, horizon=24, cutoffs=20, stride=24), 10),
        (Task("wti", {"wti": wti}, "B", season=1, horizon=5, cutoffs=40, stride=5), 20),
        (Task("panel", _panel(), "1h", season=24, horizon=24, cutoffs=2, stride=24), 2),
        (Task("walk", {"walk": _walk()}, "B", season=1, horizon=5, cutoffs=40, stride=5), 20),
    ]


def measure() -> Iterator[tuple[str, Figures]]:
    """The figures of each task."""
    for task, refit_every in tasks():
        told = our_forecasts(task, refit_every).metrics
        figures = {"OWA": told["owa"], "MASE": told["mase"], "MSIS 95": told["msis"]["95"]}
        yield task.name, figures | {f"coverage {level}": told["coverage"][str(level)] for level in LEVELS}


def difference(name: str, pinned: float, found: float) -> str | None:
    """In words, if a figure is not what it was; None where it is."""
    most = POINTS if name.startswith("coverage") else RELATIVE * abs(pinned)
    if math.isclose(found, pinned, rel_tol=0.0, abs_tol=most):
        return None
    return f"{name} was {pinned:.4f} and is {found:.4f}; {most:.4f} off is let pass"


def read() -> dict[str, Figures]:
    """What is pinned."""
    content: dict[str, Figures] = json.loads(PINNED.read_text(encoding="utf-8"))
    return content


def write() -> None:
    """Measure, and pin what is found; tell what has changed."""
    before = read() if PINNED.exists() else {}
    found = {}
    for task, figures in measure():
        found[task] = {name: round(value, 5) for name, value in figures.items()}
        for name, value in found[task].items():
            old = before.get(task, {}).get(name)
            print(f"{task:8}{name:14}{'new' if old is None else f'{old:.5f}':>10} → {value:.5f}", flush=True)
    PINNED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _sample(file: str, newest: int) -> Series:
    frame = pd.read_csv(SAMPLES / file, dtype={ID: str, TIME: str}).tail(newest)
    return Series(frame[VALUE].to_numpy(dtype=np.float64), tuple(frame[TIME]))


def _panel() -> dict[str, Series]:
    """Forty series of 500 hours: a level, a trend, a day with a shape of its own, noise that lingers."""
    rng = np.random.default_rng(1)
    hours, series = np.arange(500), {}
    for number in range(40):
        level, trend = rng.uniform(50.0, 500.0), rng.normal(0.0, 0.0004)
        shape = sum(rng.normal(0.0, 0.12 / k) * np.sin(2 * np.pi * (k * hours / 24 + rng.uniform())) for k in (1, 2, 3))
        noise = np.zeros(len(hours))
        for hour, shock in enumerate(rng.normal(0.0, 0.03, len(hours))):
            noise[hour] = (0.7 * noise[hour - 1] if hour else 0.0) + shock
        series[f"made-{number:02}"] = counted(np.round(level * (1.0 + trend * hours + shape + noise), 3))
    return series


def _walk() -> Series:
    """Logarithms of a price that go up and down by chance, in quiet times and in others."""
    rng = np.random.default_rng(2)
    swings = 0.01 * np.exp(0.5 * np.sin(np.arange(1500) / 60.0))
    return counted(np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 1.0, 1500) * swings)), 2))
