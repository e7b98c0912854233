"""How things are measured here, and what one measured thing is: a row of the table.

Other programs run on the same machine, and its clock speed wanders. So what is compared takes turns, A B A B, in
rounds of some hundredths of a second; the time is the process's own CPU time on one core; each round gives one ratio;
and a row shows the median of the ratios.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

Run = Callable[[int], None]  # does its work so many times

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}
LIBRARIES = ("numpy", "torch", "jax", "jaxlib", "neuralforecast", "darts", "pytorch-lightning", "pandas")
SIMD = ("AVX512_SPR", "AVX512_ICL", "AVX512_SKX", "AVX2", "AVX", "SSE42", "SVE", "ASIMD", "NEON")  # best first


@dataclass(frozen=True)
class Effort:
    """How much to measure: rounds, and seconds of each side in a round; runs of a fresh process; seeds of a fit."""

    rounds: int = 11
    seconds: float = 0.04
    processes: int = 5
    seeds: int = 3


QUICK = Effort(rounds=3, seconds=0.02, processes=1, seeds=1)


@dataclass(frozen=True)
class Row:
    """One line of the table. `asked` is the least ratio wanted, or the most where `at_most`; None: for information."""

    group: str
    what: str
    ours: float
    peer: float | None
    unit: str
    ratio: float
    low: float  # the smallest and the largest ratio of any round
    high: float
    asked: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether what was asked for is reached; None where nothing was."""
        if self.asked is None:
            return None
        return self.ratio <= self.asked if self.at_most else self.ratio >= self.asked


def use_one_core() -> None:
    """One core and one thread, for this process and those it starts; before NumPy or any other library is imported."""
    os.environ.update(ONE_THREAD)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the peers were compiled when installed; ours are at first import
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def cpu_seconds(run: Run, times: int) -> float:
    """CPU seconds of one of `times` runs."""
    started = time.process_time_ns()
    run(times)
    return (time.process_time_ns() - started) / 1e9 / times


def times_in(run: Run, seconds: float) -> int:
    """How many runs fill the time, after a first run that warms up."""
    run(1)
    times = 1
    while (each := cpu_seconds(run, times)) * times < seconds / 4:
        times *= 2
    return max(1, round(seconds / each))


def take_turns(runs: list[Run], effort: Effort) -> list[list[float]]:
    """CPU seconds of a single run, for each of the runs in each round: (rounds, runs)."""
    times = [times_in(run, effort.seconds) for run in runs]
    return [[cpu_seconds(run, n) for run, n in zip(runs, times, strict=True)] for _ in range(effort.rounds)]


def fastest(runs: Mapping[str, Run], effort: Effort) -> str:
    """The name of the quickest of the runs, by the medians of a few rounds in turns."""
    few = Effort(rounds=min(5, effort.rounds), seconds=effort.seconds / 2)
    medians = map(statistics.median, zip(*take_turns(list(runs.values()), few), strict=True))
    return min(zip(medians, runs, strict=True))[1]


def repeated(call: Callable[[], object]) -> Run:
    """The run that does the call so many times."""
    return partial(_repeat, call)


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


def compare(group: str, what: str, rounds: Sequence[Sequence[float]], scale: float, unit: str, **rest: Any) -> Row:
    """The row of these rounds: (ours, peer) in seconds, `scale` units in each."""
    ratios = [peer / ours for ours, peer in rounds]
    ours, peer = (statistics.median(side) * scale for side in zip(*rounds, strict=True))
    return Row(group, what, ours, peer, unit, statistics.median(ratios), min(ratios), max(ratios), **rest)


def machine() -> dict[str, Any]:
    """What the numbers depend on: processor, SIMD level, BLAS and the versions of the libraries."""
    import numpy as np
    from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]  # the only place that tells

    features: dict[str, bool] = getattr(umath, "__cpu_features__", {})
    built = np.show_config(mode="dicts") or {}
    blas = built.get("Build Dependencies", {}).get("blas", {})
    found = {
        "processor": _processor(),
        "python": platform.python_version(),
        "numpy_simd": next((name for name in SIMD if features.get(name)), "baseline"),
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
    }
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return found
    kernels = [pool["architecture"] for pool in threadpool_info() if pool.get("internal_api") == "openblas"]
    return found | {"blas_kernel": kernels[0] if kernels else "unknown"}


def _processor() -> str:
    """The processor's name, with family and model, which tell more where a hypervisor hides the name."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    pairs = (line.split(":", 1) for line in info.read_text().split("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    name = fields.get("model name", platform.machine())
    return f"{name}, family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
