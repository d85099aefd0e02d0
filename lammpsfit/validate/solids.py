"""Numbers of solids: moduli and expansion of glasses, cells and stiffness of crystals."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lammpsfit.md.crystal import Crystal, lattice
from lammpsfit.md.observation import Observation
from lammpsfit.md.observe import Part
from lammpsfit.md.read_structure import true_density
from lammpsfit.report.facts import REFERENCE, Fact
from lammpsfit.structure.blocks import Estimate, block_estimate
from lammpsfit.structure.elasticity import Moduli, bulk_modulus, isotropic
from lammpsfit.structure.expansion import linear_expansion
from lammpsfit.validate.plan import Plan, Run
from lammpsfit.validate.rows import (
    Rows,
    Sound,
    of_blocks,
    of_run,
    of_samples,
    plain,
    scaled,
    sound_runs,
)
from lammpsfit.validate.run import Results

EDGES = (("a", "Å"), ("b", "Å"), ("c", "Å"), ("alpha", "°"), ("beta", "°"), ("gamma", "°"))
"""Lattice parameters."""

SMALL = 0.01
"""Elastic constants that are smaller than this part of the largest, for all, are left out."""


def moduli(plan: Plan, results: Results) -> Rows:
    """Moduli of the glasses; of several, means with the scatter between them."""
    found: dict[str, list[Moduli]] = {}
    for label in plan.potentials:
        runs = sound_runs(results[label], plan.of(Part.GLASS))
        found[label] = [isotropic(run.solid.stiffness) for run in runs if run.solid is not None]
    for words, unit, name in (
        ("bulk modulus, 0 K", "GPa", "bulk"),
        ("shear modulus, 0 K", "GPa", "shear"),
        ("Young's modulus, 0 K", "GPa", "young"),
        ("Poisson's ratio, 0 K", "", "poisson"),
    ):
        values = {x: [getattr(one, name) for one in several] for x, several in found.items()}
        yield words, unit, {x: _of_glasses(several) for x, several in values.items() if several}


def expansion(plan: Plan, results: Results) -> Rows:
    """Densities at each temperature, and the expansion; of several glasses, their means."""
    assert plan.quench is not None
    densities: dict[str, list[list[Estimate]]] = {}
    for label in plan.potentials:
        runs = sound_runs(results[label], plan.of(Part.EXPANSION))
        if runs:
            densities[label] = [_at_each(plan, run) for run in runs]
    if not densities:
        return
    for k, T in enumerate(plan.expansion):
        again = ", cooled again" if k and plan.quench.temperature == T else ""
        each = {x: _of_few([one[k] for one in several]) for x, several in densities.items()}
        yield f"density at {T:g} K{again}", "g/cm³", each
    yield (
        "linear thermal expansion",
        "10⁻⁶/K",
        {
            x: scaled(_of_few([linear_expansion(plan.expansion, one) for one in several]), 1e6)
            for x, several in densities.items()
        },
    )


def _at_each(plan: Plan, run: Observation) -> list[Estimate]:
    """Return the density at each temperature of the expansion of a glass."""
    several = run.series.density.reshape(len(plan.expansion), -1)
    blocks = run.series.blocks // len(plan.expansion)
    return [block_estimate(density, blocks) for density in several]


def crystals(plan: Plan, results: Results) -> Iterator[Fact]:
    """Cells, densities and elastic constants of crystals at rest, beside the cells of the files."""
    for run in plan.of(Part.CRYSTAL):
        if runs := of_run(results, run):
            for row in _crystal(plan, run, runs):
                yield Fact(f"{run.variant}, 0 K, zero pressure", *row)


def _crystal(plan: Plan, run: Run, runs: Sound) -> Rows:
    known = lattice(plan.crystals[run.variant].cell)
    solids = {x: one.solid for x, one in runs.items() if one.solid is not None}
    cells = {}
    for label, solid in solids.items():
        task = plan.task(label, run, Path())
        assert isinstance(task, Crystal)
        cells[label] = task.lattice(solid)
    for k, (name, unit) in enumerate(EDGES):
        yield (
            name,
            unit,
            {REFERENCE: plain(known[k])} | {x: plain(cell[k]) for x, cell in cells.items()},
        )
    density = {x: plain(one.series.density[0]) for x, one in runs.items()}
    yield (
        "density",
        "g/cm³",
        {REFERENCE: plain(true_density(plan.crystals[run.variant]))} | density,
    )
    yield "energy", "eV/atom", {x: plain(one.series.energy[0]) for x, one in runs.items()}
    bulk = {x: plain(bulk_modulus(solid.stiffness)) for x, solid in solids.items()}
    yield "bulk modulus", "GPa", bulk
    largest = max(float(np.abs(solid.stiffness).max()) for solid in solids.values())
    for i in range(6):
        for j in range(i, 6):
            constants = {x: solid.stiffness[i, j] for x, solid in solids.items()}
            if max(map(abs, constants.values())) > SMALL * largest:
                yield f"C{i + 1}{j + 1}", "GPa", {x: plain(C) for x, C in constants.items()}


def _of_glasses(several: Sequence[Estimate]) -> Estimate:
    """Return the mean over glasses with its standard error by their scatter."""
    if len(several) == 1:
        return several[0]
    return of_blocks(np.array([one.mean for one in several]))


def _of_few(several: Sequence[Estimate]) -> Estimate:
    """Return the same with an error that holds for few glasses."""
    whole = _of_glasses(several)
    return of_samples(whole.mean, whole.error, several)
