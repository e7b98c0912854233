"""Worker processes, so that a refit never slows reading or fetching.

Each has one BLAS thread, works under a timeout, and goes when its parent goes. It has the lowest priority there is, at
which a machine that others keep busy may leave it next to nothing; so once a task has not been done in time, workers
that start after that have a priority that keeps them a share.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

A = TypeVar("A")
R = TypeVar("R")


class StoppedError(Exception):
    """The workers were stopped while they had this task."""


class WorkerLostError(Exception):
    """A task did not end: its process died, or took too long."""


class Workers:
    """A pool of processes. The first one starts with the first task."""

    def __init__(self, count: int, timeout: timedelta) -> None:
        self._count = count
        self._timeout = timeout
        self._context = multiprocessing.get_context(
            "forkserver"
        )  # fork, from a process with threads, can hang the child
        self._context.set_forkserver_preload(["jobs.fit"])
        self._was_late = self._context.RawValue(ctypes.c_bool, False)  # the workers see it, too
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._futures: set[Future[Any]] = set()
        self._pool = self._new_pool()

    def call(self, function: Callable[[A], R], argument: A) -> R:
        """Run function(argument) in a worker and wait for its result.

        Raises what the function raised, WorkerLostError where its process died or the timeout ended it, StoppedError
        at `stop`.
        """
        try:
            future = self._schedule(function, argument)
            try:
                result: R = future.result()
            finally:
                self._futures.discard(future)
        except TimeoutError as error:
            self._was_late.value = True
            raise WorkerLostError(
                f"not done within {self._timeout}, so it was ended: the machine is busy, or set a longer refit_timeout"
            ) from error
        except (ProcessExpired, BrokenProcessPool) as error:
            # Ctrl-C, and the SIGTERM of a service manager, reach all processes at once: the workers may go first.
            if self._stopped.wait(2):
                raise StoppedError("stopped before it was done") from error
            raise WorkerLostError(f"its process died ({error})") from error
        except CancelledError as error:
            raise StoppedError("stopped before it was done") from error
        return result

    def waiting(self) -> int:
        """How many tasks wait for a process."""
        return sum(not (future.running() or future.done()) for future in list(self._futures))

    def stop(self) -> None:
        """End all tasks and processes now."""
        with self._lock:
            self._stopped.set()
            for future in list(self._futures):
                future.cancel()
            self._pool.stop()  # type: ignore[no-untyped-call]  # pebble leaves it untyped
        self._pool.join()

    def _schedule(self, function: Callable[[A], R], argument: A) -> "Future[R]":
        seconds = self._timeout.total_seconds()
        with self._lock:
            if self._stopped.is_set():
                raise StoppedError("the workers are stopped")
            try:
                future = self._pool.schedule(function, args=(argument,), timeout=seconds)
            except RuntimeError:  # pebble gives a pool up for good when a process dies between two tasks
                self._pool = self._new_pool()
                future = self._pool.schedule(function, args=(argument,), timeout=seconds)
            self._futures.add(future)
            return future

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._count, initializer=_prepare_worker, initargs=(self._was_late,), context=self._context
        )


def _prepare_worker(was_late: ctypes.c_bool) -> None:
    """One BLAS thread, and a low priority; Ctrl-C and SIGHUP are the parent's business; without a parent there is
    nobody to work for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _give_way(keep_a_share=was_late.value)
    threadpool_limits(1)
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()


def _give_way(*, keep_a_share: bool) -> None:
    """Let questions and fetches come first."""
    os.nice(19)
    if sys.platform == "linux":  # elsewhere the niceness must do
        # Whoever wakes takes the processor from SCHED_IDLE at once, from SCHED_BATCH when its slice of a ms or so ends.
        policy = os.SCHED_BATCH if keep_a_share else os.SCHED_IDLE
        with suppress(OSError):  # as in a container that does not allow it
            os.sched_setscheduler(0, policy, os.sched_param(0))


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
