"""Learning curves of GAP potentials, of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lammpsfit.report.figures import COLOURS, LINES, MARKERS, light_grid, new_figure, save_figure

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Errors over the number of training frames, for one kind of descriptors.

    Attributes
    ----------
    sizes : ndarray, shape (n_sizes,)
    forces, energy : ndarray, shape (n_sizes, n_splits)
        Mean absolute errors in eV/Å and meV/atom; NaN where there is none yet.
    """

    sizes: FloatArray
    forces: FloatArray
    energy: FloatArray


def plot_learning_curves(
    curves: Mapping[str, LearningCurve], path: Path | str | None, title: str = ""
) -> Figure:
    """Draw the errors of forces and energies over the number of training frames.

    The mean of the training sets as a line with their standard deviation, each set as a ring.
    Where there are two curves, a third panel has the errors of the forces of one over those of
    the other, training set by training set, which were the same for both.

    Parameters
    ----------
    curves : mapping of str to LearningCurve
        By name of the descriptors.
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
    paired = len(curves) == 2
    figure = new_figure(13.0 if paired else 9.0, 4.0)
    panels = figure.subplots(1, 3 if paired else 2)
    for axes, of, label in (
        (panels[0], "forces", "MAE of the forces (eV/Å)"),
        (panels[1], "energy", "MAE of the energy (meV/atom)"),
    ):
        for k, (name, curve) in enumerate(curves.items()):
            _learning_curve(axes, curve.sizes, getattr(curve, of), name, k, len(curves))
        axes.margins(y=0.08)
        axes.set_xlabel("training frames")
        axes.set_ylabel(label)
        axes.set_xticks(sorted({int(n) for curve in curves.values() for n in curve.sizes}))
        light_grid(axes)
    panels[0].legend(frameon=False, title="line: mean; rings: training sets")
    if paired:
        _pairs(panels[2], curves)
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _pairs(axes: Axes, curves: Mapping[str, LearningCurve]) -> None:
    """Draw the errors of one curve over those of the other, training set by training set."""
    (one, first), (other, second) = curves.items()
    both = np.concatenate([first.forces.ravel(), second.forces.ravel()])
    both = both[np.isfinite(both)]
    margin = 0.06 * (both.max() - both.min() or 1.0) if len(both) else 1.0
    span = (both.min() - margin, both.max() + margin) if len(both) else (0.0, 1.0)
    axes.plot(span, span, color="0.6", lw=1.0, zorder=1)
    for k, size in enumerate(first.sizes):
        axes.plot(
            first.forces[k],
            second.forces[k],
            MARKERS[k % len(MARKERS)],
            ms=5.0,
            mew=0,
            color=COLOURS[k % len(COLOURS)],
            alpha=0.8,
            label=f"{size:g}",
        )
    axes.set_xlim(span)
    axes.set_ylim(span)
    axes.set_box_aspect(1.0)
    axes.set_xlabel(f"MAE of the forces, {one} (eV/Å)")
    axes.set_ylabel(f"MAE of the forces, {other} (eV/Å)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    light_grid(axes)
    axes.legend(frameon=False, title="training frames", fontsize="small", loc="upper left")
    axes.set_title("below the line: better", fontsize="small")


def _learning_curve(
    axes: Axes, sizes: FloatArray, values: FloatArray, name: str, k: int, n: int
) -> None:
    known = np.isfinite(values).any(axis=1)
    sizes, values = sizes[known], values[known]
    if not len(sizes):
        return
    # beside one another, so that the bars of two curves can be told apart
    at = sizes + (k - 0.5 * (n - 1)) * 0.012 * (sizes.max() or 1.0)
    colour = COLOURS[k % len(COLOURS)]
    for column in values.T:
        axes.plot(at, column, "o", ms=4.5, mfc="none", mec=colour, mew=0.8, alpha=0.7, zorder=3)
    axes.errorbar(
        at,
        np.nanmean(values, axis=1),
        np.nanstd(values, axis=1),
        color=colour,
        ls=LINES[k % len(LINES)],
        marker=MARKERS[k % len(MARKERS)],
        ms=5.0,
        lw=1.4,
        capsize=2.5,
        label=name,
    )
