"""Core repulsion: what holds atoms apart where no frame has been.

Every pair nearer than `outer` repels as nuclei behind their inner electrons do, after Ziegler,
Biersack and Littmark (1985), with the constants and the switch of LAMMPS (``pair_style zbl inner
outer`` gives the same numbers):

    E(r)   = C_e Z_i Z_j / r * phi(r / a) + S(r)
    phi(x) = 0.18175 exp(-3.19980 x) + 0.50986 exp(-0.94229 x)
             + 0.28022 exp(-0.40290 x) + 0.02817 exp(-0.20162 x)
    a      = 0.46850 Å / (Z_i^0.23 + Z_j^0.23)

    S(r)   = C                                                   r < inner
    S(r)   = A/3 (r - inner)^3 + B/4 (r - inner)^4 + C           inner <= r < outer

C_e is 14.399645 eV Å. A, B and C follow from the energy Z(r) without S, with w = outer - inner,

    A = (-3 Z'(outer) + w Z''(outer)) / w^2
    B = ( 2 Z'(outer) - w Z''(outer)) / w^3
    C = -Z(outer) + w Z'(outer) / 2 - w^2 Z''(outer) / 12

which makes energy, force and its derivative zero at `outer`, and continuous at `inner`.

`outer` is the shortest distance of any pair in the training frames. So the core is exactly zero
in all of them: the Gaussian process is fitted to energies, forces and stresses less those of the
core, and these are the labels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.structure.neighbours import pairs_within
from lammpsfit.units import COULOMB_CONSTANT

if TYPE_CHECKING:
    from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]

INNER: Final = 0.75
"""Where the switch begins, in parts of where it ends."""

SCREENING: Final = 0.46850
"""Å; the unit of length is this over the sum of Z to the power 0.23."""

POWER: Final = 0.23

WEIGHTS: Final = np.array([0.18175, 0.50986, 0.28022, 0.02817])
RATES: Final = np.array([3.19980, 0.94229, 0.40290, 0.20162])


@dataclass(frozen=True)
class Core:
    """The core repulsion of all pairs.

    Attributes
    ----------
    inner, outer : float, Å
        Where the switch begins, and where the repulsion ends.

    Raises
    ------
    InputError
        If not 0 < inner < outer.

    Examples
    --------
    >>> core = Core(1.5, 2.0)
    >>> energy, slope = core.pair(np.array([13.0]), np.array([13.0]), np.array([1.2]))
    >>> bool(energy[0] > 10.0), bool(slope[0] < -10.0)
    (True, True)
    """

    inner: float
    outer: float

    def __post_init__(self) -> None:
        if not 0.0 < self.inner < self.outer < np.inf:
            raise InputError(
                f"a core repulsion must have 0 < inner < outer, got {self.inner} and {self.outer} Å"
            )

    def pair(self, Zi: FloatArray, Zj: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the energy of pairs, eV, and its derivative in r, eV/Å; zero beyond `outer`.

        Parameters
        ----------
        Zi, Zj : ndarray, shape (n,)
            Atomic numbers.
        r : ndarray, shape (n,), Å
        """
        w = self.outer - self.inner
        end, end1, end2 = _screened(Zi, Zj, np.full_like(r, self.outer))
        A = (-3.0 * end1 + w * end2) / w**2
        B = (2.0 * end1 - w * end2) / w**3
        C = -end + 0.5 * w * end1 - w**2 * end2 / 12.0
        energy, slope, _ = _screened(Zi, Zj, r)
        t = np.maximum(r - self.inner, 0.0)
        inside = r < self.outer
        energy = np.where(inside, energy + (A / 3.0 + B * t / 4.0) * t**3 + C, 0.0)
        return energy, np.where(inside, slope + (A + B * t) * t**2, 0.0)

    def as_dict(self) -> dict[str, float]:
        """Return it as plain data."""
        return {"inner": self.inner, "outer": self.outer}

    @classmethod
    def from_dict(cls, data: Mapping[str, float]) -> Core:
        """Read what :meth:`as_dict` gave."""
        return cls(float(data["inner"]), float(data["outer"]))


def _screened(
    Zi: FloatArray, Zj: FloatArray, r: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the screened Coulomb energy without the switch, and two derivatives in r."""
    rates = RATES * ((Zi**POWER + Zj**POWER) / SCREENING)[:, None]
    terms = WEIGHTS * np.exp(-rates * r[:, None])
    phi, phi1, phi2 = (terms.sum(-1), -(terms * rates).sum(-1), (terms * rates**2).sum(-1))
    strength = COULOMB_CONSTANT * Zi * Zj
    return (
        strength * phi / r,
        strength * (phi1 / r - phi / r**2),
        strength * (phi2 / r - 2.0 * phi1 / r**2 + 2.0 * phi / r**3),
    )


def core_of(frames: Sequence[Frame], cutoff: float) -> Core | None:
    """Return the core that is zero in all of some frames.

    Parameters
    ----------
    frames
        Those that a model is fitted to.
    cutoff : float, Å
        Of the model; pairs beyond it do not count.

    Returns
    -------
    Core or None
        None if no two atoms are within the cutoff: then nothing says where a core ends.
    """
    shortest = np.inf
    for frame in frames:
        shortest = min(shortest, shortest_distance(frame, cutoff))
    return Core(INNER * shortest, shortest) if np.isfinite(shortest) else None


def shortest_distance(frame: Frame, cutoff: float) -> float:
    """Return the shortest distance of two atoms of a frame, Å; infinite if beyond the cutoff."""
    from lammpsfit.labelled.frames import roomy_cell

    *_, length = pairs_within(frame.positions, roomy_cell(frame, cutoff), cutoff)
    return float(length.min(initial=np.inf))


def add_core(
    core: Core,
    symbols: Sequence[str],
    centre: NDArray[np.intp],
    neighbour: NDArray[np.intp],
    vector: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what the core adds to a frame of n atoms.

    Parameters
    ----------
    core
        The repulsion.
    symbols
        Of the atoms.
    centre, neighbour : ndarray of int, shape (n_bonds,)
        Each pair twice, once from either end.
    vector : ndarray, shape (n_bonds, 3), Å
        From the centre to the neighbour.

    Returns
    -------
    energies : ndarray, shape (n,), eV
        Half of each pair's for either atom.
    forces : ndarray, shape (n, 3), eV/Å
    virial : ndarray, shape (3, 3), eV
        dE/dstrain.
    """
    n = len(symbols)
    length = np.linalg.norm(vector, axis=1)
    near = length < core.outer
    i, vector, length = centre[near], vector[near], length[near]
    Z = np.array([float(atomic_numbers[symbol]) for symbol in symbols])
    with np.errstate(divide="ignore", invalid="ignore"):  # who calls refuses what is not finite
        energy, slope = core.pair(Z[i], Z[neighbour[near]], length)
        pull = (slope / length)[:, None] * vector  # of the neighbour on the centre
    forces = np.zeros((n, 3))
    np.add.at(forces, i, pull)
    energies = np.zeros(n)
    np.add.at(energies, i, 0.5 * energy)
    virial: FloatArray = 0.5 * vector.T @ pull
    return energies, forces, virial
