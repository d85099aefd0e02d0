"""Molecular dynamics with any calculator of ASE, that can stop and go on where it was.

The integrator is that of ASE (``LangevinBAOAB``: Leimkuhler and Matthews 2013, with the barostat of
Quigley and Probert 2004). This module adds what a long run needs: a state that can be written to a
file, and a clear end when the calculator loses the atoms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.velocitydistribution import Stationary

from lammpsfit.config import HIGHEST, HOTTEST, LATEST
from lammpsfit.errors import InputError, RunError
from lammpsfit.units import FS_PER_PS

Ensemble = Literal["nve", "nvt", "npt"]

RUNAWAY: Final = 5.0
"""A run so many times hotter than it began or should be is lost."""

LOOK_STEPS: Final = 5
"""Steps between two looks at whether a run is lost."""

TIMESTEPS: Final = (1e-3, 100.0)
"""fs; atoms move within a femtosecond."""

MOST_STEPS: Final = 1e9
"""Of a run: at a millisecond a step they take twelve days."""

PERIOD: Final = 1.66
"""fs; a barostat of mass one has a period of four of these for each N^(1/6) (ASE's measure)."""


@dataclass(frozen=True)
class Dynamics:
    """How atoms move.

    Attributes
    ----------
    ensemble : {"nve", "nvt", "npt"}
        With "npt" the volume fluctuates and the shape of the cell stays.
    temperature : float, K
        Of the thermostat, and of the first velocities.
    pressure : float, bar
    timestep : float, fs
    thermostat, barostat : float, fs
        Their time constants.
    seed : int
        Of velocities and thermostat.

    Raises
    ------
    InputError
        If one of them cannot be.
    """

    ensemble: Ensemble = "nvt"
    temperature: float = 300.0
    pressure: float = 0.0
    timestep: float = 2.0
    thermostat: float = 100.0
    barostat: float = 1000.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.ensemble not in ("nve", "nvt", "npt"):
            raise InputError(f"the ensemble must be nve, nvt or npt, got {self.ensemble}")
        for name, least, most in (
            ("temperature", 0.0, HOTTEST),
            ("timestep", *TIMESTEPS),
            ("thermostat", 0.0, FS_PER_PS * LATEST),
            ("barostat", 0.0, FS_PER_PS * LATEST),
            ("pressure", -HIGHEST, HIGHEST),
        ):
            value = getattr(self, name)
            if not least <= value <= most or (value == 0.0 and name != "pressure"):
                raise InputError(f"the {name} must be {_within(least, most)}, got {value:g}")

    def steps(self, what: str, time: float) -> int:
        """Return how many steps a time in ps is.

        Raises
        ------
        InputError
            If `what` takes no time, or :data:`MOST_STEPS` of them or more.
        """
        steps = FS_PER_PS * time / self.timestep
        if not 0.0 <= steps < MOST_STEPS:
            raise InputError(
                f"{what} must be from 0 to {MOST_STEPS * self.timestep / FS_PER_PS:g} ps, got "
                f"{time:g} ps"
            )
        return round(steps)


def _within(least: float, most: float) -> str:
    return f"positive, at most {most:g}" if least == 0.0 else f"from {least:g} to {most:g}"


@dataclass
class Motion:
    """Atoms that move: call :meth:`advance` for some steps.

    Attributes
    ----------
    atoms : Atoms
        Where they are now, with momenta and the calculator.
    dynamics : Dynamics
    steps : int
        Done since the start.
    """

    atoms: Atoms
    dynamics: Dynamics
    steps: int = 0
    _rng: np.random.Generator = field(default_factory=np.random.default_rng)
    _cell_momentum: float = 0.0

    def advance(self, steps: int, watch: Callable[[Atoms], None] = lambda atoms: None) -> None:
        """Do some steps.

        Parameters
        ----------
        steps
            How many.
        watch
            Called with the atoms every few steps; it may raise.

        Raises
        ------
        RunError
            If the energy is no number any more, or the atoms are far too hot.
        """
        # made anew each time: so a run that goes on from a file does what one without a break does
        integrator = self._make()
        for done in range(LOOK_STEPS, steps + LOOK_STEPS, LOOK_STEPS):
            part = LOOK_STEPS - max(done - steps, 0)
            integrator.run(part)
            self.steps += part
            self._check()
            watch(self.atoms)
        self._cell_momentum = float(getattr(integrator, "p_eps", 0.0))

    def _make(self) -> Any:
        given, atoms, fs = self.dynamics, self.atoms, units.fs
        options: dict[str, Any] = {}
        if given.ensemble != "nve":
            options |= {"temperature_K": given.temperature, "T_tau": given.thermostat * fs}
        if given.ensemble == "npt":
            mass = (given.barostat / (4.0 * PERIOD)) ** 2 * len(atoms) ** (1.0 / 3.0)
            options |= {
                "externalstress": -given.pressure * 1e5 * units.Pascal,
                "hydrostatic": True,
                "P_tau": given.barostat * fs,
                "P_mass": mass,
            }
        made = LangevinBAOAB(atoms, given.timestep * fs, rng=self._rng, **options)
        if given.ensemble == "npt":
            made.p_eps = self._cell_momentum
        return made

    def _check(self) -> None:
        time = f"after {self.steps * self.dynamics.timestep / 1000.0:.3f} ps"
        energy, temperature = self.atoms.get_potential_energy(), self.atoms.get_temperature()
        if not (math.isfinite(energy) and math.isfinite(temperature)):
            raise RunError(f"{time} the energy is no number: the potential lost the atoms")
        limit = RUNAWAY * self.dynamics.temperature
        if temperature > limit:
            raise RunError(
                f"{time} the atoms are at {temperature:.0f} K, {RUNAWAY:g} times as hot as meant: "
                f"the potential lost them, or the time step is too long"
            )

    def state(self) -> dict[str, Any]:
        """Return what :func:`resumed` needs, as plain data."""
        atoms = self.atoms
        return {
            "steps": self.steps,
            "symbols": atoms.get_chemical_symbols(),
            "positions": atoms.positions.tolist(),
            "momenta": atoms.get_momenta().tolist(),
            "cell": np.array(atoms.cell).tolist(),
            "pbc": [bool(x) for x in atoms.pbc],
            "rng": self._rng.bit_generator.state,
            "cell_momentum": self._cell_momentum,
        }


def started(atoms: Atoms, calculator: BaseCalculator, dynamics: Dynamics) -> Motion:
    """Return a motion of a copy of some atoms, with velocities of the temperature.

    Atoms that have momenta keep them.

    Raises
    ------
    InputError
        If the atoms are not periodic.
    """
    if not all(atoms.pbc):
        raise InputError("molecular dynamics is that of periodic cells: give the structure one")
    rng = np.random.default_rng(dynamics.seed)
    copy = atoms.copy()
    if not np.any(copy.get_momenta()):
        width = np.sqrt(copy.get_masses() * units.kB * dynamics.temperature)
        copy.set_momenta(width[:, None] * rng.standard_normal((len(copy), 3)))
        Stationary(copy)
    copy.calc = calculator
    return Motion(copy, dynamics, 0, rng)


def resumed(state: dict[str, Any], calculator: BaseCalculator, dynamics: Dynamics) -> Motion:
    """Return a motion that goes on where :meth:`Motion.state` was taken."""
    atoms = Atoms(
        state["symbols"], positions=state["positions"], cell=state["cell"], pbc=state["pbc"]
    )
    atoms.set_momenta(state["momenta"])
    atoms.calc = calculator
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return Motion(atoms, dynamics, int(state["steps"]), rng, float(state["cell_momentum"]))
