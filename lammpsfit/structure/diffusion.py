"""Mean squared displacements, and the diffusion coefficient of Einstein's relation.

    MSD(t) = < |r_i(t0 + t) - r_i(t0)|² >   over atoms i and all time origins t0
    D      = 1/6 dMSD/dt   where MSD grows as t

The sum over origins is done by Fourier transforms (V. Calandrini et al., Collection SFN 12, 201
(2011), doi:10.1051/sfn/201112010). Errors come from the atoms' own places: the atoms are divided
by the eighth of the box they begin in, since neighbours move together and atoms far apart do not,
and the jackknife over the eighths is the standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import irfft, rfft

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import Estimate, jackknife_error
from lammpsfit.structure.line import weighted_slope
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.units import BOLTZMANN_CONSTANT

EINSTEIN_RANGE: Final = (0.25, 0.5)
"""Lags of the line that D is read off, as fractions of the run: long enough to leave the cage,
short enough that several origins are independent."""

CHUNK: Final = 256
"""Atoms whose displacements are held at a time."""


@dataclass(frozen=True, eq=False)
class Displacements:
    """Mean squared displacements of one species.

    Attributes
    ----------
    t : ndarray, shape (n_lags,), ps
        Lags, from 0 to half the run.
    regions : ndarray, shape (n_regions, n_lags), Å²
        Means over the atoms that began in each part of the box; parts without atoms are left out.
    atoms : ndarray of int, shape (n_regions,)
        Their numbers.
    """

    t: FloatArray
    regions: FloatArray
    atoms: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Mean over all atoms in Å², shape (n_lags,)."""
        mean: FloatArray = self.atoms @ self.regions / self.atoms.sum()
        return mean

    @property
    def error(self) -> FloatArray:
        """Standard error of the mean in Å², shape (n_lags,); nan with a single region."""
        if len(self.atoms) < 2:
            return np.full(self.t.shape, np.nan)
        return jackknife_error(self._without_one)

    @property
    def _without_one(self) -> FloatArray:
        """Means that each lack one region, shape (n_regions, n_lags)."""
        total = self.atoms @ self.regions
        kept = self.atoms.sum() - self.atoms
        means: FloatArray = (total - self.atoms[:, None] * self.regions) / kept[:, None]
        return means

    @property
    def coefficient(self) -> Estimate:
        """Diffusion coefficient in Å²/ps (1 Å²/ps = 1e-4 cm²/s)."""
        return self._fitted(lambda t, msd: float(np.polyfit(t, msd, 1)[0]) / 6)

    @property
    def exponent(self) -> Estimate:
        """Slope d ln MSD / d ln t over the same lags: 1 where the motion is diffusive."""
        return self._fitted(lambda t, msd: float(np.polyfit(np.log(t), np.log(msd), 1)[0]))

    def _fitted(self, fit: Callable[[FloatArray, FloatArray], float]) -> Estimate:
        low, high = (fraction * 2 * self.t[-1] for fraction in EINSTEIN_RANGE)
        used = (self.t >= low - 1e-9) & (self.t <= high + 1e-9)
        value = fit(self.t[used], self.mean[used])
        if len(self.atoms) < 2:
            return Estimate(value, float("nan"))
        others = [fit(self.t[used], msd[used]) for msd in self._without_one]
        return Estimate(value, float(jackknife_error(others)))


def mean_squared_displacements(
    members: Mapping[str, ArrayLike], positions: ArrayLike, cell: ArrayLike, interval: float
) -> dict[str, Displacements]:
    """Mean squared displacements of each species.

    Parameters
    ----------
    members : mapping of str to array_like of int
        Indices of the atoms of each species.
    positions : array_like, shape (n_frames, n_atoms, 3), Å
        Unwrapped positions at equal intervals.
    cell : array_like, shape (3, 3), Å
        Cell vectors as rows.
    interval : float, ps
        Time between two frames.

    Raises
    ------
    InputError
        If there are fewer than eight frames.
    """
    r = np.asarray(positions, dtype=np.float64)
    if len(r) < 8:
        raise InputError(f"diffusion needs at least 8 frames, got {len(r)}: sample longer")
    lags = len(r) // 2 + 1
    t: FloatArray = interval * np.arange(lags, dtype=np.float64)
    octant = (np.linalg.solve(np.asarray(cell, dtype=np.float64).T, r[0].T) % 1.0 >= 0.5).T
    region = octant @ np.array([1, 2, 4])
    found = {}
    for name, indices in members.items():
        atoms = np.asarray(indices, dtype=np.intp)
        sums, number = np.zeros((8, lags)), np.bincount(region[atoms], minlength=8)
        for start in range(0, atoms.size, CHUNK):
            part = atoms[start : start + CHUNK]
            np.add.at(sums, region[part], _displacements(r[:, part])[:lags].T)
        there = number > 0
        counts = number[there].astype(np.float64)
        means: FloatArray = sums[there] / counts[:, None]
        found[name] = Displacements(t, means, counts)
    return found


def _displacements(r: FloatArray) -> FloatArray:
    """Squared displacement of each atom at every lag, averaged over origins, (n_frames, n)."""
    n = len(r)
    r = r - r.mean(axis=0)  # of large numbers the difference below would lose digits
    power = np.abs(rfft(r, 2 * n, axis=0)) ** 2
    products = irfft(power, 2 * n, axis=0)[:n].sum(axis=-1)  # Σ_t0 r(t0)·r(t0 + t)
    square = (r**2).sum(axis=-1)
    # Σ_t0 r(t0)² + r(t0 + t)² over the origins that lag t has
    ends = np.cumsum(np.concatenate([np.zeros((1, r.shape[1])), square]), axis=0)
    m = np.arange(n)
    sums = ends[n - m] + (ends[n] - ends[m])
    displacements: FloatArray = np.maximum(sums - 2 * products, 0.0) / (n - m)[:, None]
    displacements[0] = 0.0
    return displacements


def activation_energy(temperatures: Sequence[float], coefficients: Sequence[Estimate]) -> Estimate:
    """Fit D = D_0 exp(-E / kT), and return E in eV.

    It is the weighted least squares of ln D over 1/kT, see
    :func:`~lammpsfit.structure.line.weighted_slope`.

    Parameters
    ----------
    temperatures : sequence of float, K
        Three or more.
    coefficients : sequence of Estimate
        D at each, in any unit, positive, with errors.

    Returns
    -------
    Estimate
        nan where a D is not positive or has no error.
    """
    D = np.array([one.mean for one in coefficients])
    errors = np.array([one.error for one in coefficients])
    if not (np.all(D > 0.0) and np.all(errors > 0.0)):
        return Estimate(float("nan"), float("nan"))
    beta = 1.0 / (BOLTZMANN_CONSTANT * np.asarray(temperatures, dtype=np.float64))
    slope = weighted_slope(beta, np.log(D), errors / D)
    return Estimate(-slope.mean, slope.error)
