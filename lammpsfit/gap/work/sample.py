"""Frames to label: strained cells, and molecular dynamics at several temperatures.

Frames of several runs come interleaved, so that the first so many of them are a useful set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import InputError
from lammpsfit.gap.work.dynamics import Dynamics, Motion, resumed, started
from lammpsfit.gap.work.strain import ladder, strained

MOST_FRAMES: Final = 10_000
"""Of a run; each costs hours of DFT to label."""

SEED_STEP: Final = 1000
"""Between the seeds of the runs of one call."""


@dataclass(frozen=True)
class SampleRequest:
    """What to sample.

    Attributes
    ----------
    dynamics : Dynamics
        Of all runs but for their temperature and seed; the seed of run k is `seed` + 1000 k.
    temperatures : tuple of float, K
        Each is a run of its own from each start.
    frames : int
        Of each run.
    equilibrate, interval : float, ps
        Before the first frame, and between frames.
    quench : float, K, optional
        Where the last frame is: the thermostat goes there in equal steps, from the temperature of
        the first frame.
    """

    dynamics: Dynamics
    temperatures: tuple[float, ...]
    frames: int
    equilibrate: float = 2.0
    interval: float = 0.1
    quench: float | None = None

    def __post_init__(self) -> None:
        if not self.temperatures:
            raise InputError("at least one temperature is needed")
        if not 1 <= self.frames <= MOST_FRAMES:
            raise InputError(f"frames must be from 1 to {MOST_FRAMES}, got {self.frames}")
        for temperature in (*self.temperatures, *(() if self.quench is None else (self.quench,))):
            replace(self.dynamics, temperature=temperature)  # refuses what cannot be
        if self.quench is not None and (self.dynamics.ensemble == "nve" or self.frames < 2):
            raise InputError("a quench needs two frames and a thermostat: npt or nvt")
        if self.steps(self.interval) < 1:
            raise InputError(
                f"the interval ({self.interval:g} ps) must be at least a time step "
                f"({self.dynamics.timestep:g} fs)"
            )
        self.steps(self.equilibrate)

    def steps(self, time: float) -> int:
        """Return how many steps a time in ps is."""
        return self.dynamics.steps("the equilibration and the interval", time)

    def runs(self, starts: Sequence[Atoms]) -> Iterator[tuple[Atoms, Dynamics]]:
        """Yield the start and the dynamics of each run."""
        k = 0
        for temperature in self.temperatures:
            for start in starts:
                seed = self.dynamics.seed + SEED_STEP * k
                yield start, replace(self.dynamics, temperature=temperature, seed=seed)
                k += 1

    def at(self, number: int, dynamics: Dynamics) -> Dynamics:
        """Return the dynamics of a run on its way to a frame, with the temperature it has there."""
        if self.quench is None:
            return dynamics
        way = number / (self.frames - 1)
        temperature = (1.0 - way) * dynamics.temperature + way * self.quench
        return replace(dynamics, temperature=temperature)


def sample(
    starts: Sequence[Atoms],
    calculator: BaseCalculator,
    request: SampleRequest,
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda state: None,
) -> list[Atoms]:
    """Sample frames by molecular dynamics.

    Parameters
    ----------
    starts
        Atoms to begin with.
    calculator
        What moves them.
    request
        How.
    known
        What `keep` was given last by an earlier call, to go on from there.
    keep
        Given all that is known, as plain data, after every frame. It may raise to stop.

    Returns
    -------
    list of Atoms
        Without momenta; the first frame of each run, then the second, and so on.

    Raises
    ------
    RunError
        If a run loses its atoms.
    """
    state: dict[str, Any] = {"runs": {}} if known is None else dict(known)
    runs = list(request.runs(starts))
    for number in range(request.frames):
        for k, (start, dynamics) in enumerate(runs):
            one = state["runs"].setdefault(str(k), {"frames": [], "motion": None})
            if len(one["frames"]) > number:
                continue
            motion = _motion(one, start, calculator, request.at(number, dynamics))
            first = request.steps(request.equilibrate) if motion.steps == 0 else 0
            motion.advance(first + request.steps(request.interval))
            one["motion"] = motion.state()
            one["frames"].append(_plain(motion.atoms))
            keep(state)
    return [
        _frame(state["runs"][str(k)]["frames"][number], start, request.at(number, dynamics))
        for number in range(request.frames)
        for k, (start, dynamics) in enumerate(runs)
    ]


def strained_frames(starts: Sequence[Atoms], largest: float, count: int) -> list[Atoms]:
    """Return `count` strained cells of each start, smallest strains first."""
    frames = []
    for name, strain in ladder(largest, count):
        for start in starts:
            frame = strained(start, strain)
            frame.info = {"config_type": f"strain {name}"}
            frames.append(frame)
    return frames


def _motion(
    one: Mapping[str, Any], start: Atoms, calculator: BaseCalculator, dynamics: Dynamics
) -> Motion:
    if one["motion"] is None:
        return started(start, calculator, dynamics)
    return resumed(one["motion"], calculator, dynamics)


def _plain(atoms: Atoms) -> dict[str, Any]:
    wrapped = atoms.copy()
    wrapped.wrap()
    return {"positions": wrapped.positions.tolist(), "cell": np.array(wrapped.cell).tolist()}


def _frame(data: Mapping[str, Any], start: Atoms, dynamics: Dynamics) -> Atoms:
    kind = f"{dynamics.ensemble} {dynamics.temperature:g} K"
    return Atoms(
        start.get_chemical_symbols(),
        positions=data["positions"],
        cell=data["cell"],
        pbc=start.pbc,
        info={"config_type": kind, "seed": dynamics.seed},
    )
