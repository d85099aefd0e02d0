"""How long, how hot, how often: what a run does, apart from the potential and the system."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from lammpsfit.errors import InputError
from lammpsfit.units import FS_PER_PS

SLOWEST_ATOM_STEPS_PER_SECOND = 2.5e4
"""A run slower than this is taken for hung: some 40 times slower than one core of a 2020s
machine runs silica (``ci/bench_evaluation.py``), so that a busy node does not look like it."""


BLOCKS = {"nvt": 20, "npt": 8}
"""Blocks of a run by ensemble, unless told otherwise. Errors hold where a block is longer than the
correlation time, which for the density of 306 atoms of silica at 3600 K is 1.4 ps."""

LEAST_BLOCKS = 4
"""Fewest blocks of a run: fewer give no error and no quarters to show drift."""


MOST_FRAMES = 1_000_000
"""Frames whose pair counts fit into memory, as one run keeps them."""

MOST_STEPS = 2e9
"""Steps that LAMMPS's ``run`` can count."""

BAROSTAT_STEPS = 1000
"""Damping time of the barostat in timesteps, as the LAMMPS manual advises."""

Ensemble: TypeAlias = Literal["nvt", "npt"]
"""Constant volume or constant pressure, both at constant temperature."""


@dataclass(frozen=True)
class Protocol:
    """A run at constant temperature: relax, then sample.

    Attributes
    ----------
    temperature
        Temperature in K.
    relax, sample
        Times in ps: from the start structure to the first frame, and over all frames.
    timestep_fs
        Timestep in fs.
    every_fs
        Time between two frames in fs.
    blocks
        Number of blocks the frames are averaged over, for the errors.
    ensemble
        ``"nvt"``: the box keeps its volume; ``"npt"``: a barostat scales it, all edges alike.
    pressure
        Pressure of the barostat in bar.
    barostat
        Damping time of the barostat in ps; None: :data:`BAROSTAT_STEPS` timesteps.

    Raises
    ------
    InputError
        If a time is not positive or does not divide evenly.
    """

    temperature: float
    relax: float = 10.0
    sample: float = 10.0
    timestep_fs: float = 1.0
    every_fs: float = 50.0
    blocks: int = 20
    ensemble: Ensemble = "nvt"
    pressure: float = 0.0
    barostat: float | None = None

    def __post_init__(self) -> None:
        for name, unit in (
            ("temperature", "K"),
            ("sample", "ps"),
            ("timestep_fs", "fs"),
            ("every_fs", "fs"),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name} must be positive ({unit}), got {value}")
        if not (math.isfinite(self.relax) and self.relax >= 0):
            raise InputError(f"relax must not be negative (ps), got {self.relax}")
        if not max(self.relax, self.sample) / self.timestep < MOST_STEPS:
            raise InputError(
                f"relax and sample must be below {MOST_STEPS:g} steps, got {self.relax:g} and "
                f"{self.sample:g} ps in steps of {self.timestep_fs:g} fs"
            )
        if not _whole(self.every_fs / self.timestep_fs):
            raise InputError(
                f"every_fs must be a multiple of the timestep ({self.timestep_fs} fs), "
                f"got {self.every_fs}"
            )
        if self.frames > MOST_FRAMES:
            raise InputError(
                f"a run must have at most {MOST_FRAMES} frames, got {self.frames}: {self.sample:g} "
                f"ps every {self.every_fs:g} fs: choose a longer every_fs"
            )
        if self.blocks < LEAST_BLOCKS:
            raise InputError(f"sample must have at least {LEAST_BLOCKS} blocks, got {self.blocks}")
        if self.frames < self.blocks or self.frames % self.blocks:
            raise InputError(
                f"sample must hold a whole number of frames in each block: {self.sample:g} ps "
                f"every {self.every_fs:g} fs are {self.frames} frames for {self.blocks} blocks: "
                f"use a multiple of {self.blocks * self.every_fs / FS_PER_PS:g} ps, or other "
                "blocks in [protocol]"
            )

        self._check_barostat()

    def _check_barostat(self) -> None:
        if not math.isfinite(self.pressure):
            raise InputError(f"pressure must be a number (bar), got {self.pressure}")
        if not self.barostat_damping >= self.damping:
            raise InputError(
                f"barostat must be at least 100 timesteps ({self.damping:g} ps), or the box shakes "
                f"the atoms, got {self.barostat_damping:g}"
            )

    @property
    def at_pressure(self) -> "Protocol":
        """The same run at constant pressure."""
        return replace(self, ensemble="npt")

    @property
    def at_volume(self) -> "Protocol":
        """The same run at constant volume."""
        return replace(self, ensemble="nvt", pressure=0.0, barostat=None)

    @property
    def timestep(self) -> float:
        """Timestep in ps."""
        return self.timestep_fs / FS_PER_PS

    @property
    def frame_steps(self) -> int:
        """Steps from one frame to the next."""
        return round(self.every_fs / self.timestep_fs)

    @property
    def frames(self) -> int:
        """Number of frames sampled."""
        return round(self.sample * FS_PER_PS / self.every_fs)

    @property
    def block_frames(self) -> int:
        """Number of frames in a block."""
        return self.frames // self.blocks

    @property
    def relax_steps(self) -> int:
        """Steps before the first frame."""
        return round(self.relax * FS_PER_PS / self.timestep_fs)

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.relax_steps + self.frames * self.frame_steps

    @property
    def damping(self) -> float:
        """Damping time of the thermostat in ps: 100 steps, as the LAMMPS manual advises."""
        return 100 * self.timestep

    @property
    def barostat_damping(self) -> float:
        """Damping time of the barostat in ps."""
        return BAROSTAT_STEPS * self.timestep if self.barostat is None else self.barostat

    def timeout(self, atoms: int) -> float:
        """Wall-clock seconds after which a run of `atoms` atoms is taken for hung."""
        return timeout(self.steps, atoms)


def timeout(steps: int, atoms: int) -> float:
    """Wall-clock seconds after which `steps` steps of `atoms` atoms are taken for hung."""
    return 60.0 + steps * atoms / SLOWEST_ATOM_STEPS_PER_SECOND


def _whole(value: float) -> bool:
    return 1 - 1e-9 <= value < MOST_STEPS and abs(value - round(value)) < 1e-6
