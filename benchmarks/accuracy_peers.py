"""The peers: statsforecast's AutoETS, AutoTheta and MSTL, with their own intervals, fitted anew at every origin.

They are slow and do not change, so what they forecast is kept in build/, by a hash of all that it depends on.
"""

import hashlib
import json
import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy_tasks import LEVELS, Task
from models.arrays import Array

NAMES = ("AutoETS", "AutoTheta", "MSTL")
VERSION = 1  # of this file's way of asking; another one makes what is kept worthless
Job = tuple[str, tuple[int, ...], Array, int]  # the peer, its seasons, the values it sees (n,), the horizon
Answer = tuple[Array, Array, Array, float]  # mean (H,); lo, hi (n_levels, H); CPU seconds


@dataclass(frozen=True)
class Forecasts:
    """A row a pair of a task: mean (P, H); lo, hi (P, n_levels, H); NaN where there is none.

    seconds: of CPU time.
    """

    mean: Array
    lo: Array
    hi: Array
    seconds: float


def peer_forecasts(task: Task, peer: str, cache: Path, *, fresh: bool, processes: int) -> Forecasts:
    """What a peer forecasts, from the cache if it is there."""
    jobs = _jobs(task, peer)
    path = cache / f"{task.name}-{peer}-{_key(jobs)}.npz"
    if path.is_file() and not fresh:
        with np.load(path) as kept:
            return Forecasts(kept["mean"], kept["lo"], kept["hi"], float(kept["seconds"]))
    answers = _answers(jobs, processes)
    mean, lo, hi = (np.stack([np.asarray(answer[part]) for answer in answers]) for part in range(3))
    made = Forecasts(mean, lo, hi, sum(answer[3] for answer in answers))
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez_compressed(unfinished, mean=mean, lo=lo, hi=hi, seconds=np.array(made.seconds))
    unfinished.replace(path)
    return made


def forecast(job: Job) -> Answer:
    """One forecast of one peer. Its CPU time, with the fit, is part of the answer."""
    peer, seasons, values, horizon = job
    model = _model(peer, seasons, len(values))
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = model.forecast(y=values, h=horizon, level=list(LEVELS))
    seconds = time.process_time() - began
    lo, hi = (np.stack([made[f"{side}-{level}"] for level in LEVELS]) for side in ("lo", "hi"))
    return np.asarray(made["mean"], dtype=np.float64), lo.astype(np.float64), hi.astype(np.float64), seconds


def _model(peer: str, seasons: tuple[int, ...], length: int) -> Any:
    """The peer. MSTL takes the seasons of which there are two; where there is none, it is AutoETS on the values."""
    from statsforecast import models  # the benchmark's own environment alone has it

    if peer == "MSTL":
        seen = [season for season in seasons if length > 2 * season]
        return models.MSTL(season_length=seen) if seen else models.AutoETS(season_length=1, model="ZZN")
    kinds: dict[str, Callable[..., Any]] = {"AutoETS": models.AutoETS, "AutoTheta": models.AutoTheta}
    return kinds[peer](season_length=seasons[0])


def _jobs(task: Task, peer: str) -> list[Job]:
    asked = task.peers
    seasons = {"AutoETS": (asked.ets,), "AutoTheta": (asked.theta,), "MSTL": asked.mstl}[peer]
    newest = asked.newest
    return [
        (peer, seasons, task.series[name].values[0 if newest is None else max(0, end - newest) : end], task.horizon)
        for name, end in task.pairs
    ]


def _key(jobs: list[Job]) -> str:
    """A hash of all that the answers depend on."""
    digest = hashlib.sha256()
    digest.update(json.dumps([VERSION, metadata.version("statsforecast"), LEVELS]).encode())
    for peer, seasons, values, horizon in jobs:
        digest.update(json.dumps([peer, seasons, horizon]).encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:16]


def _answers(jobs: list[Job], processes: int) -> list[Answer]:
    if processes == 1:
        return [forecast(job) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(forecast, jobs, chunksize=4))
