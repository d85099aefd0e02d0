"""Wolf sum: damped and shifted, so that the energy goes to zero at the cutoff.

Wolf, Keblinski, Phillpot and Eggebrecht, J. Chem. Phys. 110, 8254 (1999), doi:10.1063/1.478738.
"""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.special import erfc

from lammpsfit.forcefield.coulomb.base import CoulombSum
from lammpsfit.forcefield.forms.base import Array, Parameter


@dataclass(frozen=True)
class Wolf(CoulombSum):
    """Pairwise Coulomb energy whose value goes to zero at the cutoff R, but not its force.

    For r < R, per unit of q_i q_j k_e ::

        V(r) = erfc(alpha r)/r - erfc(alpha R)/R

    and zero beyond; the pair part of equation 3.5 of doi:10.1063/1.478738. The force is the
    derivative of this energy. LAMMPS ``coul/wolf`` is something else: it has this energy with the
    forces of the damped shifted force, which are not its derivative. A potential that was made
    with such forces is ``dsf`` here.

    Attributes
    ----------
    alpha
        Damping in 1/Å, zero or positive.
    cutoff
        R in Å, positive.
    """

    style = "wolf"
    formula = "erfc(alpha r)/r - erfc(alpha R)/R"
    settings = (
        Parameter("alpha", "1/Å", "zero or positive"),
        Parameter("cutoff", "Å", "positive"),
    )

    alpha: float
    cutoff: float

    def energy(self, r: Array) -> Array:
        """Return V(r) in 1/Å for distances r > 0 in Å, of any shape."""
        edge = math.erfc(self.alpha * self.cutoff) / self.cutoff
        return cast(Array, np.where(r < self.cutoff, erfc(self.alpha * r) / r - edge, 0.0))

    def slope(self, r: Array) -> Array:
        """Return dV/dr in 1/Å^2 for distances r > 0 in Å, of any shape."""
        alpha = self.alpha
        gauss = 2.0 * alpha / math.sqrt(math.pi) * np.exp(-((alpha * r) ** 2))
        return cast(Array, np.where(r < self.cutoff, -erfc(alpha * r) / r**2 - gauss / r, 0.0))


SUM = Wolf
