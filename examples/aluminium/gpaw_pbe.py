"""The calculators behind the data of this folder: PBE with GPAW, plane waves to 300 eV."""

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


def crystal() -> BaseCalculator:
    """Make it for small, perfect cells: 8x8x8 k-points for four atoms, 0.2 eV, symmetry used."""
    return _metal(density=4.8, point_group=True)


def thermal() -> BaseCalculator:
    """Make it for hot cells: 4x4x4 k-points for eight to sixteen atoms, 0.2 eV."""
    return _metal(density=2.9, point_group=False)


def _metal(density: float, point_group: bool) -> BaseCalculator:
    return GPAW(
        mode=PW(300),
        xc="PBE",
        kpts={"density": density, "even": True},
        occupations=FermiDirac(0.2),
        nbands="130%",
        convergence={"density": 1e-4, "eigenstates": 1e-6, "energy": 1e-4},
        symmetry={"point_group": point_group},
        txt=None,
    )
