"""What a Coulomb sum is: most are a function of the distance in the place of 1/r, with settings."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from lammpsfit.errors import InputError
from lammpsfit.forcefield.forms.base import Array, Parameter
from lammpsfit.inputs import quoted


class CoulombSum(ABC):
    """A Coulomb sum: two charges have the energy q_i q_j k_e V(r).

    A sum is a frozen dataclass of numbers. Each of them is a key of ``[coulomb]`` in potential
    files and is described in `settings`; one is the cutoff. V goes to zero there without a jump,
    if the sum is `pairwise`.

    Attributes
    ----------
    style
        Its name in potential files.
    formula
        V(r), for people.
    settings
        Names, units and signs of its fields, in order.
    pairwise
        Whether the energy of a box is a sum over pairs of atoms. Where it is not, it is no part of
        U(r): LAMMPS alone computes it, and in a fit all charges scale together or stay.
    cutoff
        Distance in Å beyond which V is zero.
    """

    style: ClassVar[str]
    formula: ClassVar[str]
    settings: ClassVar[tuple[Parameter, ...]]
    pairwise: ClassVar[bool] = True
    cutoff: float

    def __post_init__(self) -> None:
        for setting in self.settings:
            value = getattr(self, setting.name)
            if not (math.isfinite(value) and setting.allows(value)):
                raise InputError(
                    f"coulomb {setting.name} must be {setting.sign} ({setting.unit}), got "
                    f"{quoted(value)}"
                )

    @abstractmethod
    def energy(self, r: Array) -> Array:
        """Return V(r) in 1/Å for distances r > 0 in Å, of any shape."""

    @abstractmethod
    def slope(self, r: Array) -> Array:
        """Return dV/dr in 1/Å^2 for distances r > 0 in Å, of any shape."""

    @property
    def lammps(self) -> str | None:
        """The LAMMPS pair style with its arguments; None where V must be tabulated."""
        return None

    @property
    def lammps_lines(self) -> tuple[str, ...]:
        """The LAMMPS lines that follow the pair lines, if any."""
        return ()

    @property
    def lammps_energy(self) -> tuple[tuple[str, str], ...]:
        """Names and definitions of the LAMMPS computes that add up to its energy.

        Empty where it is a sum over pairs.
        """
        return ()

    @property
    def force_error(self) -> float:
        """Error of forces in eV/Å that the style `lammps` allows itself."""
        return 0.0

    def self_energy(self, charge: float) -> float:
        """Return the constant in eV that the style `lammps` adds for each atom of this charge.

        Forces do not depend on it; tables do not hold it.
        """
        return 0.0
