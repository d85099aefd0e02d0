"""The calculators behind the hot frames: PBE with Quantum ESPRESSO, plane waves to 20 Ry.

``pw.x`` is to be found on the path. The pseudopotential in this folder is GTH-PBE-q3 (Krack 2005,
doi:10.1007/s00214-005-0655-y), by make_upf.py. Densities have plane waves to 45 Ry, where 80 Ry
would hold all products of waves: forces change by less than 1e-3 eV/Å.
"""

from pathlib import Path
from typing import Final

from ase.calculators.calculator import BaseCalculator
from ase.calculators.espresso import Espresso, EspressoProfile

FOLDER: Final = Path(__file__).resolve().parent


def thermal() -> BaseCalculator:
    """Make it for hot cells of 32 atoms: 3x3x3 k-points."""
    return metal(3, nosym=True)


def dense() -> BaseCalculator:
    """Make it for cells of one to four atoms: 16x16x16 k-points, converged further."""
    return metal(16, conv_thr=1e-9)


def metal(points: int, *, nosym: bool = False, conv_thr: float = 1e-6) -> BaseCalculator:
    """Make it with as many k-points along each axis, with or without symmetry of the crystal."""
    return Espresso(
        profile=EspressoProfile(command="pw.x", pseudo_dir=FOLDER),
        pseudopotentials={"Al": "Al.pbe-gth-q3.UPF"},
        input_data={
            "control": {"disk_io": "none", "tprnfor": True, "tstress": True},
            "system": {
                "ecutwfc": 20.0,
                "ecutrho": 45.0,
                "occupations": "smearing",
                "smearing": "mv",
                "degauss": 0.05,
                "nosym": nosym,
            },
            "electrons": {"conv_thr": conv_thr, "mixing_mode": "TF", "diago_thr_init": 0.1},
        },
        kpts=(points, points, points),
    )
