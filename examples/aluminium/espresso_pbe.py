"""The calculators behind the frames of this folder: PBE with Quantum ESPRESSO.

``pw.x`` is to be found on the path. The pseudopotential in this folder is GTH-PBE-q3 (Krack 2005,
doi:10.1007/s00214-005-0655-y), by make_upf.py. Plane waves go to 20 Ry if nothing else is said.
"""

from pathlib import Path
from typing import Any, Final

from ase.calculators.calculator import BaseCalculator
from ase.calculators.espresso import Espresso, EspressoProfile

FOLDER: Final = Path(__file__).resolve().parent

DENSITY: Final = 2.25
"""Cutoff of densities in units of that of waves, where 4 would hold all products of waves: forces
change by less than 1e-3 eV/Å."""

SPACING: Final = 0.032
"""Between k-points, 1/Å without the factor of 2 pi: 4x4x4 of them in 32 atoms."""


def thermal() -> BaseCalculator:
    """Make it for hot cells of 32 atoms: 3x3x3 k-points."""
    return metal((3, 3, 3), nosym=True)


def shifted() -> BaseCalculator:
    """Make it for the sets of the bulk: 2x2x2 k-points half a step off, 16 Ry."""
    return metal((2, 2, 2), shift=1, waves=16.0, nosym=True)


def gamma() -> BaseCalculator:
    """Make it for the grain boundaries, whose cells are large: one k-point, 16 Ry."""
    return metal(None, waves=16.0, nosym=True)


def dense() -> BaseCalculator:
    """Make it for cells of one to four atoms: 16x16x16 k-points, converged further."""
    return metal((16, 16, 16), conv_thr=1e-9)


def primitive() -> BaseCalculator:
    """Make it for strained cells of one atom: 24x24x24 k-points, converged further."""
    return metal((24, 24, 24), conv_thr=1e-9)


def even() -> BaseCalculator:
    """Make it for cells of any size: k-points as far from one another as 4x4x4 in 32 atoms."""
    return metal(SPACING, conv_thr=1e-9)


def metal(
    points: tuple[int, int, int] | float | None,
    *,
    shift: int = 0,
    waves: float = 20.0,
    nosym: bool = False,
    conv_thr: float = 1e-6,
) -> BaseCalculator:
    """Make it with as many k-points along each axis, or so far apart (1/Å), or with one."""
    if points is None:
        grid: dict[str, Any] = {}
    elif isinstance(points, tuple):
        grid = {"kpts": points, "koffset": (shift,) * 3}
    else:
        grid = {"kspacing": points}
    return Espresso(
        profile=EspressoProfile(command="pw.x", pseudo_dir=FOLDER),
        pseudopotentials={"Al": "Al.pbe-gth-q3.UPF"},
        input_data={
            "control": {"disk_io": "none", "tprnfor": True, "tstress": True},
            "system": {
                "ecutwfc": waves,
                "ecutrho": DENSITY * waves,
                "occupations": "smearing",
                "smearing": "mv",
                "degauss": 0.05,
                "nosym": nosym,
            },
            "electrons": {"conv_thr": conv_thr, "mixing_mode": "TF", "diago_thr_init": 0.1},
        },
        **grid,
    )
