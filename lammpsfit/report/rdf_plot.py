"""The picture of g(r) beside its reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammpsfit.report.figures import (
    curve_style,
    legend_columns,
    new_figure,
    panel_grid,
    save_figure,
)
from lammpsfit.structure.rdf import PartialRdf


def plot_rdf(
    reference: PartialRdf,
    curves: Mapping[str, PartialRdf],
    path: Path | str | None,
    title: str = "",
    costs: Mapping[str, float] | None = None,
    definition: str = "",
) -> Figure:
    """Draw g(r) of every pair beside its reference, with the residual below.

    Parameters
    ----------
    reference : PartialRdf
        Drawn as a thick grey line; its pairs make the panels.
    curves : mapping of str to PartialRdf
        Curves by label, with the reference's pairs on any bins. Residuals are drawn where
        the bins are the reference's, else on values interpolated to them.
    path : Path or str
        PNG file to write; None writes none.
    title : str
        Title of the figure.
    costs : mapping of str to float, optional
        R of the curves as fractions, for the legend.
    definition : str
        What R is and over which range (:attr:`Cost.definition`), printed above the legend.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If a curve lacks a pair, or the file cannot be written.
    """
    n = len(reference.pairs)
    rows, columns = panel_grid(n)
    figure = new_figure(4.0 * columns + 0.4, 5.2 * rows + 0.7)
    strips = figure.subplots(
        2 * rows, columns, sharex=True, squeeze=False, height_ratios=[3.0, 1.0] * rows
    )
    for k in range(rows * columns):
        upper = strips[2 * (k // columns), k % columns]
        lower = strips[2 * (k // columns) + 1, k % columns]
        if k >= n:
            upper.set_axis_off()
            lower.set_axis_off()
            continue
        _rdf_panel(upper, lower, reference, curves, reference.pairs[k])
        lower.tick_params(labelbottom=True)
        lower.set_xlabel("r (Å)")
        if k % columns == 0:
            upper.set_ylabel("g(r)")
            lower.set_ylabel("g − g(reference)")
    _rdf_legend(figure, strips[0, 0], costs or {}, definition)
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _rdf_panel(
    upper: Axes, lower: Axes, reference: PartialRdf, curves: Mapping[str, PartialRdf], pair: str
) -> None:
    target = reference.reorder([pair]).g[0]
    upper.plot(reference.r, target, color="0.72", lw=5, label="reference", solid_capstyle="round")
    lower.axhline(0.0, color="0.72", lw=2)
    for k, (label, rdf) in enumerate(curves.items()):
        one = rdf.reorder([pair])
        colour, line = curve_style(k)
        error = np.sqrt(one.variance[0])
        upper.plot(one.r, one.g[0], color=colour, ls=line, lw=1.5, label=label)
        common = (reference.r >= one.r[0]) & (reference.r <= one.r[-1])
        r = reference.r[common]
        rest = np.interp(r, one.r, one.g[0]) - target[common]
        lower.plot(r, rest, color=colour, ls=line, lw=1.2)
        if error.any():
            band = np.interp(r, one.r, error)
            lower.fill_between(r, rest - band, rest + band, color=colour, alpha=0.25, lw=0)
    upper.axhline(1.0, color="0.85", lw=0.8, zorder=0)
    upper.set_title(pair)
    upper.set_ylim(bottom=0.0)
    upper.set_xlim(0.0, float(reference.edges[-1]))


def _rdf_legend(figure: Figure, axes: Axes, costs: Mapping[str, float], definition: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    named = [f"{x}  R = {100 * costs[x]:.1f} %" if x in costs else x for x in labels]
    figure.legend(
        handles,
        named,
        loc="outside lower center",
        ncols=legend_columns(figure),
        frameon=False,
        title=definition or None,
        title_fontsize="small",
    )
