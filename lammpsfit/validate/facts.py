"""Numbers of a validation: what each run says, beside what is known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from lammpsfit.md.observation import Observation, together
from lammpsfit.md.observe import Part
from lammpsfit.report.facts import REFERENCE, Fact
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import cost
from lammpsfit.structure.curves import first_peak, jackknife, mean, overlap, peak
from lammpsfit.structure.diffusion import activation_energy
from lammpsfit.structure.network import LONGEST_RING, MOST_BRIDGES, mean_network
from lammpsfit.structure.observables import Observables
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.units import BAR_PER_GPA
from lammpsfit.validate.against import Measured
from lammpsfit.validate.known import (
    angle_sets,
    onto,
    reference_coordination,
    reference_of,
)
from lammpsfit.validate.plan import Plan
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
from lammpsfit.validate.solids import crystals, expansion, moduli
from lammpsfit.validate.totals import totals

TEN_MICRO_CM2_PER_S = 10.0
"""1 Å²/ps in 10⁻⁵ cm²/s."""

R_WIDTH, Q_WIDTH = 0.04, 0.15
"""Å and 1/Å that g(r) and S(q) are smoothed over where their first peaks are looked for."""

RARE = 1e-3
"""Kinds of formers and rings that no potential has more often are left out."""


def all_facts(plan: Plan, results: Results) -> list[Fact]:
    """Make the facts of every part."""
    found: list[Fact] = []
    for part in plan.parts:
        if part is Part.CRYSTAL:
            found += crystals(plan, results)
            continue
        if part is Part.DIFFUSION:
            found += [Fact(*row) for row in _temperatures(plan, results)]
            continue
        if part is Part.EXPANSION:
            found += [Fact(heading(plan, part), *row) for row in expansion(plan, results)]
            continue
        facts = _of_part(plan, results, part)
        found += _with_each(plan, results, facts) if len(plan.of(part)) > 1 else facts
    return found


def _of_part(plan: Plan, results: Results, part: Part) -> list[Fact]:
    """Make the facts of a liquid, a glass or a density; several glasses as one."""
    runs = sound(plan, results, part)
    if not runs:
        return []
    name = heading(plan, part)
    found = [Fact(name, *row) for row in _thermodynamics(plan, part, runs)]
    if part is Part.GLASS:
        found += [Fact(name, *row) for row in moduli(plan, results)]
    found += [Fact(name, *row) for row in _structure(plan, part, runs)]
    if part is Part.LIQUID:
        found += [Fact(name, *row) for row in _diffusion(runs)]
    return found


def _with_each(plan: Plan, results: Results, facts: Sequence[Fact]) -> Iterator[Fact]:
    """Give facts of several glasses errors that hold for so few, and the value of each glass."""
    single = [
        {fact.name: fact.values for fact in _of_part(replace(plan, runs=(run,)), results, run.part)}
        for run in plan.of(Part.GLASS)
    ]
    for fact in facts:
        values, each = dict(fact.values), {}
        for label in plan.potentials:
            of_one = (values_of.get(fact.name, {}).get(label) for values_of in single)
            known = [one for one in of_one if one is not None]
            if label in values and known:
                value = values[label]
                values[label] = of_samples(value.mean, value.error, known)
                each[label] = tuple(one.mean for one in known)
        yield replace(fact, values=values, each=each)


def sound(plan: Plan, results: Results, part: Part) -> dict[str, Observation]:
    """Return the runs of a part that did not fail, by label; several glasses as one."""
    several = {label: sound_runs(results[label], plan.of(part)) for label in plan.potentials}
    return {label: together(runs) for label, runs in several.items() if runs}


def heading(plan: Plan, part: Part) -> str:
    """Name a part with its conditions."""
    protocol, system = plan.problem.protocol, plan.problem.system
    if part is Part.DENSITY:
        P = f"{protocol.pressure / BAR_PER_GPA:g} GPa" if protocol.pressure else "zero pressure"
        return f"{P}, {protocol.temperature:g} K"
    temperature = protocol.temperature
    if part is Part.EXPANSION:
        assert plan.quench is not None
        assert plan.quench.pressure is not None
        low, high = plan.expansion[-1], plan.expansion[0]
        held = plan.quench.pressure / BAR_PER_GPA
        return f"{part} of the glass, {low:g} to {high:g} K, {held:g} GPa"
    if part is Part.GLASS:
        assert plan.quench is not None
        temperature = plan.quench.temperature
        if plan.quench.pressure is not None:
            return f"{part}, {temperature:g} K, {plan.quench.pressure / BAR_PER_GPA:g} GPa"
    return f"{part}, {temperature:g} K, {system.density:g} g/cm³"


def _thermodynamics(plan: Plan, part: Part, runs: Sound) -> Rows:
    def each(name: str, factor: float = 1.0) -> dict[str, Estimate]:
        return {x: scaled(run.series.estimate(name), factor) for x, run in runs.items()}

    wanted = {c.name: c.wanted for c in plan.problem.target.columns if c.wanted is not None}
    yield "temperature", "K", each("temperature")
    if part is Part.DENSITY:
        density = each("density")
        if "density" in wanted:
            density[REFERENCE] = plain(wanted["density"])
        yield "density", "g/cm³", density
        yield (
            "drift of the density",
            "g/cm³",
            {x: run.series.drift("density") for x, run in runs.items()},
        )
        return
    if part is Part.GLASS:
        yield "density", "g/cm³", each("density")
    pressure = each("pressure", 1 / BAR_PER_GPA)
    if part is Part.LIQUID and "pressure" in wanted:
        pressure[REFERENCE] = plain(wanted["pressure"] / BAR_PER_GPA)
    yield "pressure", "GPa", pressure
    yield "energy", "eV/atom", each("energy")
    if len(plan.of(part)) > 1:
        return
    yield (
        "drift of the energy",
        "eV/atom",
        {x: run.series.drift("energy") for x, run in runs.items()},
    )


def _structure(plan: Plan, part: Part, runs: Sound) -> Rows:
    structures = {x: run.structure for x, run in runs.items() if run.structure is not None}
    if not structures:
        return
    if part is Part.LIQUID and plan.problem.target.structure is not None:
        yield "R", "%", {x: _cost(plan, one) for x, one in structures.items()}
    yield from _first_shells(plan, part, structures)
    if plan.cutoffs:
        yield from _coordination(plan, part, structures)
        yield from _angles(plan, part, structures)
    yield from _network(structures)
    yield from _diffraction(structures, plan.measured_in(part))


def _cost(plan: Plan, structure: Observables) -> Estimate:
    wanted = plan.problem.target.structure
    assert wanted is not None
    reference = wanted.reference
    within = reference.select(structure.rdf.r[0] - 1e-9, structure.rdf.r[-1] + 1e-9)
    found = cost(onto(structure.rdf, within.r), within, wanted.weights)
    return Estimate(100 * found.value, 100 * found.error)


def _first_shells(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Rows:
    first = next(iter(structures.values()))
    for pair in first.rdf.pairs:
        where, height = {}, {}
        for label, one in structures.items():
            assert one.rdf.blocks is not None
            blocks = one.rdf.blocks[:, one.rdf.pairs.index(pair)]
            where[label] = jackknife(blocks, partial(_first, 0, R_WIDTH, one.rdf.r))
            height[label] = jackknife(blocks, partial(_first, 1, R_WIDTH, one.rdf.r))
        known = reference_of(plan, pair)
        if known is not None and part is Part.LIQUID:
            at, high = first_peak(*known, R_WIDTH)
            where[REFERENCE], height[REFERENCE] = plain(at), plain(high)
        yield f"g({pair}): first peak at", "Å", where
        yield f"g({pair}): its height", "", height


def _coordination(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Rows:
    found = {x: one.bonding[0] for x, one in structures.items()}
    for k, first in enumerate(next(iter(found.values()))):
        usual = round(first.number.mean)
        values = {x: several[k].number for x, several in found.items()}
        known = reference_coordination(plan, first.centre, first.neighbour)
        if known is not None and part is Part.LIQUID:
            values[REFERENCE] = plain(known)
        yield f"{first.neighbour} around {first.centre}", "", values
        shares = {}
        for label, several in found.items():
            one = several[k]
            if usual < one.fraction.size:
                share = Estimate(float(one.fraction[usual]), float(one.error[usual]))
                shares[label] = scaled(share, 100.0)
        yield f"{first.centre} with {usual} {first.neighbour}", "%", shares


def _angles(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Rows:
    triples = dict.fromkeys(t for one in structures.values() for t in one.bonding[1].triples)
    for triple in triples:
        there = {x: one for x, one in structures.items() if triple in one.bonding[1].triples}
        known = _known_angles(plan, triple) if part is Part.LIQUID else {}
        means, peaks, overlaps = {}, {}, {}
        for label, one in there.items():
            theta, blocks = one.bonding[1].theta, one.angle_blocks(triple)
            means[label] = jackknife(blocks, partial(mean, theta))
            peaks[label] = jackknife(blocks, partial(_top, theta))
            if REFERENCE in known:
                shared = partial(_overlap, theta, known[REFERENCE])
                overlaps[label] = scaled(jackknife(blocks, shared), 100.0)
        for label, (theta, p) in known.items():
            means[label], peaks[label] = plain(mean(theta, p)), plain(peak(theta, p)[0])
            overlaps[label] = plain(100 * overlap(p, known[REFERENCE][1]))
        yield f"{triple}: mean angle", "°", means
        yield f"{triple}: peak at", "°", peaks
        if overlaps:
            yield f"{triple}: overlap with the reference", "%", overlaps


def _known_angles(plan: Plan, triple: str) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return the curves of a table of angles by label, with their angles."""
    table = plan.angles
    if table is None:
        return {}
    found = {}
    for whose, label in angle_sets(table):
        p = table.at(whose, triple, table.theta)
        if p is not None:
            found[label] = table.theta, p
    return found if REFERENCE in found else {}


def _overlap(theta: FloatArray, known: tuple[FloatArray, FloatArray], p: FloatArray) -> float:
    """Overlap with a known curve over the angles that it covers."""
    angles, wanted = known
    return overlap(np.interp(angles, theta, p), wanted)


def _diffraction(structures: Mapping[str, Observables], measured: Mapping[str, Measured]) -> Rows:
    both = {x: totals(one) for x, one in structures.items()}
    for probe in next(iter(both.values())):
        where, height, distance = {}, {}, {}
        known = measured.get(probe)
        for label, found in both.items():
            q = structures[label].factors.q
            where[label] = jackknife(found[probe], partial(_first, 0, Q_WIDTH, q))
            height[label] = jackknife(found[probe], partial(_first, 1, Q_WIDTH, q))
            if known is not None:
                off = jackknife(found[probe], partial(known.distance, q))
                distance[label] = scaled(off, 100.0)
        if known is not None:
            q = next(iter(structures.values())).factors.q
            q = q[known.covers(q)]
            at, high = first_peak(q, known.at(q), Q_WIDTH)
            where[REFERENCE], height[REFERENCE] = plain(at), plain(high)
        yield f"{probe} S(q): first peak at", "1/Å", where
        yield f"{probe} S(q): its height", "", height
        if distance:
            yield f"{probe} S(q): distance from the measured one", "%", distance


def _network(structures: Mapping[str, Observables]) -> Rows:
    """Qn of each former and the sizes of rings, as far as any potential has them."""
    blocks = {x: mean_network(one.network) for x, one in structures.items() if one.network}
    if not blocks:
        return
    qn = {x: found[0] for x, found in blocks.items()}
    for k, former in enumerate(next(iter(structures.values())).formers):
        for n in range(MOST_BRIDGES + 1):
            if any(one[:, k, n].mean() >= RARE for one in qn.values()):
                shares = {x: scaled(of_blocks(one[:, k, n]), 100.0) for x, one in qn.items()}
                yield f"{former} as Q{n}", "%", shares
    rings = {x: found[1] for x, found in blocks.items()}
    for size in range(LONGEST_RING + 1):
        if any(one[:, size].mean() >= RARE for one in rings.values()):
            yield (
                f"rings of {size} for each former",
                "",
                {x: of_blocks(one[:, size]) for x, one in rings.items()},
            )


def _diffusion(runs: Sound) -> Rows:
    for name in next(iter(runs.values())).displacements:
        moved = {x: run.displacements[name] for x, run in runs.items()}
        values = {x: scaled(one.coefficient, TEN_MICRO_CM2_PER_S) for x, one in moved.items()}
        yield f"{name}: diffusion", "10⁻⁵ cm²/s", values
        yield (
            f"{name}: d ln MSD / d ln t (1 if diffusive)",
            "",
            {x: one.exponent for x, one in moved.items()},
        )


def _temperatures(
    plan: Plan, results: Results
) -> Iterator[tuple[str, str, str, Mapping[str, Estimate]]]:
    """Diffusion at each temperature, and the activation energy of it."""
    runs = [*plan.of(Part.LIQUID), *plan.of(Part.DIFFUSION)]
    own = plan.problem.protocol.temperature
    at = sorted(
        (own if run.temperature is None else run.temperature, run.part, run) for run in runs
    )
    name = f"diffusion, {at[0][0]:g} to {at[-1][0]:g} K, {plan.problem.system.density:g} g/cm³"
    for species in plan.problem.system.species:
        coefficients: dict[str, list[Estimate]] = {label: [] for label in plan.potentials}
        for T, _, run in at:
            runs_at = of_run(results, run)
            moved = {x: one.displacements[species] for x, one in runs_at.items()}
            D = {x: scaled(one.coefficient, TEN_MICRO_CM2_PER_S) for x, one in moved.items()}
            yield name, f"{species}: diffusion at {T:g} K", "10⁻⁵ cm²/s", D
            exponents = {x: one.exponent for x, one in moved.items()}
            yield name, f"{species}: d ln MSD / d ln t at {T:g} K", "", exponents
            for label, value in D.items():
                coefficients[label].append(value)
        temperatures = [T for T, _, _ in at]
        whole = {x: several for x, several in coefficients.items() if len(several) == len(at)}
        energies = {x: activation_energy(temperatures, several) for x, several in whole.items()}
        yield name, f"{species}: activation energy", "eV", energies


def _first(which: int, width: float, x: FloatArray, y: FloatArray) -> float:
    """Position (0) or height (1) of the first peak."""
    return first_peak(x, y, width)[which]


def _top(x: FloatArray, y: FloatArray) -> float:
    return peak(x, y)[0]
