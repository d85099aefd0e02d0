"""A solid and its liquid in one cell: the cell, the order of its slices, and the verdict.

The long axis is z. The lower half of the crystal is held while the upper half melts, so that no
atoms overlap where the halves meet (Dozhdikov, Basharin and Levashov 2012,
doi:10.1063/1.4739085). Whether a slice is solid is said by

    psi = |1/n sum_j exp(i q x_j)|^2,   q = 4 pi / a,

the mean of x and y, over its n atoms: the reflection (200) of fcc. The box keeps a along x and y.
psi is some 0.7 in a solid that is about to melt, and 1/n in a liquid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from lammpsfit.structure.blocks import block_estimate, drift
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

FloatArray = NDArray[np.float64]
Verdict = Literal["both", "solid", "liquid"]

SOLID: Final = 0.3
"""psi of a slice beyond which it is solid."""

LEAST: Final = 0.15
"""Share of the cell that a phase must keep to be alive."""

BLOCKS: Final = 5
"""Of the averages: few and long, since the boundary of the phases moves slowly."""

LAYERS: Final = 100
"""Of the density profile."""


@dataclass(frozen=True, eq=False)
class Course:
    """A run of n atoms in a cell with right angles, whose z is the long axis.

    Attributes
    ----------
    time : ndarray, shape (n_frames,), ps
    positions : ndarray, shape (n_frames, n, 3), Å
        Not folded back into the cell; the first half of the atoms began as the solid half.
    lengths : ndarray, shape (3,), Å
        Edges of the cell.
    series_time : ndarray, shape (n_samples,), ps
    temperature, energy, pressure, normal : ndarray, shape (n_samples,)
        K; total energy, eV per atom; mean pressure and that along z, bar.
    """

    time: FloatArray
    positions: FloatArray
    lengths: FloatArray
    series_time: FloatArray
    temperature: FloatArray
    energy: FloatArray
    pressure: FloatArray
    normal: FloatArray


@dataclass(frozen=True, eq=False)
class TwoPhase:
    """What a run says.

    Attributes
    ----------
    verdict : {"both", "solid", "liquid"}
        Which phases are alive in the last quarter.
    temperature, pressure, normal : (float, float)
        Mean and standard error after the time to settle: K; mean pressure and that along z, bar.
    drift : float, meV per atom
        Of the total energy, over the whole run.
    time : ndarray, shape (n_frames,), ps
    solid : ndarray, shape (n_frames,)
        Share of the cell that is solid.
    msd_solid, msd_liquid : ndarray, shape (n_frames,), Å^2
        Mean squared displacements of the halves, since the start.
    z : ndarray, shape (100,), Å
    density : ndarray, shape (100,), 1/Å^3
        Of the last quarter.
    order : ndarray, shape (n_slices,)
        psi of the slices in the last quarter.
    series_time, series_temperature, series_normal : ndarray, shape (n_samples,)
    """

    verdict: Verdict
    temperature: tuple[float, float]
    pressure: tuple[float, float]
    normal: tuple[float, float]
    drift: float
    time: FloatArray
    solid: FloatArray
    msd_solid: FloatArray
    msd_liquid: FloatArray
    z: FloatArray
    density: FloatArray
    order: FloatArray
    series_time: FloatArray
    series_temperature: FloatArray
    series_normal: FloatArray

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TwoPhase:
        """Read what :meth:`as_dict` gave."""
        pairs = ("temperature", "pressure", "normal")
        given: dict[str, Any] = {
            name: np.array(value, dtype=np.float64) if isinstance(value, list) else value
            for name, value in data.items()
        }
        return cls(**given | {name: tuple(data[name]) for name in pairs})


def crystal(symbol: str, a: float, cells: tuple[int, int]) -> Atoms:
    """Return fcc of n x n x m cubic cells, the atoms in the order of z.

    Parameters
    ----------
    symbol
        The element.
    a : float, Å
        Edge of the cubic cell.
    cells
        n and m.
    """
    n, m = cells
    atoms = bulk(symbol, "fcc", a=a, cubic=True).repeat((n, n, m))
    return atoms[np.argsort(atoms.positions[:, 2], kind="stable")]


def slices_order(positions: FloatArray, lengths: FloatArray, cells: tuple[int, int]) -> FloatArray:
    """Return psi of slices along z, one for each cell, shape (n_slices,).

    Examples
    --------
    >>> atoms = crystal("Al", 4.0, (2, 3))
    >>> slices_order(atoms.positions, atoms.cell.lengths(), (2, 3)).round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    n, m = cells
    # atoms of a perfect crystal do not lie on the faces of slices
    place = (positions[:, 2] / lengths[2] + 0.25 / (2 * m)) % 1.0
    which = np.minimum((place * m).astype(int), m - 1)
    count = np.maximum(np.bincount(which, minlength=m), 1)
    found = np.zeros(m)
    for axis in (0, 1):
        phase = 4.0 * np.pi * n * positions[:, axis] / lengths[axis]
        real = np.bincount(which, np.cos(phase), m)
        imaginary = np.bincount(which, np.sin(phase), m)
        found += 0.5 * (real**2 + imaginary**2) / count**2
    return found


def judge(course: Course, cells: tuple[int, int], settle: float) -> TwoPhase:
    """Return what a run says.

    Parameters
    ----------
    course
        The run.
    cells
        Cubic cells across and along z.
    settle : float, ps
        Time that averages leave out at the beginning.

    Raises
    ------
    RunError
        If a value is not finite.
    """
    orders = np.array([slices_order(one, course.lengths, cells) for one in course.positions])
    solid = (orders > SOLID).mean(axis=1)
    late = slice(-max(len(orders) // 4, 1), None)
    share = float(solid[late].mean())
    verdict: Verdict = "both"
    if share < LEAST:
        verdict = "liquid"
    elif share > 1.0 - LEAST:
        verdict = "solid"
    kept = course.series_time >= settle
    half = course.positions.shape[1] // 2
    square = ((course.positions - course.positions[0]) ** 2).sum(axis=2)
    length = float(course.lengths[2])
    folded = course.positions[late, :, 2] % length
    counts, edges = np.histogram(folded, LAYERS, (0.0, length))
    volume = float(np.prod(course.lengths)) / LAYERS * len(folded)
    return TwoPhase(
        verdict=verdict,
        temperature=_mean(course.temperature[kept]),
        pressure=_mean(course.pressure[kept]),
        normal=_mean(course.normal[kept]),
        drift=1e3 * drift(course.energy, course.series_time, BLOCKS).mean,
        time=course.time,
        solid=solid,
        msd_solid=square[:, :half].mean(axis=1),
        msd_liquid=square[:, half:].mean(axis=1),
        z=0.5 * (edges[1:] + edges[:-1]),
        density=counts / volume,
        order=orders[late].mean(axis=0),
        series_time=course.series_time,
        series_temperature=course.temperature,
        series_normal=course.normal,
    )


def _mean(series: FloatArray) -> tuple[float, float]:
    found = block_estimate(series, BLOCKS)
    return found.mean, found.error


def clausius_clapeyron(temperature: float, volume: float, enthalpy: float) -> float:
    """Return dT/dP of melting, K/bar: T dV / dH.

    Parameters
    ----------
    temperature : float, K
    volume : float, Å^3 per atom
        That of the liquid less that of the solid.
    enthalpy : float, eV per atom
        Likewise.

    Examples
    --------
    Aluminium: 933 K, 1.24 Å^3 and 0.111 eV, 65 K/GPa.

    >>> round(1e4 * clausius_clapeyron(933.0, 1.24, 0.111))
    65
    """
    return temperature * volume / enthalpy / BAR_PER_EV_PER_CUBIC_ANGSTROM
