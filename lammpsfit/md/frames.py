"""What the frames of a run saw: enough to tell what another potential would have made of them.

A pair potential meets a configuration only through its pair distances. With the histogram of
these in every frame, the energy of that frame in any potential of the same reach is a sum over
bins, and so are the derivatives of that energy and of the pressure in every parameter:

    U          = Σ_pairs Σ_bins n(r) u(r)
    dU/dθ      = Σ_pairs Σ_bins n(r) du(r)/dθ
    P V        = N k_B T - 1/3 Σ_pairs Σ_bins n(r) r du(r)/dr

U is the energy whose slope the forces are: that is what a run samples. Terms that end plainly at
their cutoff jump there, and no force knows of the jump. So u(r) is less its value at the cutoff,
as with ``pair_modify shift yes``. At constant volume that is nearly a constant; where the volume
changes, so does the number of pairs within the cutoff.

The bins are so narrow that what they hide does not matter (:data:`lammpsfit.md.histogram.FINE`).

An Ewald sum is no such sum. Its energy is a number of each frame, and scales with the square of
the charges where they all scale together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace, Potential, all_pairs
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.forcefield.smoothing import without_jump
from lammpsfit.md.histogram import CountArray, FloatArray, Histogram
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.rdf import rdf_from_counts
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, DALTON_PER_CUBIC_ANGSTROM

COARSE = 0.02
"""Å of the bins in which pair distances are transformed."""

CHUNK = 16
"""Frames whose counts are made floating-point numbers at a time: they stay in the cache."""

EDGE = 1e-5
"""Å from the cutoff of the terms within which the centre of a bin counts as on it."""

Measure: TypeAlias = Callable[[Composition, FloatArray, FloatArray], FloatArray]
"""Takes the species, positions (n, 3) and cell vectors (3, 3) of one frame in Å; gives what is to
be kept of them, shape (K,)."""


class Observable(Protocol):
    """What is kept of a run beside g(r)."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def measure(self) -> Measure | None:
        """What it needs of the positions of each frame; ``frames.measured[name]`` has it then."""

    @property
    def fine_bins(self) -> bool:
        """Whether it needs bins fine enough for energies."""

    def observe(self, frames: "Frames") -> FloatArray:
        """Return its value in each frame, shape (n_frames, K)."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The pair distances in every frame of a run.

    Attributes
    ----------
    histogram
        The bins.
    atoms
        Numbers of atoms by species; their order is that of the pairs.
    volume
        Volume of the box at each frame in Å³, shape (n_frames,); one number is that of all.
    counts
        Pairs of atoms in each bin, every pair once, shape (n_frames, n_pairs, size).
    pressure
        Pressure of each frame in bar, shape (n_frames,).
    measured
        What was taken of the positions of each frame, by name, shape (n_frames, K) each.
    coulomb
        Coulomb energy of each frame in eV, shape (n_frames,), where it is no sum over pairs.
    charges
        Charges in e by species that it has been found with.
    """

    histogram: Histogram
    atoms: Mapping[str, int]
    volume: FloatArray
    counts: CountArray
    pressure: FloatArray
    measured: Mapping[str, FloatArray] = field(default_factory=dict)
    coulomb: FloatArray | None = None
    charges: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        volume = np.broadcast_to(np.asarray(self.volume, dtype=np.float64), (len(self.counts),))
        object.__setattr__(self, "volume", volume)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def pairs(self) -> tuple[str, ...]:
        """Names of the pairs, in the order of `counts`."""
        return all_pairs(tuple(self.atoms))

    def density(self, masses: Mapping[str, float]) -> FloatArray:
        """Return the density of each frame in g/cm³, shape (n_frames,), from the masses in Da."""
        mass = sum(number * masses[name] for name, number in self.atoms.items())
        density: FloatArray = mass / (self.volume * DALTON_PER_CUBIC_ANGSTROM)
        return density

    def g(self, blocks: int | None = None) -> FloatArray:
        """Return the partial g(r) of each frame, or the mean of each of `blocks` blocks.

        Each frame is normalised with its own volume.

        Returns
        -------
        array, shape (n_frames or blocks, n_pairs, n_bins)
        """
        n = len(self) if blocks is None else blocks
        # where the volume is constant these are ones, which keeps every bit
        relative = self.volume / self.volume[0]
        coarse = self.histogram.coarse(self.counts) * relative[:, None, None]
        means = coarse.reshape(n, -1, *coarse.shape[1:]).mean(axis=1)
        g: FloatArray = np.empty_like(means)
        edges = self.histogram.edges()
        for k, pair in enumerate(self.pairs):
            a, b = split_pair(pair)
            ordered = means[:, k] * (1 + (a == b))
            g[:, k] = rdf_from_counts(
                ordered, self.atoms[a], self.atoms[b], a == b, float(self.volume[0]), edges
            )
        return g

    @property
    def number_density(self) -> FloatArray:
        """Atoms of all species per Å³ in each frame, shape (n_frames,)."""
        density: FloatArray = sum(self.atoms.values()) / self.volume
        return density

    def coarse_counts(self, width: float = COARSE) -> tuple[FloatArray, float, FloatArray]:
        """Return the counts in wider bins that end where the histogram does, for transforms.

        Parameters
        ----------
        width
            Width of a bin in Å at most, where those of the histogram are not wider.

        Returns
        -------
        r : array, shape (n_bins,), Å
            Centres of the bins.
        dr : float, Å
            Their width.
        counts : array, shape (n_frames, n_pairs, n_bins)
            Pairs of atoms, every pair once.
        """
        size, fine = self.histogram.size, self.histogram.dr
        merge = max(m for m in range(1, max(1, int(width / fine)) + 1) if size % m == 0)
        dr = merge * fine
        r: FloatArray = dr * (np.arange(size // merge, dtype=np.float64) + 0.5)
        bins = self.counts.reshape(*self.counts.shape[:-1], -1, merge)
        counts: FloatArray = bins.sum(axis=-1, dtype=np.float64)
        return r, dr, counts

    def energies(self, potentials: Sequence[Potential]) -> FloatArray:
        """Return the energy of each frame in eV in each potential, shape (n_frames, n).

        It is that of LAMMPS less :meth:`jumps`.
        """
        U = self._sum(lambda pair, r: np.stack([felt(p, pair, r) for p in potentials], axis=1))
        return U + self.coulomb_energies(potentials)

    def coulomb_energies(self, potentials: Sequence[Potential]) -> FloatArray:
        """Return the part of the energies that is no sum over pairs, in eV, shape (n_frames, n)."""
        if self.coulomb is None:
            return np.zeros((len(self), len(potentials)))
        scales = [
            self._scale(p.charges) if p.coulomb is not None and not p.coulomb.pairwise else 0.0
            for p in potentials
        ]
        return np.outer(self.coulomb, np.square(scales))

    def jumps(self, potential: Potential) -> FloatArray:
        """Return what the energy of each frame jumps by at the cutoff in eV, shape (n_frames,).

        It is the value of the terms there, times the pairs within. LAMMPS counts it as energy.
        """
        return self._sum(
            lambda pair, r: (potential.energy(pair, r) - felt(potential, pair, r))[:, None]
        )[:, 0]

    def gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return dU/du of each frame at the point `u`, in eV, shape (n_frames, d).

        U is that of :meth:`energies`.
        """
        cutoff = space.base.cutoff
        dU = self._sum(
            lambda pair, r: without_jump(lambda r: space.gradient(u, pair, r).T, r, cutoff)
        )
        return dU + self._coulomb_gradient(space, u)

    def pressure_gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return dP/du of each frame at the point `u`, in bar, shape (n_frames, d)."""

        def virial(pair: str, r: FloatArray) -> FloatArray:
            # the terms end plainly there: rounding is not to decide whether they still act
            r = np.where(np.abs(r - space.base.cutoff) <= EDGE, r - 2 * EDGE, r)
            product: FloatArray = (r * space.slope_gradient(u, pair, r)).T
            return product

        per_volume = -BAR_PER_EV_PER_CUBIC_ANGSTROM / 3 / self.volume
        # the Coulomb energy goes with the inverse of all lengths: P V = E/3
        virials = self._sum(virial) - self._coulomb_gradient(space, u)
        change: FloatArray = virials * per_volume[:, None]
        return change

    def _coulomb_gradient(self, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return dE/du of the Coulomb energy of each frame in eV, shape (n_frames, d) or (1, 1)."""
        if space.base.coulomb is None or space.base.coulomb.pairwise:
            return np.zeros((1, 1))
        changes = space.charge_gradient(u)
        if self.coulomb is None:
            if any(change.any() for change in changes.values()):
                raise InputError("these frames hold no Coulomb energies: charges must stay")
            return np.zeros((1, 1))
        per_scale = 2.0 * self._scale(space.potential(u).charges) * self.coulomb
        return np.outer(per_scale, self._scale(changes))

    def _scale(self, charges: Mapping[str, Any]) -> Any:
        """Return how often charges, or changes of them, are those of the run."""
        largest = max(self.charges, key=lambda species: abs(self.charges[species]))
        return charges[largest] / self.charges[largest]

    def _sum(self, of: Callable[[str, FloatArray], FloatArray]) -> FloatArray:
        """Sum a function of pair and distance over all pairs of atoms of each frame.

        Bins nearer than any pair came are left out: there the function may be huge.
        """
        total: FloatArray | None = None
        for k, (pair, seen) in enumerate(zip(self.pairs, self._seen, strict=True)):
            values = of(pair, self.histogram.centres[seen])
            if total is None:
                total = np.zeros((len(self), *values.shape[1:]))
            counts = self.counts[:, k, seen]
            room = np.empty((min(CHUNK, len(self)), counts.shape[1]))
            for first in range(0, len(self), CHUNK):
                some = counts[first : first + CHUNK]
                np.copyto(room[: len(some)], some)
                total[first : first + CHUNK] += room[: len(some)] @ values
        assert total is not None  # there is at least one species
        return total

    @cached_property
    def _seen(self) -> list[slice]:
        """The bins of each pair from the first to the last that any frame has something in."""
        found = []
        for k in range(len(self.pairs)):
            bins = np.flatnonzero(self.counts[:, k].any(axis=0))
            found.append(slice(bins[0], bins[-1] + 1) if bins.size else slice(0, 0))
        return found


def felt(potential: Potential, pair: str, r: FloatArray) -> FloatArray:
    """Return U(r) of a pair in eV as a run feels it, for distances in Å of shape (n,)."""
    return without_jump(lambda r: potential.energy(pair, r), r, potential.cutoff)
