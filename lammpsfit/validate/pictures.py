"""Curves of a validation: what each run says, beside what is known."""

from collections.abc import Mapping, Sequence

import numpy as np

from lammpsfit.md.observation import Observation
from lammpsfit.md.observe import Part
from lammpsfit.report.facts import REFERENCE
from lammpsfit.report.panels import Curve, Panel, Picture
from lammpsfit.structure.blocks import mean_and_error
from lammpsfit.structure.observables import Observables
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.validate.facts import heading, sound
from lammpsfit.validate.known import angle_sets, reference_of
from lammpsfit.validate.plan import Plan
from lammpsfit.validate.run import Results
from lammpsfit.validate.totals import totals

SHOWN = 8.0
"""Å of g(r) that are drawn."""

LEAST_DENSITY = 1e-4
"""Angles begin to be drawn where a distribution first has this much, in 1/degree."""


def all_pictures(plan: Plan, results: Results) -> list[Picture]:
    """Make the pictures of every part."""
    found: list[Picture] = []
    for part in plan.parts:
        if part in (Part.CRYSTAL, Part.DIFFUSION, Part.EXPANSION):
            continue
        runs = sound(plan, results, part)
        structures = {x: run.structure for x, run in runs.items() if run.structure is not None}
        if structures:
            found.append(_rdf(plan, part, structures))
            if plan.cutoffs:
                found.append(_angles(plan, part, structures))
            found.append(_factors(plan, part, structures))
        if part is Part.LIQUID and runs:
            found.append(_displacements(plan, runs))
    return found


def _rdf(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Picture:
    panels = []
    for pair in next(iter(structures.values())).rdf.pairs:
        curves = {
            x: Curve(
                one.rdf.r, one.rdf.reorder([pair]).g[0], one.rdf.reorder([pair]).variance[0] ** 0.5
            )
            for x, one in structures.items()
        }
        wanted = reference_of(plan, pair) if part is Part.LIQUID else None
        known = {} if wanted is None else {REFERENCE: Curve(*wanted)}
        panels.append(Panel(pair, curves, known))
    title = f"Pair distributions: {heading(plan, part)}"
    return Picture(f"{part}-gr", title, "r (Å)", "g(r)", "r_A", panels, (0.0, SHOWN))


def _angles(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Picture:
    triples = dict.fromkeys(t for one in structures.values() for t in one.bonding[1].triples)
    panels = []
    for triple in triples:
        curves = {}
        for label, one in structures.items():
            angles = one.bonding[1]
            if triple in angles.triples:
                k = angles.triples.index(triple)
                curves[label] = Curve(angles.theta, angles.p[k], angles.error[k])
        known = {}
        if plan.angles is not None and part is Part.LIQUID:
            for whose, label in angle_sets(plan.angles):
                p = plan.angles.at(whose, triple, plan.angles.theta)
                if p is not None:
                    known[label] = Curve(plan.angles.theta, p)
        panels.append(Panel(triple, curves, known))
    drawn = [curve for panel in panels for curve in panel.curves.values()]
    low = min(float(c.x[np.argmax(c.y > LEAST_DENSITY)]) for c in drawn) // 10 * 10
    title = f"Bond angles: {heading(plan, part)}"
    return Picture(
        f"{part}-angles", title, "θ (degree)", "p (1/degree)", "theta_deg", panels, (low, 180.0)
    )


def _factors(plan: Plan, part: Part, structures: Mapping[str, Observables]) -> Picture:
    blocks: dict[str, dict[str, tuple[FloatArray, FloatArray]]] = {}
    for label, one in structures.items():
        for k, pair in enumerate(one.factors.pairs):
            blocks.setdefault(pair, {})[label] = one.factors.q, one.factors.blocks[:, k]
        for probe, total in totals(one).items():
            blocks.setdefault(probe, {})[label] = one.factors.q, total
    measured = plan.measured_in(part)
    panels = []
    for name, several in blocks.items():
        curves = {label: _mean(q, values) for label, (q, values) in several.items()}
        wanted = measured.get(name)
        known = {} if wanted is None else {REFERENCE: Curve(wanted.q, wanted.S)}
        panels.append(Panel(name, curves, known))
    title = f"Structure factors (Faber-Ziman): {heading(plan, part)}"
    return Picture(f"{part}-sq", title, "q (1/Å)", "S(q)", "q_per_A", panels, (0.0, 12.0))


def _mean(x: FloatArray, blocks: FloatArray) -> Curve:
    return Curve(x, *mean_and_error(blocks))


def _displacements(plan: Plan, runs: Mapping[str, Observation]) -> Picture:
    panels = []
    for name in next(iter(runs.values())).displacements:
        moved = {x: run.displacements[name] for x, run in runs.items()}
        later = slice(1, None)  # nothing has moved at t = 0, which a logarithm does not show
        curves = {
            x: Curve(one.t[later], one.mean[later], one.error[later]) for x, one in moved.items()
        }
        top = max(curves.values(), key=lambda curve: float(curve.y[-1]))
        slope = Curve(top.x, 2 * top.y[-1] * top.x / top.x[-1])
        panels.append(Panel(name, curves, guides={"∝ t": slope}))
    title = f"Mean squared displacements: {heading(plan, Part.LIQUID)}"
    return Picture("liquid-msd", title, "t (ps)", "MSD (Å²)", "t_ps", panels, logarithmic=True)


def columns(name: str, panels: Sequence[Panel]) -> dict[str, FloatArray]:
    """Return the columns of a table of curves, the first of them `name`, without those known.

    Runs at constant pressure differ in their boxes, and so their curves a little in their x: all
    are brought to those of the first, as far as all go.
    """
    curves = [curve for panel in panels for curve in panel.curves.values()]
    x = curves[0].x
    x = x[x <= min(curve.x[-1] for curve in curves)]
    found: dict[str, FloatArray] = {name: x}
    for panel in panels:
        for label, curve in panel.curves.items():
            found[f"{panel.title}_{label}"] = np.interp(x, curve.x, curve.y)
            if curve.error is not None and np.all(np.isfinite(curve.error)):
                found[f"err_{panel.title}_{label}"] = np.interp(x, curve.x, curve.error)
    return found
