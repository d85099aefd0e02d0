"""Structure: pair distribution functions, block averages and the cost (pure NumPy)."""

from lammpsfit.structure.blocks import (
    Estimate,
    autocorrelation_time,
    block_estimate,
    drift,
)
from lammpsfit.structure.cost import DEFINITION, Cost, PairCost, cost
from lammpsfit.structure.rdf import (
    PartialRdf,
    canonical_pair,
    rdf_from_counts,
    same_pair,
    shell_volumes,
)

__all__ = [
    "DEFINITION",
    "Cost",
    "Estimate",
    "PairCost",
    "PartialRdf",
    "autocorrelation_time",
    "block_estimate",
    "canonical_pair",
    "cost",
    "drift",
    "rdf_from_counts",
    "same_pair",
    "shell_volumes",
]
