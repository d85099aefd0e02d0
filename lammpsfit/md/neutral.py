"""The smallest compound that a potential leaves neutral."""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential

NEUTRAL: Final = 1e-6
"""Net charge in e of a formula unit that counts as zero: papers round charges."""

MOST: Final = 12
"""Atoms of each species that are tried."""

MOST_SPECIES: Final = 10
"""Species of a potential that a compound is looked for: a user says which of more are meant."""


def neutral_composition(potential: Potential) -> dict[str, int]:
    """Find the smallest neutral compound with every species of a potential.

    The species are taken in two halves. For every composition of the first, the smallest one of
    the second that has the opposite charge is looked up in a sorted list, so that ten species
    take no more than 12⁵ compositions each, not 12¹⁰.

    Raises
    ------
    InputError
        If there is none with up to :data:`MOST` atoms of each, or there are more than
        :data:`MOST_SPECIES` species.

    Examples
    --------
    >>> from lammpsfit.forcefield import load_potential
    >>> neutral_composition(load_potential("Teter"))
    {'Na': 2, 'Si': 1, 'O': 3}
    """
    names = list(potential.species)
    if len(names) > MOST_SPECIES:
        raise InputError(
            f"{potential.name} has {len(names)} species: say with --formula which compound to "
            "export it for"
        )
    ones = dict.fromkeys(names, 1)
    if abs(potential.net_charge(ones)) < NEUTRAL:
        return ones
    charges = np.array([species.charge for species in potential.species.values()])
    half = (len(names) + 1) // 2
    first, second = _numbers(half), _numbers(len(names) - half)
    partner = _smallest_opposite(first @ charges[:half], second @ charges[half:], second)
    matched = np.flatnonzero(partner >= 0)
    if not matched.size:
        raise InputError(
            f"{potential.name} must be neutral for some compound to be exported, found none with "
            f"up to {MOST} atoms of each of {', '.join(names)}: correct its charges, say "
            "the compound with --formula, or export the run folder of its fit, which holds it"
        )
    compounds = np.hstack((first[matched], second[partner[matched]]))
    smallest = compounds[np.argmin(compounds.sum(axis=1))]
    return dict(zip(names, map(int, smallest), strict=True))


def _numbers(species: int) -> NDArray[np.int64]:
    """Return all numbers of atoms of some species, one composition a row."""
    return np.array(list(product(range(1, MOST + 1), repeat=species)), dtype=np.int64)


def _smallest_opposite(
    charges: NDArray[np.float64],
    others: NDArray[np.float64],
    numbers: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return for each charge the row of the smallest composition that cancels it, -1 for none.

    Parameters
    ----------
    charges
        In e, shape (n,).
    others, numbers
        Charges in e, shape (m,), and numbers of atoms, shape (m, species), of what may cancel it.
    """
    order = np.argsort(others)
    low = np.searchsorted(others[order], -charges - NEUTRAL, side="right")
    high = np.searchsorted(others[order], -charges + NEUTRAL, side="left")
    # size and row in one number, whose minimum over each window tells both
    keys = numbers.sum(axis=1) * len(numbers) + np.arange(len(numbers))
    ends = np.append(keys[order], 0)  # windows may end, and begin, past the last
    best = np.minimum.reduceat(ends, np.column_stack((low, high)).ravel())[::2]
    return np.where(low < high, best % len(numbers), -1)
