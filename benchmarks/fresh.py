"""One fresh process: import a library, fit its RNN to a series, and end. Started by `benchmarks.processes`.

    python -m benchmarks.fresh LIBRARY FOLDER STEPS RATE SEED [forecast]

FOLDER holds train.npy, the standardised series, and past.npy, the LOOKBACK values before each of the forecasts, which
are made on demand and written to forecasts.npy. Each library is imported as leanly as it allows, inside its function,
so that a process pays for its own imports alone. The last line printed is the process's peak memory in KiB.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Series = NDArray[np.float32]

LOOKBACK, HORIZON, HIDDEN, BATCH = 48, 24, 32, 128
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def batches(train: "Series", seed: int) -> Any:
    """A function that draws a batch of windows, (LOOKBACK + HORIZON, BATCH)."""
    import numpy as np

    windows = np.lib.stride_tricks.sliding_window_view(train, LOOKBACK + HORIZON)
    rng = np.random.default_rng(seed)
    return lambda: np.ascontiguousarray(windows[rng.integers(len(windows), size=BATCH)].T)


def ours(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    import numpy as np

    from models import losses, training
    from models.parameters import Parameters, Shape
    from models.rnn import Unrolled, predict

    parameters = Parameters.initial(Shape(1, HIDDEN, HORIZON), np.random.default_rng(seed))
    network = Unrolled(parameters, steps=LOOKBACK, batch=BATCH)
    draw_windows = batches(train, seed)

    def draw(_: int) -> training.Batch:
        windows = draw_windows()
        return training.Batch((windows[:LOOKBACK, None],), windows[LOOKBACK:])

    training.fit(network, draw, losses.mse, n_steps=steps, rate=rate)
    return None if past is None else predict(parameters, past.T[:, None]).T


def torch(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    import torch

    from benchmarks.in_torch import Torch

    torch.manual_seed(seed)
    network, draw = Torch(HIDDEN, 1, HORIZON, lr=rate), batches(train, seed)
    for _ in range(steps):
        windows = torch.from_numpy(draw())
        network.update(windows[:LOOKBACK, :, None], windows[LOOKBACK:].T)
    if past is None:
        return None
    with torch.inference_mode():
        return network.readout(network.rnn(torch.tensor(past.T[:, :, None]))[1][0]).numpy()


def jax(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    import numpy as np

    from benchmarks.in_jax import Jax, compiled

    if past is not None:
        raise SystemExit("JAX is here for its time alone")
    rng = np.random.default_rng(seed)
    sizes = {"W": (HIDDEN, HIDDEN), "b": (HIDDEN,), "U": (HIDDEN, 1), "V": (HORIZON, HIDDEN), "c": (HORIZON,)}
    start = {name: rng.uniform(-1.0, 1.0, size).astype(np.float32) / HIDDEN**0.5 for name, size in sizes.items()}
    # Not unrolled: what is written out for the compiler runs faster, but compiles for much longer.
    network, draw = Jax(start, compiled(unroll=1, rate=rate)), batches(train, seed)
    for _ in range(steps):
        windows = draw()
        loss = network.update(windows[:LOOKBACK, None], windows[LOOKBACK:])
    network.finish(loss)


def neuralforecast(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    """Its RNN with a linear decoder, as ours has; the series is standardised already, so no scaler of its own."""
    import numpy as np
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.models import RNN

    model = RNN(
        h=HORIZON,
        input_size=LOOKBACK,
        encoder_hidden_size=HIDDEN,
        encoder_n_layers=1,
        decoder_layers=1,
        windows_batch_size=BATCH,
        max_steps=steps,
        learning_rate=rate,
        scaler_type="identity",
        random_seed=seed,
        **QUIET,
    )
    forecaster = NeuralForecast([model], freq=1)
    forecaster.fit(pd.DataFrame({"unique_id": "series", "ds": np.arange(len(train)), "y": train}))
    if past is None:
        return None
    each, when = np.indices(past.shape)
    frame = pd.DataFrame({"unique_id": each.ravel(), "ds": when.ravel(), "y": past.ravel()})
    forecasts = forecaster.predict(frame).sort_values(["unique_id", "ds"])
    return forecasts["RNN"].to_numpy().reshape(-1, HORIZON)


def darts(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    """Darts' RNN of the same arrangement as ours: all steps of the forecast from the last state."""
    from darts.models.forecasting.block_rnn_model import BlockRNNModel

    return with_darts(BlockRNNModel, {"output_chunk_length": HORIZON}, train, past, steps, rate, seed)


def darts_recurrent(train: "Series", past: "Series | None", steps: int, rate: float, seed: int) -> Any:
    """Darts' other RNN, which is trained to say the next value at each step and forecasts step by step."""
    from darts.models.forecasting.rnn_model import RNNModel

    return with_darts(RNNModel, {"training_length": LOOKBACK + HORIZON}, train, past, steps, rate, seed)


def with_darts(
    kind: Any, sizes: dict[str, int], train: "Series", past: "Series | None", steps: int, rate: float, seed: int
) -> Any:
    import numpy as np
    from darts import TimeSeries

    model = kind(
        input_chunk_length=LOOKBACK,
        model="RNN",
        hidden_dim=HIDDEN,
        n_rnn_layers=1,
        batch_size=BATCH,
        n_epochs=-1,
        optimizer_kwargs={"lr": rate},
        random_state=seed,
        pl_trainer_kwargs=QUIET | {"max_steps": steps, "max_epochs": -1},
        **sizes,
    )
    model.fit(TimeSeries.from_values(train))
    if past is None:
        return None
    forecasts = model.predict(HORIZON, series=[TimeSeries.from_values(values) for values in past], verbose=False)
    return np.stack([forecast.values()[:, 0] for forecast in forecasts])


LIBRARIES = {
    "ours": ours,
    "torch": torch,
    "jax": jax,
    "neuralforecast": neuralforecast,
    "darts": darts,
    "darts_recurrent": darts_recurrent,
}


def peak_memory() -> int:
    """This program's peak memory in KiB.

    Not ru_maxrss: Linux starts that at the memory of the process that started this one.
    """
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main() -> None:
    library, folder, steps, rate, seed, *forecast = sys.argv[1:]
    import numpy as np

    train = np.load(f"{folder}/train.npy")
    past = np.load(f"{folder}/past.npy") if forecast else None
    forecasts = LIBRARIES[library](train, past, int(steps), float(rate), int(seed))
    if forecasts is not None:
        np.save(f"{folder}/forecasts.npy", forecasts)
    print(f"\n{peak_memory()}")


if __name__ == "__main__":
    main()
