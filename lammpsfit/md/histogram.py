"""The pair-distance histogram of a run."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.structure.rdf import BIN_TOLERANCE

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.unsignedinteger]

ROUNDING: Final = 1e-4
"""Fraction of a bin by which tables with rounded radii may miss the cutoff."""

MOST_BINS: Final = 100_000
"""Bins that a run counts at most: more take its memory and tell nothing."""

FINE: Final = 5000
"""Least number of bins that give the energy of a frame. With as many over 8 Å, what they hide is a
third of kT in the energy of 300 atoms of silica, without correlation between frames, and 1e-3 of
its derivatives and of its difference between two potentials."""


@dataclass(frozen=True)
class Histogram:
    """The pair-distance histogram a run counts, and how its bins make up those asked for.

    The bins asked for (centres r_k, width dr) need not begin at zero. They are counted in
    finer ones of width dr/m from zero on, with m the smallest number for which every edge
    asked for is an edge of the fine bins. They go on to the cutoff of the potential, exactly if
    that is a multiple of their width: there LAMMPS takes the neighbour list of the forces. A
    longer one is built anew for each frame (twice the time), and a shorter one beside
    ``hybrid/overlay`` stops with "Failed to reorder neighbor lists".

    Attributes
    ----------
    dr
        Width of a fine bin in Å.
    merge
        Fine bins per bin, m.
    first
        Index of the first fine bin that counts.
    n_bins
        Number of bins asked for.
    size
        Number of fine bins from zero.
    """

    dr: float
    merge: int
    first: int
    n_bins: int
    size: int

    @classmethod
    def onto(cls, r: FloatArray, reach: float) -> "Histogram":
        """Choose the fine bins for the uniform centres `r` (Å), up to `reach` (Å) or beyond.

        Raises
        ------
        InputError
            If no common grid of at most 20 fine bins per bin starts at zero.
        """
        dr = float(r[-1] - r[0]) / (len(r) - 1)
        edge = float(r[0]) / dr - 0.5
        for merge in range(1, 21):
            first = edge * merge
            # a table prints its radii rounded, so "on the grid" has the tolerance of a bin
            if abs(first - round(first)) <= BIN_TOLERANCE * merge and first > -0.25:
                start = max(0, round(first))
                bins_within_reach = reach * merge / dr
                size = max(start + merge * len(r), math.ceil(bins_within_reach - ROUNDING))
                if size > MOST_BINS:
                    raise InputError(
                        f"bins of {dr:g} Å would be {size} up to {reach:g} Å, more than "
                        f"{MOST_BINS}: resample the reference to wider ones"
                    )
                if abs(size - bins_within_reach) < ROUNDING:
                    dr = merge * reach / size  # end on the cutoff to the bit: see above
                return cls(dr / merge, merge, start, len(r), size)
        raise InputError(
            f"bins of {dr:g} Å from {r[0]:g} Å on fit no grid that starts at zero: "
            f"resample the reference to centres (k + 1/2) times the bin width"
        )

    @property
    def cutoff(self) -> float:
        """Radius in Å up to which pairs are counted."""
        return round(self.size * self.dr, 9)

    def edges(self) -> FloatArray:
        """Edges in Å of the bins asked for, shape (n_bins + 1,)."""
        steps = np.arange(self.n_bins + 1, dtype=np.float64)
        edges: FloatArray = self.dr * (self.first + self.merge * steps)
        return edges

    def coarse(self, counts: CountArray) -> FloatArray:
        """Sum fine counts, shape (..., size), to the bins asked for, shape (..., n_bins)."""
        kept = counts[..., self.first : self.first + self.merge * self.n_bins]
        bins = kept.reshape(*kept.shape[:-1], self.n_bins, self.merge)
        # one sum of each bin's few counts takes three times as long
        summed: FloatArray = np.zeros(bins.shape[:-1])
        for part in range(self.merge):
            summed += bins[..., part]
        return summed

    @property
    def centres(self) -> FloatArray:
        """Centres in Å of the fine bins, shape (size,)."""
        return (np.arange(self.size, dtype=np.float64) + 0.5) * self.dr

    def refined(self, least: int = FINE) -> "Histogram":
        """Return the histogram with its fine bins split until there are at least so many."""
        parts = math.ceil(least / self.size)
        return replace(
            self,
            dr=self.dr / parts,
            merge=self.merge * parts,
            first=self.first * parts,
            size=self.size * parts,
        )
