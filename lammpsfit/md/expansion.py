"""A glass that is heated, then cooled: its density at several temperatures.

A glass that was cooled fast changes for good when it is first heated. So it goes to the highest of
the temperatures first, and its density is measured on the way down from there.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lammpsfit.forcefield import Potential
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.ensemble import check_volume, integrator
from lammpsfit.md.observation import Observation, Solid, series_of
from lammpsfit.md.observe import Quench
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import Protocol, timeout
from lammpsfit.md.session import relax, run, session, thermodynamics, workplace
from lammpsfit.md.template import render


@dataclass(frozen=True, eq=False)
class Expansion:
    """The task that measures the density of a glass at several temperatures.

    Attributes
    ----------
    potential
        Potential with the species of the glass.
    protocol
        Times and blocks at each temperature: to relax, and to sample.
    quench
        How the glass was made: it is heated and cooled as fast, at the same pressure.
    temperatures
        Temperatures in K in the order they are measured, the highest first.
    solid
        The glass as its quench left it.
    seed
        Seed of the velocities, 1 to 900 000 000.
    """

    potential: Potential
    protocol: Protocol
    quench: Quench
    temperatures: tuple[float, ...]
    solid: Solid
    seed: int

    @property
    def stages(self) -> list[tuple[float, float, int]]:
        """Temperature at the beginning and the end of each ramp, in K, and its steps."""
        before = (self.quench.temperature, *self.temperatures[:-1])
        return [
            (begin, end, self.quench.ramp_steps(self.protocol, begin, end))
            for begin, end in zip(before, self.temperatures, strict=True)
        ]

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return sum(steps + self.protocol.steps for _, _, steps in self.stages)

    def timeout(self, atoms: int) -> float:
        """Wall-clock seconds after which the run is taken for hung."""
        return timeout(self.steps, atoms)

    def __call__(self) -> Observation:
        """Run.

        Returns
        -------
        Observation
            Its `series` has the frames at each temperature, one after the other; each has as many
            frames and blocks.

        Raises
        ------
        SimulationError
            If the run fails, with its reason.
        """
        started = time.perf_counter()
        glass = Configuration.of(self.solid.species, self.solid.positions, self.solid.cell)
        box = glass.ordered(tuple(self.potential.species))
        frames = self.protocol.frames
        thermo = np.empty((len(self.temperatures), frames, 4))
        with workplace({}), session() as lmp:
            box.write(Path("start.data"), self.potential.masses, self.potential.charges)
            lmp.commands_string(self._script())
            for (begin, end, steps), values in zip(self.stages, thermo, strict=True):
                for start, length in ((begin, steps), (end, self.protocol.relax_steps)):
                    held = self.quench.protocol(self.protocol, start)
                    lmp.commands_string(render("quench", integrator=integrator(held, end)))
                    relax(lmp, length, max(begin, end), lambda: check_volume(lmp, glass.volume))
                for frame in range(frames):
                    run(lmp, self.protocol.frame_steps, first=frame == 0)
                    values[frame] = thermodynamics(lmp, end)
                    check_volume(lmp, glass.volume)
        blocks = len(self.temperatures) * self.protocol.blocks
        series = series_of(thermo.reshape(-1, 4), blocks)
        return Observation(series, None, {}, self.steps, time.perf_counter() - started)

    def _script(self) -> str:
        return render(
            "observe",
            title=self.potential.name,
            structure="start.data",
            species=species_lines(self.potential),
            pair_potential=pair_lines(self.potential, "combined", Path()),
            timestep=self.protocol.timestep,
            temperature=self.quench.temperature,
            seed=self.seed,
            damping=self.protocol.damping,
        )
