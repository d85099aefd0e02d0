"""Pictures of GAP potentials, of plain arrays: parity, calibration, training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lammpsfit.report.figures import (
    COLOURS,
    LINES,
    light_grid,
    logarithmic,
    new_figure,
    save_figure,
)

FloatArray = NDArray[np.float64]

_MANY: Final = 3000
"""More points than this are drawn by their density: as dots they would hide one another."""

_COLUMNS: Final = 70
"""Hexagons beside one another where a density is drawn."""

_WILD: Final = 99.8
"""Per cent of the errors that set the range of the error axis."""


@dataclass(frozen=True, eq=False)
class Parity:
    """One panel of predictions beside labels.

    Attributes
    ----------
    name : str
        What it is, as in ``forces``.
    unit : str
        Of both arrays.
    reference, predicted : ndarray, shape (n,)
    """

    name: str
    unit: str
    reference: FloatArray
    predicted: FloatArray


def plot_parity(panels: Sequence[Parity], path: Path | str | None, title: str = "") -> Figure:
    """Draw predictions over labels, and the errors below, which the eye cannot see above.

    Parameters
    ----------
    panels : sequence of Parity
        One column each.
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
    figure = new_figure(4.2 * len(panels) + 0.2, 5.9)
    grid = figure.subplots(2, len(panels), squeeze=False, height_ratios=[2.2, 1.0], sharex="col")
    for column, panel in enumerate(panels):
        _parity_panel(grid[0, column], panel)
        _error_panel(grid[1, column], panel)
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _parity_panel(axes: Axes, panel: Parity) -> None:
    both = np.concatenate([panel.reference, panel.predicted])
    margin = 0.04 * (both.max() - both.min() or 1.0)
    span = both.min() - margin, both.max() + margin
    axes.plot(span, span, color="0.6", lw=1.0, zorder=1)
    _points(axes, panel.reference, panel.predicted, (*span, *span))
    axes.set_xlim(span)
    axes.set_ylim(span)
    axes.set_ylabel(f"predicted ({panel.unit})")
    axes.set_title(panel.name)
    errors = panel.predicted - panel.reference
    axes.text(
        0.04,
        0.96,
        f"MAE {_short(np.abs(errors).mean())} {panel.unit}\n"
        f"RMSE {_short(math.sqrt(np.mean(errors**2)))} {panel.unit}\n"
        f"{len(errors)} values" + ", darker: more of them" * (len(errors) > _MANY),
        transform=axes.transAxes,
        va="top",
        fontsize="small",
    )


def _error_panel(axes: Axes, panel: Parity) -> None:
    errors = panel.predicted - panel.reference
    reach = 1.15 * float(np.percentile(np.abs(errors), _WILD)) or 1.0
    axes.axhline(0.0, color="0.6", lw=1.0, zorder=1)
    _points(
        axes, panel.reference, np.clip(errors, -reach, reach), (*axes.get_xlim(), -reach, reach)
    )
    if beyond := int(np.sum(np.abs(errors) > reach)):
        axes.text(
            0.98,
            0.94,
            f"{beyond} beyond the range, drawn at its edge",
            transform=axes.transAxes,
            ha="right",
            va="top",
            fontsize="x-small",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )
    axes.set_ylim(-reach, reach)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel(f"error ({panel.unit})")
    axes.set_xlabel(f"reference ({panel.unit})")


def _points(
    axes: Axes, x: FloatArray, y: FloatArray, extent: tuple[float, float, float, float]
) -> None:
    if len(x) <= _MANY:
        alpha = 0.75 if len(x) < 300 else 0.35
        axes.plot(x, y, "o", ms=3.0, mew=0, color=COLOURS[0], alpha=alpha, zorder=2)
    else:
        # hexagons as high as they are wide
        rows = _COLUMNS * axes.bbox.height / axes.bbox.width / math.sqrt(3.0)
        axes.hexbin(
            x,
            y,
            gridsize=(_COLUMNS, max(round(rows), 1)),
            bins="log",
            cmap="viridis_r",
            mincnt=1,
            extent=extent,
            lw=0,
            zorder=2,
        )


def plot_calibration(
    predicted: FloatArray,
    made: FloatArray,
    within: tuple[float, float],
    unit: str,
    path: Path | str | None,
    title: str = "",
) -> Figure:
    """Draw errors made over errors predicted.

    Parameters
    ----------
    predicted, made : ndarray, shape (n_bins,)
        Root mean squares over values of similar predicted error.
    within : tuple of float
        Fractions of the errors within one and two predicted standard errors.
    unit : str
        Of both.
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
    figure = new_figure(4.6, 4.5)
    axes = figure.subplots()
    ends = np.concatenate([predicted, made])
    span = ends[ends > 0.0].min() / 1.6, ends.max() * 1.6
    axes.plot(span, span, color="0.6", lw=1.0, label="as predicted")
    axes.plot(predicted, made, "o-", color=COLOURS[0], ms=5.0, lw=1.2, label="actual")
    logarithmic(axes, "x", (1.0, 2.0, 5.0))
    logarithmic(axes, "y", (1.0, 2.0, 5.0))
    axes.set_xlim(span)
    axes.set_ylim(span)
    axes.set_box_aspect(1.0)
    axes.tick_params(axis="x", rotation=45)
    axes.set_xlabel(f"predicted error, rms ({unit})")
    axes.set_ylabel(f"actual error, rms ({unit})")
    light_grid(axes)
    axes.legend(frameon=False, loc="lower right", fontsize="small")
    axes.text(
        0.04,
        0.96,
        f"within 1 σ: {100 * within[0]:.0f} % (normal: 68 %)\n"
        f"within 2 σ: {100 * within[1]:.0f} % (normal: 95 %)",
        transform=axes.transAxes,
        va="top",
        fontsize="small",
    )
    axes.set_title(title or "calibration")
    return save_figure(figure, path)


def plot_training(
    panels: Mapping[str, Mapping[str, FloatArray]],
    kept: int,
    path: Path | str | None,
    title: str = "",
) -> Figure:
    """Draw how quantities change step by step.

    Parameters
    ----------
    panels : mapping of str to mapping of str to ndarray, shape (n_steps,)
        Curves by label under the name of their axis; NaN where a step has no value.
    kept : int
        The step that is kept, drawn as a line.
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
    figure = new_figure(4.4 * len(panels) + 0.2, 3.8)
    for axes, (name, curves) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        axes.axvline(kept, color="0.6", lw=1.0, ls=":")
        late = 2 * kept > max(len(values) for values in curves.values())
        axes.annotate(
            "kept",
            (kept, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if late else 3, -3),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            fontsize="small",
            color="0.4",
        )
        for k, (label, values) in enumerate(curves.items()):
            steps = np.arange(len(values))
            known = np.isfinite(values)
            axes.plot(
                steps[known],
                values[known],
                color=COLOURS[k % len(COLOURS)],
                ls=LINES[(k // len(COLOURS)) % len(LINES)],
                marker="o" if known.sum() < 25 else None,
                ms=3.0,
                lw=1.3,
                label=label,
            )
        axes.set_xlabel("step")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        light_grid(axes)
        if 1 < len(curves) < 5 or len(panels) == 1:
            axes.legend(frameon=False, fontsize="small")
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _short(value: float) -> str:
    """Three digits, without an exponent where it can be helped."""
    return f"{value:.3g}"
