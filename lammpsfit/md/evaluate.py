"""One evaluation: potential, protocol and seed in, sample and cost out. A pure function."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.forcefield import Potential
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.potential_text import Realisation
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.racing import GivenUp, least_cost
from lammpsfit.md.sample import Sample, sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import Cost, cost, residual_scale
from lammpsfit.structure.rdf import PartialRdf, canonical_pair

MAIN: Final = "main"
"""Name of the condition that a job sets first; there may be more, see :class:`EvaluateSeveral`."""


@dataclass(frozen=True)
class PressureTarget:
    """A pressure to be reproduced beside the structure.

    Attributes
    ----------
    value
        Pressure wanted, in bar.
    per_percent
        Deviation in bar that costs as much as R = 1 %.
    """

    value: float
    per_percent: float

    @property
    def slope(self) -> float:
        """Residual per bar."""
        return 0.01 / self.per_percent

    def residual(self, pressure: FloatArray) -> FloatArray:
        """Residuals of pressures in bar."""
        return self.slope * (pressure - self.value)


@dataclass(frozen=True)
class Target:
    """What a sample is compared with.

    Attributes
    ----------
    reference
        Partial g(r) to be reproduced, on the bins compared.
    weights
        Weight of each pair in the cost, 1 where not given.
    pressure
        Pressure to be reproduced, if any.
    """

    reference: PartialRdf
    weights: Mapping[str, float] = field(default_factory=dict)
    pressure: PressureTarget | None = None

    @property
    def scale(self) -> FloatArray:
        """Factors by pair, shape (n_pairs,), that make residuals of differences of g(r)."""
        return residual_scale(self.reference, self.weights)

    @property
    def structureless(self) -> float:
        """R of a gas without structure, g(r) = 1."""
        gas = replace(self.reference, g=np.ones_like(self.reference.g), blocks=None)
        return self.cost(gas).value

    def cost(self, rdf: PartialRdf) -> Cost:
        """Cost of a sampled g(r)."""
        return cost(rdf, self.reference, self.weights)

    def evaluation(self, sample: Sample, given_up: "GivenUp | None" = None) -> "Evaluation":
        """Say what a sample costs."""
        structure = self.cost(sample.rdf)
        return Evaluation(sample, structure, self._objective(structure, sample), given_up)

    def _objective(self, structure: Cost, sample: Sample) -> Estimate:
        """Return R with its error, and with a pressure wanted sqrt(R² + its residual²)."""
        if self.pressure is None:
            return Estimate(structure.value, structure.error)
        P = self.pressure.slope * (sample.pressure.mean - self.pressure.value)
        value = math.hypot(structure.value, P)
        errors = (
            structure.value * structure.error,
            P * self.pressure.slope * sample.pressure.error,
        )
        return Estimate(value, math.hypot(*errors) / value if value else 0.0)

    def residuals(self, frames: Frames) -> FloatArray:
        """Residuals of the g(r) of each frame, shape (n_frames, K): R² = Σ (their mean)²."""
        order = [canonical_pair(pair) for pair in frames.pairs]
        rows = [order.index(canonical_pair(pair)) for pair in self.reference.pairs]
        difference = frames.g()[:, rows] - self.reference.g
        residuals: FloatArray = (difference * self.scale[:, None]).reshape(len(frames), -1)
        return residuals


@dataclass(frozen=True)
class Evaluation:
    """A sample and what it costs.

    Attributes
    ----------
    sample
        What was sampled.
    cost
        Cost of that sample.
    objective
        What a search minimises: the value of `cost`, with the deviation of the pressure added
        where one is wanted; that of all conditions together where there are several.
    given_up
        Why it was ended early: `sample` is that of the shorter run then, and `cost` no more than
        an estimate. None where it ran to its end.
    also
        What came of the other conditions, by name.
    """

    sample: Sample
    cost: Cost
    objective: Estimate
    given_up: GivenUp | None = None
    also: Mapping[str, "Evaluation"] = field(default_factory=dict)

    @property
    def conditions(self) -> dict[str, "Evaluation"]:
        """What came of every condition by name, this one first."""
        return {MAIN: self, **self.also}


@dataclass(frozen=True)
class Evaluate:
    """The task of one evaluation.

    Attributes
    ----------
    potential
        Potential whose species are the atom types of the start structure, in that order.
    protocol
        Temperature, times and blocks.
    structure
        LAMMPS data file of the start structure.
    seed
        Seed of the velocities, 1 to 900 000 000.
    target
        What to compare with.
    realisation
        ``"combined"`` or ``"overlay"``, see :func:`lammpsfit.md.sample.sample`.
    level
        Cost above which the run is given up as soon as it is certain to stay there, see
        :func:`lammpsfit.md.racing.least_cost`. None: never.
    keep
        Whether the sample keeps its frames and its last configuration.
    """

    potential: Potential
    protocol: Protocol
    structure: Path
    seed: int
    target: Target
    realisation: Realisation = "combined"
    level: float | None = None
    keep: bool = False

    def __call__(self) -> Evaluation:
        """Sample, and compare with the reference."""
        result = sample(
            self.potential,
            self.protocol,
            self.structure,
            self.seed,
            self.target.reference.r,
            self.realisation,
            None if self.level is None else lambda rdf: self._given_up(rdf) is not None,
            self.keep,
        )
        return self.target.evaluation(result, self._given_up(result.rdf))

    def _given_up(self, rdf: PartialRdf) -> GivenUp | None:
        """Say why to end the run after these blocks; None where it is to go on, or at its end."""
        blocks = self.protocol.blocks
        if self.level is None or rdf.blocks is None or len(rdf.blocks) == blocks:
            return None
        bound = least_cost(rdf, blocks, self.target.cost)
        return GivenUp(self.level, bound) if bound > self.level else None


def together(evaluations: Mapping[str, Evaluation], weights: Mapping[str, float]) -> Evaluation:
    """Join what came of several conditions: objective² = Σ w objective_c² / Σ w.

    Parameters
    ----------
    evaluations
        By condition; the first is the main one.
    weights
        Weight w of each condition.

    Returns
    -------
    Evaluation
        That of the main condition, with the others and the objective of all. The runs are
        independent, and so are their errors.
    """
    if len(evaluations) == 1:
        return next(iter(evaluations.values()))
    (_, first), *rest = evaluations.items()
    total = math.fsum(weights[name] for name in evaluations)
    shares = {name: weights[name] / total for name in evaluations}
    found = {name: evaluation.objective for name, evaluation in evaluations.items()}
    value = math.sqrt(math.fsum(shares[name] * o.mean**2 for name, o in found.items()))
    error = math.hypot(*(shares[name] * o.mean * o.error for name, o in found.items()))
    objective = Estimate(value, error / value if value else 0.0)
    return replace(first, objective=objective, also=dict(rest))


@dataclass(frozen=True)
class EvaluateSeveral:
    """The task of one evaluation under several conditions, one after the other.

    Attributes
    ----------
    tasks
        By condition; the first is the main one.
    weights
        Weight of each condition in the objective.
    """

    tasks: Mapping[str, Evaluate]
    weights: Mapping[str, float]

    def __call__(self) -> Evaluation:
        """Sample them all, and compare each with its reference; the first failure is that of all.

        Raises
        ------
        SimulationError
            If a run fails, with its condition and reason.
        """
        found = {}
        for name, task in self.tasks.items():
            try:
                found[name] = task()
            except SimulationError as error:
                failure = error.failure
                raise SimulationError(failure.reason, f"{name}: {failure.detail}") from error
            except MemoryError as error:
                raise SimulationError(Reason.OUT_OF_MEMORY, f"{name}: {error}") from error
        return together(found, self.weights)
