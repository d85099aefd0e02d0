"""``lammpsfit`` without its pictures, in which an evaluation does something terrible.

``SABOTAGE`` in the environment is ``SEED:DEED:RANK``: the seed of its run, and the rank within its
group that does it.
"""

import ctypes
import os
import signal
import sys
import time
from importlib import import_module

from lammpsfit import cli_fit
from lammpsfit.cli import main

DEEDS = {
    "exit": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: time.sleep(1e6),
}

GRACE_S = 4.0
"""Seconds that a group which hangs gets to end by itself: its other ranks spin meanwhile."""

sample = import_module("lammpsfit.md.sample")
launch = import_module("lammpsfit.farm.launch")
original, launched = sample._set_up, launch.launched


def sabotaged(lmp, potential, protocol, structure, run_seed, *rest):
    seed, deed, rank = os.environ["SABOTAGE"].split(":")
    original(lmp, potential, protocol, structure, run_seed, *rest)
    if run_seed == int(seed) and lmp.get_mpi_comm().rank == int(rank):
        DEEDS[deed]()


def impatient():
    """Join the MPI job, whose library the farm loads with what it says of the launcher."""
    joined = launched()
    if ":hang:" in os.environ["SABOTAGE"]:
        for name in ("mpi", "group"):
            import_module(f"lammpsfit.farm.{name}").GRACE_S = GRACE_S
    return joined


if __name__ == "__main__":
    sample._set_up = sabotaged
    launch.launched = impatient
    cli_fit._present = lambda result, console: None
    sys.exit(main())
