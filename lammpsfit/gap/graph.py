"""Neighbours of every atom of a frame, in arrays of few different shapes.

JAX compiles a function anew for every shape it meets. So the atoms of a frame and the neighbours
of an atom are filled up to one of a few sizes, with neighbours beyond every cutoff, which
contribute exactly nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Values, jax
from lammpsfit.labelled.frames import Frame, roomy_cell
from lammpsfit.structure.neighbours import bonds_within

NOBODY: Final = -1
"""Species of an atom that only fills up an array."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Neighbours of the atoms of a frame, near ones first; or a stack of them, one axis more.

    Attributes
    ----------
    vectors : array, shape (n, k, 3), Å
        From every atom to its neighbours; those that fill up lie beyond the cutoff.
    neighbour : array of int, shape (n, k)
        Their indices; that of the atom itself where nobody is.
    neighbour_species : array of int, shape (n, k)
    species : array of int, shape (n,)
        Index of the species, :data:`NOBODY` for atoms that fill up.
    volume : array, shape (), Å^3
        Of the cell, which stresses are per.
    near : int
        The first so many neighbours hold all that lie within the inner cutoff.
    """

    vectors: Values
    neighbour: Values
    neighbour_species: Values
    species: Values
    volume: Values
    near: int


jax.tree_util.register_dataclass(
    Graph,
    data_fields=["vectors", "neighbour", "neighbour_species", "species", "volume"],
    meta_fields=["near"],
)


@dataclass(frozen=True)
class Size:
    """How many atoms, neighbours and near neighbours an array of them holds."""

    atoms: int
    neighbours: int
    near: int

    def or_more(self, other: Size) -> Size:
        """Return the smallest size that holds both."""
        return Size(
            max(self.atoms, other.atoms),
            max(self.neighbours, other.neighbours),
            max(self.near, other.near),
        )

    def bucket(self) -> Size:
        """Return the next of a few sizes, none of them zero, so that no array is empty.

        Numbers of atoms are fixed in a simulation, those of neighbours are not: so the steps
        between these are wider.

        Examples
        --------
        >>> Size(33, 117, 42).bucket()
        Size(atoms=36, neighbours=128, near=48)
        """
        return Size(
            next_size(self.atoms, 4), next_size(self.neighbours, 3), next_size(self.near, 3)
        )


def next_size(n: int, digits: int) -> int:
    """Return the next number with no more than so many leading binary digits, at least one.

    With four of them at most one part in eight of an array is filled up, with three one in four.

    Examples
    --------
    >>> [next_size(n, 4) for n in (0, 7, 32, 33, 119, 500)]
    [1, 7, 32, 36, 120, 512]
    """
    step = 1 << max(n.bit_length() - digits, 0)
    return max(-(-n // step) * step, 1)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Neighbours of a frame before they are filled up: bonds by centre, near ones first.

    Attributes
    ----------
    centre, neighbour, rank : ndarray of int, shape (n_bonds,)
        The two atoms, and the place of the neighbour among those of the centre.
    vector : ndarray, shape (n_bonds, 3), Å
    species : ndarray of int, shape (n,)
    volume : float, Å^3
    cutoff : float, Å
    size : Size
        What it takes to hold them.
    """

    centre: NDArray[np.intp]
    neighbour: NDArray[np.intp]
    rank: NDArray[np.intp]
    vector: NDArray[np.float64]
    species: NDArray[np.intp]
    volume: float
    cutoff: float
    size: Size


def neighbourhood(
    frame: Frame, species: Sequence[str], cutoff: float, near_cutoff: float
) -> Neighbourhood:
    """Find the neighbours of every atom of a frame, images in small cells included.

    Parameters
    ----------
    frame
        Periodic or not.
    species
        Known species, whose index becomes that of the atoms.
    cutoff, near_cutoff : Å
        Of all neighbours, and of those that are near.

    Raises
    ------
    InputError
        If the frame has a species that is not known.
    """
    indices = species_indices(frame, species)
    bonds = bonds_within(frame.positions, roomy_cell(frame, cutoff), cutoff)
    return hood_of(frame, indices, bonds.centre, bonds.neighbour, bonds.vector, cutoff, near_cutoff)


def species_indices(frame: Frame, species: Sequence[str]) -> NDArray[np.intp]:
    """Return the index of the species of every atom.

    Raises
    ------
    InputError
        If the frame has a species that is not known.
    """
    unknown = sorted(set(frame.symbols) - set(species))
    if unknown:
        raise InputError(
            f"{frame.label}: {unknown[0]} is none of the species of this potential "
            f"({', '.join(species)}): train it on frames that have {unknown[0]}"
        )
    index = {name: k for k, name in enumerate(species)}
    return np.array([index[s] for s in frame.symbols], dtype=np.intp)


def hood_of(
    frame: Frame,
    species: NDArray[np.intp],
    centre: NDArray[np.intp],
    neighbour: NDArray[np.intp],
    vector: NDArray[np.float64],
    cutoff: float,
    near_cutoff: float,
) -> Neighbourhood:
    """Sort out bonds: those within the cutoff, near ones first.

    Parameters
    ----------
    frame
        That they are of.
    species : ndarray of int, shape (n,)
        Of its atoms.
    centre, neighbour : ndarray of int, shape (n_bonds,)
        The two atoms; `centre` increases.
    vector : ndarray, shape (n_bonds, 3), Å
    cutoff, near_cutoff : Å
    """
    square = np.einsum("ba,ba->b", vector, vector)
    kept = np.flatnonzero(square < cutoff**2)
    if len(kept) < len(square):
        centre, neighbour, vector = centre[kept], neighbour[kept], vector[kept]
        square = square[kept]
    n = len(frame)
    is_near = square < near_cutoff**2
    counts = np.bincount(centre, minlength=n)
    near = np.bincount(centre[is_near], minlength=n)
    rank = np.where(is_near, _nth(is_near, near, centre), _nth(~is_near, counts - near, centre))
    rank += np.where(is_near, 0, near[centre])
    return Neighbourhood(
        centre,
        neighbour,
        rank,
        vector,
        species,
        frame.volume if all(frame.pbc) else 1.0,  # no cell, no stress
        cutoff,
        Size(n, int(counts.max()), int(near.max())),
    )


def _nth(
    chosen: NDArray[np.bool_], counts: NDArray[np.intp], centre: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Count the chosen bonds of each centre from zero."""
    before = np.cumsum(counts) - counts
    return np.cumsum(chosen) - 1 - before[centre]


def fill_up(hood: Neighbourhood, size: Size) -> Graph:
    """Put neighbours into arrays of a size that holds them."""
    n, k = size.atoms, max(size.neighbours, size.near, 1)
    vectors = np.full((n, k, 3), 2.0 * hood.cutoff)
    neighbour = np.tile(np.arange(n, dtype=np.int32)[:, None], (1, k))
    neighbour_species = np.zeros((n, k), dtype=np.int32)
    species = np.full(n, NOBODY, dtype=np.int32)
    at = hood.centre, hood.rank
    vectors[at] = hood.vector
    neighbour[at] = hood.neighbour
    neighbour_species[at] = hood.species[hood.neighbour]
    species[: len(hood.species)] = hood.species
    return Graph(
        vectors, neighbour, neighbour_species, species, np.asarray(hood.volume), max(size.near, 1)
    )


def largest(hoods: Sequence[Neighbourhood]) -> Size:
    """Return the size that holds every one of some frames."""
    size = Size(1, 1, 1)
    for hood in hoods:
        size = size.or_more(hood.size)
    return size


def stack(hoods: Sequence[Neighbourhood], size: Size) -> Graph:
    """Fill up several frames to one size."""
    graphs = [fill_up(hood, size) for hood in hoods]
    stacked: Graph = jax.tree.map(lambda *parts: np.stack(parts), *graphs)
    return stacked
