"""Energies, forces and stresses of given configurations, as functions of a pair potential.

With u(r) the energy of a pair of species, sums over all pairs of atoms and their images within the
cutoff, each once, D the vector from i to j and r its length:

    E_f = Σ u(r),    F_i = Σ u'(r) D/r,    F_j = -F_i,    S_f = (1/V) Σ u'(r) D Dᵀ/r

All are linear in u or u' at the distances there are, and so are their derivatives in the
parameters. The maps are sparse matrices, made once for a set of configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.labelled.frame import Frame, roomy_cell
from lammpsfit.md.histogram import FloatArray
from lammpsfit.structure.neighbours import Bonds, IntArray, half_bonds_within

if TYPE_CHECKING:
    from scipy.sparse import csr_array

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Order of the components of a stress: xx yy zz yz xz xy."""


@dataclass(frozen=True, eq=False)
class _Maps:
    """The pairs of two species in all configurations, and what they add to.

    Attributes
    ----------
    r
        Their distances in Å, shape (n,).
    energies, forces, stresses
        Sparse, shapes (F, n), (3 N, n) and (6 F, n).
    """

    r: FloatArray
    energies: csr_array
    forces: csr_array
    stresses: csr_array


class PairSums:
    """Sums over the pairs of some configurations.

    Parameters
    ----------
    frames
        The configurations, F of them with N atoms in all. Cells may be smaller than the cutoff.
    cutoff
        Where every u(r) ends, in Å.
    """

    def __init__(self, frames: Sequence[Frame], cutoff: float) -> None:
        self._shape = len(frames), sum(len(frame) for frame in frames)
        self._maps = _maps_by_pair(frames, cutoff)

    def energies(self, potential: Potential) -> FloatArray:
        """Return the energy of each configuration in eV, shape (F,)."""
        return self._sum(self._shape[0], lambda pair, m: m.energies @ potential.energy(pair, m.r))

    def forces(self, potential: Potential) -> FloatArray:
        """Return the forces on all atoms in eV/Å, shape (3 N,)."""
        return self._sum(3 * self._shape[1], lambda pair, m: m.forces @ potential.slope(pair, m.r))

    def stresses(self, potential: Potential) -> FloatArray:
        """Return +dE/dstrain / V of each configuration in eV/Å³, shape (6 F,), as ASE has it."""
        return self._sum(
            6 * self._shape[0], lambda pair, m: m.stresses @ potential.slope(pair, m.r)
        )

    def energies_gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return the derivatives of :meth:`energies` in u, shape (F, d)."""
        return self._sum(
            (self._shape[0], space.dim), lambda pair, m: m.energies @ space.gradient(u, pair, m.r).T
        )

    def forces_gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return the derivatives of :meth:`forces` in u, shape (3 N, d)."""
        return self._sum(
            (3 * self._shape[1], space.dim),
            lambda pair, m: m.forces @ space.slope_gradient(u, pair, m.r).T,
        )

    def stresses_gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return the derivatives of :meth:`stresses` in u, shape (6 F, d)."""
        return self._sum(
            (6 * self._shape[0], space.dim),
            lambda pair, m: m.stresses @ space.slope_gradient(u, pair, m.r).T,
        )

    def _sum(
        self, shape: int | tuple[int, int], of: Callable[[str, _Maps], FloatArray]
    ) -> FloatArray:
        total: FloatArray = np.zeros(shape)
        for pair, maps in self._maps.items():
            total += of(pair, maps)
        return total


def _maps_by_pair(frames: Sequence[Frame], cutoff: float) -> Mapping[str, _Maps]:
    """Find the pairs within the cutoff, and make the maps of each pair of species."""
    bonds = [half_bonds_within(f.positions, roomy_cell(f, cutoff), cutoff) for f in frames]
    counts = [len(found.length) for found in bonds]
    first = np.cumsum([0, *(len(frame) for frame in frames[:-1])])
    joined = Bonds(
        np.concatenate([b.centre + start for b, start in zip(bonds, first, strict=True)]),
        np.concatenate([b.neighbour + start for b, start in zip(bonds, first, strict=True)]),
        np.concatenate([b.length for b in bonds]),
        np.concatenate([b.vector for b in bonds]),
    )
    where = np.repeat(np.arange(len(frames)), counts)
    volumes = np.array([frame.volume if all(frame.pbc) else np.inf for frame in frames])
    symbols = np.array([symbol for frame in frames for symbol in frame.symbols])
    names = np.unique(symbols)
    kind = np.searchsorted(names, symbols)
    a, b = kind[joined.centre], kind[joined.neighbour]
    low, high = np.minimum(a, b), np.maximum(a, b)
    found = {}
    for p in range(len(names)):
        for q in range(p, len(names)):
            mine = np.flatnonzero((low == p) & (high == q))
            if len(mine):
                name, pairs = f"{names[p]}-{names[q]}", joined.some(mine)
                found[name] = _maps(pairs, where[mine], volumes, len(symbols))
    return found


def _maps(pairs: Bonds, where: IntArray, volumes: FloatArray, atoms: int) -> _Maps:
    """Make the maps of some pairs, which lie in the configurations `where`."""
    # here, since a fit without labelled frames needs none of it
    from scipy.sparse import csr_array

    n, F = len(pairs.length), len(volumes)
    every = np.arange(n)
    along = pairs.vector / pairs.length[:, None]
    axes = np.arange(3)
    rows = np.concatenate(
        [(3 * ends[:, None] + axes).ravel() for ends in (pairs.centre, pairs.neighbour)]
    )
    columns = np.tile(np.repeat(every, 3), 2)
    values = np.concatenate([along.ravel(), -along.ravel()])
    six = np.arange(6)
    products = np.stack([along[:, k] * pairs.vector[:, m] for k, m in VOIGT], axis=1)
    return _Maps(
        pairs.length,
        csr_array((np.ones(n), (where, every)), shape=(F, n)),
        csr_array((values, (rows, columns)), shape=(3 * atoms, n)),
        csr_array(
            (
                (products / volumes[where, None]).ravel(),
                ((6 * where[:, None] + six).ravel(), np.repeat(every, 6)),
            ),
            shape=(6 * F, n),
        ),
    )
