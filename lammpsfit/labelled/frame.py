"""One configuration with the energy, forces and stress that are known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.structure.neighbours import pairs_within

FloatArray = NDArray[np.float64]

OVERLAP: Final = 0.5
"""Atoms nearer than this, in Å, lie on one another: the bond of H2 is 0.74 Å."""

LABELS: Final = ("energy", "forces", "stress")


@dataclass(frozen=True, eq=False)
class Frame:
    """Atoms in a cell, and what is known of them.

    Attributes
    ----------
    symbols : tuple of str
        Chemical symbol of each of the n atoms.
    positions : ndarray, shape (n, 3), Å
        Cartesian, within the cell or outside it.
    cell : ndarray, shape (3, 3), Å
        Cell vectors as rows.
    pbc : tuple of bool
        Whether it is periodic along each cell vector.
    energy : float or None, eV
        Total energy; the one the forces are the derivative of.
    forces : ndarray, shape (n, 3), eV/Å, or None
    stress : ndarray, shape (6,), eV/Å^3, or None
        +dE/dstrain / V, as ASE has it: xx yy zz yz xz xy.
    label : str
        Where it comes from, for messages.

    Raises
    ------
    InputError
        If a shape is wrong, a number is not finite, a symbol is no element's, or a periodic
        direction has no cell vector.

    Examples
    --------
    >>> import numpy as np
    >>> frame = Frame(("Al",), np.zeros((1, 3)), 4.05 * np.eye(3), (True,) * 3, energy=-3.7)
    >>> len(frame), round(frame.volume, 2)
    (1, 66.43)
    """

    symbols: tuple[str, ...]
    positions: FloatArray
    cell: FloatArray
    pbc: tuple[bool, bool, bool]
    energy: float | None = None
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    label: str = "frame"

    def __post_init__(self) -> None:
        n = len(self.symbols)
        if n == 0:
            raise InputError(f"{self.label}: no atoms")
        unknown = [s for s in self.symbols if not atomic_numbers.get(s)]
        if unknown:
            raise InputError(f"{self.label}: {quoted(unknown[0])} is no element: name the atoms so")
        self._set("positions", (n, 3))
        self._set("cell", (3, 3))
        self._set("forces", (n, 3))
        self._set("stress", (6,))
        if self.energy is not None and not np.isfinite(self.energy):
            raise InputError(f"{self.label}: the energy is not finite ({self.energy})")
        given = self.cell[list(self.pbc)]
        if len(given) and not np.linalg.svd(given, compute_uv=False)[-1] > 1e-6:
            raise InputError(f"{self.label}: periodic, but its cell has no volume")

    def _set(self, name: str, shape: tuple[int, ...]) -> None:
        """Store an array as doubles of the right shape, which nobody can write to."""
        given = getattr(self, name)
        if given is None:
            return
        try:
            values = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{self.label}: {name} must be numbers") from None
        if values.shape != shape:
            raise InputError(
                f"{self.label}: {name} must have the shape {shape}, got {values.shape}"
            )
        if not np.all(np.isfinite(values)):
            where = ""
            if name in ("positions", "forces"):
                where = f" of atom {np.argmax(~np.isfinite(values).all(axis=1)) + 1}"
            raise InputError(f"{self.label}: {name}{where} not finite: leave this frame out")
        values.setflags(write=False)
        object.__setattr__(self, name, values)

    def __len__(self) -> int:
        """Return the number of atoms."""
        return len(self.symbols)

    @property
    def volume(self) -> float:
        """Volume of the cell, Å^3."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def labels(self) -> tuple[str, ...]:
        """Which of energy, forces and stress it has."""
        return tuple(name for name in LABELS if getattr(self, name) is not None)

    def unlabelled(self) -> Frame:
        """Return it without energy, forces and stress."""
        return replace(self, energy=None, forces=None, stress=None)


def check_overlap(frame: Frame) -> None:
    """Refuse a frame with two atoms nearer than :data:`OVERLAP`.

    Raises
    ------
    InputError
        Naming the two atoms.
    """
    i, j, d = pairs_within(frame.positions, roomy_cell(frame, OVERLAP), OVERLAP)
    if len(d):
        k = int(np.argmin(d))
        raise InputError(
            f"{frame.label}: atoms {i[k] + 1} and {j[k] + 1} overlap ({d[k]:.3f} Å apart, must be "
            f"at least {OVERLAP:g} Å): leave it out ([data] exclude, or --exclude)"
        )


def digest(frames: Sequence[Frame]) -> str:
    """Return what tells these frames from others: a hash of atoms, cells and labels.

    Examples
    --------
    >>> one = Frame(("Al",), np.zeros((1, 3)), np.eye(3), (True,) * 3)
    >>> digest([one]) == digest([one]), digest([one]) == digest([replace(one, energy=1.0)])
    (True, False)
    """
    found = hashlib.sha256()
    for frame in frames:
        found.update(repr((frame.symbols, frame.pbc, frame.energy)).encode())
        for values in (frame.positions, frame.cell, frame.forces, frame.stress):
            found.update(b"-" if values is None else values.tobytes())
    return found.hexdigest()[:16]


def roomy_cell(frame: Frame, cutoff: float) -> FloatArray:
    """Return a cell for a search that knows periodic cells only, shape (3, 3), Å.

    That of the frame, with the directions that are not periodic so long that no atom sees an
    image of another along them.
    """
    if all(frame.pbc):
        return frame.cell
    cell = np.array(frame.cell)
    open_ones = [k for k in range(3) if not frame.pbc[k]]
    # orthonormal vectors across the periodic ones: the last rows of a full basis
    periodic = cell[list(frame.pbc)]
    basis = np.linalg.svd(periodic if len(periodic) else np.zeros((1, 3)))[2]
    for k, across in zip(open_ones, basis[-len(open_ones) :], strict=True):
        along = frame.positions @ across
        cell[k] = across * (along.max() - along.min() + 2.0 * cutoff)
    return cell
