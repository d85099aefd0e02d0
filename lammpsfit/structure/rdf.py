"""Partial pair distribution functions g_ab(r) and their statistical error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted

FloatArray = NDArray[np.float64]

BIN_TOLERANCE: Final = 0.02
"""How far a bin centre may be off the uniform grid, as a fraction of the bin width.

Tables print r with few decimals: bins of 1/60 Å with four decimals are off by 0.6 %.
"""


def canonical_pair(pair: str) -> str:
    """Spell a pair in the one order used for comparison (species sorted).

    Parameters
    ----------
    pair : str
        Two species joined by a hyphen, in either order.

    Returns
    -------
    str
        The same pair with its species in alphabetical order.

    Raises
    ------
    InputError
        If `pair` is not two species joined by a hyphen.

    Examples
    --------
    >>> canonical_pair("Si-O")
    'O-Si'
    """
    species = pair.split("-")
    if len(species) != 2 or not all(name and name == name.strip() for name in species):
        raise InputError(
            f"a pair must be two species joined by '-', as in Si-O, got {quoted(pair)}"
        )
    return "-".join(sorted(species))


def same_pair(first: str, second: str) -> bool:
    """Tell whether two names mean the same pair, whichever species comes first.

    Examples
    --------
    >>> same_pair("Si-O", "O-Si")
    True
    """
    return canonical_pair(first) == canonical_pair(second)


@dataclass(frozen=True, eq=False)
class PartialRdf:
    """Partial pair distribution functions on uniform bins.

    Attributes
    ----------
    pairs : tuple of str
        Names such as "Si-O", in the spelling of whoever made the object.
    r : ndarray, shape (n_bins,), Å
        Bin centres, uniform.
    g : ndarray, shape (n_pairs, n_bins), dimensionless
        Averages over the whole run.
    blocks : ndarray, shape (n_blocks, n_pairs, n_bins), or None
        Averages over consecutive parts of the run of equal length, in time order. Their
        mean is `g`. Errors derived from them hold when a block is longer than the
        correlation time of the structure.

    Raises
    ------
    InputError
        If shapes disagree, a number is not finite, bins are not uniform and increasing, a
        pair is named twice, or the blocks do not average to `g`.
    """

    pairs: tuple[str, ...]
    r: FloatArray
    g: FloatArray
    blocks: FloatArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", tuple(self.pairs))
        for name in ("r", "g", "blocks"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _frozen(getattr(self, name), name))
        _check_pairs(self.pairs)
        _check_bins(self.r)
        shape = (len(self.pairs), self.r.size)
        if self.g.shape != shape:
            raise InputError(f"g must have shape (pairs, bins) = {shape}, got {self.g.shape}")
        if self.blocks is not None:
            _check_blocks(self.blocks, self.g)

    @classmethod
    def from_blocks(cls, pairs: Sequence[str], r: ArrayLike, blocks: ArrayLike) -> PartialRdf:
        """Average blocks of equal length into one RDF that keeps them."""
        values = np.asarray(blocks, dtype=np.float64)
        return cls(tuple(pairs), np.asarray(r, dtype=np.float64), values.mean(axis=0), values)

    @property
    def dr(self) -> float:
        """Bin width in Å."""
        return float((self.r[-1] - self.r[0]) / (self.r.size - 1))

    @property
    def edges(self) -> FloatArray:
        """Bin edges in Å, shape (n_bins + 1,); the first is not below 0."""
        edges = self.r[0] + self.dr * (np.arange(self.r.size + 1) - 0.5)
        positive: FloatArray = np.maximum(edges, 0.0)
        return positive

    @property
    def variance(self) -> FloatArray:
        """Variance of the mean, var(blocks) / n_blocks, shape (n_pairs, n_bins).

        Zero where it cannot be known: without blocks, or with a single one.
        """
        if self.blocks is None or len(self.blocks) < 2:
            return np.zeros_like(self.g)
        variance: FloatArray = self.blocks.var(axis=0, ddof=1) / len(self.blocks)
        return variance

    def select(self, r_min: float = 0.0, r_max: float | None = None) -> PartialRdf:
        """Keep the bins whose centres lie in r_min < r < r_max (Å).

        Raises
        ------
        InputError
            If fewer than two bins are left.
        """
        upper = np.inf if r_max is None else r_max
        keep = (self.r > r_min) & (self.r < upper)
        if np.count_nonzero(keep) < 2:
            raise InputError(
                f"the range {r_min:g} < r < {upper:g} Å must hold at least two bins, but the "
                f"bins run from {self.r[0]:g} to {self.r[-1]:g} Å: choose another range"
            )
        blocks = None if self.blocks is None else self.blocks[:, :, keep]
        return PartialRdf(self.pairs, self.r[keep], self.g[:, keep], blocks)

    def reorder(self, pairs: Sequence[str]) -> PartialRdf:
        """Take these pairs, in this order and spelling; O-Si also finds Si-O.

        Raises
        ------
        InputError
            If a pair is not there.
        """
        index = {canonical_pair(pair): i for i, pair in enumerate(self.pairs)}
        missing = [pair for pair in pairs if canonical_pair(pair) not in index]
        if missing:
            raise InputError(f"g(r) has no pair {', '.join(missing)}: it has {self._names}")
        rows = [index[canonical_pair(pair)] for pair in pairs]
        blocks = None if self.blocks is None else self.blocks[:, rows]
        return PartialRdf(tuple(pairs), self.r, self.g[rows], blocks)

    def segments(self, k: int) -> tuple[PartialRdf, ...]:
        """Split the run into `k` consecutive parts (four: quarters) to show drift.

        When the number of blocks is no multiple of `k`, the first parts are one block
        longer than the others.

        Raises
        ------
        InputError
            If there are fewer than `k` blocks.
        """
        n_blocks = 0 if self.blocks is None else len(self.blocks)
        if k < 1 or n_blocks < k:
            raise InputError(f"{k} parts need at least {max(k, 1)} blocks, got {n_blocks}")
        assert self.blocks is not None
        parts = np.array_split(self.blocks, k)
        return tuple(PartialRdf.from_blocks(self.pairs, self.r, part) for part in parts)

    @property
    def _names(self) -> str:
        return ", ".join(self.pairs)


def shell_volumes(edges: ArrayLike) -> FloatArray:
    """Volumes of the spherical shells between consecutive radii, 4/3 π (r₁³ - r₀³).

    Parameters
    ----------
    edges : array_like, shape (n_bins + 1,), Å
        Increasing radii.

    Returns
    -------
    ndarray, shape (n_bins,), Å³
    """
    radii = np.asarray(edges, dtype=np.float64)
    volumes: FloatArray = 4.0 / 3.0 * np.pi * np.diff(radii**3)
    return volumes


def rdf_from_counts(
    counts: ArrayLike, n_i: int, n_j: int, same: bool, volume: float, edges: ArrayLike
) -> FloatArray:
    """Turn pair counts into g(r), normalised by the ideal gas of the same density.

        g(r) = counts(r) / [ N_i (N_j - δ_ij) V_shell(r) / V ]

    The -δ_ij (an atom is not its own neighbour) is the normalisation of LAMMPS
    ``compute rdf``; with it the mean over random positions is exactly 1.

    Parameters
    ----------
    counts : array_like, shape (..., n_bins)
        Ordered pairs per frame: for every atom of species i its neighbours of species j.
        For i = j each pair of atoms counts twice. Averages over frames are fine.
    n_i, n_j : int
        Numbers of atoms of the two species.
    same : bool
        Whether i and j are the same species.
    volume : float, Å³
        Volume of the cell.
    edges : array_like, shape (n_bins + 1,), Å
        Bin edges.

    Returns
    -------
    ndarray, shape (..., n_bins), dimensionless

    Raises
    ------
    InputError
        If there is no pair to count (no atoms, or one atom for i = j), or no volume.
    """
    n_pairs = n_i * (n_j - int(same))
    if n_pairs < 1 or not volume > 0.0:
        raise InputError(
            f"g(r) needs at least one pair of atoms and a positive volume, got {n_i} and {n_j} "
            f"atoms ({'same' if same else 'different'} species) in {volume:g} Å³"
        )
    values = np.asarray(counts, dtype=np.float64)
    g: FloatArray = values * volume / (n_pairs * shell_volumes(edges))
    return g


def _frozen(values: ArrayLike, name: str) -> FloatArray:
    """Copy into a read-only array, so that a value stays a value."""
    array = np.array(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name} of a pair distribution must be finite, got nan or inf")
    array.flags.writeable = False
    return array


def _check_pairs(pairs: tuple[str, ...]) -> None:
    names = [canonical_pair(pair) for pair in pairs]
    twice = [pair for i, pair in enumerate(pairs) if names[i] in names[:i]]
    if twice:
        raise InputError(f"each pair must be named once, got {', '.join(twice)} twice")
    if not pairs:
        raise InputError("a pair distribution needs at least one pair, got none")


def _check_bins(r: FloatArray) -> None:
    if r.ndim != 1 or r.size < 2:
        raise InputError(f"r must hold at least two bin centres, got shape {r.shape}")
    dr = (r[-1] - r[0]) / (r.size - 1)
    if not dr > 0.0:
        raise InputError(f"r must increase, got {r[0]:g} to {r[-1]:g} Å")
    off = np.abs(r - (r[0] + dr * np.arange(r.size)))
    if off.max() > BIN_TOLERANCE * dr:
        i = int(off.argmax())
        raise InputError(
            f"r must be uniform, but bin {i + 1} at {r[i]:g} Å is {off[i]:.2g} Å off a spacing "
            f"of {dr:.4g} Å: interpolate onto uniform bins"
        )


def _check_blocks(blocks: FloatArray, g: FloatArray) -> None:
    if blocks.ndim != 3 or blocks.shape[1:] != g.shape or not len(blocks):
        raise InputError(
            f"blocks must have shape (blocks, pairs, bins) = (n, {g.shape[0]}, {g.shape[1]}), "
            f"got {blocks.shape}"
        )
    # LAMMPS prints six digits, so blocks and their mean may come from different roundings.
    if np.any(np.abs(blocks.mean(axis=0) - g) > 1e-4 + 1e-4 * np.abs(g)):
        raise InputError("blocks must average to g: use PartialRdf.from_blocks")
