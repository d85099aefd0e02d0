"""One evaluation: potential, protocol and seed in, sample and objective out. A pure function."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.forcefield import Potential
from lammpsfit.md.potential_text import Realisation
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.racing import GivenUp, least_cost
from lammpsfit.md.sample import sample
from lammpsfit.md.sample_file import packed
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target.joint_term import JointTerm
from lammpsfit.target.objective import Evaluation, Target, together


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
        R above which the run is given up as soon as it is certain to stay there, see
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
        """Sample, and compare with the target."""
        result = sample(
            self.potential,
            self.protocol,
            self.structure,
            self.seed,
            self.target.r,
            self.realisation,
            None if self.level is None else lambda rdf: self._given_up(rdf) is not None,
            self.keep,
            self.target.observables,
        )
        result = self.target.completed(result, self.potential)
        if self.keep:
            result = packed(result)
        return self.target.evaluation(result, self._given_up(result.rdf))

    def _given_up(self, rdf: PartialRdf) -> GivenUp | None:
        """Say why to end the run after these blocks; None where it is to go on, or at its end.

        Whatever else is wanted only adds to R: it is a bound on the objective, too.
        """
        blocks = self.protocol.blocks
        structure = self.target.structure
        if self.level is None or rdf.blocks is None or structure is None:
            return None
        if len(rdf.blocks) == blocks:
            return None
        bound = least_cost(rdf, blocks, structure.cost)
        return GivenUp(self.level, bound) if bound > self.level else None


@dataclass(frozen=True)
class EvaluateSeveral:
    """The task of one evaluation under several conditions.

    A farm may run its parts beside each other (:class:`lammpsfit.farm.parts.Divisible`). Called as
    a whole, it runs one after the other, with the same result.

    Attributes
    ----------
    parts
        By condition; the first is the main one.
    weights
        Weight of each condition in the objective.
    joint
        What is wanted of several conditions together.
    """

    parts: Mapping[str, Evaluate]
    weights: Mapping[str, float]
    joint: tuple[JointTerm, ...] = ()

    def __call__(self) -> Evaluation:
        """Sample them all, and compare each with its target; the first failure is that of all.

        Raises
        ------
        SimulationError
            If a run fails, with its condition and reason.
        """
        found = {}
        for name, task in self.parts.items():
            try:
                found[name] = task()
            except SimulationError as error:
                failure = error.failure
                raise SimulationError(failure.reason, f"{name}: {failure.detail}") from error
            except MemoryError as error:
                raise SimulationError(Reason.OUT_OF_MEMORY, f"{name}: {error}") from error
        return self.joined(found)

    def joined(self, results: Mapping[str, Evaluation]) -> Evaluation:
        """Join what came of each condition."""
        targets = {name: part.target for name, part in self.parts.items()} if self.joint else None
        return together(results, self.weights, self.joint, targets)
