"""One configuration of a trajectory, as every reader gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError

FloatArray = NDArray[np.float64]

MOST_ATOMS: Final = 1_000_000
"""Most atoms of a frame: no ab initio run has so many, and a damaged number may have any size."""

CUT_SHORT: Final = (
    "not all of it is there, but more follows, as where a run was restarted: take it out of the "
    "file"
)
"""What is wrong with a frame that ends early within a file."""


class EndsEarly(Exception):  # noqa: N818  (no failure: the frames before count)
    """The file ends within a frame, as that of a run that was killed or still goes on."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Atoms in a periodic cell.

    Attributes
    ----------
    species : tuple of str
        Name of each atom, in any order.
    positions : ndarray, shape (n, 3), Å
        Cartesian, wrapped into the cell or not.
    cell : ndarray, shape (3, 3), Å
        Cell vectors as rows.
    time : float or None, ps
        Where the file tells it.
    step : int or None
        Number of the step of the run, where the file tells it.
    """

    species: tuple[str, ...]
    positions: FloatArray
    cell: FloatArray
    time: float | None = None
    step: int | None = None


@dataclass(frozen=True)
class Hints:
    """What a file does not say itself.

    Attributes
    ----------
    types : mapping of int to str
        Species of the LAMMPS types.
    cell : str or None
        Cell of an xyz file that has none: numbers in Å and degrees, or a file of CP2K.
    """

    types: Mapping[int, str] = field(default_factory=dict)
    cell: str | None = None


def check_count(n: int, where: str) -> int:
    """Return the number of atoms that a file says a frame has, before so much of it is read.

    Raises
    ------
    InputError
        If there are none or more than :data:`MOST_ATOMS`.
    """
    if not 1 <= n <= MOST_ATOMS:
        raise InputError(f"{where}: the number of atoms must be 1 to {MOST_ATOMS}, got {n}")
    return n


def check_frame(frame: Frame, where: str) -> None:
    """Refuse a frame that has no atoms, no cell, or numbers that are none.

    Raises
    ------
    InputError
        Naming the frame by `where`.
    """
    if not frame.species:
        raise InputError(f"{where}: no atoms")
    if not np.all(np.isfinite(frame.positions)):
        atom = int(np.argmax(~np.isfinite(frame.positions).all(axis=1))) + 1
        raise InputError(
            f"{where}: the position of atom {atom} is not finite: the run has blown up, or the "
            f"file is damaged"
        )
    if not np.all(np.isfinite(frame.cell)) or not abs(np.linalg.det(frame.cell)) > 1e-6:
        raise InputError(f"{where}: no periodic cell with a volume (for xyz files: --cell a,b,c)")
