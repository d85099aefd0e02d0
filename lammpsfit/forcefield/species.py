"""An atom type of a potential."""

import math
from dataclasses import dataclass

from lammpsfit.errors import InputError
from lammpsfit.forcefield.pairs import check_species_name
from lammpsfit.inputs import quoted


@dataclass(frozen=True)
class Species:
    """An atom type: mass in Da and charge in e."""

    mass: float
    charge: float = 0.0


def check_species(name: str, species: Species) -> None:
    """Raise :class:`InputError` unless a species has a sensible name, mass and charge."""
    check_species_name(name)
    if not (math.isfinite(species.mass) and species.mass > 0.0):
        raise InputError(f"mass of {name} must be positive (Da), got {quoted(species.mass)}")
    if not math.isfinite(species.charge):
        raise InputError(f"q_{name} must be a finite number, got {quoted(species.charge)}")
