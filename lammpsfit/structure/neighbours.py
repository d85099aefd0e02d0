"""Pairs of atoms within a cutoff, in any periodic cell.

The search is vesin's (cell lists, doubles, all periodic images). Of the libraries tried it is the
fastest at what a histogram of distances takes: matscipy takes 3 to 4.5 times as long, ASE 60 to 110
times (114, 648 and 3000 atoms of the density of silica, ``ci/bench_neighbours.py``); freud, 7 to 8
times, has single precision and no images. It needs no cutoff below half the box: a pair of atoms is
found as often as it has images within the cutoff, an atom and its own images included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from vesin import NeighborList

from lammpsfit.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Bonds:
    """Neighbours of every atom: each pair stands there twice, once from either end.

    Attributes
    ----------
    centre, neighbour : ndarray, shape (n_bonds,)
        Indices of the two atoms; `centre` increases.
    length : ndarray, shape (n_bonds,), Å
        Distance.
    vector : ndarray, shape (n_bonds, 3), Å
        From the centre to the neighbour.
    """

    centre: IntArray
    neighbour: IntArray
    length: FloatArray
    vector: FloatArray

    def some(self, which: NDArray[np.bool_] | IntArray) -> Bonds:
        """Return some of them, by a mask or by their numbers."""
        return Bonds(
            self.centre[which], self.neighbour[which], self.length[which], self.vector[which]
        )


def pairs_within(
    positions: ArrayLike, cell: ArrayLike, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Find every pair of atoms nearer than a cutoff, once.

    Parameters
    ----------
    positions : array_like, shape (n, 3), Å
        Atoms, within the cell or outside it.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows; periodic along all of them.
    cutoff : float, Å
        Largest distance.

    Returns
    -------
    i, j : ndarray, shape (n_pairs,)
        The two atoms.
    d : ndarray, shape (n_pairs,), Å
        Their distance.

    Raises
    ------
    InputError
        If the cutoff is not positive or the cell has no volume.

    Examples
    --------
    >>> i, j, d = pairs_within([[0.0, 0.0, 0.0]], np.eye(3), 1.2)  # its own images: 6 of them
    >>> len(d)
    3
    """
    search = _search(cell, cutoff, full=False)
    i, j, d = search.compute(_doubles(positions), _doubles(cell), True, "ijd")
    return i.astype(np.intp), j.astype(np.intp), d


def half_bonds_within(positions: ArrayLike, cell: ArrayLike, cutoff: float) -> Bonds:
    """Find every pair of atoms nearer than a cutoff, once, with its vector.

    See :func:`pairs_within`; of the two atoms either may be the centre, in no order.
    """
    search = _search(cell, cutoff, full=False)
    i, j, d, D = search.compute(_doubles(positions), _doubles(cell), True, "ijdD")
    return Bonds(i.astype(np.intp), j.astype(np.intp), d, D)


def bonds_within(positions: ArrayLike, cell: ArrayLike, cutoff: float) -> Bonds:
    """Find the neighbours of every atom nearer than a cutoff; see :func:`pairs_within`."""
    search = _search(cell, cutoff, full=True)
    i, j, d, D = search.compute(_doubles(positions), _doubles(cell), True, "ijdD")
    return Bonds(i.astype(np.intp), j.astype(np.intp), d, D)


def heights(cell: ArrayLike) -> FloatArray:
    """Distances between opposite faces of a cell, V / |b × c|, in Å, shape (3,).

    A sphere of half the smallest of them holds no atom twice.

    Examples
    --------
    >>> heights(np.diag([2.0, 3.0, 4.0]))
    array([2., 3., 4.])
    """
    a = _doubles(cell)
    faces = np.cross(a[[1, 2, 0]], a[[2, 0, 1]])
    across: FloatArray = abs(np.linalg.det(a)) / np.linalg.norm(faces, axis=1)
    return across


def _search(cell: ArrayLike, cutoff: float, full: bool) -> NeighborList:
    if not cutoff > 0.0 or not np.isfinite(cutoff):
        raise InputError(f"a cutoff must be positive, got {cutoff:g} Å")
    if not abs(np.linalg.det(_doubles(cell))) > 0.0:
        raise InputError("neighbours need a periodic cell with a volume")
    # one thread: the cores belong to whoever called
    return NeighborList(cutoff=cutoff, full_list=full, sorted=full, n_threads=1)


def _doubles(values: ArrayLike) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)
