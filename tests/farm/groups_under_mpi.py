"""Programs for ``mpiexec -n N python groups_under_mpi.py NAME``, with groups of two ranks."""

import json
import math
import pickle
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from lammpsfit.child.failure import Failure, Reason, SimulationError
from lammpsfit.farm.launch import launched, open_farm
from lammpsfit.target.evaluate import Evaluate

sample = import_module("lammpsfit.md.sample")
RANKS = 2
GRACE_S = 4.0
"""Seconds that a group which hangs gets to end by itself: its other ranks spin meanwhile."""


@dataclass(frozen=True)
class Sabotaged:
    """An evaluation to which something happens after it was set up, on one or all ranks."""

    task: Evaluate
    deed: str

    def __call__(self):
        original = sample._set_up

        def sabotaged(lmp, *arguments):
            original(lmp, *arguments)
            getattr(self, self.deed)(lmp)

        sample._set_up = sabotaged
        try:
            return self.task()
        finally:
            sample._set_up = original

    def lost_atom(self, lmp):
        if lmp.get_mpi_comm().rank == 0:
            lmp.numpy.extract_atom("x")[0, 0] += 1e5

    def close_pair(self, lmp):
        """Two atoms deep within the inner cutoff of the table, which one rank notices."""
        if lmp.get_mpi_comm().rank == 0:
            x = lmp.numpy.extract_atom("x")
            x[1] = x[0] + 0.05

    def raised_by_one(self, lmp):
        if lmp.get_mpi_comm().rank == 1:
            raise SimulationError(Reason.OUT_OF_MEMORY, "on one rank")

    def hang(self, lmp):
        if lmp.get_mpi_comm().rank == 1:
            time.sleep(1e6)


def raised_by_last(value):
    """Raise on one rank where the others need it no more."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.rank % RANKS == 0:
        raise SimulationError(Reason.OUT_OF_MEMORY, "on one rank")
    return value


def said(result):
    return f"{result.reason}" if isinstance(result, Failure) else "ok"


def work_off(farm, tasks, timeout=120.0):
    """Run tasks, waiting for an idle group as the loop of a fit does."""
    waiting, results = list(tasks.items()), {}
    while waiting or farm.busy:
        while waiting and farm.idle:
            farm.submit(*waiting.pop(0), timeout)
        for back in farm.wait(0.5):
            results[back.key] = back
    return results


def load():
    return pickle.loads(Path(sys.argv[2]).read_bytes())


def many(farm):
    """Every task comes back once, under its key; all groups take part."""
    with farm:
        workers = farm.workers
        back = work_off(farm, {f"{k}": partial(math.sqrt, float(k)) for k in range(30)})
    results = {key: one.result for key, one in back.items()}
    seen = sorted({one.worker for one in back.values()})
    print(json.dumps({"results": results, "workers": seen, "number": workers}))


def evaluations(farm):
    """Run the pickled tasks of a file, keep their pickled results."""
    with farm:
        back = work_off(farm, load())
    Path(sys.argv[3]).write_bytes(pickle.dumps({key: one.result for key, one in back.items()}))


def survived(farm):
    """Failures that all ranks see, and a sound evaluation by the same group after each."""
    task = load()
    tasks = {
        "lost atom": Sabotaged(task, "lost_atom"),
        "sound": task,
        "raised by the last": partial(raised_by_last, 1.0),
        "sound again": task,
    }
    with farm:
        back = work_off(farm, tasks)
    print(json.dumps({key: said(one.result) for key, one in back.items()}))


def slow(farm):
    """Give an evaluation that is only slow far too little time, then a sound one."""
    task, endless = load()
    with farm:
        work_off(farm, {"first": task})  # so that ranks have loaded what they need
        first = work_off(farm, {"slow": endless}, timeout=1.0)
        second = work_off(farm, {"sound": task})
    print(json.dumps({key: said(one.result) for key, one in (first | second).items()}))


def given_up(farm):
    """A deed that one rank alone knows of, then more work for the groups that are left."""
    task, deed = load(), sys.argv[3]
    with farm:
        first = work_off(farm, {deed: Sabotaged(task, deed)}, timeout=float(sys.argv[4]))
        print(json.dumps({key: said(one.result) for key, one in first.items()}), flush=True)
        second = work_off(farm, {"sound": task})
        print(json.dumps({key: said(one.result) for key, one in second.items()}), flush=True)


def halted(farm):
    """Leave the farm while its groups are amid a long evaluation."""
    task, endless = load()
    with farm:
        work_off(farm, {"first": task})  # so that ranks have loaded what they need
        for k in range(farm.workers):
            farm.submit(k, endless, 600.0)
        time.sleep(2.0)
    with type(farm)(farm._comm, RANKS) as again:
        again.submit("new", partial(math.sqrt, 4.0), 60.0)
        time.sleep(1.0)  # whatever the ranks say to a second farm lies here beside the answer
        (new,) = again.wait(60.0)
    print(json.dumps(new.result))


def bug(farm):
    """Make every group meet a bug, which is no property of a potential."""
    with farm:
        work_off(farm, {"bug": partial(math.sqrt, "four")})


def main():
    launch = launched()
    if sys.argv[1] == "given_up":
        for name in ("mpi", "group"):
            import_module(f"lammpsfit.farm.{name}").GRACE_S = GRACE_S
    if launch.rank > 0:
        launch.serve()
        return
    with launch:
        globals()[sys.argv[1]](open_farm(launch, None, True, RANKS))


if __name__ == "__main__":
    main()
