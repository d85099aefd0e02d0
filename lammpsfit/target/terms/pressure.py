"""The pressure of the box, wanted beside the structure."""

from collections.abc import Iterator
from dataclasses import dataclass

from lammpsfit.config import PressureTable
from lammpsfit.errors import InputError
from lammpsfit.forcefield import ParameterSpace
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.target.term import ScalarTerm, Setting
from lammpsfit.units import BAR_PER_GPA


@dataclass(frozen=True)
class Pressure(ScalarTerm):
    """The mean pressure, in bar."""

    name = "pressure"
    label = "P"
    unit = "bar"
    shown = ("GPa", 1 / BAR_PER_GPA, 2)

    def observe(self, frames: Frames) -> FloatArray:
        """Return the pressure of each frame in bar, shape (n_frames, 1)."""
        return frames.pressure[:, None]

    def slope(self, frames: Frames, space: ParameterSpace, u: FloatArray) -> FloatArray:
        """Return dP/du of each frame, shape (n_frames, 1, d): forces depend on the parameters."""
        return frames.pressure_gradient(space, u)[:, None]


def build(table: PressureTable | None, setting: Setting) -> Iterator[Pressure]:
    """Make the term of a ``[pressure]`` table.

    Raises
    ------
    InputError
        If a barostat sets the pressure.
    """
    if table is None:
        return
    if setting.protocol.ensemble == "npt":
        raise InputError(
            "pressure is what the barostat sets: fit to a [density] there, or leave ensemble = "
            '"npt" out'
        )
    yield Pressure(table.value, table.per_percent)
