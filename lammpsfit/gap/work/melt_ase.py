"""Any calculator of ASE as what runs a melting point: slower than LAMMPS, for all potentials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from lammpsfit.errors import RunError
from lammpsfit.gap.work.dynamics import RUNAWAY, Dynamics, Motion, started
from lammpsfit.gap.work.melt import (
    HEATS,
    HOTTER,
    MOVED,
    MeltRequest,
    Phase,
    PhaseAlone,
    TwoPhaseStart,
    Watch,
)
from lammpsfit.gap.work.properties import first_length
from lammpsfit.gap.work.two_phase import Course, crystal
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

FloatArray = NDArray[np.float64]

SAMPLE: Final = 10
"""Steps between two values of temperature and pressure."""

FRICTION: Final = 0.01
"""1/fs; of the thermostat while a cell is prepared."""


@dataclass
class Mover:
    """Moves some atoms of a cell, by Langevin's equation or by Newton's.

    Attributes
    ----------
    atoms : Atoms
        With the calculator and momenta.
    rng : numpy.random.Generator
    """

    atoms: Atoms
    rng: np.random.Generator

    def run(
        self,
        steps: int,
        timestep: float,
        moving: NDArray[np.bool_] | None = None,
        temperature: float | None = None,
    ) -> None:
        """Do some steps (BAOAB: Leimkuhler and Matthews 2013).

        Parameters
        ----------
        steps
            How many.
        timestep : float, fs
        moving : ndarray of bool, shape (n,)
            Atoms that move; all by default.
        temperature : float, K
            Of a thermostat; none by default.

        Raises
        ------
        RunError
            If the energy is no number, or the atoms are far too hot.
        """
        atoms, dt = self.atoms, timestep * units.fs
        mass = atoms.get_masses()[:, None]
        mask = np.ones((len(atoms), 1)) if moving is None else moving[:, None].astype(float)
        keep = math.exp(-FRICTION * timestep)
        for _ in range(steps):
            p = atoms.get_momenta() + 0.5 * dt * atoms.get_forces() * mask
            atoms.positions += 0.5 * dt * p / mass
            if temperature is not None:
                kT = units.kB * temperature
                kick = self.rng.standard_normal(p.shape) * np.sqrt(mass * kT * (1.0 - keep**2))
                p = (keep * p + kick) * mask
            atoms.positions += 0.5 * dt * p / mass
            p = p + 0.5 * dt * atoms.get_forces() * mask
            atoms.set_momenta(p)
            self._check(temperature)

    def _check(self, temperature: float | None) -> None:
        found = self.atoms.get_temperature()
        limit = math.inf if temperature is None else RUNAWAY * temperature
        if not found < limit:
            raise RunError(
                f"the atoms are at {found:.0f} K: the potential lost them, or the time step is too "
                f"long"
            )


def pressures(atoms: Atoms) -> tuple[float, float]:
    """Return the mean pressure and that along z, with the motion of the atoms, bar."""
    stress = -atoms.get_stress(include_ideal_gas=True)[:3] * BAR_PER_EV_PER_CUBIC_ANGSTROM
    return float(stress.mean()), float(stress[2])


class AseEngine:
    """Runs melting points with a calculator of ASE.

    Parameters
    ----------
    calculator
        What knows energies, forces and stress.
    name
        What it is.
    """

    def __init__(self, calculator: BaseCalculator, name: str) -> None:
        self.name = name
        self._calculator = calculator

    def phase(
        self, request: MeltRequest, phase: Phase, temperature: float, watch: Watch
    ) -> PhaseAlone:
        """Run a phase alone at a temperature and zero pressure; half the cell of both."""
        n, m = request.cells
        atoms = crystal(request.symbol, first_length(request.symbol), (n, max(m // 2, 2)))
        hot = request.hot * request.temperature
        times = [(temperature, 3.0 * request.relax)]
        if phase == "liquid":
            times = [(hot, request.melt), (temperature, request.cool), *times]
        total = sum(time for _, time in times)
        past = 0.0
        samples: list[tuple[float, float]] = []
        for at, time in times:
            dynamics = Dynamics("npt", at, 0.0, request.careful, seed=request.seeds[0])
            if not past:  # half of it goes into the springs of the lattice
                doubled = Dynamics("npt", 2.0 * at, seed=request.seeds[0])
                atoms = started(atoms, self._calculator, doubled).atoms
            motion = Motion(atoms, dynamics, 0, np.random.default_rng(dynamics.seed))
            steps = request.steps(time, request.careful)
            for done in range(0, steps, SAMPLE):
                motion.advance(min(SAMPLE, steps - done))
                now = past + time * done / steps
                if now > total - 2.0 * request.relax:
                    n_atoms = len(atoms)
                    energy = atoms.get_potential_energy() + atoms.get_kinetic_energy()
                    samples.append((atoms.get_volume() / n_atoms, energy / n_atoms))
                watch(now / total)
            past += time
        return PhaseAlone.of(*zip(*samples, strict=True))

    def coexistence(self, request: MeltRequest, start: TwoPhaseStart, watch: Watch) -> Course:
        """Melt the second half of the atoms at the start, and run without thermostat.

        Raises
        ------
        RunError
            If it does not melt, or the potential loses the atoms.
        """
        rng = np.random.default_rng(start.seed)
        atoms = start.atoms.copy()
        hot = request.hot * request.temperature
        atoms.calc = self._calculator
        upper = np.arange(len(atoms)) >= len(atoms) // 2
        mover = Mover(atoms, rng)
        _heat(atoms, upper, hot, rng)
        total = request.melt + request.cool + request.relax / 2.0 + request.time
        past = 0.0

        def stage(time: float, last: float, moving: NDArray[np.bool_] | None = None) -> None:
            """Run in parts, so that somebody may watch."""
            nonlocal past
            steps = request.steps(time, request.careful)
            for done in range(0, steps, SAMPLE):
                mover.run(min(SAMPLE, steps - done), request.careful, moving, last)
                watch(min((past + time * done / steps) / total, 1.0))
            past += time

        for _ in range(HEATS):
            stage(request.melt, hot, upper)
            moved = ((atoms.positions - start.atoms.positions)[upper] ** 2).sum(axis=1).mean()
            if moved > MOVED:
                break
            hot *= HOTTER
        else:
            raise RunError("the upper half did not melt: give it longer (--prepare)")
        stage(request.cool, start.temperature, upper)
        _heat(atoms, ~upper, 2.0 * start.temperature, rng)
        stage(request.relax / 2.0, start.temperature)
        atoms.set_momenta(atoms.get_momenta() - atoms.get_momenta().mean(axis=0))
        _set_energy(atoms, start.energy * len(atoms))
        return self._conserved(mover, request, min(past / total, 1.0), watch)

    def _conserved(self, mover: Mover, request: MeltRequest, before: float, watch: Watch) -> Course:
        """Run without thermostat, and write down what a :class:`Course` has."""
        atoms = mover.atoms
        steps = request.steps(request.time, request.timestep)
        look = request.steps(request.look, request.timestep)
        frames, series = [atoms.positions.copy()], []
        for step in range(1, steps + 1):
            mover.run(1, request.timestep)
            if step % SAMPLE == 0:
                energy = atoms.get_potential_energy() + atoms.get_kinetic_energy()
                series.append((step, atoms.get_temperature(), energy, *pressures(atoms)))
                watch(before + (1.0 - before) * step / steps)
            if step % look == 0:
                frames.append(atoms.positions.copy())
        found = np.array(series)
        per_ps = request.timestep / 1000.0
        return Course(
            time=look * per_ps * np.arange(len(frames), dtype=np.float64),
            positions=np.array(frames),
            lengths=atoms.cell.lengths(),
            series_time=per_ps * found[:, 0],
            temperature=found[:, 1],
            energy=found[:, 2] / len(atoms),
            pressure=found[:, 3],
            normal=found[:, 4],
        )


def _heat(
    atoms: Atoms, some: NDArray[np.bool_], temperature: float, rng: np.random.Generator
) -> None:
    """Give some atoms velocities of a temperature, K."""
    momenta = atoms.get_momenta()
    width = np.sqrt(atoms.get_masses()[some] * units.kB * temperature)
    momenta[some] = width[:, None] * rng.standard_normal((int(some.sum()), 3))
    atoms.set_momenta(momenta)


def _set_energy(atoms: Atoms, energy: float) -> None:
    """Scale velocities so that the atoms have a total energy, eV.

    Raises
    ------
    RunError
        If their potential energy is beyond it.
    """
    wanted = energy - float(atoms.get_potential_energy())
    if not wanted > 0.0:
        raise RunError(
            "half solid, half liquid it has far too much energy: give it longer (--prepare)"
        )
    atoms.set_momenta(atoms.get_momenta() * math.sqrt(wanted / atoms.get_kinetic_energy()))
