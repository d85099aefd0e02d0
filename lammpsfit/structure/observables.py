"""All structure that the frames of a run tell: g(r), bonds and angles, S(q), in blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.structure.bonding import (
    BondAngles,
    BondCounter,
    BondCounts,
    Coordination,
    bonding_of_blocks,
)
from lammpsfit.structure.neighbours import heights
from lammpsfit.structure.network import Network, NetworkCounts
from lammpsfit.structure.pair_counts import Composition, configuration_rdf
from lammpsfit.structure.rdf import FloatArray, PartialRdf
from lammpsfit.structure.structure_factor import StructureFactors, structure_factors, wavevectors

REACH: Final = 10.0
"""Å that g(r) goes to, or half the box: beyond, S(q) tells more, and pairs become many."""

Q_MAX: Final = 12.0
"""1/Å that S(q) goes to: beyond, it tells the width of the first peaks of g(r) only."""

Q_WIDTH: Final = 0.1
"""Width of a bin of S(q) in 1/Å."""


@dataclass(frozen=True, eq=False)
class Observables:
    """Structure of a run.

    Attributes
    ----------
    numbers : mapping of str to int
        Atoms of each species, in the order of the pairs.
    cutoffs : mapping of str to float, Å
        Where bonds end, by pair; other pairs have none.
    rdf : PartialRdf
        g(r), with blocks.
    factors : StructureFactors
        S(q), with blocks.
    bonds : tuple of BondCounts
        Neighbours and angles of each block.
    network : tuple of NetworkCounts
        Qn and rings of the last frame of each block; none where there is no network.
    """

    numbers: Mapping[str, int]
    cutoffs: Mapping[str, float]
    rdf: PartialRdf
    factors: StructureFactors
    bonds: tuple[BondCounts, ...]
    network: tuple[NetworkCounts, ...] = ()

    @property
    def formers(self) -> tuple[str, ...]:
        """Species of the rows of `network`."""
        return Network(self.counter.composition, self.cutoffs).formers

    @cached_property
    def counter(self) -> BondCounter:
        """What the rows of `bonds` are."""
        names = [name for name, number in self.numbers.items() for _ in range(number)]
        return BondCounter(Composition.of(names), self.cutoffs)

    @cached_property
    def bonding(self) -> tuple[tuple[Coordination, ...], BondAngles]:
        """Coordination numbers and bond angles with their errors; there must be bonds."""
        return bonding_of_blocks(self.counter, self.bonds)

    def angle_blocks(self, triple: str) -> FloatArray:
        """Histograms of an angle in each block, shape (n_blocks, n_bins)."""
        species = tuple(self.numbers)
        names = ["-".join(species[k] for k in kinds) for kinds in self.counter.triples]
        row = names.index(triple)
        return np.array([block.angles[row] for block in self.bonds])


def observe(
    composition: Composition,
    positions: ArrayLike,
    cell: ArrayLike,
    blocks: int,
    dr: float,
    cutoffs: Mapping[str, float],
) -> Observables:
    """Analyse the frames of a run at constant volume.

    Parameters
    ----------
    composition : Composition
        The species of the atoms.
    positions : array_like, shape (n_frames, n_atoms, 3), Å
        Atoms, within the cell or outside it.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    blocks : int
        Consecutive parts of equal length that errors come from; they divide the frames.
    dr : float, Å
        Bins of g(r).
    cutoffs : mapping of str to float, Å
        Where bonds end, by pair.

    Raises
    ------
    InputError
        If the box is too small for S(q).
    """
    frames = np.asarray(positions, dtype=np.float64).reshape(blocks, -1, composition.kinds.size, 3)
    n_bins = int(min(REACH, heights(cell).min() / 2) / dr + 1e-9)
    # other wavevectors in each block: S at one of them is a speckle, which in a glass stays as it
    # is, so that blocks with the same ones would differ far less than their mean is wrong
    chosen = [wavevectors(cell, Q_MAX, Q_WIDTH, seed=k) for k in range(blocks)]
    counter = BondCounter(composition, cutoffs)
    web = Network(composition, cutoffs)
    g, S, bonds, network = [], [], [], []
    for block, vectors in zip(frames, chosen, strict=True):
        g.append(np.mean([configuration_rdf(composition, r, cell, dr, n_bins) for r in block], 0))
        S.append(np.mean([structure_factors(composition, r, cell, vectors) for r in block], 0))
        if cutoffs:
            counts = [counter.count(r, cell) for r in block]
            bonds.append(sum(counts[1:], start=counts[0]))
        if web.formers:
            network.append(web.count(block[-1], cell))
    r = dr * (np.arange(n_bins) + 0.5)
    rdf = PartialRdf.from_blocks(composition.pairs, r, np.array(g))
    q = np.mean([vectors.q for vectors in chosen], axis=0)
    factors = StructureFactors(composition.pairs, q, np.array(S))
    return Observables(
        composition.numbers, dict(cutoffs), rdf, factors, tuple(bonds), tuple(network)
    )


def pooled(several: Sequence[Observables]) -> Observables:
    """Make one block of each of several runs of the same atoms: errors are those between them.

    g(r) goes as far as the smallest of their boxes; S(q) is brought to the q of the first.
    """
    first = several[0]
    bins = min(one.rdf.r.size for one in several)
    g = np.array([one.rdf.g[:, :bins] for one in several])
    q = first.factors.q
    S = np.array(
        [
            [np.interp(q, one.factors.q, row) for row in one.factors.blocks.mean(axis=0)]
            for one in several
        ]
    )
    return Observables(
        first.numbers,
        first.cutoffs,
        PartialRdf.from_blocks(first.rdf.pairs, first.rdf.r[:bins], g),
        StructureFactors(first.factors.pairs, q, S),
        tuple(sum(one.bonds[1:], start=one.bonds[0]) for one in several if one.bonds),
        tuple(sum(one.network[1:], start=one.network[0]) for one in several if one.network),
    )
