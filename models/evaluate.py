"""The gate: which candidate may serve, judged on windows that none of them was fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import Array
from models.windows import Index

N_FOLDS = 3


@dataclass(frozen=True)
class Verdict:
    """The gate's choice, its reason in words, and the mean scaled error of each candidate."""

    winner: str
    reason: str
    errors: dict[str, float]


def folds(series: Index) -> Index:
    """Number each series' windows by thirds, oldest first. series: (n,), whose window each is. Returns (n,) in 0…2."""
    fold = np.zeros(len(series), dtype=np.intp)
    for number in np.unique(series):
        mine = np.flatnonzero(series == number)
        fold[mine] = np.arange(len(mine)) * N_FOLDS // len(mine)
    return fold


def gate(errors: Mapping[str, Array], fold: Index, *, yardsticks: tuple[str, ...]) -> Verdict:
    """Let the best yardstick serve unless another candidate beats it on average and in most folds.

    errors: for each candidate its scaled error a window (n,); fold: (n,). The yardsticks are the naive forecasts.
    """
    means = {name: float(values.mean()) for name, values in errors.items()}
    yardstick = min(yardsticks, key=lambda name: means[name])
    best = min(means, key=lambda name: means[name])
    if best in yardsticks:
        return Verdict(yardstick, f"nothing beats the {_told(yardstick, means)}", means)
    won = sum(
        errors[best][fold == k].mean() < errors[yardstick][fold == k].mean()
        for k in range(N_FOLDS)
        if (fold == k).any()
    )
    versus = f"{_told(best, means)} against {_told(yardstick, means)}"
    if won * 2 > N_FOLDS:
        return Verdict(best, f"{versus}, better in {won} of {N_FOLDS} folds", means)
    return Verdict(yardstick, f"{versus}, but better in only {won} of {N_FOLDS} folds", means)


def _told(name: str, means: Mapping[str, float]) -> str:
    return f"{name.replace('_', ' ')} ({means[name]:.3f})"
