"""Programs for ``mpiexec -n N python under_mpi.py NAME``; rank 0 prints what came of it."""

import ctypes
import json
import math
import os
import pickle
import signal
import sys
import time
from functools import partial
from pathlib import Path

from lammpsfit.child.failure import Failure
from lammpsfit.farm.launch import launched, open_farm
from lammpsfit.md.system import System

LONG = 600.0


def work_off(farm, tasks, timeout=60.0):
    waiting, results, workers = list(tasks.items()), {}, set()
    while waiting or farm.busy:
        while waiting and farm.idle:
            farm.submit(*waiting.pop(0), timeout)
        for back in farm.wait(0.5):
            failed = isinstance(back.result, Failure)
            results[back.key] = f"{back.result.reason}" if failed else back.result
            workers.add(back.worker)
    return results, workers


def many(farm):
    """Every task comes back once, under its key; all workers take part."""
    with farm:
        assert (farm.idle, farm.busy) == (farm.workers, 0)
        roots = {f"{k}": partial(math.sqrt, float(k)) for k in range(30)}
        results, workers = work_off(farm, roots)
    print(json.dumps({"results": results, "workers": sorted(workers)}))


def deaths(farm):
    """Children that die in every way, among sound ones."""
    tasks = {
        "segfault": partial(ctypes.string_at, 0),
        "killed": partial(signal.raise_signal, signal.SIGKILL),
        "crash": partial(os._exit, 3),
        "hang": partial(time.sleep, LONG),
    }
    sound = {f"{k}": partial(math.sqrt, float(k)) for k in range(8)}
    with farm:
        results, _ = work_off(farm, tasks | sound, timeout=5.0)
    print(json.dumps(results))


def large(farm):
    """Messages far beyond what MPI sends at once, both ways."""
    text = b"x" * 20_000_000
    with farm:
        results, _ = work_off(farm, {k: partial(bytes.replace, text, b"x", b"y") for k in range(4)})
    print(json.dumps([results[k] == text.replace(b"x", b"y") for k in range(4)]))


def twice(farm):
    """A farm left with work under way, and another one in its place."""
    with farm:
        for k in range(farm.workers):
            farm.submit(("old", k), partial(time.sleep, 0.5 if k else LONG), LONG)
        time.sleep(1.0)  # the answer of the short one is on its way, and nobody asks for it
    with type(farm)(farm._comm) as again:
        results, _ = work_off(again, {"new": partial(math.sqrt, 4.0)})
    print(json.dumps(results))


def evaluation(farm):
    """Run the pickled task of a file, keep its pickled result."""
    task, result = map(Path, sys.argv[2:])
    with farm:
        farm.submit("only", pickle.loads(task.read_bytes()), 120.0)
        while not (back := farm.wait(0.5)):
            pass
    result.write_bytes(pickle.dumps(back[0].result))


def idle(farm):
    """CPU time over wall-clock time of rank 0 while all workers are busy."""
    with farm:
        for k in range(farm.workers):
            farm.submit(k, partial(time.sleep, 3.0), LONG)
        cpu, wall = time.process_time(), time.monotonic()
        while farm.busy:
            farm.wait(0.5)
        print((time.process_time() - cpu) / (time.monotonic() - wall))


def bug(farm):
    """Fail on rank 0 while all workers are busy."""
    with farm:
        for k in range(farm.workers):
            farm.submit(k, partial(time.sleep, LONG), LONG)
        time.sleep(1.0)
        raise ZeroDivisionError("a bug on rank 0")


def bug_outside(farm):
    """Fail on rank 0 where no farm is open."""
    raise ZeroDivisionError("a bug on rank 0")


def refused(farm):
    """Run a task that is refused for its input."""
    with farm:
        farm.submit("bad", partial(System, "SiO2", 100, 2.2), 60.0)
        while True:
            farm.wait(0.5)


def code(farm):
    """Leave with an exit code."""
    sys.exit(int(sys.argv[2]))


def forever(farm):
    """Say so, then wait for workers that never come back."""
    with farm:
        for k in range(farm.workers):
            farm.submit(k, partial(time.sleep, LONG), LONG)
        print(json.dumps(os.getpid()), flush=True)
        while True:
            farm.wait(0.5)


def main():
    launch = launched()
    if launch.rank > 0:
        launch.serve()
        return
    with launch:
        globals()[sys.argv[1]](open_farm(launch, None, True))


if __name__ == "__main__":
    main()
