"""The objective: what a sample is compared with, and how far it is from all of it together.

    objective² = Σ_terms Σ_k y_k²

and of several conditions c with weights w_c, and terms j of several of them

    objective² = Σ_c w_c objective_c² / Σ_c w_c + Σ_j y_j²

This is the only place that decides what a search minimises, and what that is called.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.forcefield import Potential
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.racing import GivenUp
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate, jackknife_error, leave_one_out
from lammpsfit.structure.cost import Cost
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target.curve_term import Curve, Curves, CurveTerm
from lammpsfit.target.joint_term import JointTerm, Watched
from lammpsfit.target.static_term import StaticTerm
from lammpsfit.target.term import AnyTerm, Column, Term, check_names, root_of_squares
from lammpsfit.target.terms.pair_distribution import PairDistribution

MAIN: Final = "main"
"""Name of the condition that a job sets first; there may be more."""

STRUCTURE: Final = PairDistribution.name
"""Name of the term of partial g(r)."""

BIN: Final = 0.02
"""Å of the bins of g(r) that are sampled where none is to be reproduced."""

ONLY_R: Final = "R"
"""What is minimised where partial g(r) under one condition is all that is wanted."""

OBJECTIVE: Final = "objective"
"""What is minimised where more is wanted."""


def bins_up_to(reach: float) -> FloatArray:
    """Return the bin centres in Å of g(r) that is sampled though none is to be reproduced."""
    centres: FloatArray = BIN * (np.arange(int(reach / BIN + 1e-9), dtype=np.float64) + 0.5)
    return centres


@dataclass(frozen=True)
class Reached:
    """What a run reached of one term.

    Attributes
    ----------
    column
        The term as tables show it, with what was wanted.
    value
        What was reached, in units of the term; None where it is no single number.
    deviation
        Root of the sum of its squared residuals: 0.01 counts as much as R = 1 %.
    share
        Of the squared objective of its condition, 0 to 1.
    """

    column: Column
    value: Estimate | None
    deviation: Estimate
    share: float


@dataclass(frozen=True)
class Evaluation:
    """A sample, and how far it is from the target.

    Attributes
    ----------
    sample
        What was sampled.
    cost
        R of its g(r); None where no g(r) is wanted.
    terms
        What it reached of each term, by name.
    objective
        What a search minimises: that of all terms, and of all conditions where there are several.
    given_up
        Why it was ended early: `sample` is that of the shorter run then, and `cost` no more than
        an estimate. None where it ran to its end.
    also
        What came of the other conditions, by name.
    joint
        What was reached of terms of several conditions, by name; their shares are those in the
        squared objective of all.
    """

    sample: Sample
    cost: Cost | None
    terms: Mapping[str, Reached]
    objective: Estimate
    given_up: GivenUp | None = None
    also: Mapping[str, "Evaluation"] = field(default_factory=dict)
    joint: Mapping[str, Reached] = field(default_factory=dict)

    @property
    def conditions(self) -> dict[str, "Evaluation"]:
        """What came of every condition by name, this one first."""
        return {MAIN: self, **self.also}

    @property
    def minimised(self) -> str:
        """What its objective is called: ``"R"`` or ``"objective"``."""
        return minimised(self.conditions, self.terms)


@dataclass(frozen=True, eq=False)
class Target:
    """What a sample is compared with.

    Attributes
    ----------
    structure
        The partial g(r) to be reproduced, of all pairs or some; None where none is.
    others
        What else is wanted.
    bins
        Bin centres of g(r) in Å that runs sample where none is to be reproduced, shape (n_bins,).
    watched
        What runs observe for terms of several conditions; it is no part of the objective here.

    Raises
    ------
    InputError
        If nothing is wanted of runs, or two terms share a name.
    """

    structure: PairDistribution | None
    others: tuple[AnyTerm, ...] = ()
    bins: FloatArray = field(default_factory=lambda: bins_up_to(8.0))
    watched: tuple[Watched, ...] = ()

    def __post_init__(self) -> None:
        if not self.ensemble and not self.watched:
            raise InputError(
                "a job must want something of its runs: add [reference], or a term such as "
                "[[total_scattering]] or [[angle_distribution]]"
            )
        check_names(self.terms)

    @property
    def terms(self) -> tuple[AnyTerm, ...]:
        """All terms."""
        return self.others if self.structure is None else (self.structure, *self.others)

    @property
    def observables(self) -> tuple[Term, ...]:
        """What is observed in runs beside g(r)."""
        return (*(term for term in self.others if isinstance(term, Term)), *self.watched)

    @property
    def ensemble(self) -> tuple[Term, ...]:
        """The terms of runs, in the order of their residuals."""
        return tuple(term for term in self.terms if isinstance(term, Term))

    @property
    def static(self) -> tuple[StaticTerm, ...]:
        """The terms that need no run; their residuals follow those of runs."""
        return tuple(term for term in self.others if isinstance(term, StaticTerm))

    def check(self, potential: Potential) -> None:
        """Refuse a potential that a term that needs no run cannot be asked of.

        Raises
        ------
        InputError
            If it is such.
        """
        for term in self.static:
            term.check(potential)

    def completed(self, sample: Sample, potential: Potential) -> Sample:
        """Return the sample of a run with what it keeps of the terms that need no run.

        Raises
        ------
        SimulationError
            If one of them is not finite.
        """
        if not self.static:
            return sample
        blocks = 1 if sample.rdf.blocks is None else len(sample.rdf.blocks)
        kept = {term.name: term.kept(potential, blocks) for term in self.static}
        return replace(sample, observed={**sample.observed, **kept})

    @property
    def columns(self) -> tuple[Column, ...]:
        """How the terms are shown in tables."""
        return tuple(term.column for term in self.terms)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The curves that are wanted beside partial g(r)."""
        return tuple(term.curve for term in self.others if isinstance(term, CurveTerm))

    def curves_reached(self, sample: Sample) -> Curves:
        """Return the curve of a run for each of `curves` with its error, by name of the term."""
        return {t.name: t.reached(sample) for t in self.others if isinstance(t, CurveTerm)}

    @property
    def reference(self) -> PartialRdf:
        """The g(r) wanted, on the bins compared, which are those sampled; there must be one."""
        assert self.structure is not None
        return self.structure.reference

    @property
    def r(self) -> FloatArray:
        """Bin centres of g(r) in Å that runs sample, shape (n_bins,)."""
        return self.bins if self.structure is None else self.structure.reference.r

    @property
    def gas(self) -> float:
        """Squared objective of a gas without structure, as far as the terms know one."""
        return math.fsum(term.gas for term in self.terms)

    def evaluation(self, sample: Sample, given_up: GivenUp | None = None) -> Evaluation:
        """Return R of a sample, what it reaches of each term, and the objective.

        Raises
        ------
        InputError
            If the run was made without one of the terms.
        """
        deviations = {term.name: term.deviation(sample) for term in self.terms}
        objective = self._objective(sample, deviations)
        square = objective.mean**2
        reached = {
            term.name: Reached(
                term.column,
                term.value(sample),
                deviations[term.name],
                deviations[term.name].mean ** 2 / square if square else 0.0,
            )
            for term in self.terms
        }
        cost = None if self.structure is None else self.structure.cost(sample.rdf)
        return Evaluation(sample, cost, reached, objective, given_up)

    def per_block(self, sample: Sample) -> FloatArray:
        """Return what each block of a run contributes to the residuals, shape (B, K).

        Raises
        ------
        InputError
            If the run was made without one of the terms.
        """
        blocks = 1 if sample.rdf.blocks is None else len(sample.rdf.blocks)
        none = np.zeros((blocks, 0))
        return np.concatenate([none, *(term.per_block(sample) for term in self.terms)], axis=1)

    def _objective(self, sample: Sample, deviations: Mapping[str, Estimate]) -> Estimate:
        if not self.terms:
            return Estimate(0.0, 0.0)
        if len(self.terms) == 1:
            return deviations[self.terms[0].name]
        return root_of_squares([term.per_block(sample) for term in self.terms])


def minimised(conditions: Collection[object], terms: Iterable[str]) -> str:
    """Name what is minimised under these conditions, with terms of these names under the first."""
    return ONLY_R if len(conditions) == 1 and list(terms) == [STRUCTURE] else OBJECTIVE


def together(
    evaluations: Mapping[str, Evaluation],
    weights: Mapping[str, float],
    joint: Sequence[JointTerm] = (),
    targets: Mapping[str, Target] | None = None,
) -> Evaluation:
    """Join what came of several conditions: objective² = Σ w objective_c² / Σ w + Σ y_j².

    Parameters
    ----------
    evaluations
        By condition; the first is the main one.
    weights
        Weight w of each condition.
    joint, targets
        The terms of several conditions, and the targets of all where there are such.

    Returns
    -------
    Evaluation
        That of the main condition, with the others and the objective of all. The runs are
        independent, and so are their errors.

    Raises
    ------
    InputError
        If a run was made without one of the terms.
    """
    if len(evaluations) == 1:
        return next(iter(evaluations.values()))
    (_, first), *rest = evaluations.items()
    shares = shares_of({name: weights[name] for name in evaluations})
    found = {name: evaluation.objective for name, evaluation in evaluations.items()}
    square = math.fsum(shares[name] * o.mean**2 for name, o in found.items())
    error = math.hypot(*(shares[name] * o.mean * o.error for name, o in found.items()))
    reached = {}
    if joint:
        assert targets is not None
        samples = {name: evaluation.sample for name, evaluation in evaluations.items()}
        both = {term.name: (term.column, *term.reached(samples)) for term in joint}
        square += math.fsum(y.mean**2 for _, _, y in both.values())
        error = _error_of_square(samples, shares, joint, targets) / 2
        reached = {
            name: Reached(column, value, y, y.mean**2 / square if square else 0.0)
            for name, (column, value, y) in both.items()
        }
    value = math.sqrt(square)
    objective = Estimate(value, error / value if value else 0.0)
    return replace(first, objective=objective, also=dict(rest), joint=reached)


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights that add up to one, by condition; all 0 where they are."""
    total = math.fsum(weights.values()) or 1.0
    return {name: weight / total for name, weight in weights.items()}


def _error_of_square(
    samples: Mapping[str, Sample],
    shares: Mapping[str, float],
    joint: Sequence[JointTerm],
    targets: Mapping[str, Target],
) -> float:
    """Return the standard error of the squared objective: the jackknife of each run by itself."""
    errors = []
    for name, sample in samples.items():
        squares = np.sum(leave_one_out(targets[name].per_block(sample)) ** 2, axis=1)
        without = shares[name] * squares
        for term in joint:
            without = without + term.squares_without(name, samples)
        errors.append(float(jackknife_error(without)))
    return math.hypot(*errors)
