"""Pictures of results: pair distributions, the course of a fit, pair potentials.

Every function draws on a figure of its own (no pyplot, no global state), writes a PNG whole
or not at all, and returns the figure. Colours are those of Okabe and Ito, which people with
colour-blindness can tell apart (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Final, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from lammpsfit.files import replacing
from lammpsfit.structure.rdf import PartialRdf

FloatArray = NDArray[np.float64]
Curve = tuple[ArrayLike, ArrayLike]
"""r in Å and U(r) in eV, of the same length."""

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LINES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DPI: Final = 110
LOG_SPAN: Final = 5.0
"""Costs that span more than this factor are drawn on a logarithmic axis."""
LEGEND_WIDTH: Final = 2.1
"""Room for one entry of a legend, in inches."""
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
        Cost as a fraction; None where the evaluation failed.
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
    columns = n if n <= 3 else math.ceil(n / 2)
    rows = math.ceil(n / columns)
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


def plot_convergence(
    points: Sequence[Point],
    path: Path | str | None,
    title: str = "",
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Draw the cost of every evaluation, the best so far, and where failures lie.

    Parameters
    ----------
    points : sequence of Point
        The evaluations, in any order.
    path : Path or str
        PNG file to write; None writes none.
    title : str
        Title of the figure.
    levels : mapping of str to float, optional
        Costs of known potentials as fractions, drawn as dashed lines with their names.

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
    axes.set_ylabel("R (%)")
    light_grid(axes)
    if title:
        axes.set_title(title)
    if ordered:
        _fit_legend(figure, axes)
    else:
        axes.text(0.5, 0.5, "no evaluation yet", ha="center", transform=axes.transAxes)
    return save_figure(figure, path)


def plot_pair_curves(
    curves: Mapping[str, Mapping[str, Curve]],
    path: Path | str | None,
    title: str = "",
    r_range: tuple[float, float] = (1.0, 6.0),
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

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    n = max(len(curves), 1)
    columns = n if n <= 3 else math.ceil(n / 2)
    rows = math.ceil(n / columns)
    figure = new_figure(4.0 * columns + 0.4, 3.8 * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    labels = list(dict.fromkeys(label for pair in curves.values() for label in pair))
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    for axes, (pair, by_label) in zip(panels, curves.items(), strict=False):
        _pair_panel(axes, by_label, labels, r_range)
        axes.set_title(pair)
        axes.set_xlabel("r (Å)")
    for k in range(0, len(curves), columns):
        panels[k].set_ylabel("U(r) (eV)")
    _shared_legend(figure, list(panels[: len(curves)]))
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure; width and height in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def light_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Draw a grid that stays behind everything."""
    axes.grid(visible=True, axis=axis, color="0.92")
    axes.set_axisbelow(True)


def logarithmic(axes: Axes, which: Literal["x", "y"], ticks: Sequence[float]) -> None:
    """Make an axis logarithmic, with plain numbers at these places of every decade."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def save_figure(figure: Figure, path: Path | str | None) -> Figure:
    """Write a PNG whole or not at all; None writes none."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # titles and names are a user's: a $ in them is no formula
    if path is None:
        return figure
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
    return figure


def _legend_columns(figure: Figure) -> int:
    """As many columns as a legend under the figure has room for."""
    return min(4, int(figure.get_figwidth() // LEGEND_WIDTH))


def _style(k: int) -> tuple[str, str]:
    """Colour and line of the k-th curve; the pair repeats after every combination."""
    return COLOURS[k % len(COLOURS)], LINES[(k + k // len(COLOURS)) % len(LINES)]


def _rdf_panel(
    upper: Axes, lower: Axes, reference: PartialRdf, curves: Mapping[str, PartialRdf], pair: str
) -> None:
    target = reference.reorder([pair]).g[0]
    upper.plot(reference.r, target, color="0.72", lw=5, label="reference", solid_capstyle="round")
    lower.axhline(0.0, color="0.72", lw=2)
    for k, (label, rdf) in enumerate(curves.items()):
        one = rdf.reorder([pair])
        colour, line = _style(k)
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
        ncols=_legend_columns(figure),
        frameon=False,
        title=definition or None,
        title_fontsize="small",
    )


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


def _pair_panel(
    axes: Axes, by_label: Mapping[str, Curve], labels: Sequence[str], r_range: tuple[float, float]
) -> None:
    radii, energies = [np.zeros(0)], [np.zeros(0)]
    for label, curve in by_label.items():
        r, U = (np.asarray(values, dtype=np.float64) for values in curve)
        shown = (r >= r_range[0]) & (r <= r_range[1])
        colour, line = _style(labels.index(label))
        axes.plot(r[shown], U[shown], color=colour, ls=line, lw=1.6, label=label)
        radii.append(r[shown])
        energies.append(U[shown])
    axes.axhline(0.0, color="0.8", lw=0.8, zorder=0)
    axes.set_xlim(*r_range)
    low, high = _energy_range(np.concatenate(radii), np.concatenate(energies), r_range)
    if high > low:
        axes.set_ylim(low - 0.05 * (high - low), high)


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
            ncols=_legend_columns(figure),
            frameon=False,
        )
