"""The density of the box at a constant pressure, wanted beside the structure.

In the ensemble of constant pressure a frame has the weight exp(-β(U + PV)). PV does not depend on
the parameters of the potential, so that the volume is an observable like any other,

    d<ρ>/dθ = -β ( <ρ dU/dθ> - <ρ> <dU/dθ> ).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lammpsfit.config import DensityTable
from lammpsfit.errors import InputError
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.target.term import ScalarTerm, Setting

PART = 0.01
"""Part of the density wanted whose deviation counts as much as R = 1 %, unless told otherwise."""


@dataclass(frozen=True)
class Density(ScalarTerm):
    """The mean density, in g/cm³.

    Attributes
    ----------
    masses
        By species, in Da.
    """

    masses: Mapping[str, float]
    name = "density"
    label = "density"
    unit = "g/cm³"
    shown = ("g/cm³", 1.0, 3)

    def observe(self, frames: Frames) -> FloatArray:
        """Return the density of each frame in g/cm³, shape (n_frames, 1)."""
        return frames.density(self.masses)[:, None]


def build(table: DensityTable | None, setting: Setting) -> Iterator[Density]:
    """Make the term of a ``[density]`` table.

    Raises
    ------
    InputError
        If the volume of the box is constant.
    """
    if table is None:
        return
    if setting.protocol.ensemble != "npt":
        raise InputError(
            'density needs a box that may change: write ensemble = "npt" in [protocol], or leave '
            "[density] out"
        )
    enough = table.per_percent or PART * table.value
    yield Density(table.value, enough, setting.potential.masses)
