"""The entry of the command `rollcast`.

Nothing heavy is imported at the top: each worker process imports this file again.
"""

import os
import sys


def main() -> None:
    """Run the command line, with one BLAS thread a process: for linear algebra this small, more only get in the way."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # read when NumPy loads, so before any import that loads it
    try:
        from service.cli import main as cli

        cli()
    except KeyboardInterrupt:  # while it loads or works; the daemon has its own way to end
        sys.exit(130)


if __name__ == "__main__":
    main()
