"""From a job file to the objects of a fit, everything checked before any time is spent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lammpsfit.config import ConfirmTable, Job, ParameterTable
from lammpsfit.errors import InputError
from lammpsfit.fit.base import Constraint, Optimiser
from lammpsfit.fit.conjugate_gradient import DescentSettings
from lammpsfit.fit.explore import ExploreSettings
from lammpsfit.fit.strategy import PaperSettings, PaperStrategy
from lammpsfit.forcefield import Free, ParameterSpace, Potential, Tie, load_potential
from lammpsfit.forcefield.guard import collapse, margins
from lammpsfit.forcefield.suggest import suggestion
from lammpsfit.md.evaluate import Target
from lammpsfit.md.melt import Melting
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import Histogram
from lammpsfit.md.system import System
from lammpsfit.reference import Reference, read_reference, require_pairs
from lammpsfit.structure.cost import cost

MELT_FACTOR = 1.25
"""The start structure is molten at this many times the temperature of the protocol."""


BEST = "fit"
"""Label of the fitted potential in tables and results."""


@dataclass(frozen=True)
class Problem:
    """What is fitted to what, and how it is evaluated.

    Attributes
    ----------
    potential
        The start, with the species of the system in the order of its formula.
    reference
        The reference with its source.
    target
        The reference with range and weights.
    system
        Composition, size and density of the box.
    protocol
        The run of one evaluation.
    melting, melt_potential
        How, and with which potential, the start structure is molten.
    """

    potential: Potential
    reference: Reference
    target: Target
    system: System
    protocol: Protocol
    melting: Melting
    melt_potential: Potential

    def of_size(self, confirm: ConfirmTable) -> "Problem":
        """Return this problem with the system size and times of a confirmation."""
        ours = self.protocol
        protocol = replace(
            ours,
            relax=ours.relax if confirm.relax is None else confirm.relax,
            sample=ours.sample if confirm.sample is None else confirm.sample,
        )
        system = replace(self.system, atoms=confirm.atoms or self.system.atoms)
        return replace(self, system=system, protocol=protocol).checked()

    def load(self, name: str) -> Potential:
        """Load a potential for this system.

        Raises
        ------
        InputError
            If it is unknown, lacks a species, its charges do not add up to zero, or its cutoff
            reaches past half the box.
        """
        potential = _for_system(load_potential(name), self.system)
        self._check_cutoff(potential)
        return potential

    def load_known(self, names: Iterable[str]) -> dict[str, Potential]:
        """Load potentials to be compared with the fit, by the name tables give them.

        Raises
        ------
        InputError
            Where :meth:`load` does, or two rows of the table would have one name.
        """
        known: dict[str, Potential] = {}
        for name in names:
            potential = self.load(name)
            if potential.name in known or re.fullmatch(rf"{BEST}(-\d+)?", potential.name):
                raise InputError(
                    f"{name}: potentials that are compared must have names of their own, got "
                    f"{potential.name!r} again: change it in the file"
                )
            known[potential.name] = potential
        return known

    def checked(self) -> "Problem":
        """Return this problem if its lengths fit into its box.

        Raises
        ------
        InputError
            If a cutoff or the reference reaches past half the box, or the bins of the reference
            cannot be sampled.
        """
        for potential in (self.potential, self.melt_potential):
            self._check_cutoff(potential)
        half = self._half_box()
        reach = self.target.reference.edges[-1]
        if reach > half + 0.5 * self.target.reference.dr:
            raise InputError(
                f"the reference must end at or below half the box ({half:.2f} Å for "
                f"{self.system.atoms} atoms), got {reach:.2f} Å: use more atoms or a lower r_max"
            )
        Histogram.onto(self.target.reference.r, self.potential.outer_cutoff)
        return self

    def _half_box(self) -> float:
        """Half the edge of the box in Å."""
        masses = {name: kind.mass for name, kind in self.potential.species.items()}
        return self.system.box_length(masses) / 2

    def _check_cutoff(self, potential: Potential) -> None:
        half = self._half_box()
        if potential.outer_cutoff > half:
            raise InputError(
                f"cutoff must be at most half the box ({half:.2f} Å for {self.system.atoms} "
                f"atoms), got {potential.outer_cutoff:g} Å for {potential.name}: use more atoms "
                "or a smaller cutoff"
            )


def build_problem(job: Job) -> Problem:
    """Load everything a job names, and check that it fits together.

    Raises
    ------
    InputError
        At the first thing that does not.
    """
    system = System(job.system.formula, job.system.atoms, job.system.density)
    potential = _for_system(load_potential(job.potential), system)
    reference = read_reference(job.reference.file)
    require_pairs(reference, potential.pair_names)
    table = job.reference
    full = reference.rdf.reorder(_spelled_like(reference, potential))
    # range, weights and normalisation are refused now, not after a run
    cost(full, full, table.weights, table.r_min, table.r_max)
    # the job's range is cut here, once: what lies outside is neither sampled nor compared
    target = Target(full.select(table.r_min, table.r_max), dict(table.weights))
    protocol = Protocol(**job.protocol.model_dump())
    melt = job.system.melt
    melting = Melting(
        structure=job.system.structure,
        melt_temperature=melt.temperature or MELT_FACTOR * protocol.temperature,
        temperature=protocol.temperature,
        melt=melt.melt,
        cool=melt.cool,
        relax=melt.relax,
        timestep_fs=protocol.timestep_fs,
        seed=melt.seed,
    )
    melt_potential = (
        potential if melt.potential is None else _for_system(load_potential(melt.potential), system)
    )
    return Problem(
        potential, reference, target, system, protocol, melting, melt_potential
    ).checked()


def build_space(job: Job, problem: Problem) -> ParameterSpace:
    """Make the parameter space of a job.

    Raises
    ------
    InputError
        If the job frees nothing, or a name or bound is wrong.
    """
    known = problem.potential.parameters
    free, ties = [], []
    for name, table in job.parameters.items():
        if name not in known:
            raise InputError(f"[parameters]: no parameter {name!r}: {suggestion(name, known)}")
        if table.tied_to is not None:
            ties.append(Tie(name, table.tied_to, table.times))
        else:
            free.append(Free(name, *_bounds(name, table, known[name]), log=table.log))
    if not free:
        raise InputError("[parameters] must free at least one parameter, such as q_Si")
    return ParameterSpace(
        base=problem.potential,
        free=tuple(free),
        ties=tuple(ties),
        balance=job.charges.balance,
        composition=problem.system.composition,
    )


def build_constraint(job: Job, problem: Problem, space: ParameterSpace) -> Constraint:
    """Make the guard against collapse as a constraint on points of the unit cube."""
    temperature, barrier = problem.protocol.temperature, job.strategy.barrier
    return lambda points: margins(space, points, temperature, barrier)


def build_optimiser(job: Job, problem: Problem, space: ParameterSpace) -> Optimiser:
    """Make the search a job asks for, beginning at the job's potential.

    Raises
    ------
    InputError
        If that potential itself would collapse.
    """
    table = job.strategy
    guard = collapse(problem.potential, problem.protocol.temperature, table.barrier)
    if not guard.sound:
        raise InputError(
            f"the start {problem.potential.name} must not collapse at "
            f"{problem.protocol.temperature:g} K; {guard.reason}: start elsewhere, or lower "
            "strategy.barrier"
        )
    explore = ExploreSettings(
        n_design=table.design,
        plateau=table.plateau,
        max_explore=table.explore,
        race=table.race,
    )
    descent = DescentSettings(max_iterations=table.refine) if table.refine else None
    return PaperStrategy(
        space.dim,
        PaperSettings(explore, descent),
        seed=job.seed,
        constraint=build_constraint(job, problem, space),
        start=space.unit(problem.potential),
    )


def _for_system(potential: Potential, system: System) -> Potential:
    """Restrict a potential to the species of a system, in its order, and check the charges."""
    restricted = potential.restricted(system.species)
    restricted.check_neutral(system.composition)
    return restricted


def _spelled_like(reference: Reference, potential: Potential) -> list[str]:
    """Pairs of the potential in the order and spelling of the reference."""
    wanted = {frozenset(pair.split("-")) for pair in potential.pair_names}
    return [pair for pair in reference.rdf.pairs if frozenset(pair.split("-")) in wanted]


def _bounds(name: str, table: ParameterTable, start: float) -> tuple[float, float]:
    if table.min is not None and table.max is not None:
        return table.min, table.max
    assert table.factor is not None  # the job file gives either
    if start == 0:
        raise InputError(f"{name} is 0 at the start, so a factor gives no bounds: use min and max")
    low, high = sorted((start / table.factor, start * table.factor))
    return low, high
