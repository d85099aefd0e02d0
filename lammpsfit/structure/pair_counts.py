"""Partial g(r) of single configurations, and where the first shell ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.structure.neighbours import pairs_within
from lammpsfit.structure.rdf import FloatArray, rdf_from_counts

SMOOTHING: Final = 0.07
"""Å over which g(r) is smoothed (Gaussian) before its minimum is looked for."""

PROMINENCE: Final = 0.05
"""Least rise in g out of a minimum, and fall from a maximum: less is taken for noise."""

FIRST_PEAK: Final = 0.2
"""Least height of the first peak, as a fraction of the highest: few pairs at small r are none."""


@dataclass(frozen=True, eq=False)
class Composition:
    """The species of the atoms of a configuration.

    Attributes
    ----------
    species : tuple of str
        Names, in the order of the pairs.
    kinds : ndarray of int, shape (n_atoms,)
        Index into `species` of each atom.
    """

    species: tuple[str, ...]
    kinds: NDArray[np.intp]

    @classmethod
    def of(cls, names: Sequence[str]) -> Composition:
        """Give each species a number, in the order in which they occur.

        Examples
        --------
        >>> Composition.of(["Si", "O", "O"]).numbers
        {'Si': 1, 'O': 2}
        """
        species = tuple(dict.fromkeys(names))
        index = {name: k for k, name in enumerate(species)}
        return cls(species, np.array([index[name] for name in names], dtype=np.intp))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Number of atoms of each species."""
        counts = Counter(self.kinds.tolist())
        return {name: counts[k] for k, name in enumerate(self.species)}

    @cached_property
    def pairs(self) -> tuple[str, ...]:
        """Every unordered pair of species that the configuration holds a pair of atoms of."""
        n = self.numbers
        both = combinations_with_replacement(self.species, 2)
        return tuple(f"{a}-{b}" for a, b in both if a != b or n[a] > 1)

    @cached_property
    def pair_index(self) -> NDArray[np.intp]:
        """Row of `pairs` for two kinds, shape (n_species, n_species); -1 where there is none."""
        n = len(self.species)
        index = np.full((n, n), -1, dtype=np.intp)
        for row, pair in enumerate(self.pairs):
            a, b = (self.species.index(name) for name in pair.split("-"))
            index[a, b] = index[b, a] = row
        return index


def configuration_rdf(
    composition: Composition, positions: ArrayLike, cell: ArrayLike, dr: float, n_bins: int
) -> FloatArray:
    """Partial g(r) of one configuration.

    Every periodic image within the range counts, so the range may go beyond half the box.
    Normalised with the volume of this configuration, by N_i (N_j - δ_ij)
    (:func:`lammpsfit.structure.rdf.rdf_from_counts`); the mean over frames is that of LAMMPS
    ``compute rdf``, also where the volume changes.

    Parameters
    ----------
    composition : Composition
        The species of the atoms.
    positions : array_like, shape (n, 3), Å
        Atoms.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    dr : float, Å
        Width of a bin; the first begins at zero.
    n_bins : int
        Number of bins.

    Returns
    -------
    ndarray, shape (n_pairs, n_bins)
        Rows in the order of ``composition.pairs``.
    """
    i, j, d = pairs_within(positions, cell, n_bins * dr)
    row = composition.pair_index[composition.kinds[i], composition.kinds[j]]
    bins = (d * (1.0 / dr)).astype(np.intp)
    inside = (row >= 0) & (bins < n_bins)
    pairs, numbers = composition.pairs, composition.numbers
    counts = np.bincount(row[inside] * n_bins + bins[inside], minlength=len(pairs) * n_bins)
    edges = dr * np.arange(n_bins + 1)
    volume = float(abs(np.linalg.det(np.asarray(cell, dtype=np.float64))))
    g = np.empty((len(pairs), n_bins))
    for k, (pair, once) in enumerate(zip(pairs, counts.reshape(g.shape), strict=True)):
        a, b = pair.split("-")
        ordered = once * (1 + (a == b))
        g[k] = rdf_from_counts(ordered, numbers[a], numbers[b], a == b, volume, edges)
    return g


def first_minimum(r: ArrayLike, g: ArrayLike) -> float | None:
    """Find the first minimum of g(r) after its first peak: the end of the first shell.

    g is smoothed over :data:`SMOOTHING`. Maxima and minima less prominent than
    :data:`PROMINENCE` do not count, nor do maxima below 1 or :data:`FIRST_PEAK` of the highest.
    Where g is flat, as between the shells of a crystal, it is the middle of the flat part.

    Parameters
    ----------
    r : array_like, shape (n,), Å
        Bin centres, uniform.
    g : array_like, shape (n,)
        Pair distribution.

    Returns
    -------
    float or None
        Å; None where g has no first shell that ends within its range (a gas, or too few atoms).
    """
    # half of what the start of a process takes, which hardly any process needs
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    radii, values = np.asarray(r, dtype=np.float64), np.asarray(g, dtype=np.float64)
    smooth = gaussian_filter1d(values, SMOOTHING / (radii[1] - radii[0]), mode="nearest")
    smooth[np.abs(smooth) < 1e-6 * smooth.max(initial=0.0)] = 0.0  # tails of the Gaussian
    least = max(1.0, FIRST_PEAK * smooth.max(initial=0.0))
    peaks, _ = find_peaks(smooth, height=least, prominence=PROMINENCE)
    if not peaks.size:
        return None
    minima, _ = find_peaks(-smooth, prominence=PROMINENCE)
    after = minima[minima > peaks[0]]
    return float(radii[after[0]]) if after.size else None
