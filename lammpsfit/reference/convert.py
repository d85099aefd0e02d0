"""Pair distributions that are tables already: what comes of reading one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lammpsfit.errors import InputError
from lammpsfit.reference.plausible import check_first_peak
from lammpsfit.structure.rdf import FloatArray, PartialRdf, canonical_pair


@dataclass(frozen=True, eq=False)
class Converted:
    """A pair distribution, and how it came from its file.

    Attributes
    ----------
    rdf : PartialRdf
        With blocks where the file has several averages.
    notes : tuple of str
        What was done to it.
    """

    rdf: PartialRdf
    notes: tuple[str, ...]


def pair_names(pairs: Sequence[str], types: Mapping[int, str]) -> tuple[str, ...]:
    """Turn pairs of types into pairs of species, and check them.

    Raises
    ------
    InputError
        If a type has no species, or a name is no pair.

    Examples
    --------
    >>> pair_names(["1-2", "O-O"], {1: "Si", 2: "O"})
    ('Si-O', 'O-O')
    """
    names = []
    for pair in pairs:
        canonical_pair(pair)
        parts = pair.split("-")
        unknown = [part for part in parts if part.isdecimal() and int(part) not in types]
        if unknown:
            raise InputError(f"pair {pair}: type {unknown[0]} has no species: add it to --species")
        names.append("-".join(types[int(part)] if part.isdecimal() else part for part in parts))
    return tuple(names)


def rdf_of(pairs: Sequence[str], r: FloatArray, blocks: FloatArray, path: Path) -> PartialRdf:
    """Return the curves with their blocks, shape (n_blocks, n_pairs, n_bins).

    Raises
    ------
    InputError
        If they are no pair distributions of atoms in Å.
    """
    try:
        rdf = PartialRdf.from_blocks(tuple(pairs), r, blocks)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    check_first_peak(rdf, str(path))
    return rdf
