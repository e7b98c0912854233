"""What is forecast to measure accuracy: the panels, where they come from, and from which origins.

M4's development sets and the signals lie in ../shared/data, beside the repository; the prices come with PyPI's arch. An
origin is the number of a series' rows before it, and origins are those of `rollcast backtest`: with n rows, a horizon
of H and a stride of S after n − H rows, n − H − S, and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from models.arrays import Array

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
ID, TIME, VALUE = "unique_id", "ds", "y"
LEVELS = (80, 95)
NEWEST = 2000  # values that the peers see of a price or a signal: with more they are out of reach at 200 origins
PRICES = {"sp500": "Close", "nasdaq": "Close", "wti": "DCOILWTICO", "vix": "vix"}  # of arch.data, and the column
SIGNALS = {  # of the Numenta Anomaly Benchmark, and the step
    "ec2_cpu_utilization_5f5533": "5min",
    "machine_temperature_system_failure": "5min",
    "nyc_taxi": "30min",
    "rds_cpu_utilization_cc0c53": "5min",
    "speed_7578": "5min",
}
SHIFTED, SHIFT = "rds_cpu_utilization_cc0c53", 3080  # the first row after its level shift, from about 6 to about 15
PRICE_ORIGINS, SIGNAL_ORIGINS, SIGNAL_HORIZON = 250, 200, 12


class NoDataError(Exception):
    """What is to be forecast is not on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Series:
    """values: (n,), oldest first; times: their ds, as they stand in a file, (n,)."""

    values: Array
    times: tuple[str, ...]


@dataclass(frozen=True)
class Peers:
    """How the peers are asked: their seasons, and how many of the newest values they see."""

    ets: int = 1
    theta: int = 1
    mstl: tuple[int, ...] = ()
    newest: int | None = None


@dataclass(frozen=True)
class Task:
    """One panel to be forecast. season: of MASE and Naive2."""

    name: str
    series: Mapping[str, Series]
    interval: str
    season: int
    horizon: int
    cutoffs: int = 1
    stride: int = 1
    peers: Peers = field(default_factory=Peers)

    @property
    def pairs(self) -> list[tuple[str, int]]:
        """Each series at each of its origins, the oldest first."""
        back = [self.horizon + k * self.stride for k in reversed(range(self.cutoffs))]
        return [(name, len(rows.values) - steps) for name, rows in self.series.items() for steps in back]

    def write(self, folder: Path) -> Path:
        """Write it as the long file that `rollcast backtest` reads."""
        path = folder / f"{self.name}.csv"
        parts = [pd.DataFrame({ID: name, TIME: rows.times, VALUE: rows.values}) for name, rows in self.series.items()]
        pd.concat(parts).to_csv(path, index=False)
        return path


def counted(values: Array) -> Series:
    """A series whose times count its rows."""
    return Series(values, tuple(map(str, range(len(values)))))


def weekly() -> Task:
    """M4's weekly development set."""
    peers = Peers(ets=1, theta=1, mstl=(52,))
    return Task("m4_weekly_dev", _long("m4_weekly_dev.csv.gz"), "W", season=1, horizon=13, peers=peers)


def hourly() -> Task:
    """M4's hourly development set."""
    peers = Peers(ets=24, theta=24, mstl=(24, 168))
    return Task("m4_hourly_dev", _long("m4_hourly_dev.csv.gz"), "1h", season=24, horizon=48, peers=peers)


def prices() -> list[Task]:
    """Daily prices, each by itself."""
    return [_price(name, column) for name, column in PRICES.items()]


def signals() -> list[Task]:
    """Metrics of machines and of a city, each by itself."""
    return [_signal(name, interval) for name, interval in SIGNALS.items()]


def of_2000_points() -> list[Task]:
    """Panels of one series, of which a fit sees 2,000 values: a signal's first ones, and a made-up price."""
    walk = np.round(100.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, 2005))), 2)
    made = Task("random_walk_2000", {"walk": counted(walk)}, "B", season=1, horizon=5)
    name = "machine_temperature_system_failure"
    try:
        values = _values(name)[: 2000 + SIGNAL_HORIZON]
    except NoDataError:
        return [made]
    machine = Task("machine_temperature_2000", {name: counted(values)}, "5min", season=1, horizon=SIGNAL_HORIZON)
    return [machine, made]


def _long(file: str) -> dict[str, Series]:
    """The series of a file in the long format."""
    path = SHARED / file
    if not path.is_file():
        raise NoDataError(f"{path} is not there")
    frame = pd.read_csv(path, dtype={ID: str, TIME: str})
    return {
        str(name): Series(rows[VALUE].to_numpy(dtype=np.float64), tuple(rows[TIME]))
        for name, rows in frame.groupby(ID, sort=False)
    }


def _price(name: str, column: str) -> Task:
    try:
        module = import_module(f"arch.data.{name}")
    except ImportError as error:
        raise NoDataError(f"arch is not installed: {error}") from error
    known = module.load()[column].dropna()
    rows = Series(known.to_numpy(dtype=np.float64), tuple(known.index.strftime("%Y-%m-%d")))
    peers = Peers(ets=1, theta=1, mstl=(5,), newest=NEWEST)
    return Task(name, {name: rows}, "B", season=1, horizon=5, cutoffs=PRICE_ORIGINS, peers=peers)


def _signal(name: str, interval: str) -> Task:
    """A row is a step, counted: the clock of one of them is set back once, another one leaves steps out."""
    values = _values(name)
    stride = min(10, (len(values) // 2 - SIGNAL_HORIZON) // SIGNAL_ORIGINS)  # over the second half, if that is short
    # A season of 48 is too long for AutoETS, which would fall back on none, and one of 288 for AutoTheta.
    peers = Peers(theta=48, mstl=(48, 336), newest=NEWEST) if interval == "30min" else Peers(mstl=(288,), newest=NEWEST)
    series = {name: counted(values)}
    return Task(name, series, interval, 1, SIGNAL_HORIZON, cutoffs=SIGNAL_ORIGINS, stride=stride, peers=peers)


def _values(name: str) -> Array:
    path = SHARED / "signals" / f"{name}.csv.gz"
    if not path.is_file():
        raise NoDataError(f"{path} is not there")
    return pd.read_csv(path)["value"].to_numpy(dtype=np.float64)
