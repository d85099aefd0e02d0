"""Phonons of an fcc metal by finite displacements, with phonopy.

Force constants come from the forces in a supercell with one atom displaced. The symmetry of fcc
makes one displacement enough (Togo and Tanaka 2015, doi:10.1016/j.scriptamat.2015.07.021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.work.crystal import crystals, equation_of_state
from lammpsfit.gap.work.properties import first_length

try:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms
except ImportError as error:
    raise InputError(f"phonons need phonopy ({error}): pip install 'lammpsfit[gap]'") from error

FloatArray = NDArray[np.float64]

POINTS: Final[Mapping[str, tuple[float, float, float]]] = {
    "Γ": (0.0, 0.0, 0.0),
    "X": (0.5, 0.0, 0.5),
    "U": (0.625, 0.25, 0.625),
    "K": (0.375, 0.375, 0.75),
    "L": (0.5, 0.5, 0.5),
}
"""Points of the Brillouin zone of fcc, in units of the reciprocal vectors of the primitive cell."""

PATH: Final = (("Γ", "X"), ("X", "U"), ("K", "Γ"), ("Γ", "L"))
"""The lines along which bands go; U and K are equivalent."""

LINE_POINTS: Final = 41
"""Wave vectors on each line."""

MESH: Final = 30
"""Wave vectors of the density of states along each reciprocal vector."""

FREQUENCIES: Final = ("X_T", "X_L", "L_T", "L_L")
"""Transverse and longitudinal modes at X and L: the lower pair and the highest, in a metal that is
stable."""


@dataclass(frozen=True)
class PhononRequest:
    """How phonons are found.

    Attributes
    ----------
    supercell : int
        Cubic cells along each axis. X and L are exact in any even number.
    displacement : float, Å
    lattice : float or None, Å
        Edge of the cubic cell; None takes that of the lowest energy.

    Raises
    ------
    InputError
        If one of them cannot be.
    """

    supercell: int = 4
    displacement: float = 0.02
    lattice: float | None = None

    def __post_init__(self) -> None:
        if self.supercell < 1:
            raise InputError(f"a supercell must have at least one cell, got {self.supercell}")
        if not 0.0 < self.displacement <= 0.2:
            raise InputError(
                f"the displacement must be above 0, at most 0.2 Å, got {self.displacement:g}"
            )
        if self.lattice is not None and not 1.0 <= self.lattice <= 100.0:
            raise InputError(f"the lattice constant must be 1 to 100 Å, got {self.lattice:g}")


@dataclass(frozen=True, eq=False)
class Phonons:
    """Phonons of a crystal; imaginary frequencies are negative numbers.

    Attributes
    ----------
    lattice : float, Å
        Edge of the cubic cell.
    distances : ndarray, shape (n_lines, n_points), 1/Å
        Along the path.
    bands : ndarray, shape (n_lines, n_points, 3), THz
        In increasing order at each wave vector.
    frequency : ndarray, shape (n,), THz
    density : ndarray, shape (n,), 1/THz
        Density of states of an atom; its integral is 3.
    special : dict of float, THz
        By the names of :data:`FREQUENCIES`.
    """

    lattice: float
    distances: FloatArray
    bands: FloatArray
    frequency: FloatArray
    density: FloatArray
    special: dict[str, float]

    @property
    def stable(self) -> bool:
        """Whether no frequency is imaginary, but for rounding near Γ."""
        return bool(self.bands.min() > -0.05)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "lattice": self.lattice,
            "path": [list(line) for line in PATH],
            "distances": self.distances.tolist(),
            "bands": self.bands.tolist(),
            "frequency": self.frequency.tolist(),
            "density": self.density.tolist(),
            "special": self.special,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Phonons:
        """Read what :meth:`as_dict` gave."""
        arrays = {
            name: np.array(data[name], dtype=np.float64)
            for name in ("distances", "bands", "frequency", "density")
        }
        special = {name: float(data["special"][name]) for name in FREQUENCIES}
        return cls(lattice=float(data["lattice"]), special=special, **arrays)


def phonons(
    calculator: BaseCalculator,
    symbol: str,
    request: PhononRequest = PhononRequest(),
    tell: Callable[[str], None] = lambda line: None,
) -> Phonons:
    """Return the phonons of an fcc metal.

    Parameters
    ----------
    calculator
        What knows energies and forces.
    symbol
        The element.
    request
        How.
    tell
        Told what is being done.

    Raises
    ------
    InputError
        If the element is not fcc.
    RunError
        If no lattice constant is found.
    """
    first = first_length(symbol)
    a = request.lattice
    if a is None:
        tell("lattice constant")
        found = equation_of_state(calculator, crystals(symbol, first)["fcc"])
        a = first * found.values["length"]
    made = Phonopy(
        _phonopy_atoms(bulk(symbol, "fcc", a=a, cubic=True)),
        supercell_matrix=request.supercell * np.eye(3, dtype=int),
        primitive_matrix="F",
    )
    made.generate_displacements(distance=request.displacement)
    tell(f"forces in {len(made.supercell)} atoms")
    made.forces = [
        _forces(calculator, supercell) for supercell in made.supercells_with_displacements
    ]
    made.produce_force_constants()
    made.symmetrize_force_constants()
    return _phonons(made, a)


def _phonopy_atoms(atoms: Atoms) -> PhonopyAtoms:
    return PhonopyAtoms(
        symbols=atoms.get_chemical_symbols(),
        cell=np.array(atoms.cell),
        scaled_positions=atoms.get_scaled_positions(),
    )


def _forces(calculator: BaseCalculator, supercell: PhonopyAtoms) -> FloatArray:
    atoms = Atoms(
        supercell.symbols,
        cell=supercell.cell,
        scaled_positions=supercell.scaled_positions,
        pbc=True,
    )
    forces: FloatArray = np.asarray(calculator.get_property("forces", atoms), dtype=np.float64)
    balanced: FloatArray = forces - forces.mean(axis=0)
    return balanced


def _phonons(made: Phonopy, a: float) -> Phonons:
    steps = np.linspace(0.0, 1.0, LINE_POINTS)[:, None]
    lines = [
        (1.0 - steps) * np.array(POINTS[start]) + steps * np.array(POINTS[end])
        for start, end in PATH
    ]
    made.run_band_structure(lines, is_band_connection=False)
    bands = np.sort(np.array(made.band_structure.frequencies), axis=-1)
    made.run_mesh([MESH] * 3, is_gamma_center=True)
    made.run_total_dos()
    special = {}
    for name, at in (("X", bands[0, -1]), ("L", bands[3, -1])):
        special[f"{name}_T"], special[f"{name}_L"] = float(at[:2].mean()), float(at[2])
    return Phonons(
        lattice=float(a),
        distances=np.array(made.band_structure.distances),
        bands=bands,
        frequency=np.array(made.total_dos.frequency_points),
        density=np.array(made.total_dos.dos),
        special=special,
    )
