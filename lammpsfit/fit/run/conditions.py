"""The conditions that one potential is fitted to at once: several problems, and what joins them.

With one condition, as in most fits, all here is what its problem says.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from lammpsfit.config import ConfirmTable
from lammpsfit.errors import InputError
from lammpsfit.fit.newton.local_model import Fluctuations, Several
from lammpsfit.fit.run.problem import Problem
from lammpsfit.fit.seeds import condition_seed
from lammpsfit.forcefield import ParameterSpace, Potential, load_potential
from lammpsfit.inputs import quoted
from lammpsfit.md.sample import Sample
from lammpsfit.target import MAIN, Evaluation, JointTerm, together
from lammpsfit.target.evaluate import Evaluate, EvaluateSeveral
from lammpsfit.target.objective import minimised, shares_of
from lammpsfit.words import FITTED, MEMBER

Samples: TypeAlias = Mapping[str, Sample]
"""Samples of one evaluation by condition, the main one first."""

OWN_LABEL: Final = re.compile(rf"({FITTED}|{MEMBER})(-\d+)*")
"""Labels that runs of the fit itself have: no potential it is compared with may have one."""


def samples_of(evaluation: Evaluation) -> Samples:
    """Return the samples of an evaluation by condition."""
    return {name: one.sample for name, one in evaluation.conditions.items()}


@dataclass(frozen=True)
class Condition:
    """One of the conditions.

    Attributes
    ----------
    name
        Its name.
    weight
        Weight of its squared cost in the objective.
    problem
        What is reproduced there, and how it is run.
    """

    name: str
    weight: float
    problem: Problem


@dataclass(frozen=True)
class Conditions:
    """All conditions of a fit.

    Attributes
    ----------
    potential
        The start, with the species of all conditions: in the order of the first formula that has
        them all, else with those of the main one first.
    every
        The conditions, the main one first.
    joint
        What is wanted of several of them together.
    """

    potential: Potential
    every: tuple[Condition, ...]
    joint: tuple[JointTerm, ...] = ()

    @classmethod
    def only(cls, problem: Problem) -> "Conditions":
        """Return a problem as the only condition."""
        return cls(problem.potential, (Condition(MAIN, 1.0, problem),))

    @property
    def main(self) -> Problem:
        """The problem of the main condition."""
        return self.every[0].problem

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the conditions."""
        return tuple(condition.name for condition in self.every)

    @property
    def weights(self) -> dict[str, float]:
        """Weights by condition."""
        return {condition.name: condition.weight for condition in self.every}

    @property
    def shares(self) -> dict[str, float]:
        """Weights that add up to one, by condition."""
        return shares_of(self.weights)

    @property
    def temperature(self) -> float:
        """Temperature in K of the hottest condition, where a barrier in kT is the lowest."""
        return max(condition.problem.protocol.temperature for condition in self.every)

    @property
    def structureless(self) -> float:
        """Objective of a gas without structure, as far as the terms know one."""
        squares = (self.shares[one.name] * one.problem.target.gas for one in self.every)
        return math.sqrt(math.fsum(squares))

    @property
    def minimised(self) -> str:
        """What a search under these conditions minimises: ``"R"`` or ``"objective"``."""
        return minimised(self.every, [term.name for term in self.main.target.terms])

    @property
    def whole(self) -> Condition | None:
        """The first condition that has all species, if any."""
        species = set(self.potential.species)
        return next((c for c in self.every if species == {*c.problem.system.species}), None)

    @property
    def timeout(self) -> float:
        """Wall-clock seconds after which an evaluation is taken for hung."""
        problems = [condition.problem for condition in self.every]
        return sum(p.protocol.timeout(p.system.atoms) for p in problems)

    def of_size(self, confirm: ConfirmTable) -> "Conditions":
        """Return these conditions with the system size and times of a confirmation."""
        sized = []
        for one in self.every:
            with of_condition(one.name):
                sized.append(replace(one, problem=one.problem.of_size(confirm)))
        return replace(self, every=tuple(sized))

    def load(self, name: str) -> Potential:
        """Load a potential for all conditions.

        Raises
        ------
        InputError
            Where :meth:`Problem.load` does for one of them, or a term that needs no run cannot be
            asked of the potential.
        """
        for one in self.every:
            with of_condition(one.name):
                one.problem.target.check(one.problem.load(name))
        return load_potential(name).restricted(tuple(self.potential.species))

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
            if potential.name in known or OWN_LABEL.fullmatch(potential.name):
                raise InputError(
                    f"{name}: potentials that are compared must have names of their own, got "
                    f"{quoted(potential.name)} again: change it in the file"
                )
            known[potential.name] = potential
        return known

    def task(
        self,
        potential: Potential,
        structures: Mapping[str, Path],
        seed: int,
        *,
        level: float | None = None,
        keep: bool = False,
    ) -> Evaluate | EvaluateSeveral:
        """Make the task of one evaluation.

        Parameters
        ----------
        potential
            With the species of all conditions.
        structures
            Start structures by condition.
        seed
            Seed of the main condition; those of the others follow from it.
        level, keep
            As of :class:`~lammpsfit.target.evaluate.Evaluate`.
        """
        tasks = {
            one.name: Evaluate(
                potential.for_composition(one.problem.system.composition),
                one.problem.protocol,
                structures[one.name],
                condition_seed(seed, number),
                one.problem.target,
                level=level,
                keep=keep,
            )
            for number, one in enumerate(self.every)
        }
        if len(tasks) == 1:
            return tasks[MAIN]
        return EvaluateSeveral(tasks, self.weights, self.joint)

    def evaluation(self, samples: Samples) -> Evaluation:
        """Return R, terms and objective of the samples, all conditions together."""
        found = {one.name: one.problem.target.evaluation(samples[one.name]) for one in self.every}
        targets = {one.name: one.problem.target for one in self.every}
        return together(found, self.weights, self.joint, targets)

    def linearise(self, space: ParameterSpace) -> Several:
        """Make what makes local models of runs, each a run under every condition."""
        shares = self.shares
        return Several(
            {
                one.name: (
                    shares[one.name],
                    Fluctuations(
                        space.under(one.problem.system.composition),
                        one.problem.target,
                        one.problem.protocol.temperature,
                    ),
                )
                for one in self.every
            },
            self.joint,
        )


@contextmanager
def of_condition(name: str) -> Iterator[None]:
    """Name the condition in each :class:`InputError` of this block, unless it is the main one."""
    try:
        yield
    except InputError as error:
        if name == MAIN:
            raise
        raise InputError(f"[[also]] {name}: {error}") from error
