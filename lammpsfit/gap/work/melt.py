"""The melting point of an fcc metal by coexistence: the front door of :mod:`.two_phase`.

Runs of either phase alone at zero pressure say which volume and energy half solid, half liquid
have. Each seed is a run without thermostat of a cell with this volume and this energy. If both
phases live, they have brought one another to the temperature at which they coexist at their
pressure, and dT/dP = T dV / dH goes back to zero pressure. If one dies, the seed is tried again
from a higher or lower temperature.

The energy that a thermostat leaves by chance has a standard deviation of T / sqrt(3 N), 22 K of a
cell of 640 atoms: with it, a phase is often lost although the cell was prepared at the melting
point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final, Literal, Protocol

import numpy as np
from ase import Atoms, units
from numpy.typing import ArrayLike

from lammpsfit.config import HOTTEST, LATEST
from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.work.dynamics import TIMESTEPS
from lammpsfit.gap.work.md import MOST_ATOMS
from lammpsfit.gap.work.properties import first_length
from lammpsfit.gap.work.two_phase import (
    BLOCKS,
    Course,
    TwoPhase,
    clausius_clapeyron,
    crystal,
    judge,
)
from lammpsfit.structure.blocks import block_estimate

Phase = Literal["solid", "liquid"]
Watch = Callable[[float], None]
"""Told what part of a run is done; it may raise to stop."""

FIRST_STEP: Final = 0.06
"""Part of the temperature by which a seed is moved when a phase died; halved when it turns."""

STALE: Final = 0.04
"""Lattices of phases serve temperatures that differ by this part at most."""

HOTTER: Final = 1.15
"""Factor by which the melting half is heated further each time it has not melted."""

HEATS: Final = 5
"""Times that it is heated at most."""

VOLUMES: Final = (0.7, 1.5)
"""Volumes that a solid or liquid near melting may have, in units of the crystal's."""

MOVED: Final = 6.0
"""Å^2; mean squared displacement beyond which it has melted: some ten times that of a hot solid."""


@dataclass(frozen=True)
class MeltRequest:
    """A melting point that is asked for.

    Attributes
    ----------
    symbol : str
        An fcc metal.
    temperature : float, K
        Where to begin.
    cells : (int, int)
        Cubic cells across and along the cell.
    time, settle : float, ps
        Of the run without thermostat, and its part that averages leave out.
    timestep, careful : float, fs
        Of that run, and of what prepares it.
    hot : float
        Temperature at which a half is melted first, in units of `temperature`.
    melt, cool, relax : float, ps
        Times of the steps of the preparation. Phases alone are sampled for twice `relax`; both in
        one cell relax for half of it, so that neither grows far.
    look : float, ps
        Between two frames.
    seeds : tuple of int
    tries : int
        Of each seed at most.

    Raises
    ------
    InputError
        If one of them cannot be.
    """

    symbol: str
    temperature: float
    cells: tuple[int, int] = (4, 10)
    time: float = 60.0
    settle: float = 20.0
    timestep: float = 3.0
    careful: float = 2.0
    hot: float = 1.8
    melt: float = 5.0
    cool: float = 2.0
    relax: float = 5.0
    look: float = 0.15
    seeds: tuple[int, ...] = (1, 2)
    tries: int = 5

    def __post_init__(self) -> None:
        times = dict.fromkeys(("time", "melt", "cool", "relax", "look"), LATEST)
        steps = dict.fromkeys(("timestep", "careful"), TIMESTEPS[1])
        for name, most in {"temperature": HOTTEST, **times, **steps}.items():
            if not 0.0 < (value := getattr(self, name)) <= most:
                raise InputError(f"the {name} must be positive, at most {most:g}, got {value:g}")
        if min(self.timestep, self.careful) < TIMESTEPS[0]:
            raise InputError(f"time steps must be at least {TIMESTEPS[0]:g} fs")
        if not 0.0 <= self.settle < self.time:
            raise InputError(
                f"the time to settle must be below that of the run ({self.time:g} ps), got "
                f"{self.settle:g} ps"
            )
        if self.steps(self.look, self.timestep) < 1 or self.time - self.settle < 10 * self.look:
            raise InputError(
                f"the time between frames must be a time step at least, and fit ten times between "
                f"the time to settle and the end, got {self.look:g} ps"
            )
        if min(self.cells) < 2 or not self.hot > 1.0:
            raise InputError("there must be two cells along each axis, and heat beyond one")
        if self.atoms > MOST_ATOMS:
            raise InputError(f"there must be at most {MOST_ATOMS} atoms, got {self.atoms}")
        if not self.seeds or self.tries < 1:
            raise InputError("at least one seed and one try are needed")

    @staticmethod
    def steps(time: float, timestep: float) -> int:
        """Return how many steps of some fs a time in ps is."""
        return round(1000.0 * time / timestep)

    @property
    def atoms(self) -> int:
        """Atoms in the cell of both phases."""
        n, m = self.cells
        return 4 * n * n * m


@dataclass(frozen=True)
class PhaseAlone:
    """A phase at zero pressure: volume (Å^3) and enthalpy (eV) per atom, with standard errors."""

    volume: tuple[float, float]
    enthalpy: tuple[float, float]

    @classmethod
    def of(cls, volumes: ArrayLike, enthalpies: ArrayLike) -> PhaseAlone:
        """Average both over the frames of a run, shape (n_frames,) each."""
        volume, enthalpy = (block_estimate(one, BLOCKS) for one in (volumes, enthalpies))
        return cls((volume.mean, volume.error), (enthalpy.mean, enthalpy.error))

    @property
    def lattice(self) -> float:
        """Edge of the cubic cell of fcc, Å."""
        return float((4.0 * self.volume[0]) ** (1.0 / 3.0))


@dataclass(frozen=True, eq=False)
class TwoPhaseStart:
    """What a run of both phases begins with.

    Attributes
    ----------
    atoms : Atoms
        A crystal, whose second half has the volume of the liquid.
    temperature : float, K
        Of its preparation.
    energy : float, eV per atom
        Of the run without thermostat.
    seed : int
    """

    atoms: Atoms
    temperature: float
    energy: float
    seed: int


class Engine(Protocol):
    """What runs molecular dynamics."""

    name: str
    """What it is, for people and for the state of a run."""

    def phase(
        self, request: MeltRequest, phase: Phase, temperature: float, watch: Watch
    ) -> PhaseAlone:
        """Run a phase alone at a temperature and zero pressure."""

    def coexistence(self, request: MeltRequest, start: TwoPhaseStart, watch: Watch) -> Course:
        """Melt the second half of the atoms at the start, and run without thermostat.

        Raises
        ------
        RunError
            If it does not melt.
        """


@dataclass(frozen=True, eq=False)
class SeedRun:
    """A run in which both phases live.

    Attributes
    ----------
    seed : int
    start : float, K
        Temperature of its preparation.
    grade : float or None
        Largest grade of an atom at the end (:mod:`lammpsfit.gap.coverage`), where there is one.
    said : TwoPhase
    atoms : Atoms
        At the end.
    """

    seed: int
    start: float
    grade: float | None
    said: TwoPhase
    atoms: Atoms


@dataclass(frozen=True, eq=False)
class Melting:
    """A melting point.

    Attributes
    ----------
    temperature : (float, float), K
        At zero pressure, with its standard error over the seeds (within the run, of one seed).
    slope : (float, float), K/bar
        dT/dP of Clausius and Clapeyron.
    solid, liquid : PhaseAlone
        At the temperature nearest to the melting point.
    runs : tuple of SeedRun
    lost : tuple of (int, float, str)
        Seed, first temperature (K) and verdict of each try in which a phase died.
    """

    temperature: tuple[float, float]
    slope: tuple[float, float]
    solid: PhaseAlone
    liquid: PhaseAlone
    runs: tuple[SeedRun, ...]
    lost: tuple[tuple[int, float, str], ...]

    @property
    def enthalpy(self) -> tuple[float, float]:
        """Heat of fusion and its standard error, eV per atom."""
        return _difference(self.liquid.enthalpy, self.solid.enthalpy)

    @property
    def volume(self) -> tuple[float, float]:
        """Change of volume and its standard error, Å^3 per atom."""
        return _difference(self.liquid.volume, self.solid.volume)

    def at_zero(self, run: TwoPhase) -> tuple[float, float]:
        """Return the temperature of a run, corrected to zero pressure, and its error, K."""
        value = run.temperature[0] - self.slope[0] * run.normal[0]
        return value, math.hypot(run.temperature[1], self.slope[0] * run.normal[1])

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "temperature": dict(zip(("value", "error"), self.temperature, strict=True)),
            "slope_K_per_GPa": [1e4 * x for x in self.slope],
            "solid": asdict(self.solid),
            "liquid": asdict(self.liquid),
            "heat_of_fusion": list(self.enthalpy),
            "volume_change": list(self.volume),
            "runs": [
                {
                    "seed": run.seed,
                    "start": run.start,
                    "grade": run.grade,
                    "at_zero_pressure": list(self.at_zero(run.said)),
                    **run.said.as_dict(),
                }
                for run in self.runs
            ],
            "lost": [
                {"seed": seed, "start": start, "verdict": verdict}
                for seed, start, verdict in self.lost
            ],
        }


def melt(
    engine: Engine,
    request: MeltRequest,
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda state: None,
    tell: Callable[[str, float], None] = lambda what, part: None,
    grade: Callable[[Atoms], float] | None = None,
) -> Melting:
    """Find a melting point.

    Parameters
    ----------
    engine
        What runs.
    request
        How.
    known
        What `keep` was given last by an earlier call, to go on from there.
    keep
        Given all that is known, as plain data, after every run.
    tell
        Told what is being done and what part of it is done; it may raise to stop.
    grade
        Gives the largest grade of some atoms; None where the potential has none.

    Raises
    ------
    RunError
        If a half does not melt, or a seed finds no temperature at which both phases live.
    """
    state: dict[str, Any] = {"phases": {}, "tries": []} if known is None else dict(known)

    def phases(temperature: float) -> tuple[PhaseAlone, PhaseAlone, float]:
        at = _near(state["phases"], temperature)
        found = state["phases"].setdefault(f"{at:g}", {})
        for phase in ("solid", "liquid"):
            if phase not in found:
                what = f"{phase} alone, {at:.0f} K"
                alone = engine.phase(request, phase, at, partial(tell, what))
                _check_volume(request.symbol, what, alone)
                found[phase] = asdict(alone)
                keep(state)
        return _alone(found["solid"]), _alone(found["liquid"]), at

    for seed in request.seeds:
        _seed(engine, request, seed, state, phases, keep, tell, grade)
    return _result(request, state, phases)


def _seed(
    engine: Engine,
    request: MeltRequest,
    seed: int,
    state: dict[str, Any],
    phases: Callable[[float], tuple[PhaseAlone, PhaseAlone, float]],
    keep: Callable[[dict[str, Any]], None],
    tell: Callable[[str, float], None],
    grade: Callable[[Atoms], float] | None,
) -> None:
    """Run a seed until both phases live."""
    mine = [one for one in state["tries"] if one["seed"] == seed]
    while not (mine and mine[-1]["verdict"] == "both"):
        if len(mine) >= request.tries:
            raise RunError(f"seed {seed}: no temperature at which both phases live: {_story(mine)}")
        start = _next(request, state, mine)
        solid, liquid, at = phases(start)
        begin = TwoPhaseStart(
            two_phase_cell(request.symbol, solid, liquid, request.cells),
            start,
            two_phase_energy(solid, liquid, start - at),
            seed + 1000 * len(mine),
        )
        what = f"seed {seed} from {start:.0f} K"
        course = engine.coexistence(request, begin, partial(tell, what))
        found = judge(course, request.cells, request.settle)
        last = _atoms(request, course.positions[-1], course.lengths)
        one = {
            "seed": seed,
            "start": start,
            "verdict": found.verdict,
            "grade": None if grade is None else grade(last),
            "run": found.as_dict(),
            "positions": last.positions.tolist(),
            "lengths": course.lengths.tolist(),
        }
        state["tries"].append(one)
        mine.append(one)
        keep(state)


def _atoms(request: MeltRequest, positions: ArrayLike, lengths: ArrayLike) -> Atoms:
    """Return the atoms of both phases, in a cell with these edges in Å."""
    return Atoms([request.symbol] * request.atoms, positions=positions, cell=lengths, pbc=True)


def _check_volume(symbol: str, what: str, alone: PhaseAlone) -> None:
    """Refuse a phase that has flown apart, or fallen into itself."""
    usual = first_length(symbol) ** 3 / 4.0
    ratio = alone.volume[0] / usual
    if not VOLUMES[0] < ratio < VOLUMES[1]:
        raise RunError(
            f"{what}: {alone.volume[0]:.1f} Å^3 per atom at zero pressure, {ratio:.1f} times those "
            f"of the crystal: the potential does not hold it together; label such frames and fit "
            f"it again"
        )


def two_phase_cell(
    symbol: str, solid: PhaseAlone, liquid: PhaseAlone, cells: tuple[int, int]
) -> Atoms:
    """Return a crystal whose upper half is stretched along z to the density of the liquid."""
    atoms = crystal(symbol, solid.lattice, cells)
    half = 0.5 * float(atoms.cell[2, 2])
    wider = liquid.volume[0] / solid.volume[0]
    upper = atoms.positions[len(atoms) // 2 :]
    upper[:, 2] = half + wider * (upper[:, 2] - half)
    atoms.set_cell([*atoms.cell.lengths()[:2], half * (1.0 + wider)])
    return atoms


def two_phase_energy(solid: PhaseAlone, liquid: PhaseAlone, warmer: float) -> float:
    """Return the energy of half of either at zero pressure, eV per atom.

    Parameters
    ----------
    solid, liquid
        Either phase alone.
    warmer : float, K
        By which it is warmer than these; the heat capacity is taken to be 3 k_B per atom.

    Examples
    --------
    >>> solid, liquid = PhaseAlone((17.7, 0.0), (-3.2, 0.0)), PhaseAlone((19.0, 0.0), (-3.1, 0.0))
    >>> round(two_phase_energy(solid, liquid, 20.0), 4)
    -3.1448
    """
    return 0.5 * (solid.enthalpy[0] + liquid.enthalpy[0]) + 3.0 * float(units.kB) * warmer


def _next(request: MeltRequest, state: Mapping[str, Any], mine: list[dict[str, Any]]) -> float:
    """Return the temperature to begin a try with, K."""
    if not mine:
        done = [one["run"]["temperature"][0] for one in state["tries"] if one["verdict"] == "both"]
        return float(np.mean(done)) if done else request.temperature
    start, step, direction = mine[0]["start"], FIRST_STEP, 0
    for one in mine:
        way = 1 if one["verdict"] == "solid" else -1
        if direction and way != direction:
            step /= 2.0
        direction = way
        start = one["start"] * (1.0 + way * step)
    return float(start)


def _story(tries: list[dict[str, Any]]) -> str:
    return ", ".join(f"all {one['verdict']} from {one['start']:.0f} K" for one in tries)


def _near(known: Mapping[str, Any], temperature: float) -> float:
    """Return the temperature of phases that serve a temperature: known ones, or its own."""
    for name in known:
        if abs(float(name) / temperature - 1.0) <= STALE:
            return float(name)
    return round(temperature, 1)


def _alone(data: Mapping[str, Any]) -> PhaseAlone:
    volume, enthalpy = tuple(data["volume"]), tuple(data["enthalpy"])
    return PhaseAlone((volume[0], volume[1]), (enthalpy[0], enthalpy[1]))


def _result(
    request: MeltRequest,
    state: Mapping[str, Any],
    phases: Callable[[float], tuple[PhaseAlone, PhaseAlone, float]],
) -> Melting:
    tries = [one for one in state["tries"] if one["seed"] in request.seeds]
    alive = [one for one in tries if one["verdict"] == "both"]
    runs = tuple(
        SeedRun(
            one["seed"],
            one["start"],
            one["grade"],
            TwoPhase.from_dict(one["run"]),
            _atoms(request, one["positions"], one["lengths"]),
        )
        for one in alive
    )
    lost = tuple(
        (one["seed"], one["start"], one["verdict"]) for one in tries if one["verdict"] != "both"
    )
    coexist = float(np.mean([run.said.temperature[0] for run in runs]))
    solid, liquid, _ = phases(coexist)
    volume = _difference(liquid.volume, solid.volume)
    enthalpy = _difference(liquid.enthalpy, solid.enthalpy)
    if not enthalpy[0] > 0.0:
        raise RunError(
            f"the liquid alone has no more energy than the solid at {coexist:.0f} K: it froze, or "
            f"never melted: melt it hotter or longer"
        )
    value = clausius_clapeyron(coexist, volume[0], enthalpy[0])
    relative = math.hypot(volume[1] / abs(volume[0]), enthalpy[1] / enthalpy[0])
    slope = (value, abs(value) * relative)
    made = Melting((0.0, 0.0), slope, solid, liquid, runs, lost)
    zero = np.array([made.at_zero(run.said) for run in runs])
    within = float(np.sqrt((zero[:, 1] ** 2).mean()))
    between = float(zero[:, 0].std(ddof=1)) if len(zero) > 1 else 0.0
    error = max(within, between) / math.sqrt(len(zero))
    return replace(made, temperature=(float(zero[:, 0].mean()), error))


def _difference(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return one[0] - other[0], math.hypot(one[1], other[1])
