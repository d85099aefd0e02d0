"""Write GTH-PBE-q3 of aluminium as a UPF file: its analytic functions on a grid of radii.

Quantum ESPRESSO reads GTH files itself, but versions such as 6.7 then have the stress of a sheared
cell wrong by a factor of two; of this file they have it right. Energies and forces are the same.

Goedecker, Teter and Hutter 1996 (doi:10.1103/PhysRevB.54.1703) have the functions, Krack 2005
(doi:10.1007/s00214-005-0655-y) the numbers; lengths in bohr, energies in hartree.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Array = NDArray[np.float64]

CHARGE: Final = 3.0
LOCAL: Final = (0.45, -7.55476126)
"""Radius, and the only coefficient."""

PROJECTORS: Final = (
    (0, 0.48743529, ((6.95993832, -1.88883584), (-1.88883584, 2.43847659))),
    (1, 0.56218949, ((1.86529857,),)),
)
"""Angular momentum, radius, and energies of the projectors."""

FIRST: Final = -7.0
STEP: Final = 0.0125
PROTONS: Final = 13.0
"""Radii are exp(first + step k) / protons."""

LARGEST: Final = 60.0
CUTOFF: Final = 6.0
"""bohr; beyond it projectors are zero."""

RYDBERG: Final = 2.0
"""Of a hartree."""

FLAGS: Final = ("ultrasoft", "paw", "coulomb")
"""What it is not."""

HAS: Final = ("so", "wfc", "gipaw")
"""What it has not."""

ABOUT: Final = """GTH-PBE-q3 (Krack 2005, doi:10.1007/s00214-005-0655-y), its functions on a grid.
The density is only where a calculation begins."""


def radii() -> Array:
    """Return an odd number of radii."""
    n = int((math.log(LARGEST * PROTONS) - FIRST) / STEP) // 2 * 2 - 1
    r: Array = np.exp(FIRST + STEP * np.arange(n)) / PROTONS
    return r


def local(r: Array) -> Array:
    """Return the local potential, Ry."""
    radius, coefficient = LOCAL
    x = r / radius
    coulomb = -CHARGE / r * erf(x / math.sqrt(2.0))
    potential: Array = RYDBERG * (coulomb + coefficient * np.exp(-0.5 * x**2))
    return potential


def projector(r: Array, degree: int, radius: float, number: int) -> Array:
    """Return r times a projector, of norm one."""
    power = degree + (4 * number - 1) / 2
    norm = math.sqrt(2.0 / math.gamma(power)) / radius**power
    shape: Array = norm * r ** (degree + 2 * number - 1) * np.exp(-0.5 * (r / radius) ** 2)
    return shape


def density(r: Array) -> Array:
    """Return 4 pi r^2 of a density of the valence electrons: not more than a guess."""
    shape = r**4 * np.exp(-r / 0.45)
    guess: Array = CHARGE * shape / np.trapezoid(shape, r)
    return guess


def listed(name: str, values: Array, columns: int = 4, **more: object) -> str:
    """Return an element of the file with an array."""
    words = "".join(f' {key}="{value}"' for key, value in more.items())
    rows = (values[k : k + columns] for k in range(0, len(values), columns))
    body = "\n".join(" ".join(f"{x:.14E}" for x in row) for row in rows)
    head = f'<{name} type="real" size="{len(values)}" columns="{columns}"{words}>'
    return f"{head}\n{body}\n</{name}>"


def lines() -> Iterator[str]:
    """Yield the file, element by element."""
    r = radii()
    total = sum(len(energies) for _, _, energies in PROJECTORS)
    cut = int(np.searchsorted(r, CUTOFF)) | 1
    words = {
        **{"generated": "make_upf.py", "author": "", "date": "", "comment": "", "element": "Al"},
        **{"pseudo_type": "NC", "relativistic": "scalar", "functional": "PBE"},
        **{f"is_{name}": "F" for name in FLAGS},
        **{f"has_{name}": "F" for name in HAS},
        "core_correction": "F",
        **{"z_valence": CHARGE, "total_psenergy": 0.0, "rho_cutoff": 0.0, "wfc_cutoff": 0.0},
        **{"l_max": PROJECTORS[-1][0], "l_local": -1, "mesh_size": len(r), "number_of_wfc": 0},
        "number_of_proj": total,
    }
    yield f'<UPF version="2.0.1">\n<PP_INFO>\n{ABOUT}\n</PP_INFO>'
    yield "<PP_HEADER " + " ".join(f'{key}="{value}"' for key, value in words.items()) + "/>"
    yield (
        f'<PP_MESH mesh="{len(r)}" dx="{STEP}" xmin="{FIRST}" rmax="{r[-1]:.10f}" '
        f'zmesh="{PROTONS}">'
    )
    yield f"{listed('PP_R', r)}\n{listed('PP_RAB', STEP * r)}\n</PP_MESH>"
    yield listed("PP_LOCAL", local(r))
    yield "<PP_NONLOCAL>"
    energies = np.zeros((total, total))
    index = 0
    for degree, radius, block in PROJECTORS:
        part = slice(index, index + len(block))
        energies[part, part] = RYDBERG * np.array(block)
        for number in range(1, len(block) + 1):
            index += 1
            yield listed(
                f"PP_BETA.{index}",
                projector(r, degree, radius, number),
                index=index,
                angular_momentum=degree,
                cutoff_radius_index=cut,
                cutoff_radius=r[cut - 1],
            )
    yield f"{listed('PP_DIJ', energies.ravel(), total)}\n</PP_NONLOCAL>"
    yield "<PP_PSWFC>\n</PP_PSWFC>"
    yield f"{listed('PP_RHOATOM', density(r))}\n</UPF>\n"


if __name__ == "__main__":
    Path(__file__).with_name("Al.pbe-gth-q3.UPF").write_text("\n".join(lines()), encoding="utf-8")
