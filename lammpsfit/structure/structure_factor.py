"""Partial structure factors S_ab(q), from the atoms themselves at the wavevectors of their box.

In the definition of T. E. Faber and J. M. Ziman (Phil. Mag. 11, 153 (1965),
doi:10.1080/14786436508211931), with ρ_a(q) = Σ_{i in a} exp(i q·r_i):

    S_ab(q) = 1 + N / (N_a N_b) < Re ρ_a(q) ρ_b(-q) > - δ_ab N / N_a
            = 1 + ρ ∫ [g_ab(r) - 1] sin(qr)/(qr) 4π r² dr

It is 1 for an ideal gas, and 1 at large q. The first line needs no g(r), so that nothing is lost
to its finite range; it holds only at the wavevectors of the box, q = 2π (h a* + k b* + l c*).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import FloatArray

MOST_VECTORS: Final = 32
"""Wavevectors of a bin, about, where the box has more: the time a frame takes grows with their
number, and every block of a run can have others."""

CHUNK: Final = 64
"""Wavevectors whose phases are held at a time."""

DENSE: Final = 6
"""Wavevectors of a whole block that a product of matrices makes in the time of one by itself."""


@dataclass(frozen=True, eq=False)
class Wavevectors:
    """Wavevectors of a periodic box in bins of their length, one of each pair ±q.

    Attributes
    ----------
    hkl : ndarray of int, shape (n, 3)
        Multiples of the reciprocal vectors.
    bins : ndarray of int, shape (n,)
        Bin of each.
    q : ndarray, shape (n_bins,), 1/Å
        Mean length in each bin; bins that hold none are left out.
    """

    hkl: NDArray[np.intp]
    bins: NDArray[np.intp]
    q: FloatArray


@dataclass(frozen=True, eq=False)
class StructureFactors:
    """Partial structure factors of a run.

    Attributes
    ----------
    pairs : tuple of str
        Names such as "Si-O".
    q : ndarray, shape (n_q,), 1/Å
        Lengths of the wavevectors.
    blocks : ndarray, shape (n_blocks, n_pairs, n_q)
        S_ab in the definition of Faber and Ziman, averages over consecutive parts of the run.
    """

    pairs: tuple[str, ...]
    q: FloatArray
    blocks: FloatArray


def wavevectors(
    cell: ArrayLike, q_max: float, width: float, most: int = MOST_VECTORS, seed: int = 0
) -> Wavevectors:
    """Choose wavevectors of a box: all of a bin, or some `most` of them at random.

    The choice is the same for the same box and seed.

    Parameters
    ----------
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    q_max : float, 1/Å
        Longest wavevector.
    width : float, 1/Å
        Width of a bin.
    most : int
        Wavevectors of a bin, about; all of bins that hold fewer.
    seed : int
        Of the choice.

    Raises
    ------
    InputError
        If the box has no wavevector up to `q_max`.
    """
    cell = np.asarray(cell, dtype=np.float64)
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    n_bins = int(np.ceil(q_max / width - 1e-9))
    # half of the vectors in the shell of each bin: of ±q one tells all
    shells = 4 / 3 * np.pi * np.diff((width * np.arange(n_bins + 1)) ** 3)
    expected = np.maximum(0.5 * shells / abs(np.linalg.det(reciprocal)), 1e-300)
    rng = np.random.default_rng(seed)
    reach = [int(q_max * np.linalg.norm(a) / (2 * np.pi)) for a in cell]
    k, l = (np.arange(-n, n + 1) for n in reach[1:])  # noqa: E741 (their names)
    found = []
    for h in range(reach[0] + 1):  # a sheet at a time: large boxes have many millions
        hkl = np.stack(np.broadcast_arrays(h, k[:, None], l[None, :]), axis=-1).reshape(-1, 3)
        if h == 0:
            hkl = hkl[(hkl[:, 1] > 0) | ((hkl[:, 1] == 0) & (hkl[:, 2] > 0))]
        length = np.linalg.norm(hkl @ reciprocal, axis=1)
        bins = (length / width).astype(np.intp)
        inside = np.flatnonzero((length <= q_max) & (bins < n_bins))
        kept = inside[rng.random(inside.size) * expected[bins[inside]] < most]
        found.append((hkl[kept], bins[kept], length[kept]))
    hkl, bins, length = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if not bins.size:
        raise InputError(
            f"S(q) needs wavevectors of the box, but the shortest is longer than {q_max:g} 1/Å: "
            "use more atoms"
        )
    _, dense = np.unique(bins, return_inverse=True)
    q = np.bincount(dense, length) / np.bincount(dense)
    return Wavevectors(hkl.astype(np.intp), dense, q)


def structure_factors(
    composition: Composition, positions: ArrayLike, cell: ArrayLike, vectors: Wavevectors
) -> FloatArray:
    """Partial structure factors of one configuration.

    Parameters
    ----------
    composition : Composition
        The species of the atoms.
    positions : array_like, shape (n, 3), Å
        Atoms, within the cell or outside it.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    vectors : Wavevectors
        Of this cell.

    Returns
    -------
    ndarray, shape (n_pairs, n_q)
        Rows in the order of ``composition.pairs``.
    """
    rho = densities(composition, positions, cell, vectors.hkl)
    n, total = composition.numbers, composition.kinds.size
    number = np.bincount(vectors.bins)
    S = np.empty((len(composition.pairs), vectors.q.size))
    for row, pair in enumerate(composition.pairs):
        a, b = pair.split("-")
        i, j = composition.species.index(a), composition.species.index(b)
        product = (rho[i] * rho[j].conj()).real
        mean = np.bincount(vectors.bins, product) / number
        S[row] = 1 + mean * total / (n[a] * n[b]) - (total / n[a] if a == b else 0.0)
    return S


def transform(r: ArrayLike, g: ArrayLike, density: float, q: ArrayLike) -> FloatArray:
    """Fourier transform of a pair distribution, S(q) = 1 + ρ ∫ [g - 1] sin(qr)/(qr) 4π r² dr.

    The integral ends where `g` does, which leaves ripples of the period 2π / r_max where g is
    not yet 1 there: a check of :func:`structure_factors`, and what a table of g(r) can tell.

    Parameters
    ----------
    r : array_like, shape (n,), Å
        Bin centres, uniform from near zero.
    g : array_like, shape (..., n)
        Pair distribution.
    density : float, 1/Å³
        Atoms of all species per volume.
    q : array_like, shape (n_q,), 1/Å
        Where it is wanted.

    Returns
    -------
    ndarray, shape (..., n_q)
    """
    radii = np.asarray(r, dtype=np.float64)
    dr = (radii[-1] - radii[0]) / (radii.size - 1)
    qr = np.multiply.outer(radii, np.asarray(q, dtype=np.float64))
    kernel = 4 * np.pi * density * dr * radii[:, None] ** 2 * np.sinc(qr / np.pi)
    S: FloatArray = 1 + (np.asarray(g, dtype=np.float64) - 1) @ kernel
    return S


def densities(
    composition: Composition, positions: ArrayLike, cell: ArrayLike, hkl: NDArray[np.intp]
) -> NDArray[np.complex128]:
    """Fourier components of the density of each species, ρ_a(q) = Σ_{i in a} exp(i q·r_i).

    exp(i q·r) is a product of one factor for each axis, and these are few: no sine or cosine of
    every q·r is needed. Where many wavevectors are asked for, all of the block that holds them
    are made, by products of matrices.

    Parameters
    ----------
    composition : Composition
        The species of the atoms.
    positions : array_like, shape (n, 3), Å
        Atoms, within the cell or outside it.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    hkl : ndarray of int, shape (n_vectors, 3)
        Wavevectors as multiples of the reciprocal vectors.

    Returns
    -------
    ndarray, shape (n_species, n_vectors)
    """
    fractional = np.linalg.solve(np.asarray(cell, dtype=np.float64).T, np.transpose(positions))
    order = np.argsort(composition.kinds, kind="stable")
    ends = np.cumsum(np.bincount(composition.kinds, minlength=len(composition.species)))
    parts = [slice(first, end) for first, end in zip([0, *ends[:-1]], ends, strict=True)]
    low, high = hkl.min(axis=0), hkl.max(axis=0)
    X, Y, Z = (
        np.exp(2j * np.pi * np.multiply.outer(np.arange(low[k], high[k] + 1), u % 1.0))
        for k, u in enumerate(fractional[:, order])
    )
    h, k, l = (hkl - low).T  # noqa: E741 (their names)
    rho = np.empty((len(parts), len(hkl)), dtype=np.complex128)
    block = len(X) * len(Y) * len(Z)
    for species, part in enumerate(parts):
        x, y, z = X[:, part], Y[:, part], Z[:, part]
        if block < DENSE * len(hkl):
            rho[species] = np.stack([(one * y) @ z.T for one in x])[h, k, l]
            continue
        for start in range(0, len(hkl), CHUNK):
            some = slice(start, start + CHUNK)
            rho[species, some] = np.einsum("vn,vn->v", x[h[some]] * y[k[some]], z[l[some]])
    return rho
