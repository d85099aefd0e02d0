"""Sections of a run's page: pair distributions, the course of the search, pair potentials."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any, Final

import numpy as np

from lammpsfit.forcefield import Potential
from lammpsfit.forcefield.guard import collapse
from lammpsfit.report.convergence import plot_convergence
from lammpsfit.report.html import (
    Markup,
    element,
    items,
    join,
    paragraph,
    picture,
    pictures,
    table,
)
from lammpsfit.report.pair_plot import plot_pair_curves
from lammpsfit.report.progress import objective_of
from lammpsfit.report.rdf_plot import plot_rdf
from lammpsfit.report.results import points as convergence_points
from lammpsfit.report.run_view import Condition, RunView
from lammpsfit.report.search_plots import (
    plot_work,
)
from lammpsfit.report.tables import UNKNOWN
from lammpsfit.report.term_plot import plot_terms
from lammpsfit.report.words import (
    count_words,
    percent,
)
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.units import BOLTZMANN_CONSTANT
from lammpsfit.words import FITTED, list_words, time_words

CURVE_RANGE: Final = (0.8, 6.0)
"""Range of r in Å in which U(r) is drawn."""

CURVE_BANDS: Final = (
    "Bands are standard errors of U(r) of the fit by those of its parameters, from the innermost "
    "distance that its runs saw on; what they do not resolve is held."
)


def distributions(view: RunView) -> Markup:
    """Return the section on g(r): the best and the known potentials beside the reference."""
    parts: list[object] = [
        paragraph(
            "Upper panels: g(r) of each pair. Lower panels: the difference from the reference. "
            "Bands are standard errors. R in the legends is that of the pair.",
            soft=True,
        )
    ]
    for one in view.conditions:
        if one.reference is None:
            continue
        if len(view.conditions) > 1:
            parts.append(element("h3", f"{one.name}: {one.system}"))
        parts.append(_distributions(view, one, one.reference))
    return join(parts)


def _distributions(view: RunView, condition: Condition, reference: PartialRdf) -> Markup:
    name = condition.name
    curves = {shown.label: shown.rdfs[name] for shown in view.shown if name in shown.rdfs}
    made = []
    for pair in reference.pairs if curves else ():
        one = {label: rdf.reorder([pair]) for label, rdf in curves.items()}
        costs = {
            shown.label: shown.under(condition)["pair_costs"][pair]
            for shown in view.shown
            if shown.label in curves and pair in shown.under(condition).get("pair_costs", {})
        }
        figure = plot_rdf(reference.reorder([pair]), one, None, costs=costs)
        made.append(picture(figure, _rdf_alt(reference, pair, one, costs)))
    lost = [shown.label for shown in view.shown if shown.ok and shown.label not in curves]
    return join(
        [
            pictures(made),
            *([paragraph(f"No sample is left of {list_words(lost)}.")] if lost else []),
            paragraph("The reference:", soft=True),
            items(condition.source),
        ]
    )


def other_curves(view: RunView) -> Markup:
    """Return the section on the other curves that were fitted; empty where there are none."""
    parts: list[object] = []
    for one in view.conditions:
        if one.curves and len(view.conditions) > 1:
            parts.append(element("h3", f"{one.name}: {one.system}"))
        reached = {s.label: s.curves[one.name] for s in view.shown if one.name in s.curves}
        made = []
        for curve in one.curves:
            had = [label for label, found in reached.items() if curve.name in found]
            alt = f"{curve.title}: wanted, and reached by {list_words(had) or 'nobody yet'}."
            made.append(picture(plot_terms([curve], reached, None), alt))
        parts += [pictures(made)] if made else []
    if parts:
        words = "Thick: what is wanted. Below: the difference from it; bands are standard errors."
        parts.insert(0, paragraph(words, soft=True))
    return join(parts)


def _rdf_alt(
    reference: PartialRdf, pair: str, curves: Mapping[str, PartialRdf], costs: Mapping[str, float]
) -> str:
    def peak(rdf: PartialRdf) -> str:
        g = rdf.reorder([pair]).g[0]
        return f"{g.max():.1f} at {rdf.r[int(np.argmax(g))]:.2f} Å"

    each = "; ".join(
        f"{label} {peak(rdf)}" + (f", R {percent(costs[label], 1)} %" if label in costs else "")
        for label, rdf in curves.items()
    )
    return f"g(r) of {pair}. Highest peak: reference {peak(reference)}; {each}."


def course(view: RunView) -> Markup:
    """Return the section on the search: evaluations, stages, failures, and the work."""
    if not view.records:
        return paragraph("No evaluation is finished yet.")
    what = view.points.what
    levels = {s.label: s.total[0] for s in view.shown if s.label != FITTED and s.ok}
    points = convergence_points(view.records)
    figure = plot_convergence(points, None, levels=levels, what=what)
    good = [objective_of(record)[0] for record in view.records if record["status"] == "ok"]
    fell = (
        f"{what} falls from {percent(good[0])} to {percent(min(good))} %"
        if good
        else "none came to an end"
    )
    alt = f"{what} of {len(view.records)} evaluations in the order they finished: {fell}."
    work = view.records[-1].get("wall", 0.0)
    done = sum(record.get("atom_steps", 0) for record in view.records)
    failures = [record for record in view.records if record["status"] == "failed"]
    parts = [
        picture(figure, alt, "Every evaluation, and the best so far. Hollow: given up.", wide=True),
        table(
            ["stage", "evaluations", "with a cost", "given up", "failed", f"lowest {what} (%)"],
            list(_stage_rows(view)),
            caption="Stages of the search",
        ),
        _failure_table(failures) if failures else paragraph("No evaluation failed."),
        pictures([
            picture(
                plot_work(view.records),
                f"MD work of the search, rising to {count_words(done)} atom steps after "
                f"{time_words(work)}.",
                "Total work of the search.",
            )
        ]),
    ]  # fmt: skip
    return join(parts)


def _stage_rows(view: RunView) -> Iterator[list[str]]:
    for stage in dict.fromkeys(record["stage"] for record in view.records):
        ours = [record for record in view.records if record["stage"] == stage]
        status = Counter(record["status"] for record in ours)
        costs = [objective_of(record)[0] for record in ours if record["status"] == "ok"]
        numbers = (len(ours), status["ok"], status["censored"], status["failed"])
        yield [stage, *map(str, numbers), percent(min(costs)) if costs else UNKNOWN]


def _failure_table(failures: Sequence[Mapping[str, Any]]) -> Markup:
    by_reason: dict[str, list[Mapping[str, Any]]] = {}
    for record in failures:
        by_reason.setdefault(str(record.get("reason")), []).append(record)
    rows = [
        [
            reason,
            len(several),
            several[0]["id"],
            shorten(str(several[0].get("detail", "")), 200),
        ]
        for reason, several in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    ]
    return table(
        ["reason", "evaluations", "first", "detail"],
        rows,
        caption="Failed evaluations",
        words=[3],
    )


def curves_section(view: RunView) -> Markup:
    """Return the section on U(r), with what the guard against collapse finds."""
    known: dict[str, Potential] = {
        shown.label: shown.potential for shown in view.shown if shown.potential is not None
    }
    if not known:
        return paragraph("No evaluation has given a cost yet.")
    first = next(iter(known.values()))
    r = np.linspace(*CURVE_RANGE, 600)
    kT = BOLTZMANN_CONSTANT * view.temperature
    guards = {
        label: collapse(potential, view.temperature, view.barrier)
        for label, potential in known.items()
    }
    made, rows = [], []
    for pair in first.pair_names:
        curves = {
            label: (r, potential.energy(pair, r))
            for label, potential in known.items()
            if set(pair.split("-")) <= potential.species.keys()
        }
        figure = plot_pair_curves(
            {pair: curves}, None, r_range=CURVE_RANGE, errors=view.curve_errors
        )
        deepest = "; ".join(_well_words(label, r, U) for label, (r, U) in curves.items())
        made.append(picture(figure, f"U(r) of {pair}: {deepest}."))
        for label in curves:
            found = guards[label].pairs.get(pair)
            if found is None:
                continue
            barrier = math.isfinite(found.height) and math.isfinite(found.r_barrier)
            rows.append([
                f"{pair}, {label}",
                f"{found.height:.3g}" if barrier else "none",
                f"{found.height / kT:.3g}" if barrier else "",
                element("span", "sound" if found.sound else "not sound",
                        **({} if found.sound else {"class_": "flag"})),
                found.reason,
            ])  # fmt: skip
    caption = (
        f"The guard against collapse at {view.temperature:g} K (kT = {kT:.3f} eV). An inner well "
        f"is out of reach if its barrier is at least {view.barrier:g} kT."
    )
    head = ["pair", "barrier (eV)", "(kT)", "judged", "found"]
    bands = [paragraph(CURVE_BANDS, soft=True)] if view.curve_errors else []
    return join([*bands, pictures(made), table(head, rows, caption=caption, words=[4])])


def _well_words(label: str, r: np.ndarray, U: np.ndarray) -> str:
    outer = r >= 1.0
    k = int(np.argmin(U[outer]))
    return f"{label} lowest {U[outer][k]:.1f} eV at {r[outer][k]:.2f} Å"
