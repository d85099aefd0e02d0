"""Sections of a run's page: what is known of the parameters, and where the search went."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lammpsfit.report.html import (
    Markup,
    doi_link,
    element,
    join,
    paragraph,
    picture,
    pictures,
    table,
)
from lammpsfit.report.run_view import RunView
from lammpsfit.report.search_plots import (
    moved_most,
    plot_line,
    plot_pair_path,
    plot_path,
    plot_plane,
)
from lammpsfit.report.uncertainty import NOTHING_RESOLVED, plot_uncertainty
from lammpsfit.report.words import METHOD, number_words, percent
from lammpsfit.words import objective_words


def uncertainty(view: RunView) -> Markup:
    """Return the section on the errors of the parameters, if they are known."""
    block = view.uncertainty
    if block is None:
        return paragraph(
            "Not known. A finished Gauss-Newton search gives the errors of the parameters, from "
            "the frames of its runs."
        )
    if not any(direction["resolved"] for direction in block["directions"]):
        return paragraph(f"{NOTHING_RESOLVED[0].upper()}{NOTHING_RESOLVED[1:]}.")
    figure = plot_uncertainty(block, None)
    unresolved = sum(not direction["resolved"] for direction in block["directions"])
    alt = (
        f"Correlations of {len(block['errors'])} parameters, and their "
        f"{len(block['directions'])} combinations from the best known to the least, "
        f"{unresolved} of them not resolved by these runs."
    )
    parts = [
        paragraph(
            "What the runs resolve, from the best known combination to the least "
            f"({objective_words(view.points.what)} may rise by {100 * block['rise']:.2f} points):"
        ),
        element("ol", *(element("li", d["words"]) for d in block["directions"])),
        picture(figure, alt, wide=True),
    ]
    if block.get("ensemble"):
        parts.append(_ensemble(block))
    return join(parts)


def _ensemble(block: Mapping[str, Any]) -> Markup:
    names = list(block["errors"])
    measured = any("measured" in m or "failed" in m for m in block["ensemble"])
    rows = []
    for k, member in enumerate(block["ensemble"], 1):
        row = [k, percent(member["predicted"])]
        if measured:
            row.append(_measured(member))
        rows.append([*row, *(number_words(member["parameters"][name]) for name in names)])
    what = block.get("minimised", "R")
    head = ["", f"{what} predicted (%)", *([f"{what} measured (%)"] if measured else []), *names]
    return table(head, rows, caption="Potentials that are as good by these errors")


def _measured(member: Mapping[str, Any]) -> str:
    if "measured" in member:
        return f"{percent(member['measured'])} ± {percent(member['measured_error'])}"
    return f"failed: {member['failed']}" if "failed" in member else ""


def search_space(view: RunView) -> Markup:
    """Return the section on the search in parameter space: its surrogate, or its path."""
    points = view.points
    if not points.path:
        return paragraph("No evaluation has given a cost yet.")
    if view.slices is not None:
        return _believed(view)
    intro = paragraph(
        f"The path to the best, {len(points.path)} of {len(points.unit)} evaluations: each step "
        "begins at the point before it. Single runs go up and down by chance."
    )
    rows = points.path
    parts = [
        intro,
        picture(
            plot_path(points),
            f"Path of {len(rows)} steps: {points.what} from {percent(points.cost[rows[0]])} to "
            f"{percent(points.cost[rows[-1]])} %, and each parameter within its bounds.",
            wide=True,
        ),
        *_pair_paths(view),
    ]
    return join(parts)


def _pair_paths(view: RunView) -> Iterator[Markup]:
    points = view.points
    chosen = moved_most(points)
    pairs = [(i, j) for n, i in enumerate(chosen) for j in chosen[n + 1 :]]
    if not pairs:
        return
    yield pictures(
        picture(
            plot_pair_path(points, i, j),
            f"Evaluations in the plane of {points.names[i]} and {points.names[j]}, and the path "
            f"from ({_at(view, 0, i, j)}) to ({_at(view, -1, i, j)}).",
        )
        for i, j in pairs
    )
    yield paragraph(
        "The parameters that moved most within their bounds. Square: start; star: best; line: the "
        "path; cross: no cost; one shape for each descent. Lighter is lower.",
        soft=True,
    )


def _at(view: RunView, step: int, i: int, j: int) -> str:
    values = view.points.values[view.points.path[step]]
    return f"{values[i]:.4g}, {values[j]:.4g}"


def _believed(view: RunView) -> Markup:
    points, slices = view.points, view.slices
    assert slices is not None
    parts = [
        paragraph(
            "Prediction of the Gaussian process after all these evaluations, through the best "
            f"point: {points.what} with its 95 % band. Below: the expected improvement (EI) times "
            "the probability that a run does not fail. As in ",
            doi_link(METHOD),
            ". Hatched: refused by the guard against collapse. Dotted: the best.",
        )
    ]
    if slices.plane is not None:
        i, j = slices.plane.axes
        parts.append(
            picture(
                plot_plane(points, slices, slices.plane),
                f"{points.what} predicted over {points.names[i]} and {points.names[j]}, from "
                f"{percent(slices.plane.mean.min())} to {percent(slices.plane.mean.max())} %, "
                "with the evaluations and the path to the best.",
                f"The two parameters along which {points.what} changes most, all others at the "
                "best point; evaluations lie anywhere in the others.",
                wide=True,
            )
        )
    made = []
    for line, held in zip(slices.lines, slices.best, strict=True):
        k = int(np.argmin(line.mean))
        alt = (
            f"{points.what} predicted along {line.name}: from {percent(line.mean.min())} % at "
            f"{line.values[k]:.4g} up to {percent(line.mean.max())} %; the best is at {held:.4g}."
        )
        made.append(picture(plot_line(points, line, float(held)), alt))
    return join([*parts, pictures(made)])
