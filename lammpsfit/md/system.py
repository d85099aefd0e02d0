"""The material in the box: composition, number of atoms, density."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.units import DALTON_PER_CUBIC_ANGSTROM

MOST_IN_UNIT = 1_000_000
"""Most atoms of a species in one unit of a formula."""

THINNEST = 1e-3
"""Least density, g/cm³, that of air."""


@dataclass(frozen=True)
class System:
    """A cubic periodic box of a compound.

    Attributes
    ----------
    formula
        Chemical formula of one unit, for instance ``"SiO2"`` or ``"Na2Si3O7"``. The order of
        its elements is the order of the LAMMPS atom types.
    atoms
        Number of atoms, a multiple of the atoms in the formula.
    density
        Mass density in g/cm³.

    Raises
    ------
    InputError
        If the formula cannot be read, or the numbers do not fit together.

    Examples
    --------
    >>> system = System("SiO2", atoms=3000, density=2.2)
    >>> system.counts
    {'Si': 1000, 'O': 2000}
    >>> round(system.box_length({"Si": 28.0855, "O": 15.9994}), 2)
    35.66
    """

    formula: str
    atoms: int
    density: float

    def __post_init__(self) -> None:
        per_unit = sum(self.composition.values())
        if self.atoms < 1 or self.atoms % per_unit:
            nearest = max(1, round(self.atoms / per_unit)) * per_unit
            raise InputError(
                f"atoms must be a multiple of {per_unit} for {self.formula}, got {self.atoms}: "
                f"use {nearest}"
            )
        if not (math.isfinite(self.density) and self.density > 0):
            raise InputError(f"density must be positive (g/cm³), got {self.density}")
        if self.density < THINNEST:
            raise InputError(f"density must be at least {THINNEST:g} g/cm³, got {self.density}")

    @cached_property
    def composition(self) -> dict[str, int]:
        """Atoms of each species in one formula unit, in the order of the formula."""
        return composition_of(self.formula)

    @property
    def species(self) -> tuple[str, ...]:
        """Species in the order of the formula, which is that of the LAMMPS types."""
        return tuple(self.composition)

    @property
    def counts(self) -> dict[str, int]:
        """Atoms of each species in the box."""
        units = self.atoms // sum(self.composition.values())
        return {species: n * units for species, n in self.composition.items()}

    def box_length(self, masses: Mapping[str, float]) -> float:
        """Edge of the cubic box in Å, from the masses in Da."""
        mass = sum(n * masses[species] for species, n in self.counts.items())
        return float((mass / (self.density * DALTON_PER_CUBIC_ANGSTROM)) ** (1 / 3))


def composition_of(formula: str) -> dict[str, int]:
    """Return the atoms of each species in one unit of a chemical formula, in its order.

    >>> composition_of("Na2Si3O7")
    {'Na': 2, 'Si': 3, 'O': 7}

    Raises
    ------
    InputError
        If the formula cannot be read, or has no whole numbers of atoms.
    """
    from pymatgen.core import Composition  # no child needs it, and each would load it

    try:
        amounts = Composition(formula).get_el_amt_dict()
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"formula {quoted(formula)} cannot be read: {error}") from error
    if not amounts or not all(n in range(1, MOST_IN_UNIT + 1) for n in amounts.values()):
        raise InputError(f"formula {quoted(formula)} must have whole numbers of atoms")
    return {species: int(n) for species, n in amounts.items()}


def reduced_formula(atoms: Mapping[str, int]) -> str:
    """Return the smallest formula of numbers of atoms, electropositive elements first.

    >>> reduced_formula({"O": 14, "Na": 4, "Si": 6})
    'Na2Si3O7'
    """
    from pymatgen.core import Composition

    return str(Composition(dict(atoms)).get_integer_formula_and_factor()[0])
