"""How far bonds reach where no g(r) is known."""

from typing import Final

STRETCHED: Final = 1.3
"""Longest bond over the sum of covalent radii."""


def longest_bond(a: str, b: str) -> float | None:
    """Return the longest bond of two elements in Å, None where one is no element.

    By the covalent radii of Cordero et al. (2008), doi:10.1039/b801115j, as ASE has them.
    """
    # here, since most that ask know a g(r)
    from ase.data import atomic_numbers, covalent_radii

    if a not in atomic_numbers or b not in atomic_numbers:
        return None
    radii = (float(covalent_radii[atomic_numbers[name]]) for name in (a, b))
    return round(STRETCHED * sum(radii), 2)
