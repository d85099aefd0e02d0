"""What is observed beside g(r): taken from positions or frames, and checked.

What observes is somebody's Python, perhaps new. Where it is wrong, the message names it and the
line: it is no error of LAMMPS, and no fault of the potential.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.errors import LammpsfitError, RunError
from lammpsfit.md.frames import Frames, Observable
from lammpsfit.md.histogram import FloatArray


def measured(name: str, take: Callable[[], FloatArray]) -> FloatArray:
    """Take what one frame shows, shape (K,).

    Raises
    ------
    RunError
        If it cannot be taken, or has another shape.
    SimulationError
        If it is not finite.
    """
    with _blamed(name):
        values = np.asarray(take(), dtype=np.float64)
    return _sound(name, values, f"(K,) from measure, got {values.shape}", values.ndim == 1)


def observed(one: Observable, frames: Frames) -> FloatArray:
    """Observe all frames, shape (n_frames, K).

    Raises
    ------
    RunError
        If it cannot be done, or gives another shape.
    SimulationError
        If it is not finite.
    """
    with _blamed(one.name):
        values = np.asarray(one.observe(frames), dtype=np.float64)
    right = values.ndim == 2 and len(values) == len(frames)
    shape = f"(n_frames, K) from observe with {len(frames)} frames, got {values.shape}"
    return _sound(one.name, values, shape, right)


def _sound(name: str, values: FloatArray, shape: str, right: bool) -> FloatArray:
    if not right:
        raise RunError(f"the term {name} must give an array of shape {shape}")
    if not np.all(np.isfinite(values)):
        raise SimulationError(Reason.NOT_A_NUMBER, f"in {name}")
    return values


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """Say which term and which line of it failed in this block."""
    try:
        yield
    except (LammpsfitError, SimulationError, MemoryError):
        raise
    except Exception as error:
        raise RunError(f"the term {name} failed: {_where(error)}") from error


def _where(error: Exception) -> str:
    places: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    last = places[-1]
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said} ({last.filename}:{last.lineno})"
