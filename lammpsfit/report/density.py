"""The density over a run at constant pressure: whether it has settled, and where."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from lammpsfit.report.figures import curve_style, light_grid, new_figure
from lammpsfit.report.html import Markup, element, join, paragraph, picture
from lammpsfit.report.run_view import Condition, RunView, Shown
from lammpsfit.report.words import DRIFTS
from lammpsfit.structure.rdf import FloatArray

NAME = "density"
"""Name of the term that wants a density."""


def densities(view: RunView) -> Markup | None:
    """Return the section on densities; None where no box may change, or no run is left."""
    parts: list[object] = []
    for one in view.conditions:
        courses = {s.label: mean_course(s, one) for s in view.shown if one.name in s.densities}
        if courses:
            if len(view.conditions) > 1:
                parts.append(element("h3", f"{one.name}: {one.system}"))
            wanted = wanted_density(one)
            parts.append(picture(plot_densities(courses, wanted), _alt(courses, wanted), wide=True))
    if not parts:
        return None
    words = (
        "The density in each part of the sampled time, averaged over the runs. A barostat settles "
        f"slowly: a change over the run of more than {DRIFTS:g} standard errors is called a drift "
        "in the table above."
    )
    return join([paragraph(words, soft=True), *parts])


def wanted_density(condition: Condition) -> float | None:
    """Return the density wanted in g/cm³, if one is."""
    return next((c.wanted for c in condition.columns if c.name == NAME), None)


def mean_course(shown: Shown, condition: Condition) -> FloatArray:
    """Return the density in each part of the runs of a potential, shape (parts,)."""
    # pooled runs are interleaved in time
    course: FloatArray = shown.densities[condition.name].reshape(-1, shown.runs).mean(axis=1)
    return course


def plot_densities(courses: Mapping[str, FloatArray], wanted: float | None) -> Figure:
    """Draw densities in g/cm³ over the sampled time, by label, and what is wanted."""
    figure = new_figure(8.0, 3.4)
    axes = figure.subplots()
    for k, (label, course) in enumerate(courses.items()):
        share = 100 * (np.arange(len(course)) + 0.5) / len(course)
        colour, line = curve_style(k)
        axes.plot(share, course, color=colour, ls=line, lw=1.5, label=label)
    if wanted is not None:
        axes.axhline(wanted, color="0.45", lw=2.2, label="wanted", zorder=1)
    light_grid(axes)
    axes.set(xlim=(0, 100), xlabel="part of the sampled time (%)", ylabel="density (g/cm³)")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _alt(courses: Mapping[str, FloatArray], wanted: float | None) -> str:
    each = "; ".join(
        f"{label} {course[0]:.3f} at the beginning, {course[-1]:.3f} at the end"
        for label, course in courses.items()
    )
    return f"Density in g/cm³: {each}." + ("" if wanted is None else f" Wanted: {wanted:.3f}.")
