"""The picture of pair potentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lammpsfit.report.figures import (
    curve_style,
    legend_columns,
    new_figure,
    panel_grid,
    save_figure,
)

FloatArray = NDArray[np.float64]
Curve = tuple[ArrayLike, ArrayLike]
"""r in Å and U(r) in eV, of the same length."""


def plot_pair_curves(
    curves: Mapping[str, Mapping[str, Curve]],
    path: Path | str | None,
    title: str = "",
    r_range: tuple[float, float] = (1.0, 6.0),
    errors: Mapping[str, Curve] = MappingProxyType({}),
) -> Figure:
    """Draw U(r) of several potentials, one panel per pair.

    The y axis is cut so that wells and barriers are seen, and walls leave the panel.

    Parameters
    ----------
    curves : mapping of str to mapping of str to (r, U)
        By pair, then by potential: r in Å, U in eV.
    path : Path or str
        PNG file to write; None writes none.
    title : str
        Title of the figure.
    r_range : (float, float), Å
        Range drawn.
    errors : mapping of str to (r, error)
        By pair, r in Å and the standard error of U of the first potential in eV: a band.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    n = max(len(curves), 1)
    rows, columns = panel_grid(n)
    figure = new_figure(4.0 * columns + 0.4, 3.8 * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    labels = list(dict.fromkeys(label for pair in curves.values() for label in pair))
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    for axes, (pair, by_label) in zip(panels, curves.items(), strict=False):
        _pair_panel(axes, by_label, labels, r_range)
        if pair in errors:
            _band(axes, next(iter(by_label.values())), errors[pair])
        axes.set_title(pair)
        axes.set_xlabel("r (Å)")
    for k in range(0, len(curves), columns):
        panels[k].set_ylabel("U(r) (eV)")
    _shared_legend(figure, list(panels[: len(curves)]))
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _pair_panel(
    axes: Axes, by_label: Mapping[str, Curve], labels: Sequence[str], r_range: tuple[float, float]
) -> None:
    radii, energies = [np.zeros(0)], [np.zeros(0)]
    for label, curve in by_label.items():
        r, U = (np.asarray(values, dtype=np.float64) for values in curve)
        shown = (r >= r_range[0]) & (r <= r_range[1])
        colour, line = curve_style(labels.index(label))
        axes.plot(r[shown], U[shown], color=colour, ls=line, lw=1.6, label=label)
        radii.append(r[shown])
        energies.append(U[shown])
    axes.axhline(0.0, color="0.8", lw=0.8, zorder=0)
    axes.set_xlim(*r_range)
    low, high = _energy_range(np.concatenate(radii), np.concatenate(energies), r_range)
    if high > low:
        axes.set_ylim(low - 0.05 * (high - low), high)


def _band(axes: Axes, curve: Curve, error: Curve) -> None:
    """Draw a standard error about the first curve, where there is one."""
    r, U = (np.asarray(values, dtype=np.float64) for values in curve)
    known, errors = (np.asarray(values, dtype=np.float64) for values in error)
    width = np.interp(r, known, errors, left=np.nan, right=np.nan)
    axes.fill_between(r, U - width, U + width, color=curve_style(0)[0], alpha=0.3, lw=0)


def _energy_range(
    r: FloatArray, U: FloatArray, r_range: tuple[float, float]
) -> tuple[float, float]:
    """Choose the y range of a panel by what the pair does at long range.

    An attractive pair shows its well and as much above zero; a repulsive one shows three
    times U(r) at a quarter of the range: the barrier before the well that dispersion makes
    at short r, but not the wall.
    """
    start, end = r_range

    def extremes(fraction: float) -> tuple[float, float]:
        outer = U[r >= start + fraction * (end - start)]
        return float(outer.min(initial=0.0)), float(outer.max(initial=0.0))

    lowest, highest = extremes(0.0)
    tail_low, tail_high = extremes(0.5)
    if -tail_low > tail_high:
        low = max(lowest, 10.0 * tail_low)
        return low, min(highest, -low)
    high = min(highest, 3.0 * extremes(0.25)[1])
    return max(lowest, -high), high


def _shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put one legend under the figure for curves that occur in any panel."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=legend_columns(figure),
            frameon=False,
        )
