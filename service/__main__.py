"""The entry of the command `rollcast`.

Nothing heavy is imported at the top: each worker process imports this file again.
"""

import os
import signal
import sys


def main() -> None:
    """Run the command line, with one BLAS thread a process: for linear algebra this small, more only get in the way."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read when NumPy loads, so before any import that loads it
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # it was closed, as by >&-; what is opened next must not take its place
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115  for as long as the process lives
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is under way ends as at Ctrl-C, and says so
    try:
        from service.cli import main as cli

        cli()
    except KeyboardInterrupt:  # while it loads; the command line and the daemon have their own ways to end
        sys.exit(130)


if __name__ == "__main__":
    main()
