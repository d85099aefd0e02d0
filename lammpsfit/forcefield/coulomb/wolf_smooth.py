"""Smoothed Wolf sum of the SHIK potentials: all derivatives go to zero at the cutoff.

Sundararaman, Huang, Ispas and Kob, J. Chem. Phys. 148, 194504 (2018), doi:10.1063/1.5023707.
"""

from dataclasses import dataclass

from lammpsfit.forcefield.coulomb.base import CoulombSum
from lammpsfit.forcefield.coulomb.dsf import DampedShiftedForce
from lammpsfit.forcefield.forms.base import Array, Parameter
from lammpsfit.forcefield.smoothing import fade, fade_slope


@dataclass(frozen=True)
class SmoothWolf(CoulombSum):
    """Pairwise Coulomb energy that ends as smoothly as can be at the cutoff R.

    For r < R, per unit of q_i q_j k_e ::

        V(r) = [1/r - 1/R + (r - R)/R^2] G(r),   G(r) = exp(-gamma^2/(r - R)^2)

    and zero beyond. The bracket is the damped shifted force without damping.

    Attributes
    ----------
    gamma
        Width of the smoothing in Å, positive; 0.2 Å in SHIK.
    cutoff
        R in Å, positive; 10 Å in SHIK.
    """

    style = "wolf-smooth"
    formula = "[1/r - 1/R + (r - R)/R^2] exp(-gamma^2/(r - R)^2)"
    settings = (
        Parameter("gamma", "Å", "positive"),
        Parameter("cutoff", "Å", "positive"),
    )

    gamma: float
    cutoff: float

    def energy(self, r: Array) -> Array:
        """Return V(r) in 1/Å for distances r > 0 in Å, of any shape."""
        return self._shifted.energy(r) * fade(r, self.cutoff, self.gamma)

    def slope(self, r: Array) -> Array:
        """Return dV/dr in 1/Å^2 for distances r > 0 in Å, of any shape."""
        G, dG = (of(r, self.cutoff, self.gamma) for of in (fade, fade_slope))
        return self._shifted.slope(r) * G + self._shifted.energy(r) * dG

    @property
    def _shifted(self) -> DampedShiftedForce:
        return DampedShiftedForce(0.0, self.cutoff)


SUM = SmoothWolf
