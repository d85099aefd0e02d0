"""The calculator behind labelled.extxyz: PBE with GPAW, plane waves to 400 eV."""

from ase.calculators.calculator import BaseCalculator
from gpaw import GPAW, PW, FermiDirac


def make() -> BaseCalculator:
    """Make it for cells of 36 atoms of liquid silica: one k-point, and eight empty bands."""
    return GPAW(
        mode=PW(400),
        xc="PBE",
        kpts=(1, 1, 1),
        occupations=FermiDirac(0.1),
        nbands=-8,
        convergence={"density": 1e-3, "eigenstates": 1e-5, "energy": 1e-3},
        symmetry="off",
        txt=None,
    )
