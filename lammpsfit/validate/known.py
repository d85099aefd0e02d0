"""What is known beforehand of the structure: the job's reference, and a table of bond angles."""

from collections.abc import Iterator

import numpy as np

from lammpsfit.reference.angle_table import AngleTable
from lammpsfit.structure.rdf import FloatArray, PartialRdf, canonical_pair, shell_volumes
from lammpsfit.validate.plan import Plan

REFERENCE = "reference"
"""Label of what runs are compared with."""


def reference_coordination(plan: Plan, centre: str, neighbour: str) -> float | None:
    """Integrate the reference's g(r) up to where a bond ends, n = ρ_b ∫ g 4π r² dr.

    None where it does not begin at zero, or the pair has no bonds.
    """
    rdf, system = plan.problem.target.reference, plan.problem.system
    pair = canonical_pair(f"{centre}-{neighbour}")
    cutoff = next((c for name, c in plan.cutoffs.items() if canonical_pair(name) == pair), None)
    if cutoff is None or rdf.edges[0] > rdf.dr:
        return None
    masses = {name: kind.mass for name, kind in plan.problem.potential.species.items()}
    density = system.counts[neighbour] / system.box_length(masses) ** 3
    inside = np.clip((cutoff - rdf.edges[:-1]) / rdf.dr, 0.0, 1.0)
    g = rdf.reorder([f"{centre}-{neighbour}"]).g[0]
    return float(density * np.sum(g * inside * shell_volumes(rdf.edges)))


def spelled(rdf: PartialRdf, pair: str) -> str | None:
    """Return the spelling of a pair that an RDF has, None where it has not got it."""
    wanted = canonical_pair(pair)
    return next((name for name in rdf.pairs if canonical_pair(name) == wanted), None)


def angle_sets(table: AngleTable | None) -> Iterator[tuple[str, str]]:
    """Name whose curves a table of angles holds, each with its label; the first is what to meet."""
    for k, whose in enumerate(() if table is None else table.curves):
        yield (whose, REFERENCE if k == 0 else f"table {whose}")


def onto(rdf: PartialRdf, r: FloatArray) -> PartialRdf:
    """Bring a g(r) onto other bins within its range, by linear interpolation."""
    assert rdf.blocks is not None
    blocks = np.array([[np.interp(r, rdf.r, g) for g in block] for block in rdf.blocks])
    return PartialRdf.from_blocks(rdf.pairs, r, blocks)


def bonded(plan: Plan) -> list[str]:
    """Say which pairs bond, and how far."""
    return [f"{pair} {cutoff:.2f} Å" for pair, cutoff in plan.cutoffs.items()]
