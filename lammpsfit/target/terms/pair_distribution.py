"""Partial pair distribution functions, as the reference has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import Cost, cost, residual_scale
from lammpsfit.structure.rdf import PartialRdf, canonical_pair
from lammpsfit.target.term import Column, Term


@dataclass(frozen=True, eq=False)
class PairDistribution(Term):
    """Partial g(r): the sum of its squared residuals is R², see :func:`lammpsfit.structure.cost`.

    Attributes
    ----------
    reference
        What is to be reproduced, on the bins compared; K = n_pairs × n_bins.
    weights
        Weight of each pair, 1 where not given.
    errors
        Standard errors of the reference, shape (n_pairs, n_bins); None where unknown.
    """

    reference: PartialRdf
    weights: Mapping[str, float] = field(default_factory=dict)
    errors: FloatArray | None = None
    name = "g(r)"

    def observe(self, frames: Frames) -> FloatArray:
        """Return g(r) of each frame, shape (n_frames, K)."""
        order = [canonical_pair(pair) for pair in frames.pairs]
        rows = [order.index(canonical_pair(pair)) for pair in self.reference.pairs]
        return frames.g()[:, rows].reshape(len(frames), -1)

    @property
    def wanted(self) -> FloatArray:
        """The reference, shape (K,)."""
        return self.reference.g.ravel()

    @property
    def scale(self) -> FloatArray:
        """What makes residuals of differences of g(r), shape (K,)."""
        by_pair = residual_scale(self.reference, self.weights)
        return np.repeat(by_pair, self.reference.r.size)

    @property
    def wanted_error(self) -> FloatArray | None:
        """Standard errors of the reference, shape (K,), if known."""
        return None if self.errors is None else self.errors.ravel()

    @cached_property
    def definition(self) -> str:
        """One line that defines R, with its range, bins and weights."""
        return self.cost(self.reference).definition

    @property
    def column(self) -> Column:
        """R in per cent."""
        words = f"R: {self.definition.removeprefix('R = ')}"
        return Column(self.name, "R", "%", 100.0, 2, None, words)

    @property
    def gas(self) -> float:
        """R² of a gas without structure, g(r) = 1."""
        flat = replace(self.reference, g=np.ones_like(self.reference.g), blocks=None)
        return self.cost(flat).value ** 2

    def cost(self, rdf: PartialRdf) -> Cost:
        """Compare a g(r) with the reference."""
        return cost(rdf, self.reference, self.weights)

    def per_block(self, sample: Sample) -> FloatArray:
        """Return what each block of a run contributes to the residuals, shape (B, K)."""
        rdf = sample.rdf.reorder(self.reference.pairs)
        start = int(np.argmin(np.abs(rdf.r - self.reference.r[0])))
        blocks = rdf.g[None] if rdf.blocks is None else rdf.blocks
        g = blocks[:, :, start : start + self.reference.r.size]
        return (g.reshape(len(g), -1) - self.wanted) * self.scale

    def deviation(self, sample: Sample) -> Estimate:
        """Return R with its jackknife error."""
        found = self.cost(sample.rdf)
        return Estimate(found.value, found.error)
