"""A glass as files that other programs read: extended xyz, and LAMMPS data."""

from pathlib import Path

from lammpsfit.files import replacing
from lammpsfit.forcefield import Potential
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.observation import Solid


def save_solid(stem: Path, solid: Solid, potential: Potential) -> None:
    """Write ``stem.extxyz`` and ``stem.data`` (``atom_style charge``); a kill leaves whole files.

    The order of the atom types is that of the species of the potential.
    """
    from ase import Atoms  # no process that only reads a validation needs it
    from ase.io import write

    atoms = Atoms(solid.species, solid.positions, cell=solid.cell, pbc=True)
    atoms.wrap()
    with replacing(stem.with_name(f"{stem.name}.extxyz")) as part:
        write(part, atoms, format="extxyz")
    found = Configuration.of(solid.species, solid.positions, solid.cell)
    with replacing(stem.with_name(f"{stem.name}.data")) as part:
        ordered = found.ordered(tuple(potential.species))
        ordered.write(part, potential.masses, potential.charges, "structure")
