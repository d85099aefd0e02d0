"""Active learning: a potential asks for the labels of frames where it is lost.

Molecular dynamics runs with the potential until the error that it predicts for a force is larger
than what is trusted. That frame is labelled, the potential is fitted again, and the runs begin
again, until all of them reach their end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.work.dynamics import Dynamics, started
from lammpsfit.gap.work.sample import SampleRequest


@dataclass(frozen=True)
class LearnRequest:
    """What a potential shall be able to do.

    Attributes
    ----------
    dynamics : Dynamics
        Of all runs but for their temperature and seed.
    temperatures : tuple of float, K
        Each is a run of its own from each start.
    time, look : float, ps
        Length of a run, and the time between two looks at the predicted errors.
    trust : float, eV/Å
        Largest predicted error of a force that is no reason to stop.
    most : int
        Labels at most.

    Raises
    ------
    InputError
        If one of them cannot be.
    """

    dynamics: Dynamics
    temperatures: tuple[float, ...]
    time: float
    look: float = 0.05
    trust: float = 0.2
    most: int = 60

    def __post_init__(self) -> None:
        if not self.temperatures:
            raise InputError("at least one temperature is needed")
        if not 0.0 < self.trust < math.inf:
            raise InputError(f"the trusted error must be positive, got {self.trust:g} eV/Å")
        if self.most < 1:
            raise InputError(f"at least one label must be allowed, got {self.most}")
        if self.steps < 1 or not self.time >= self.look:
            raise InputError(
                f"a run ({self.time:g} ps) must be at least as long as the time between two looks "
                f"({self.look:g} ps), and that a time step ({self.dynamics.timestep:g} fs)"
            )

    @property
    def steps(self) -> int:
        """Steps between two looks."""
        return round(1000.0 * self.look / self.dynamics.timestep)

    @property
    def looks(self) -> int:
        """Looks of a run."""
        return round(self.time / self.look)

    def runs(self, starts: Sequence[Atoms]) -> list[tuple[Atoms, Dynamics]]:
        """Return the start and the dynamics of each run."""
        return list(SampleRequest(self.dynamics, self.temperatures, 1).runs(starts))


class Learner(Protocol):
    """What fits and labels."""

    def fit(self, number: int, new: Sequence[Atoms]) -> BaseCalculator:
        """Return the potential of a round, of the first frames and new ones with their labels."""

    def errors(self, atoms: Atoms) -> float:
        """Return the largest predicted error of a force by the last potential, eV/Å."""

    def label(self, number: int, frames: Sequence[Atoms]) -> None:
        """Label the frames that a round asked for."""


@dataclass(frozen=True)
class Explored:
    """A run of a round.

    Attributes
    ----------
    temperature : float, K
    time : float, ps
        How far it came.
    errors : tuple of float, eV/Å
        Largest predicted error at each look.
    frame : Atoms or None
        What is to be labelled; None where the run came to its end, or was ended.
    carried : bool
        Whether this is the run of an earlier round, which came to its end: while others ask for
        labels it is not run again.
    """

    temperature: float
    time: float
    errors: tuple[float, ...]
    frame: Atoms | None
    carried: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        frame = self.frame
        return {
            "temperature": self.temperature,
            "time": self.time,
            "errors": list(self.errors),
            "carried": self.carried,
            "frame": None
            if frame is None
            else {
                "symbols": frame.get_chemical_symbols(),
                "positions": frame.positions.tolist(),
                "cell": np.array(frame.cell).tolist(),
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Explored:
        """Read what :meth:`as_dict` gave."""
        frame = data["frame"]
        atoms = None if frame is None else Atoms(**frame, pbc=True)
        carried = bool(data.get("carried", False))
        return cls(data["temperature"], data["time"], tuple(data["errors"]), atoms, carried)


Round = tuple[Explored, ...]


def explore(
    atoms: Atoms,
    calculator: BaseCalculator,
    errors: Callable[[Atoms], float],
    dynamics: Dynamics,
    request: LearnRequest,
    tell: Callable[[float], None] = lambda time: None,
    looks: int | None = None,
) -> Explored:
    """Run until the end, or until the potential does not trust itself.

    Parameters
    ----------
    atoms
        Where to begin; periodic.
    calculator
        The potential.
    errors
        Gives the largest predicted error of a force of some atoms, eV/Å.
    dynamics, request
        How.
    tell
        Told the time, ps, at each look; it may raise to stop.
    looks
        How many there are before it ends; those of the request if not given.

    Raises
    ------
    RunError
        If the potential loses the atoms within the first look.
    """
    motion = started(atoms, calculator, dynamics)
    found: list[float] = []
    looks = request.looks if looks is None else looks
    for look in range(1, looks + 1):
        before = motion.atoms.copy()
        time = look * request.look
        try:
            motion.advance(request.steps)
        except RunError:
            if look == 1:
                raise
            # what came before is nearest to where it was lost
            return Explored(dynamics.temperature, time - request.look, tuple(found), _plain(before))
        found.append(errors(motion.atoms))
        if not found[-1] <= request.trust:
            return Explored(dynamics.temperature, time, tuple(found), _plain(motion.atoms))
        tell(time)
    time = request.time if looks == request.looks else looks * request.look
    return Explored(dynamics.temperature, time, tuple(found), None)


def _ended(run: Mapping[str, Any], request: LearnRequest) -> bool:
    return run["frame"] is None and bool(run["time"] >= request.time)


def _plain(atoms: Atoms) -> Atoms:
    """Return the atoms without velocities and calculator, folded into their cell."""
    plain = Atoms(
        atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=True
    )
    plain.wrap()
    return plain


def learn(
    starts: Sequence[Atoms],
    learner: Learner,
    request: LearnRequest,
    known: Mapping[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda state: None,
    tell: Callable[[int, int, float], None] = lambda number, run, time: None,
) -> tuple[Round, ...]:
    """Fit, run and label until every run comes to its end.

    While some runs ask for labels, others go no further than the furthest of these, and those
    that came to their end before are not run again. In the last round all of them run to their
    end, with the last model.

    Parameters
    ----------
    starts
        Atoms that runs begin with; periodic.
    learner
        What fits and labels.
    request
        How.
    known
        What `keep` was given last by an earlier call, to go on from there.
    keep
        Given all that is known, as plain data, after every run. It may raise to stop.
    tell
        Told the numbers of the round and the run, and its time, at each look; it may raise to stop.

    Returns
    -------
    tuple of rounds, each a tuple of Explored
        All runs of the last one came to their end.

    Raises
    ------
    InputError
        If a start is not periodic.
    RunError
        If a run is lost at once, or asks for more labels than are allowed.
    """
    if not all(all(atoms.pbc) for atoms in starts):
        raise InputError("molecular dynamics is that of periodic cells: give the structures one")
    all_of = list(request.runs(starts))
    state: dict[str, Any] = {"rounds": [[]]} if known is None else dict(known)
    new: list[Atoms] = []
    number = 0
    while True:
        calculator = learner.fit(number, new)
        _round(
            state["rounds"],
            number,
            all_of,
            calculator,
            learner.errors,
            request,
            tell,
            lambda: keep(state),
        )
        runs = state["rounds"][number]
        asked = [frame for one in runs if (frame := Explored.from_dict(one).frame) is not None]
        if not asked:
            return tuple(tuple(map(Explored.from_dict, one)) for one in state["rounds"])
        if len(new) + len(asked) > request.most:
            reached = min(one["time"] for one in runs)
            raise RunError(
                f"after {len(new)} labels the runs ask for {len(asked)} more, and {request.most} "
                f"are allowed: the shortest came to {reached:g} of {request.time:g} ps; allow "
                f"more, or trust larger errors"
            )
        learner.label(number, asked)
        new += asked
        number += 1
        if len(state["rounds"]) == number:
            state["rounds"].append([])


def _round(
    rounds: list[list[dict[str, Any] | None]],
    number: int,
    all_of: Sequence[tuple[Atoms, Dynamics]],
    calculator: BaseCalculator,
    errors: Callable[[Atoms], float],
    request: LearnRequest,
    tell: Callable[[int, int, float], None],
    keep: Callable[[], None],
) -> None:
    """Run what a round has not run yet: first what did not come to its end in the last one."""
    runs = rounds[number]
    runs += [None] * (len(all_of) - len(runs))
    before = rounds[number - 1] if number else [None] * len(all_of)
    ended = [k for k, one in enumerate(before) if one is not None and _ended(one, request)]
    for k in sorted(range(len(all_of)), key=lambda k: k in ended):
        if runs[k] is not None:
            continue
        lost = [one["time"] for one in runs if one is not None and one["frame"] is not None]
        if lost and k in ended:
            runs[k] = {**(before[k] or {}), "carried": True}
            continue
        looks = request.looks
        if lost:
            looks = min(looks, max(round(max(lost) / request.look), 1))

        def see(time: float, run: int = k) -> None:
            tell(number, run, time)

        atoms, dynamics = all_of[k]
        runs[k] = explore(atoms, calculator, errors, dynamics, request, see, looks).as_dict()
        keep()
