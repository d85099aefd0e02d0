"""One evaluation: potential, protocol and seed in, sample and cost out. A pure function."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lammpsfit.forcefield import Potential
from lammpsfit.md.potential_text import Realisation
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.racing import GivenUp, least_cost
from lammpsfit.md.sample import Sample, sample
from lammpsfit.structure.cost import Cost, cost
from lammpsfit.structure.rdf import PartialRdf


@dataclass(frozen=True)
class Target:
    """What a sample is compared with.

    Attributes
    ----------
    reference
        Partial g(r) to be reproduced, on the bins compared.
    weights
        Weight of each pair in the cost, 1 where not given.
    """

    reference: PartialRdf
    weights: Mapping[str, float] = field(default_factory=dict)

    def cost(self, rdf: PartialRdf) -> Cost:
        """Cost of a sampled g(r)."""
        return cost(rdf, self.reference, self.weights)


@dataclass(frozen=True)
class Evaluation:
    """A sample and what it costs.

    Attributes
    ----------
    sample
        What was sampled.
    cost
        Cost of that sample.
    given_up
        Why it was ended early: `sample` is that of the shorter run then, and `cost` no more than
        an estimate. None where it ran to its end.
    """

    sample: Sample
    cost: Cost
    given_up: GivenUp | None = None


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
    """

    potential: Potential
    protocol: Protocol
    structure: Path
    seed: int
    target: Target
    realisation: Realisation = "combined"
    level: float | None = None

    def __call__(self) -> Evaluation:
        """Sample, and compare with the reference."""
        result = sample(
            self.potential,
            self.protocol,
            self.structure,
            self.seed,
            self.target.reference.r,
            self.realisation,
            lambda rdf: self._given_up(rdf) is not None,
        )
        return Evaluation(result, self.target.cost(result.rdf), self._given_up(result.rdf))

    def _given_up(self, rdf: PartialRdf) -> GivenUp | None:
        """Say why to end the run after these blocks; None where it is to go on, or at its end."""
        blocks = self.protocol.blocks
        if self.level is None or rdf.blocks is None or len(rdf.blocks) == blocks:
            return None
        bound = least_cost(rdf, blocks, self.target.cost)
        return GivenUp(self.level, bound) if bound > self.level else None
