"""Ewald sum: the Coulomb energy of a periodic box, all of it.

Ewald, Ann. Phys. 369, 253 (1921), doi:10.1002/andp.19213690304.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc

from lammpsfit.forcefield.coulomb.base import CoulombSum
from lammpsfit.forcefield.forms.base import Array, Parameter
from lammpsfit.units import COULOMB_CONSTANT

_DIGITS = 4.2
"""Where the direct sum ends, in real and in reciprocal space: erfc(4.2) = 3e-9."""


@dataclass(frozen=True)
class Ewald(CoulombSum):
    """Coulomb energy of a periodic box; no function of the distance of two charges.

    LAMMPS splits it at the cutoff into a sum over pairs (``coul/long``) and one over the
    reciprocal lattice (``kspace_style ewald``). Its energy is not part of U(r); V(r) is the bare
    1/r, which is what the guard against collapse looks at.

    Attributes
    ----------
    cutoff
        Where the sum over pairs ends, in Å, positive. It changes the cost, not the result.
    accuracy
        Error of forces relative to those of two unit charges at 1 Å, positive.
    """

    style = "ewald"
    formula = "1/r, summed over all periodic images"
    settings = (
        Parameter("cutoff", "Å", "positive"),
        Parameter("accuracy", "relative", "positive"),
    )
    pairwise = False

    cutoff: float
    accuracy: float

    def energy(self, r: Array) -> Array:
        """Return 1/r in 1/Å for distances r > 0 in Å, of any shape."""
        return 1.0 / r

    def slope(self, r: Array) -> Array:
        """Return -1/r^2 in 1/Å^2 for distances r > 0 in Å, of any shape."""
        return -1.0 / r**2

    @property
    def lammps(self) -> str:
        """The LAMMPS pair style with its arguments."""
        return f"coul/long {float(self.cutoff)!r}"

    @property
    def lammps_lines(self) -> tuple[str, ...]:
        """The LAMMPS lines that follow the pair lines."""
        return (f"kspace_style {self.style} {float(self.accuracy)!r}",)

    @property
    def lammps_energy(self) -> tuple[tuple[str, str], ...]:
        """Names and definitions of the LAMMPS computes that add up to its energy."""
        return ("coulomb_near", "pair coul/long ecoul"), ("coulomb_far", "pe kspace")

    @property
    def force_error(self) -> float:
        """Error of forces in eV/Å that LAMMPS allows itself."""
        return self.accuracy * COULOMB_CONSTANT


def periodic_coulomb(positions: Array, charges: Array, box: Array) -> tuple[float, Array]:
    """Sum the Coulomb energy and forces of a periodic box directly, by Ewald's method.

    Parameters
    ----------
    positions
        In Å, shape (n, 3).
    charges
        In e, shape (n,), of sum zero.
    box
        Edges in Å, shape (3,).

    Returns
    -------
    energy
        In eV.
    forces
        In eV/Å, shape (n, 3).
    """
    reach = 0.5 * float(np.min(box))
    alpha = _DIGITS / reach
    near, near_forces = _over_pairs(positions, charges, box, alpha, reach)
    far, far_forces = _over_waves(positions, charges, box, alpha)
    own = alpha / math.sqrt(math.pi) * float(charges @ charges)
    return COULOMB_CONSTANT * (near + far - own), COULOMB_CONSTANT * (near_forces + far_forces)


def _over_pairs(
    positions: Array, charges: Array, box: Array, alpha: float, reach: float
) -> tuple[float, Array]:
    """Sum q_i q_j erfc(alpha r)/r over the pairs within reach of each other."""
    i, j = np.triu_indices(len(positions), 1)
    apart = positions[i] - positions[j]
    apart -= box * np.round(apart / box)
    r = np.linalg.norm(apart, axis=1)
    inside = r < reach
    i, j, apart, r = i[inside], j[inside], apart[inside], r[inside]
    product = charges[i] * charges[j]
    gauss = 2.0 * alpha / math.sqrt(math.pi) * np.exp(-((alpha * r) ** 2))
    force = (product * (erfc(alpha * r) / r + gauss) / r**2)[:, None] * apart
    forces = np.zeros_like(positions)
    np.add.at(forces, i, force)
    np.add.at(forces, j, -force)
    return float(np.sum(product * erfc(alpha * r) / r)), forces


def _over_waves(positions: Array, charges: Array, box: Array, alpha: float) -> tuple[float, Array]:
    """Sum over the reciprocal lattice, half of it, the other half being the same."""
    most = np.ceil(2.0 * alpha * _DIGITS * box / (2.0 * math.pi)).astype(int)
    axes = [np.arange(-n, n + 1) for n in most]
    waves = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    k = 2.0 * math.pi * waves[len(waves) // 2 + 1 :] / box
    square = np.sum(k**2, axis=1)
    weight = 4.0 * math.pi / np.prod(box) * np.exp(-square / (4.0 * alpha**2)) / square
    kept = weight > 0.0
    k, weight = k[kept], weight[kept]
    energy, forces = 0.0, np.zeros_like(positions)
    for some in np.array_split(np.arange(len(k)), max(1, len(k) // 500)):
        phase = positions @ k[some].T
        cosine, sine = np.cos(phase), np.sin(phase)
        C, S = charges @ cosine, charges @ sine
        energy += float(weight[some] @ (C**2 + S**2))
        pull = 2.0 * charges[:, None] * (sine * C - cosine * S) * weight[some]
        forces += pull @ k[some]
    return energy, forces


SUM = Ewald
