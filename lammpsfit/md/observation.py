"""What a longer run gives."""

from collections.abc import Mapping
from dataclasses import dataclass

from lammpsfit.md.histogram import FloatArray
from lammpsfit.structure.blocks import Estimate, block_estimate, drift
from lammpsfit.structure.diffusion import Displacements
from lammpsfit.structure.observables import Observables


@dataclass(frozen=True, eq=False)
class Series:
    """Thermodynamics of each frame, shape (n_frames,) each.

    Attributes
    ----------
    temperature
        In K.
    pressure
        In bar.
    energy
        Potential energy in eV/atom.
    density
        In g/cm³.
    blocks
        Consecutive parts that errors come from.
    """

    temperature: FloatArray
    pressure: FloatArray
    energy: FloatArray
    density: FloatArray
    blocks: int

    def estimate(self, name: str) -> Estimate:
        """Mean of one of them with its standard error."""
        return block_estimate(getattr(self, name), self.blocks)

    def drift(self, name: str) -> Estimate:
        """Change of one of them over the run; beyond twice its error it was not in equilibrium."""
        return drift(getattr(self, name), n_blocks=self.blocks)


@dataclass(frozen=True, eq=False)
class Solid:
    """What a quench left, and how stiff it is.

    Attributes
    ----------
    species
        Species of each atom.
    positions
        Its last configuration in Å, shape (n, 3).
    cell
        Cell vectors as rows in Å, shape (3, 3).
    stiffness
        C in GPa at 0 K, shape (6, 6), in the order xx, yy, zz, yz, xz, xy.
    """

    species: tuple[str, ...]
    positions: FloatArray
    cell: FloatArray
    stiffness: FloatArray


@dataclass(frozen=True, eq=False)
class Observation:
    """What was observed in a run.

    Attributes
    ----------
    series
        Thermodynamics.
    structure
        g(r), bonds and S(q); None where the volume changes.
    displacements
        Mean squared displacements by species, of liquids.
    steps
        Steps of the run.
    wall_seconds
        Wall-clock time of run and analysis.
    solid
        What a quench left; None for liquids.
    """

    series: Series
    structure: Observables | None
    displacements: Mapping[str, Displacements]
    steps: int
    wall_seconds: float
    solid: Solid | None = None
