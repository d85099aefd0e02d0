"""The network of a glass: how many oxygen atoms of a tetrahedron are shared, and its rings.

Network formers are joined by oxygen. An oxygen atom bridges if it has bonds to two formers or more;
a former with n bridging oxygen atoms is a Qn. A ring is a closed way from former to former that has
no short cut, a *shortest-path ring*: Franzblau, Phys. Rev. B 44, 4925 (1991),
doi:10.1103/PhysRevB.44.4925. Its size is its number of formers. matscipy finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.structure.bonding import bond_lengths
from lammpsfit.structure.neighbours import Bonds, bonds_within
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import FloatArray

FORMERS: Final = ("Si", "Ge", "B", "P", "Al")
"""Network formers, where they have bonds to oxygen."""

BRIDGE: Final = "O"

MOST_BRIDGES: Final = 8
"""A former with more bridging oxygen atoms counts as one with so many."""

LONGEST_RING: Final = 12
"""Longer rings are not looked for; the box must be twice as wide as a ring."""


@dataclass(frozen=True, eq=False)
class NetworkCounts:
    """Formers and rings of one or more configurations.

    Attributes
    ----------
    bridging : ndarray, shape (n_formers, MOST_BRIDGES + 1)
        Formers of each species by the number of their bridging oxygen atoms.
    rings : ndarray, shape (LONGEST_RING + 1,)
        Rings by their number of formers.
    """

    bridging: FloatArray
    rings: FloatArray

    def __add__(self, other: NetworkCounts) -> NetworkCounts:
        return NetworkCounts(self.bridging + other.bridging, self.rings + other.rings)


@dataclass(frozen=True)
class Network:
    """Counts Qn and rings in configurations of one composition.

    Attributes
    ----------
    composition : Composition
        The species of the atoms.
    cutoffs : mapping of str to float, Å
        Where bonds end, by pair.
    """

    composition: Composition
    cutoffs: Mapping[str, float]

    @cached_property
    def formers(self) -> tuple[str, ...]:
        """Species that are joined by oxygen; none where there is no network."""
        species = self.composition.species
        if BRIDGE not in species:
            return ()
        return tuple(
            name
            for name, reach in zip(species, self._reach, strict=True)
            if name in FORMERS and reach > 0.0
        )

    def count(self, positions: ArrayLike, cell: ArrayLike) -> NetworkCounts:
        """Count those of one configuration; there must be formers."""
        bonds = self._bonds(positions, cell)
        formers = np.bincount(bonds.neighbour, minlength=self.composition.kinds.size)
        bridges = formers[bonds.neighbour] >= 2
        number = np.bincount(bonds.centre[bridges], minlength=self.composition.kinds.size)
        number = np.minimum(number, MOST_BRIDGES)
        rows = [
            np.bincount(number[self._of(name)], minlength=MOST_BRIDGES + 1) for name in self.formers
        ]
        return NetworkCounts(np.array(rows, dtype=np.float64), self._rings(bonds))

    def _bonds(self, positions: ArrayLike, cell: ArrayLike) -> Bonds:
        """Bonds from formers (centres) to oxygen."""
        kinds, species = self.composition.kinds, self.composition.species
        reach = self._reach * np.isin(species, self.formers)
        found = bonds_within(positions, cell, float(reach.max()))
        to_oxygen = kinds[found.neighbour] == species.index(BRIDGE)
        return found.some(to_oxygen & (found.length < reach[kinds[found.centre]]))

    def _rings(self, bonds: Bonds) -> FloatArray:
        from matscipy.ffi import distances_on_graph, find_sp_rings

        i, j, vector = _joined(bonds)
        rings = np.zeros(LONGEST_RING + 1)
        if i.size:
            atoms = np.unique(i)
            first, second = (np.searchsorted(atoms, k).astype(np.int32) for k in (i, j))
            apart = distances_on_graph(first, second)
            found = find_sp_rings(first, second, vector, apart, LONGEST_RING)
            rings[: len(found)] = found
        return rings

    @cached_property
    def _reach(self) -> FloatArray:
        """Longest bond of each species to oxygen in Å, shape (n_species,)."""
        species = self.composition.species
        reach: FloatArray = bond_lengths(species, self.cutoffs)[species.index(BRIDGE)]
        return reach

    def _of(self, species: str) -> NDArray[np.bool_]:
        mine: NDArray[np.bool_] = self.composition.kinds == self.composition.species.index(species)
        return mine


def mean_network(blocks: Sequence[NetworkCounts]) -> tuple[FloatArray, FloatArray]:
    """Return fractions of Qn of each former, and rings per former, of each block.

    Returns
    -------
    bridging : ndarray, shape (n_blocks, n_formers, MOST_BRIDGES + 1)
    rings : ndarray, shape (n_blocks, LONGEST_RING + 1)
    """
    bridging = np.array([block.bridging for block in blocks])
    rings = np.array([block.rings for block in blocks])
    formers = bridging.sum(axis=(1, 2))
    return bridging / bridging.sum(axis=2, keepdims=True), rings / formers[:, None]


def _joined(bonds: Bonds) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Formers that an oxygen atom joins, each pair from either end, with the vector between them.

    Two that share an edge are joined once.
    """
    order = np.argsort(bonds.neighbour, kind="stable")
    oxygen, former, out = bonds.neighbour[order], bonds.centre[order], bonds.vector[order]
    ends: dict[tuple[int, int, tuple[int, ...]], FloatArray] = {}
    begin = np.flatnonzero(np.r_[True, np.diff(oxygen) != 0, True])
    for low, high in zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True):
        for a in range(low, high):
            for b in range(low, high):
                if a != b:
                    vector = out[a] - out[b]
                    image = tuple(np.round(vector, 1).tolist())
                    ends[int(former[a]), int(former[b]), image] = vector
    if not ends:
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 3))
    keys = sorted(ends)
    i, j = (np.array([key[k] for key in keys], dtype=np.intp) for k in (0, 1))
    return i, j, np.array([ends[key] for key in keys])
