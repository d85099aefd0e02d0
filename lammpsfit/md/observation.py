"""What a longer run gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lammpsfit.md.histogram import FloatArray
from lammpsfit.structure.blocks import Estimate, block_estimate, drift
from lammpsfit.structure.diffusion import Displacements
from lammpsfit.structure.observables import Observables, pooled


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


def series_of(thermo: FloatArray, blocks: int) -> Series:
    """Make a series of what :func:`~lammpsfit.md.session.thermodynamics` gives, (n_frames, 4)."""
    temperature, pressure, energy, density = thermo.T
    return Series(temperature, pressure, energy, density, blocks)


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


def together(several: Sequence[Observation]) -> Observation:
    """Make one of several runs of the same kind, whose blocks are the runs.

    Its errors are those between runs. Of `displacements` and `solid` it has those of the first.
    """
    first = several[0]
    if len(several) == 1:
        return first
    series = [one.series for one in several]
    structures = [one.structure for one in several if one.structure is not None]
    return replace(
        first,
        series=Series(
            np.concatenate([one.temperature for one in series]),
            np.concatenate([one.pressure for one in series]),
            np.concatenate([one.energy for one in series]),
            np.concatenate([one.density for one in series]),
            len(several),
        ),
        structure=pooled(structures) if structures else None,
    )
