"""A start structure from a file: LAMMPS data, POSCAR, CIF or extended XYZ.

What the file is follows from its content, not from its name. ASE reads LAMMPS data and extended
XYZ, pymatgen the other two. What a structure must not be (disordered, without a box, atoms upon
each other) is refused here, and not found out by MD.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from io import StringIO
from math import gcd, prod
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import one_line, quoted, read_text, shown
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.histogram import FloatArray
from lammpsfit.structure.neighbours import heights, pairs_within
from lammpsfit.units import DALTON_PER_CUBIC_ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

# The readers load more than a whole fit, which hardly ever reads a structure.

LARGEST: Final = 64 * 2**20
"""Bytes of a file: a million atoms."""

NEAREST: Final = 0.5
"""Å that any two atoms must be apart: H-H is 0.74 Å."""

EMPTIEST: Final = 1e5
"""Å³ for each atom from which on it is no matter: air has 20 000."""

MOST_ATOMS: Final = 10_000_000
"""Atoms of a box, as a job may have at most."""

CONTENTS: Final[Mapping[str, re.Pattern[str]]] = {
    "CIF": re.compile(r"^\s*_cell_length_a\b", re.MULTILINE | re.IGNORECASE),
    "LAMMPS data": re.compile(r"^\s*\S+\s+\S+\s+xlo\s+xhi\b", re.MULTILINE),
    "extended XYZ": re.compile(r"\A\s*\d+[ \t]*\n[^\n]*(?:Properties|Lattice)="),
    "POSCAR": re.compile(r"\A[^\n]*\n(?:[ \t]*[-+\d.eE]+){1,3}[ \t]*\n(?:\s*[-+\d.eE]+){9}"),
}
"""How the content of each format is told."""


def read_configuration(path: Path, repeat: Sequence[int] = (1, 1, 1)) -> Configuration:
    """Read a start structure.

    Parameters
    ----------
    path
        The file.
    repeat
        Cells along each cell vector.

    Returns
    -------
    Configuration
        Species in the order in which they occur.

    Raises
    ------
    InputError
        If it is none of the formats, holds no single ordered periodic structure, or two of its
        atoms are nearer than :data:`NEAREST`.
    """
    text = read_text(path, LARGEST, "start structure")
    kind = next((name for name, content in CONTENTS.items() if content.search(text)), None)
    if kind is None:
        raise InputError(f"{shown(path)}: must be a start structure as {', '.join(CONTENTS)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names, positions, cell = _READERS[kind](text)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from None
    except Exception as error:  # readers of other projects raise whatever comes
        why = one_line(str(error)) or type(error).__name__
        raise InputError(f"{shown(path)}: cannot be read as {kind}: {why}") from None
    try:
        _check_box(names, positions, cell, prod(repeat))
        _check_apart(names, positions, cell)
    except InputError as error:
        raise InputError(f"{shown(path)}: {error}") from None
    return Configuration.of(names, positions, cell).repeated(repeat)


def formula_of(configuration: Configuration) -> str:
    """Return the chemical formula of one unit, species in their order.

    Examples
    --------
    >>> formula_of(Configuration.of(["Si", "O", "O"] * 4, np.arange(36).reshape(12, 3), np.eye(3)))
    'SiO2'
    """
    numbers = np.bincount(configuration.types, minlength=len(configuration.species)).tolist()
    unit = reduce(gcd, numbers)
    return "".join(
        f"{name}{n // unit if n != unit else ''}"
        for name, n in zip(configuration.species, numbers, strict=True)
    )


def true_density(configuration: Configuration) -> float:
    """Return the density in g/cm³ that the atoms have by their atomic masses."""
    from pymatgen.core import Element

    masses = [float(Element(name).atomic_mass) for name in configuration.species]
    mass = float(np.sum(np.array(masses)[configuration.types]))
    return mass / (configuration.volume * DALTON_PER_CUBIC_ANGSTROM)


Content = tuple[list[str], FloatArray, FloatArray]


def _cif(text: str) -> Content:
    from pymatgen.io.cif import CifParser

    structures = CifParser.from_str(text).parse_structures(primitive=False)
    if len(structures) != 1:
        raise InputError(f"must hold one structure, got {len(structures)}")
    return _of_pymatgen(structures[0])


def _poscar(text: str) -> Content:
    from pymatgen.io.vasp.inputs import Poscar

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as invented names of species
        return _of_pymatgen(Poscar.from_str(text, read_velocities=False).structure)


def _of_pymatgen(structure: "Structure") -> Content:
    if not structure.is_ordered:
        raise InputError("must have one species on every site, got a disordered structure")
    names = [site.specie.symbol for site in structure]
    return names, np.array(structure.cart_coords), np.array(structure.lattice.matrix)


def _xyz(text: str) -> Content:
    from ase.io.extxyz import read_extxyz

    frames = list(read_extxyz(StringIO(text), slice(None)))
    if len(frames) != 1:
        raise InputError(f"must hold one configuration, got {len(frames)}: take one of them")
    return _of_ase(frames[0])


def _lammps(text: str) -> Content:
    from ase.io.lammpsdata import read_lammps_data

    if not re.search(r"^\s*Masses\b", text, re.MULTILINE):
        raise InputError("must have Masses, which tell the species of each type")
    return _of_ase(read_lammps_data(StringIO(text), units="metal"))


def _of_ase(atoms: "Atoms") -> Content:
    if not all(atoms.pbc):
        raise InputError(f"must be periodic in all directions, got pbc {quoted(str(atoms.pbc))}")
    return atoms.get_chemical_symbols(), atoms.get_positions(), np.array(atoms.cell)


_READERS: Final[Mapping[str, Callable[[str], Content]]] = {
    "CIF": _cif,
    "LAMMPS data": _lammps,
    "extended XYZ": _xyz,
    "POSCAR": _poscar,
}


def _check_box(names: list[str], positions: FloatArray, cell: FloatArray, cells: int) -> None:
    """Refuse what would keep the search for neighbours busy for ever, or fill the memory."""
    from pymatgen.core import Element

    strange = [name for name in dict.fromkeys(names) if not Element.is_valid_symbol(name)]
    if strange:
        raise InputError(f"species must be elements, got {quoted(', '.join(strange))}")
    if not names or len(names) != len(positions) or not np.all(np.isfinite(positions)):
        raise InputError("must hold the position of every atom")
    if len(names) * cells > MOST_ATOMS:
        raise InputError(f"must hold at most {MOST_ATOMS} atoms, got {len(names)} in {cells} cells")
    if not (np.all(np.isfinite(cell)) and abs(np.linalg.det(cell)) > 0):
        raise InputError("must have a periodic box with a volume")
    if not heights(cell).min() >= NEAREST:
        raise InputError(f"the box must be at least {NEAREST:g} Å across in every direction")
    if not abs(np.linalg.det(cell)) < EMPTIEST * len(names):
        raise InputError(f"the box must have less than {EMPTIEST:g} Å³ for each atom")


def _check_apart(names: list[str], positions: FloatArray, cell: FloatArray) -> None:
    i, j, d = pairs_within(positions, cell, NEAREST)
    if d.size:
        k = int(np.argmin(d))
        raise InputError(
            f"atoms must be {NEAREST:g} Å apart, got {d[k]:.2f} Å between "
            f"{names[i[k]]} {i[k] + 1} and {names[j[k]]} {j[k] + 1}"
        )
