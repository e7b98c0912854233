"""Worker processes, real ones."""

import os
import signal
import sys
import threading
import time
from datetime import timedelta

import psutil
import pytest

from jobs.workers import StoppedError, WorkerLostError, Workers


@pytest.fixture(scope="module")
def workers():
    pool = Workers(1, timedelta(seconds=2))
    yield pool
    pool.stop()


@pytest.fixture
def fresh_workers():
    pool = Workers(1, timedelta(seconds=1))
    yield pool
    pool.stop()


def pid_of(_):
    return os.getpid()


def double(number):
    return 2 * number


def refuse(_):
    raise ValueError("not this one")


def hang(_):
    time.sleep(60)


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def blas_threads(_):
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [pool["num_threads"] for pool in threadpool_info()]


def priority(_):
    return os.getpriority(os.PRIO_PROCESS, 0)


def policy(_):
    return os.sched_getscheduler(0)


def test_a_worker_gives_way_to_everything_else(workers):
    assert workers.call(priority, None) == 19
    assert priority(None) < 19


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has SCHED_IDLE")
def test_a_worker_runs_when_nobody_else_wants_to_until_one_was_late(fresh_workers):
    assert fresh_workers.call(policy, None) == os.SCHED_IDLE
    with pytest.raises(WorkerLostError):
        fresh_workers.call(hang, None)
    assert fresh_workers.call(policy, None) == os.SCHED_BATCH
    assert policy(None) == os.SCHED_OTHER


def test_a_hang_up_that_reaches_a_worker_does_it_no_harm(workers):
    pid = workers.call(pid_of, None)
    os.kill(pid, signal.SIGHUP)
    assert workers.call(pid_of, None) == pid


def test_only_tasks_that_no_process_has_begun_count_as_waiting():
    pool = Workers(1, timedelta(seconds=60))
    assert pool.waiting() == 0

    def call():
        with pytest.raises(StoppedError):
            pool.call(hang, None)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    deadline = time.monotonic() + 20
    while pool.waiting() != 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pool.stop()
    for caller in callers:
        caller.join(5)
    assert pool.waiting() == 0


def test_a_worker_is_another_process(workers):
    assert workers.call(pid_of, None) != os.getpid()


def test_the_result_comes_back(workers):
    assert workers.call(double, 21) == 42


def test_an_error_comes_back_as_it_was(workers):
    with pytest.raises(ValueError, match="not this one"):
        workers.call(refuse, None)


def test_a_worker_has_one_blas_thread(workers):
    assert set(workers.call(blas_threads, None)) == {1}


def test_a_task_that_hangs_is_ended_and_the_next_one_runs(workers):
    with pytest.raises(WorkerLostError, match=r"^not done within 0:00:02, so it was ended: .* longer refit_timeout$"):
        workers.call(hang, None)
    assert workers.call(double, 1) == 2


def test_a_task_whose_process_dies_is_told_and_the_next_one_runs(workers):
    with pytest.raises(WorkerLostError, match="its process died"):
        workers.call(die, None)
    assert workers.call(double, 1) == 2


def test_a_worker_that_dies_between_two_tasks_is_replaced(workers):
    os.kill(workers.call(pid_of, None), signal.SIGKILL)
    time.sleep(0.5)
    assert workers.call(double, 3) == 6


def test_stopping_ends_the_task_under_way_and_its_process():
    pool = Workers(1, timedelta(seconds=60))
    pid = pool.call(pid_of, None)
    errors = []

    def call():
        try:
            pool.call(hang, None)
        except StoppedError as error:
            errors.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(0.3)
    pool.stop()
    caller.join(5)
    assert len(errors) == 1
    assert not psutil.pid_exists(pid)


def test_a_stopped_pool_takes_no_task():
    pool = Workers(1, timedelta(seconds=60))
    pool.stop()
    with pytest.raises(StoppedError):
        pool.call(double, 1)
