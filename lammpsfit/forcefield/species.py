"""An atom type of a potential."""

from dataclasses import dataclass

from lammpsfit.errors import InputError
from lammpsfit.forcefield.limits import HEAVIEST, MOST_CHARGE
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
    if not 0.0 < species.mass <= HEAVIEST:
        raise InputError(
            f"mass of {name} must be positive (Da), at most {HEAVIEST:g}, got "
            f"{quoted(species.mass)}"
        )
    if not abs(species.charge) <= MOST_CHARGE:
        raise InputError(
            f"q_{name} must be a finite number up to {MOST_CHARGE:g}, got {quoted(species.charge)}"
        )
