"""The picture of the course of a fit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lammpsfit.report.figures import (
    COLOURS,
    MARKERS,
    light_grid,
    logarithmic,
    new_figure,
    save_figure,
)

LOG_SPAN: Final = 5.0
"""Costs that span more than this factor are drawn on a logarithmic axis."""

LABEL_GAP: Final = 0.05
"""Least distance between level labels, as a fraction of the axis."""


@dataclass(frozen=True)
class Point:
    """One evaluation in the course of a fit.

    Attributes
    ----------
    index : int
        Number of the evaluation.
    cost : float or None
        Objective as a fraction; None where the evaluation failed.
    error : float
        Standard error of the cost; 0 or nan draws no bar.
    stage : str
        Part of the search that asked for it.
    reason : str or None
        Why it failed.
    given_up : bool
        Whether it was ended early: the cost is that of the shorter run, and drawn hollow.
    """

    index: int
    cost: float | None
    error: float = 0.0
    stage: str = ""
    reason: str | None = None
    given_up: bool = False


def plot_convergence(
    points: Sequence[Point],
    path: Path | str | None,
    title: str = "",
    levels: Mapping[str, float] | None = None,
    what: str = "R",
) -> Figure:
    """Draw the objective of every evaluation, the best so far, and where failures lie.

    Parameters
    ----------
    points : sequence of Point
        The evaluations, in any order.
    path : Path or str
        PNG file to write; None writes none.
    title : str
        Title of the figure.
    levels : mapping of str to float, optional
        Objectives of known potentials as fractions, drawn as dashed lines with their names.
    what : str
        What the objective is called.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    figure = new_figure(9.0, 5.0)
    axes = figure.subplots()
    ordered = sorted(points, key=lambda point: point.index)
    good = [point for point in ordered if point.cost is not None]
    _stage_points(axes, good)
    _best_so_far(axes, [point for point in good if not point.given_up])
    _cost_scale(axes, good, levels or {})
    _failures(axes, [point for point in ordered if point.cost is None])
    level_lines(axes, levels or {})
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("evaluation")
    axes.set_ylabel(f"{what} (%)")
    light_grid(axes)
    if title:
        axes.set_title(title)
    if ordered:
        _fit_legend(figure, axes)
    else:
        axes.text(0.5, 0.5, "no evaluation yet", ha="center", transform=axes.transAxes)
    return save_figure(figure, path)


def _stage_points(axes: Axes, points: Sequence[Point]) -> None:
    for k, stage in enumerate(dict.fromkeys(point.stage for point in points)):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        for given_up in (False, True):
            chosen = [p for p in points if p.stage == stage and p.given_up == given_up]
            if not chosen:
                continue
            errors = np.array([100.0 * point.error for point in chosen])
            name = f"{stage or 'evaluation'}{', given up' if given_up else ''}"
            axes.errorbar(
                [point.index for point in chosen],
                [100.0 * (point.cost or 0.0) for point in chosen],
                yerr=np.where(np.isfinite(errors), errors, 0.0),
                fmt=marker,
                color=colour,
                mfc="none" if given_up else colour,
                ms=4.5,
                elinewidth=1.0,
                alpha=0.85,
                label=f"{name} ({len(chosen)})",
            )


def _best_so_far(axes: Axes, points: Sequence[Point]) -> None:
    if not points:
        return
    best = np.minimum.accumulate([100.0 * (point.cost or 0.0) for point in points])
    axes.step(
        [point.index for point in points],
        best,
        where="post",
        color="black",
        lw=1.6,
        zorder=3,
        label=f"best so far: {best[-1]:.2f} %",
    )


def _fit_legend(figure: Figure, axes: Axes) -> None:
    """List stages first, then the best and the failures (matplotlib lists lines first)."""
    entries = list(zip(*axes.get_legend_handles_labels(), strict=True))
    entries.sort(key=lambda entry: isinstance(entry[0], Line2D))
    figure.legend(
        [handle for handle, _ in entries],
        [label for _, label in entries],
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )


def _cost_scale(axes: Axes, points: Sequence[Point], levels: Mapping[str, float]) -> None:
    """Choose a logarithmic axis where costs span decades, and leave room for failures."""
    ends = [
        100.0 * (point.cost or 0.0) + sign * 100.0 * point.error
        for point in points
        for sign in (-1.0, 0.0, 1.0)
    ]
    ends += [100.0 * level for level in levels.values()]
    values = [x for x in ends if math.isfinite(x) and x > 0.0]
    if not values:
        axes.set_ylim(0.0, 100.0)
        return
    low, high = min(values), max(values)
    if high > LOG_SPAN * low:
        logarithmic(axes, "y", (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
        axes.set_ylim(low * (low / high) ** 0.15, high * (high / low) ** 0.06)
    else:
        span = (high - low) or 0.2 * high
        axes.set_ylim(max(low - 0.18 * span, 0.0), high + 0.08 * span)


def _failures(axes: Axes, points: Sequence[Point]) -> None:
    if not points:
        return
    counts = Counter(shorten(point.reason or "no reason", 32) for point in points)
    common = counts.most_common(3)
    rest = len(points) - sum(count for _, count in common)
    named = ", ".join(f"{reason} {count}" for reason, count in common)
    named += f", others {rest}" if rest else ""
    axes.plot(
        [point.index for point in points],
        [0.03] * len(points),
        transform=axes.get_xaxis_transform(),
        marker="|",
        ls="",
        ms=12,
        mew=1.4,
        color="0.35",
        label=f"failed: {len(points)} ({named})",
    )


def level_lines(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw dashed lines with their names at the right, moved apart where they would touch."""
    ordered = sorted(levels.items(), key=lambda item: item[1])
    to_axes = axes.transScale + axes.transLimits
    heights = [float(to_axes.transform((0.0, 100.0 * level))[1]) for _, level in ordered]
    for height, label_height, (name, level) in zip(heights, _spread(heights), ordered, strict=True):
        axes.axhline(100.0 * level, color="0.45", ls="--", lw=1.0, zorder=1)
        axes.annotate(
            f"{name} {100.0 * level:.1f} %",
            xy=(1.0, height),
            xytext=(1.03, label_height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color="0.3",
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.8, "shrinkA": 1, "shrinkB": 0},
        )


def _spread(heights: Sequence[float]) -> list[float]:
    """Move increasing heights up just enough to be LABEL_GAP apart."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + LABEL_GAP) if moved else height)
    return moved
