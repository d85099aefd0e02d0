"""Several children at once. Tasks are plain functions that pickle by name."""

import math
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.local import LocalFarm, available_cores
from lammpsfit.md.system import System

LONG = 120.0


@pytest.fixture
def children(alive):
    """Return the process ids of the living children of this process."""

    def find():
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return {pid for pid in pids if parent(pid) == os.getpid() and alive(pid)}

    return find


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except FileNotFoundError:
        return None


def work_off(farm, tasks, timeout=LONG):
    """Run all tasks, each worker getting the next one as soon as it is idle."""
    waiting, results = list(tasks.items()), {}
    while waiting or farm.busy:
        while waiting and farm.idle:
            farm.submit(*waiting.pop(0), timeout)
        for back in farm.wait(LONG):
            assert back.key not in results
            results[back.key] = back.result
    return results


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_comes_back_once_under_its_key(workers):
    tasks = {("root", k): partial(math.sqrt, float(k)) for k in range(20)}
    with LocalFarm(workers) as farm:
        assert (farm.idle, farm.busy) == (workers, 0)
        assert work_off(farm, tasks) == {("root", k): math.sqrt(k) for k in range(20)}
        assert (farm.idle, farm.busy) == (workers, 0)


def test_a_killed_worker_fails_its_task_alone():
    tasks = {k: partial(math.sqrt, float(k)) for k in range(6)}
    tasks[2] = partial(signal.raise_signal, signal.SIGKILL)
    with LocalFarm(2) as farm:
        results = work_off(farm, tasks)
    assert results.pop(2) == Failure(Reason.KILLED, "by SIGKILL")
    assert results == {k: math.sqrt(k) for k in (0, 1, 3, 4, 5)}


def test_a_worker_killed_from_outside_fails_its_task_alone(children):
    before = children()
    with LocalFarm(2) as farm:
        farm.submit("slow", partial(time.sleep, LONG), LONG)
        (pid,) = children() - before
        os.kill(pid, signal.SIGKILL)
        assert work_off(farm, {"next": partial(math.sqrt, 4.0)}) == {
            "slow": Failure(Reason.KILLED, "by SIGKILL"),
            "next": 2.0,
        }


def test_a_slow_task_holds_up_nobody():
    with LocalFarm(2) as farm:
        farm.submit("slow", partial(time.sleep, LONG), LONG)
        for k in range(5):
            farm.submit(k, partial(math.sqrt, float(k)), LONG)
            assert [(back.key, back.result) for back in farm.wait(LONG)] == [(k, math.sqrt(k))]
            assert (farm.idle, farm.busy) == (1, 1)


def test_a_task_that_hangs_is_ended_and_its_worker_goes_on():
    with LocalFarm(1) as farm:
        farm.submit("hangs", partial(time.sleep, LONG), 0.3)
        (back,) = farm.wait(LONG)
        assert (back.key, back.result.reason) == ("hangs", Reason.TIMEOUT)
        assert work_off(farm, {"next": partial(math.sqrt, 4.0)}) == {"next": 2.0}


def test_waiting_ends_when_nothing_comes():
    with LocalFarm(1) as farm:
        assert farm.wait(0.01) == []
        farm.submit("slow", partial(time.sleep, LONG), LONG)
        assert farm.wait(0.01) == []
        assert farm.busy == 1


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_nothing_is_left_running(error, children):
    before = children()
    try:
        with LocalFarm(3) as farm:
            farm.submit("idle", partial(math.sqrt, 1.0), LONG)
            farm.wait(LONG)
            for k in range(3):
                farm.submit(k, partial(time.sleep, LONG), LONG)
            assert len(children() - before) == 3
            if error is not None:
                raise error
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    assert children() == before


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        (partial(System, "SiO2", 100, 2.2), InputError, "multiple of 3"),
        (partial(math.sqrt, -1.0), RunError, "math domain error"),
    ],
)
def test_what_is_no_failed_evaluation_is_raised(task, error, message):
    with LocalFarm(1) as farm:
        farm.submit("bad", task, LONG)
        with pytest.raises(error, match=message):
            farm.wait(LONG)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers(workers):
    with pytest.raises(InputError, match=f"workers must be at least 1, got {workers}"):
        LocalFarm(workers)


def test_cores_of_this_process_are_counted_not_those_of_the_machine():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_an_error_waits_for_what_is_sound():
    with LocalFarm(2) as farm:
        farm.submit("bug", partial(math.sqrt, -1.0), LONG)
        farm.submit("sound", partial(math.sqrt, 9.0), LONG)
        for process, *_ in farm._busy.values():
            assert process.connection.poll(LONG)  # both are back before either is collected
        (back,) = farm.wait(10.0)
        assert (back.key, back.result) == ("sound", 3.0)
        with pytest.raises(RunError, match="math domain error"):
            farm.wait(10.0)
