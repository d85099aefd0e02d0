"""Damped shifted force: energy and force go to zero at the cutoff.

Fennell and Gezelter, J. Chem. Phys. 124, 234104 (2006), doi:10.1063/1.2206581.
"""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.special import erfc

from lammpsfit.forcefield.coulomb.base import CoulombSum
from lammpsfit.forcefield.forms.base import Array, Parameter
from lammpsfit.units import COULOMB_CONSTANT


@dataclass(frozen=True)
class DampedShiftedForce(CoulombSum):
    """Pairwise Coulomb energy whose value and force go to zero at the cutoff R.

    For r < R, per unit of q_i q_j k_e ::

        dsf(r) = erfc(alpha r)/r - erfc(alpha R)/R + s (r - R)
        s = erfc(alpha R)/R^2 + (2 alpha/sqrt(pi)) exp(-alpha^2 R^2)/R

    and zero beyond; equation 17 of doi:10.1063/1.2206581.

    Attributes
    ----------
    alpha
        Damping in 1/Å, zero or positive.
    cutoff
        R in Å, positive.
    """

    style = "dsf"
    formula = "erfc(alpha r)/r - erfc(alpha R)/R + s (r - R)"
    settings = (
        Parameter("alpha", "1/Å", "zero or positive"),
        Parameter("cutoff", "Å", "positive"),
    )

    alpha: float
    cutoff: float

    def energy(self, r: Array) -> Array:
        """Return dsf(r) in 1/Å for distances r > 0 in Å, of any shape."""
        edge = math.erfc(self.alpha * self.cutoff) / self.cutoff
        damped = erfc(self.alpha * r) / r
        shifted = damped - edge + self._edge_slope * (r - self.cutoff)
        return cast(Array, np.where(r < self.cutoff, shifted, 0.0))

    def slope(self, r: Array) -> Array:
        """Return d dsf/dr in 1/Å^2 for distances r > 0 in Å, of any shape."""
        alpha = self.alpha
        gauss = 2.0 * alpha / math.sqrt(math.pi) * np.exp(-((alpha * r) ** 2))
        shifted = -erfc(alpha * r) / r**2 - gauss / r + self._edge_slope
        return cast(Array, np.where(r < self.cutoff, shifted, 0.0))

    @property
    def lammps(self) -> str:
        """The LAMMPS pair style with its arguments."""
        return f"coul/dsf {float(self.alpha)!r} {float(self.cutoff)!r}"

    def self_energy(self, charge: float) -> float:
        """Return the constant in eV that LAMMPS ``coul/dsf`` adds for each atom of this charge.

        It is -(w/2 + alpha/sqrt(pi)) q^2 k_e with w = erfc(alpha R)/R + s R.
        """
        shift = math.erfc(self.alpha * self.cutoff) / self.cutoff + self._edge_slope * self.cutoff
        return -(0.5 * shift + self.alpha / math.sqrt(math.pi)) * charge**2 * COULOMB_CONSTANT

    @property
    def _edge_slope(self) -> float:
        alpha, R = self.alpha, self.cutoff
        gauss = 2.0 * alpha / math.sqrt(math.pi) * math.exp(-((alpha * R) ** 2))
        return math.erfc(alpha * R) / R**2 + gauss / R


SUM = DampedShiftedForce
