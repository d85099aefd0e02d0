"""The picture of curves that were fitted beside partial g(r), such as bond angles or S(q)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from lammpsfit.target import Curve, Curves


def plot_terms(
    wanted: Sequence[Curve],
    curves: Mapping[str, Curves],
    path: Path | str | None,
    title: str = "",
) -> Figure:
    """Draw each curve wanted with those of potentials, and their differences below.

    Parameters
    ----------
    wanted : sequence of Curve
        One panel each, at least one.
    curves : mapping of str to Curves
        What potentials reached, by label; bands are standard errors.
    path : Path or str
        PNG file to write; None writes none.
    title : str
        Title of the figure.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    rows, columns = panel_grid(len(wanted))
    figure = new_figure(max(4.0 * columns + 0.4, 5.2), 5.2 * rows + 0.5)
    strips = figure.subplots(
        2 * rows, columns, squeeze=False, sharex=False, height_ratios=[3.0, 1.0] * rows
    )
    for k in range(rows * columns):
        upper = strips[2 * (k // columns), k % columns]
        lower = strips[2 * (k // columns) + 1, k % columns]
        if k < len(wanted):
            _panel(upper, lower, wanted[k], curves)
        else:
            upper.set_axis_off()
            lower.set_axis_off()
    handles, labels = strips[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=legend_columns(figure), frameon=False
    )
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _panel(upper: Axes, lower: Axes, wanted: Curve, curves: Mapping[str, Curves]) -> None:
    upper.plot(wanted.x, wanted.y, color="0.72", lw=5, label="wanted", solid_capstyle="round")
    lower.axhline(0.0, color="0.72", lw=2)
    for k, (label, reached) in enumerate(curves.items()):
        if wanted.name not in reached:
            continue
        y, error = reached[wanted.name]
        colour, line = curve_style(k)
        upper.plot(wanted.x, y, color=colour, ls=line, lw=1.5, label=label)
        rest = y - wanted.y
        lower.plot(wanted.x, rest, color=colour, ls=line, lw=1.2)
        if np.all(np.isfinite(error)):
            low, high = rest - error, rest + error
            lower.fill_between(wanted.x, low, high, color=colour, alpha=0.25, lw=0)
    upper.set_title(wanted.title)
    upper.set_ylabel(wanted.y_label)
    lower.set_ylabel("difference")
    lower.set_xlabel(wanted.x_label)
    for axes in (upper, lower):
        axes.set_xlim(float(wanted.x[0]), float(wanted.x[-1]))
    upper.tick_params(labelbottom=False)
