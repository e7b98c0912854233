"""What each part of the forecaster earns: the development sets again, with one part taken out at a time.

    python -m benchmarks.ablation            # writes benchmarks/ablation.md; about ten minutes on two cores

Reads ../shared/data beside the repository. A part is taken out by setting the number that it lives by.
"""

import gzip
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from models import classical, configuration, ensemble, learner, ridge, search, selection
from models.arrays import Array
from models.bases import naive2
from models.forecaster import Forecaster
from models.learner import Effort
from models.metrics import mase, naive_scale, owa, smape
from models.selection import greedy

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
M4 = {
    "weekly": ("m4_weekly_dev.csv.gz", 13, 1, (52,)),
    "hourly": ("m4_hourly_dev.csv.gz", 48, 24, (24, 168)),
}  # file, horizon, season of the measures, seasons that the interval suggests
SIGNALS = ("ec2_cpu_utilization_5f5533", "rds_cpu_utilization_cc0c53")
SIGNAL_HORIZON, SIGNAL_SEASONS, ORIGINS, FITS = 12, (288, 2016), 200, 4
SETS = (*M4, *SIGNALS)


def best_alone(forecasts: dict[selection.Key, Array], judge: selection.Judge) -> list[selection.Key]:
    """The one answer that errs least, instead of an average."""
    return [min(forecasts, key=lambda key: judge.score(forecasts[key]))]


def base_alone(forecasts: dict[selection.Key, Array], judge: selection.Judge) -> list[selection.Key]:
    """The greedy average of bases: nothing learnt."""
    return greedy({key: made for key, made in forecasts.items() if key[1] == "base"}, judge)


def effort(**changed: int) -> Callable[[int], Effort]:
    """The usual effort, with something changed."""
    return lambda n: Effort(**(vars(learner.effort(n)) | changed))


VARIANTS: dict[str, list[tuple[object, str, object]]] = {
    "all parts": [],
    "base alone": [(selection, "greedy", base_alone)],
    "without networks": [(search, "effort", effort(n_steps=1))],
    "without ridge": [(ridge, "PENALTY", 1e12)],
    "without reweighting": [(ridge, "REWEIGHTINGS", 0), (ridge, "SOFTNESS", 1e9)],
    "one network instead of several": [(search, "effort", effort(seeds=1))],
    "without clipped targets": [(learner, "WINSOR", 1e3)],
    "candidates mixed evenly": [(classical, "POWER", 0.0)],
    "without Theta": [(configuration, "SMOOTHINGS", ())],
    "best answer alone": [(selection, "greedy", best_alone)],
    "without hedge": [(ensemble, "TOLERANCE", 1e9)],
    "without the gate": [(selection, "PROOF", -1e9)],
    "warm refit": [],
}


def main() -> None:
    """Measure every variant on every set, and write the table."""
    jobs = [(variant, name) for variant in VARIANTS for name in SETS]
    with ProcessPoolExecutor(2) as pool:
        found = dict(zip(jobs, pool.map(measured, jobs), strict=True))
    lines = [
        "# What each part earns",
        "",
        "OWA on the M4 development sets; on two signals the mean absolute error against",
    ]
    lines += [f"the random walk's, at {ORIGINS} origins with {FITS} fits. Seed 0. `python -m benchmarks.ablation`", ""]
    lines += [f"| | {' | '.join(SETS)} |", "|---" * (len(SETS) + 1) + "|"]
    for variant in VARIANTS:
        lines.append(f"| {variant} | {' | '.join(f'{found[variant, name]:.3f}' for name in SETS)} |")
    text = "\n".join(lines) + "\n"
    (ROOT / "benchmarks" / "ablation.md").write_text(text)
    print(text)


def measured(job: tuple[str, str]) -> float:
    """One variant on one set."""
    variant, name = job
    patches = [patch.object(module, attribute, value) for module, attribute, value in VARIANTS[variant]]
    for each in patches:
        each.start()
    try:
        return m4_owa(name, variant) if name in M4 else signal_error(name, variant)
    finally:
        for each in patches:
            each.stop()


def m4_owa(name: str, variant: str) -> float:
    """OWA over the last horizon of each series."""
    file, horizon, season, seasons = M4[name]
    series = read(DATA / file)
    past = {key: values[:-horizon] for key, values in series.items()}
    fitted = fit(past, horizon, seasons, variant)
    made = fitted.forecast(past)
    scores = []
    for key, values in series.items():
        truth, scale = values[-horizon:], naive_scale(past[key], season)
        yard = naive2(past[key], season, horizon)
        scores.append(
            (
                smape(truth, made[key].mean),
                mase(truth, made[key].mean, scale),
                smape(truth, yard),
                mase(truth, yard, scale),
            )
        )
    return owa(*np.mean(scores, axis=0).tolist())


def signal_error(name: str, variant: str) -> float:
    """Mean absolute error in units of the random walk's."""
    (values,) = read(DATA / "signals" / f"{name}.csv.gz").values()
    horizon, stride = SIGNAL_HORIZON, (len(values) // 2 - SIGNAL_HORIZON) // ORIGINS
    errors, naive = 0.0, 0.0
    for k, cutoff in enumerate(
        range(len(values) - horizon - (ORIGINS - 1) * stride, len(values) - horizon + 1, stride)
    ):
        past = {"a": values[:cutoff]}
        if k % (ORIGINS // FITS) == 0:
            fitted = fit(past, horizon, SIGNAL_SEASONS, variant)
        truth = values[cutoff : cutoff + horizon]
        errors += float(np.abs(truth - fitted.forecast(past)["a"].mean).sum())
        naive += float(np.abs(truth - values[cutoff - 1]).sum())
    return errors / naive


def fit(past: dict[str, Array], horizon: int, seasons: tuple[int, ...], variant: str) -> Forecaster:
    """Fit to whole histories; a warm refit begins with a champion that was fitted two horizons earlier."""
    champion = None
    if variant == "warm refit":
        earlier = {key: [values[: -2 * horizon]] for key, values in past.items()}
        champion = Forecaster(horizon, seasons=seasons).fit(earlier)
    return Forecaster(horizon, seasons=seasons).fit({key: [values] for key, values in past.items()}, champion=champion)


def read(path: Path) -> dict[str, Array]:
    """The series of a file: the values are the last column, the name is the first of three."""
    found: dict[str, list[float]] = {}
    with gzip.open(path, "rt") as file:
        next(file)
        for line in file:
            cells = line.rstrip("\n").split(",")
            found.setdefault(cells[0] if len(cells) == 3 else path.name, []).append(float(cells[-1]))
    return {name: np.array(values) for name, values in found.items()}


if __name__ == "__main__":
    main()
