"""Coordination numbers and bond angles of configurations, with bonds defined by cutoffs.

A bond joins two atoms nearer than the cutoff of their pair of species. One configuration gives
counts; :func:`bonding_of_blocks` turns the counts of the blocks of a run into means and errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.structure.blocks import Estimate, jackknife_error
from lammpsfit.structure.neighbours import Bonds, bonds_within
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import FloatArray, canonical_pair

ANGLE_BINS: Final = 180
"""Bins of the angle from 0 to 180°."""

MAX_NEIGHBOURS: Final = 64
"""Longest distribution of coordination numbers; atoms with more count as having so many."""


@dataclass(frozen=True, eq=False)
class BondAngles:
    """Distributions of the angle A-B-C at B between two bonds.

    Attributes
    ----------
    triples : tuple of str
        Names such as "O-Si-O", with the centre in the middle.
    theta : ndarray, shape (n_bins,), degree
        Bin centres, uniform from 0 to 180°.
    p, error : ndarray, shape (n_triples, n_bins), 1/degree
        Probability density, ∫ p dθ = 1 (not divided by sin θ), and its standard error.
    mean : tuple of Estimate, degree
        Mean angle of each triple.
    """

    triples: tuple[str, ...]
    theta: FloatArray
    p: FloatArray
    error: FloatArray
    mean: tuple[Estimate, ...]


@dataclass(frozen=True, eq=False)
class Coordination:
    """How many neighbours of a species an atom of another one has.

    Attributes
    ----------
    centre, neighbour : str
        The two species.
    number : Estimate
        Mean number of neighbours.
    fraction, error : ndarray, shape (most neighbours + 1,)
        Fraction of the centres with 0, 1, 2, ... neighbours, and its standard error.
    """

    centre: str
    neighbour: str
    number: Estimate
    fraction: FloatArray
    error: FloatArray


def bond_lengths(species: Sequence[str], cutoffs: Mapping[str, float]) -> FloatArray:
    """Return the longest bond of each two species in Å, shape (n, n); 0 where there are none."""
    known = {canonical_pair(pair): cutoff for pair, cutoff in cutoffs.items()}
    return np.array(
        [[known.get(canonical_pair(f"{a}-{b}"), 0.0) for b in species] for a in species]
    )


@dataclass(frozen=True)
class BondCounter:
    """Counts bonds and angles in configurations of one composition.

    Attributes
    ----------
    composition : Composition
        The species of the atoms.
    cutoffs : mapping of str to float, Å
        By pair; pairs that are not there have no bonds.
    """

    composition: Composition
    cutoffs: Mapping[str, float]

    @cached_property
    def centres(self) -> list[tuple[int, int]]:
        """Kinds (centre, neighbour) that have bonds."""
        reach = self._reach
        n = len(self.composition.species)
        return [(a, b) for a in range(n) for b in range(n) if reach[a, b] > 0.0]

    @cached_property
    def triples(self) -> list[tuple[int, int, int]]:
        """Kinds (end, centre, end) of the angles that there may be."""
        reach = self._reach
        n = len(self.composition.species)
        ends = list(combinations_with_replacement(range(n), 2))
        return [
            (a, b, c) for b in range(n) for a, c in ends if reach[a, b] > 0.0 and reach[c, b] > 0.0
        ]

    def count(self, positions: ArrayLike, cell: ArrayLike) -> BondCounts:
        """Count the neighbours and angles of one configuration."""
        reach, kinds = self._reach, self.composition.kinds
        found = bonds_within(positions, cell, float(reach.max()))
        bonds = found.some(found.length < reach[kinds[found.centre], kinds[found.neighbour]])
        return BondCounts(self._neighbours(bonds), *self._angles(bonds))

    @cached_property
    def _reach(self) -> FloatArray:
        return bond_lengths(self.composition.species, self.cutoffs)

    def _neighbours(self, bonds: Bonds) -> FloatArray:
        kinds = self.composition.kinds
        rows = []
        for a, b in self.centres:
            number = np.bincount(bonds.centre[kinds[bonds.neighbour] == b], minlength=kinds.size)
            number = np.minimum(number[kinds == a], MAX_NEIGHBOURS)
            rows.append(np.bincount(number, minlength=MAX_NEIGHBOURS + 1))
        return np.array(rows, dtype=np.float64)

    def _angles(self, bonds: Bonds) -> tuple[FloatArray, FloatArray]:
        """Histogram of the angles of each triple, and their sums."""
        kinds, triples = self.composition.kinds, self.triples
        n = len(self.composition.species)
        column = np.full((n, n, n), -1, dtype=np.intp)
        for k, (a, b, c) in enumerate(triples):
            column[a, b, c] = column[c, b, a] = k
        unit = bonds.vector / bonds.length[:, None]
        first, second = _bond_pairs(bonds.centre, kinds.size)
        cosine = np.einsum("ij,ij->i", unit[first], unit[second])
        theta = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        bins = np.minimum((theta * (ANGLE_BINS / 180.0)).astype(np.intp), ANGLE_BINS - 1)
        ends = kinds[bonds.neighbour]
        row = column[ends[first], kinds[bonds.centre[first]], ends[second]]
        counts = np.bincount(row * ANGLE_BINS + bins, minlength=len(triples) * ANGLE_BINS)
        sums = np.bincount(row, theta, minlength=len(triples))
        return counts.reshape(-1, ANGLE_BINS).astype(np.float64), sums.astype(np.float64)


@dataclass(frozen=True, eq=False)
class BondCounts:
    """What one or more configurations hold.

    Attributes
    ----------
    neighbours : ndarray, shape (n_centres, MAX_NEIGHBOURS + 1)
        Atoms by their number of neighbours.
    angles : ndarray, shape (n_triples, ANGLE_BINS)
        Angles in each bin.
    angle_sums : ndarray, shape (n_triples,), degree
        Sum of all angles.
    """

    neighbours: FloatArray
    angles: FloatArray
    angle_sums: FloatArray

    def __add__(self, other: BondCounts) -> BondCounts:
        return BondCounts(
            self.neighbours + other.neighbours,
            self.angles + other.angles,
            self.angle_sums + other.angle_sums,
        )


def bonding_of_blocks(
    counter: BondCounter, blocks: Sequence[BondCounts]
) -> tuple[tuple[Coordination, ...], BondAngles]:
    """Turn the counts of consecutive blocks of a run into means with errors.

    Errors are those of a jackknife over the blocks, nan with a single block. Triples that never
    occur are left out.
    """
    return _coordination(counter, blocks), _bond_angles(counter, blocks)


def _coordination(counter: BondCounter, blocks: Sequence[BondCounts]) -> tuple[Coordination, ...]:
    species = counter.composition.species
    atoms = np.array([block.neighbours for block in blocks])  # (blocks, centres, numbers)
    result = []
    for k, (a, b) in enumerate(counter.centres):
        fraction = atoms[:, k] / atoms[:, k].sum(axis=1, keepdims=True)
        most = int(np.flatnonzero(fraction.any(axis=0))[-1])
        number = fraction @ np.arange(MAX_NEIGHBOURS + 1)
        mean = Estimate(float(number.mean()), float(_error(_without_one(number))))
        error = _error(_without_one(fraction))
        result.append(
            Coordination(
                species[a],
                species[b],
                mean,
                fraction.mean(axis=0)[: most + 1],
                error[: most + 1],
            )
        )
    return tuple(result)


def _bond_angles(counter: BondCounter, blocks: Sequence[BondCounts]) -> BondAngles:
    species = counter.composition.species
    counts = np.array([block.angles for block in blocks])  # (blocks, triples, bins)
    sums = np.array([block.angle_sums for block in blocks])
    seen = np.flatnonzero(counts.sum(axis=(0, 2)))
    counts, sums = counts[:, seen], sums[:, seen]
    width = 180.0 / ANGLE_BINS

    def density(values: FloatArray) -> FloatArray:
        total = np.maximum(values.sum(axis=-1, keepdims=True), 1.0)
        p: FloatArray = values / (total * width)
        return p

    # pooled, not averaged over blocks: a block with more angles counts for more
    less = counts.sum(axis=0) - counts
    means = (sums.sum(axis=0) - sums) / np.maximum(less.sum(axis=-1), 1.0)
    mean = sums.sum(axis=0) / counts.sum(axis=(0, 2))
    theta: FloatArray = width * (np.arange(ANGLE_BINS, dtype=np.float64) + 0.5)
    return BondAngles(
        tuple("-".join(species[kind] for kind in counter.triples[k]) for k in seen),
        theta,
        density(counts.sum(axis=0)),
        _error(density(less)),
        tuple(Estimate(float(m), float(e)) for m, e in zip(mean, _error(means), strict=True)),
    )


def _without_one(values: FloatArray) -> FloatArray:
    n = len(values)
    left: FloatArray = (values.sum(axis=0) - values) / max(n - 1, 1)
    return left


def _error(without_one: FloatArray) -> FloatArray:
    if len(without_one) < 2:
        return np.full(without_one.shape[1:], np.nan)
    return jackknife_error(without_one)


def _bond_pairs(
    centre: NDArray[np.intp], n_atoms: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every pair of bonds at the same atom.

    `centre` increases, so that the bonds of an atom follow one another.
    """
    number = np.bincount(centre, minlength=n_atoms)
    begin = np.concatenate([[0], np.cumsum(number)[:-1]])
    found = [np.zeros((2, 0), dtype=np.intp)]
    for z in np.unique(number[number > 1]).tolist():
        starts = begin[number == z]
        found.append((starts[:, None] + _two_of(z)[:, None, :]).reshape(2, -1))
    first, second = np.concatenate(found, axis=1)
    return first, second


@cache
def _two_of(z: int) -> NDArray[np.intp]:
    """Every two of `z` numbers from 0 on, shape (2, z (z - 1) / 2)."""
    return np.array(np.triu_indices(z, k=1), dtype=np.intp)
