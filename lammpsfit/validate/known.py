"""What is known beforehand of the structure: the job's reference, and a table of bond angles."""

from collections.abc import Iterator

import numpy as np

from lammpsfit.reference.angle_table import AngleTable
from lammpsfit.report.facts import REFERENCE
from lammpsfit.structure.rdf import FloatArray, PartialRdf, canonical_pair, shell_volumes
from lammpsfit.validate.plan import Plan


def reference_coordination(plan: Plan, centre: str, neighbour: str) -> float | None:
    """Integrate the reference's g(r) up to where a bond ends, n = ρ_b ∫ g 4π r² dr.

    None where there is none, it does not begin at zero, or the pair has no bonds.
    """
    structure, system = plan.problem.target.structure, plan.problem.system
    pair = canonical_pair(f"{centre}-{neighbour}")
    cutoff = next((c for name, c in plan.cutoffs.items() if canonical_pair(name) == pair), None)
    if cutoff is None or structure is None or reference_of(plan, pair) is None:
        return None
    rdf = structure.reference
    if rdf.edges[0] > rdf.dr:
        return None
    density = system.counts[neighbour] / system.box_length(plan.problem.potential.masses) ** 3
    inside = np.clip((cutoff - rdf.edges[:-1]) / rdf.dr, 0.0, 1.0)
    g = rdf.reorder([f"{centre}-{neighbour}"]).g[0]
    return float(density * np.sum(g * inside * shell_volumes(rdf.edges)))


def reference_of(plan: Plan, pair: str) -> tuple[FloatArray, FloatArray] | None:
    """Return r and g of a pair of the reference, None where there is none."""
    structure = plan.problem.target.structure
    if structure is None:
        return None
    rdf, wanted = structure.reference, canonical_pair(pair)
    found = (g for name, g in zip(rdf.pairs, rdf.g, strict=True) if canonical_pair(name) == wanted)
    return next(((rdf.r, g) for g in found), None)


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
