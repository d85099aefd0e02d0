"""Total structure factors S(q) of neutrons and X-rays.

S is that of Faber and Ziman (:mod:`lammpsfit.structure.scattering`), 1 at large q. Its distance
from the one wanted is d = |S - w| / |w - 1|, or |q (S - w)| / |q (w - 1)|: a gas without structure
has 1. By Parseval's theorem the latter is the distance of G(r). A bin of q holds wavevectors as q²,
so that it is also the less noisy one.

Up to :data:`SWITCH`, S comes from the positions of each frame at all wavevectors of its box, so
that nothing is lost to the range of g(r). It is compared with w at those wavevectors: in a bin that
holds some, S is that of the file plus the mean difference; in one that holds none it is that of the
file, and has no residual. Beyond, S comes from pair distances up to the reach R of the histogram,
without a window, at the q of the file. What lies beyond R is at most about 4πρ R |g(R) - 1| / q²
there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.config import TotalScatteringTable
from lammpsfit.errors import InputError
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.reference.total_table import TotalTable, read_total_table
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.pair_transforms import pair_factors, sphere_transform, wave_kernel
from lammpsfit.structure.scattering import amplitudes, pair_weights
from lammpsfit.structure.structure_factor import MOST_VECTORS, densities, wavevectors
from lammpsfit.target.curve_term import Curve, CurveTerm
from lammpsfit.target.scattering_files import (
    RADIATION,
    barn_per_atom,
    box_length,
    check_level,
    peak_is_plausible,
)
from lammpsfit.target.term import Column, Setting

SWITCH: Final = 4.0
"""1/Å up to which S(q) comes from wavevectors of the box."""

MOST_WORK: Final = 4e8
"""Atoms times wavevectors of a frame up to which all wavevectors count, a quarter of a second; of
larger boxes some of each bin do."""

POINTS: Final = 10
"""Points of the file, interpolated, that make what is wanted in a bin that wavevectors serve."""

CHOICE: Final = 0.1
"""1/Å of the bins from each of which some wavevectors are chosen, where not all count."""


@dataclass(frozen=True, eq=False)
class TotalScattering(CurveTerm):
    """S(q) in bins of q: first those from wavevectors of the box, then those from pairs.

    Attributes
    ----------
    radiation
        ``"neutron"`` or ``"xray"``.
    shown_as
        ``"S"`` or ``"q(S-1)"``: what the curve is.
    edges
        Edges in 1/Å of the bins that wavevectors serve, shape (n_low + 1,), equally spaced.
    table
        q in 1/Å and S of the file, shape (2, n_table).
    q, q_bins
        The q of the file that pairs serve, in 1/Å, and the bin of each, shape (m,).
    errors
        Standard errors of what is wanted, shape (K,); None where unknown.
    """

    radiation: str
    shown_as: str
    edges: FloatArray
    table: FloatArray
    q: FloatArray
    q_bins: NDArray[np.intp]
    errors: FloatArray | None
    fine_bins = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with the radiation."""
        return f"S(q) {self.radiation}"

    @property
    def norm(self) -> float:
        """|w - 1|, or |q (w - 1)|."""
        return float(np.linalg.norm(self.curve_wanted - self.structureless))

    @property
    def structureless(self) -> FloatArray:
        """S = 1, shape (K,)."""
        return self._shown(np.ones(self.x.size))

    @property
    def factor_wanted(self) -> FloatArray:
        """S wanted in each bin, shape (K,)."""
        return self.curve_wanted if self.shown_as == "S" else 1.0 + self.curve_wanted / self.x

    @property
    def wanted_error(self) -> FloatArray | None:
        """Standard errors of what is wanted, shape (K,), if known."""
        return self.errors

    @property
    def column(self) -> Column:
        """The distance in per cent."""
        label = f"S(q) {self.radiation}"
        distance = {
            "S": "|S - wanted| / |wanted - 1|",
            "q(S-1)": "|q (S - wanted)| / |q (wanted - 1)|",
        }
        words = (
            f"{label}: {distance[self.shown_as]}, {self.x[0]:.2f} < q < {self.x[-1]:.2f} 1/Å; "
            f"{100 * self.per_percent:.3g} % count as much as R = 1 %"
        )
        return Column(self.name, label, "%", 100.0, 2, 0.0, words)

    @property
    def curve(self) -> Curve:
        """S(q), or q [S(q) - 1], wanted."""
        label = {"S": "S(q)", "q(S-1)": "q [S(q) − 1] (1/Å)"}[self.shown_as]
        title = f"{label.removesuffix(' (1/Å)')}, {RADIATION[self.radiation]}"
        return Curve(self.name, title, "q (1/Å)", label, self.x, self.wanted)

    def _shown(self, S: FloatArray) -> FloatArray:
        """Turn S in each bin, shape (..., K), into what the curve is."""
        return S if self.shown_as == "S" else self.x * (S - 1.0)

    def measure(
        self, composition: Composition, positions: FloatArray, cell: FloatArray
    ) -> FloatArray:
        """Return S in the bins that wavevectors of the box serve, in one frame, shape (n_low,)."""
        n = self.edges.size - 1
        if not n:
            return np.zeros(0)
        hkl = _vectors(
            tuple(np.ravel(cell).tolist()), self.edges[0], self.edges[-1], len(positions)
        )
        lengths = np.linalg.norm(hkl @ (2 * np.pi * np.linalg.inv(cell).T), axis=1)
        numbers = np.array([composition.numbers[name] for name in composition.species])
        f = amplitudes(self.radiation, composition.species, lengths)
        c, N = numbers / numbers.sum(), numbers.sum()
        F = np.sum(f * densities(composition, positions, cell, hkl), axis=0)
        S = 1.0 + (np.abs(F) ** 2 / N - c @ f**2) / (c @ f) ** 2
        bins = np.searchsorted(self.edges, lengths, side="right") - 1
        difference = np.bincount(bins, S - np.interp(lengths, *self.table), minlength=n)
        found: FloatArray = self.factor_wanted[:n] + difference / np.maximum(
            np.bincount(bins, minlength=n), 1
        )
        return found

    def observe(self, frames: Frames) -> FloatArray:
        """Return the curve in each frame, shape (n_frames, K)."""
        low = frames.measured[self.name]
        if not self.q.size:
            return self._shown(low)
        r, dr, counts = frames.coarse_counts()
        w = pair_weights(self.radiation, frames.atoms, frames.pairs, self.q)
        kernel = wave_kernel(self.q, r, dr)
        S = 1.0 - np.outer(frames.number_density, sphere_transform(self.q, frames.histogram.cutoff))
        for k, factor in enumerate(pair_factors(frames.atoms, frames.pairs)):
            S += factor * w[k] * (counts[:, k] @ kernel)
        of = np.zeros((self.q.size, self.x.size - low.shape[1]))
        of[np.arange(self.q.size), self.q_bins] = 1.0 / np.bincount(self.q_bins)[self.q_bins]
        return self._shown(np.hstack([low, S @ of]))


@lru_cache(maxsize=8)
def _vectors(cell: tuple[float, ...], low: float, high: float, atoms: int) -> NDArray[np.intp]:
    """Return the wavevectors of a box with lengths from `low` to `high`, shape (n, 3)."""
    vectors = np.reshape(cell, (3, 3))
    expected = high**3 * abs(np.linalg.det(vectors)) / (12 * np.pi**2)
    most = 10**9 if expected * atoms <= MOST_WORK else MOST_VECTORS
    hkl = wavevectors(vectors, high, CHOICE, most).hkl
    lengths = np.linalg.norm(hkl @ (2 * np.pi * np.linalg.inv(vectors).T), axis=1)
    inside: NDArray[np.intp] = hkl[(lengths >= low) & (lengths < high)]
    return inside


def build(tables: Sequence[TotalScatteringTable], setting: Setting) -> Iterator[TotalScattering]:
    """Make the terms of ``[[total_scattering]]`` tables.

    Raises
    ------
    InputError
        If the file is no such table or not what it is said to be, a species is no element, or no
        q is left.
    """
    for table in tables:
        known, S, scale = read_factor(table, setting)
        low = known.x[0] if table.q_min is None else table.q_min
        high = known.x[-1] if table.q_max is None else table.q_max
        inside = (known.x >= low) & (known.x <= high)
        if not low < high or inside.sum() < 2:
            raise InputError(
                f"{known.path}: no two points are left with {low:g} < q < {high:g} 1/Å, the table "
                f"goes from {known.x[0]:g} to {known.x[-1]:g}"
            )
        yield _term(known, table, setting, S, scale, inside)


def read_factor(
    table: TotalScatteringTable, setting: Setting
) -> tuple[TotalTable, FloatArray, FloatArray]:
    """Read a measured curve as S(q).

    Returns
    -------
    known : TotalTable
        What the file holds.
    S : ndarray, shape (n,)
        S at each q of it, 1 at large q.
    scale : ndarray, shape (n,)
        What turns errors of the file into those of S.

    Raises
    ------
    InputError
        If the file is no such table or cannot be what it is said to be.
    """
    known = read_total_table(table.file, "q", table.unit)
    S, scale = _as_factor(known, table, setting)
    check_level(known, S, f'quantity = "{table.quantity}"', "S")
    peak_is_plausible(known, S, setting)
    return known, S, scale


def _term(
    known: TotalTable,
    table: TotalScatteringTable,
    setting: Setting,
    S: FloatArray,
    scale: FloatArray,
    inside: NDArray[np.bool_],
) -> TotalScattering:
    """Make the bins, and what is wanted in each."""
    q = known.x[inside]
    width = max(table.width, float(np.median(np.diff(q))))
    shortest = max(float(q[0]), 2 * np.pi / box_length(setting))
    first, switch = int(shortest / width), round(SWITCH / width)
    last = max(first, min(switch, int(q[-1] / width)))
    edges = width * np.arange(first, last + 1, dtype=np.float64)
    low = ((np.arange(POINTS) + 0.5) / POINTS * width + edges[:-1, None]).clip(q[0], q[-1])
    beyond = q[q >= width * switch]
    _, q_bins = np.unique((beyond / width).astype(np.intp), return_inverse=True)
    number = np.bincount(q_bins)
    if edges.size < 2 and not beyond.size:
        raise InputError(
            f"{known.path}: no bin of {width:g} 1/Å is left between the shortest wavevector of the "
            f"box ({shortest:.3g} 1/Å) and q = {q[-1]:g} 1/Å: give a wider range"
        )

    def means(curve: FloatArray) -> FloatArray:
        high = np.bincount(q_bins, np.interp(beyond, known.x, curve)) / number
        return np.concatenate([np.interp(low, known.x, curve).mean(axis=1), high])

    x, wanted = means(known.x), means(S)
    errors = None if known.error is None else means(known.error * np.abs(scale))
    if table.compare == "q(S-1)":
        wanted, errors = x * (wanted - 1.0), None if errors is None else x * errors
    return TotalScattering(
        x=x,
        curve_wanted=wanted,
        per_percent=table.per_percent,
        radiation=table.radiation,
        shown_as=table.compare,
        edges=edges,
        table=np.array([known.x, S]),
        q=beyond,
        q_bins=q_bins,
        errors=errors,
    )


def _as_factor(
    known: TotalTable, table: TotalScatteringTable, setting: Setting
) -> tuple[FloatArray, FloatArray]:
    """Turn the curve of the file into S, and what its errors are multiplied with."""
    one = np.ones(known.x.size)
    amplitudes(table.radiation, setting.system.species, known.x)  # refuses what is no element
    if table.quantity == "S":
        return known.y, one
    if table.quantity == "S-1":
        return 1.0 + known.y, one
    if table.quantity == "q(S-1)":
        return 1.0 + known.y / known.x, 1.0 / known.x
    if table.radiation != "neutron":
        raise InputError('total_scattering.quantity = "F_barn" is for neutrons')
    barn = barn_per_atom(setting)
    return 1.0 + known.y / barn, one / barn
