"""Names of pairs of species: one spelling for each, in the order of the species."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.suggest import suggestion

_SPECIES = re.compile(r"[A-Za-z][A-Za-z0-9+]*")


def check_species_name(name: str) -> None:
    """Raise :class:`InputError` unless `name` can be part of pair and parameter names."""
    if not _SPECIES.fullmatch(name):
        raise InputError(
            f"a species name must be letters, digits and '+', starting with a letter, got "
            f"{quoted(name)}"
        )


def pair_name(a: str, b: str, order: Sequence[str]) -> str:
    """Return the name of the pair of species `a` and `b`, the earlier one in `order` first.

    >>> pair_name("O", "Si", ("Si", "O"))
    'Si-O'

    Raises
    ------
    InputError
        If a species is not in `order`.
    """
    for species in (a, b):
        if species not in order:
            raise InputError(f"unknown species {quoted(species)}: {suggestion(species, order)}")
    first, second = sorted((a, b), key=list(order).index)
    return f"{first}-{second}"


@lru_cache(maxsize=1024)
def split_pair(pair: str) -> tuple[str, str]:
    """Return the two species of a pair name.

    >>> split_pair("Si-O")
    ('Si', 'O')

    Raises
    ------
    InputError
        If `pair` is not two names with a hyphen between them.
    """
    parts = pair.split("-")
    if len(parts) != 2 or not all(parts):
        raise InputError(
            f"a pair must be two species with a hyphen, like 'Si-O', got {quoted(pair)}"
        )
    return parts[0], parts[1]


def ordered_pair(pair: str, order: Sequence[str]) -> str:
    """Return `pair` spelled in the order of the species: ``"O-Si"`` becomes ``"Si-O"``."""
    return _ordered(pair, tuple(order))


@lru_cache(maxsize=1024)
def _ordered(pair: str, order: tuple[str, ...]) -> str:
    return pair_name(*split_pair(pair), order)


def all_pairs(species: Sequence[str]) -> tuple[str, ...]:
    """Return every unordered pair of `species`, in their order.

    >>> all_pairs(("Si", "O"))
    ('Si-Si', 'Si-O', 'O-O')
    """
    return tuple(f"{a}-{b}" for a, b in combinations_with_replacement(species, 2))
