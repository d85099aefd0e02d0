"""The calculator behind the data of this folder: PBE with GPAW, plane waves to 300 eV."""

from ase.calculators.calculator import BaseCalculator
from gpaw import GPAW, PW, FermiDirac


def make() -> BaseCalculator:
    """Make it for cells of 32 atoms of aluminium at some thousand kelvin."""
    return GPAW(
        mode=PW(300),
        xc="PBE",
        kpts={"size": (2, 2, 2)},
        occupations=FermiDirac(0.1),
        nbands="130%",
        convergence={"density": 1e-4, "eigenstates": 1e-6, "energy": 1e-4},
        symmetry={"point_group": False},
        txt="gpaw.txt",
    )
