"""A glass as files that other programs read: extended xyz, and LAMMPS data."""

from pathlib import Path

from ase import Atoms
from ase.io import write

from lammpsfit.files import replacing
from lammpsfit.forcefield import Potential
from lammpsfit.md.observation import Solid


def save_solid(stem: Path, solid: Solid, potential: Potential) -> None:
    """Write ``stem.extxyz`` and ``stem.data`` (``atom_style charge``); a kill leaves whole files.

    The order of the atom types is that of the species of the potential.
    """
    atoms = Atoms(solid.species, solid.positions, cell=solid.cell, pbc=True)
    atoms.wrap()
    charges = {name: kind.charge for name, kind in potential.species.items()}
    atoms.set_initial_charges([charges[name] for name in solid.species])
    with replacing(stem.with_name(f"{stem.name}.extxyz")) as part:
        write(part, atoms, format="extxyz")
    with replacing(stem.with_name(f"{stem.name}.data")) as part:
        order = list(potential.species)
        options = {"specorder": order, "masses": True, "units": "metal", "atom_style": "charge"}
        write(part, atoms, format="lammps-data", **options)
