"""Pictures of a search: its work, its path, the surrogate it believed, cost against complexity.

Figures are made, not written: pages embed them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from lammpsfit.report.convergence import level_lines
from lammpsfit.report.figures import (
    COLOURS,
    LINES,
    MARKERS,
    as_it_stands,
    light_grid,
    logarithmic,
    new_figure,
)
from lammpsfit.report.run_view import FloatArray, Plane, Points, Record, Slice, Slices

COST_MAP: Final = "cividis_r"
"""Colours of R: one ramp of lightness, the same to people with colour-blindness."""

PANELS: Final = 4
"""Parameters drawn against each other: those that moved most."""


def plot_work(records: Sequence[Record]) -> Figure:
    """Draw the MD work and the time that were spent up to each evaluation."""
    figure = new_figure(4.4, 3.6)
    axes = figure.subplots()
    n = np.arange(1, len(records) + 1)
    work = np.cumsum([record.get("atom_steps", 0) for record in records]) / 1e6
    hours = np.array([record.get("wall", np.nan) for record in records]) / 60.0
    axes.plot(n, work, color=COLOURS[0], lw=1.8, label="MD work")
    axes.set_xlabel("evaluation")
    axes.set_ylabel("10⁶ atom steps")
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    other = axes.twinx()
    other.plot(n, hours, color=COLOURS[1], ls="--", lw=1.8, label="time since the start")
    other.set_ylabel("min")
    other.set_ylim(bottom=0.0)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return as_it_stands(figure)


def plot_line(points: Points, line: Slice, held: float) -> Figure:
    """Draw the surrogate along one parameter: R with its 95 % band, and what could be gained."""
    figure = new_figure(4.4, 4.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1.0])
    draw_line(upper, lower, points, line, held)
    handles, labels = upper.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize="small"
    )
    return as_it_stands(figure)


def draw_line(upper: Axes, lower: Axes, points: Points, line: Slice, held: float) -> None:
    """Draw the surrogate along one parameter (`upper`) and what could be gained (`lower`)."""
    k = points.names.index(line.name)
    colour = COLOURS[0]
    upper.fill_between(
        line.values, 100 * line.low, 100 * line.high, color=colour, alpha=0.2, lw=0, label="95 %"
    )
    upper.plot(line.values, 100 * line.mean, color=colour, lw=1.8, label="Gaussian process")
    for row, closeness in zip(line.near, line.closeness, strict=True):
        if not np.isfinite(points.cost[row]):
            continue
        upper.errorbar(
            points.values[row, k],
            100 * points.cost[row],
            yerr=100 * points.error[row] if np.isfinite(points.error[row]) else None,
            fmt="o",
            ms=4.5,
            color=COLOURS[1],
            alpha=float(max(closeness, 0.15)),
        )
    faint = ", faint where far" if len(points.names) > 1 else ""
    upper.plot([], [], "o", ms=4.5, color=COLOURS[1], label=f"runs{faint}")
    _log_if_wide(upper, 100 * line.mean)
    upper.set_ylabel(f"{points.what} (%)")
    lower.plot(line.values, 100 * line.gain, color=COLOURS[2], lw=1.8)
    lower.set_ylim(bottom=0.0)
    lower.set_ylabel(f"EI (% of {points.what})")
    lower.set_xlabel(line.name)
    for axes in (upper, lower):
        axes.axvline(held, color="0.3", ls=":", lw=1.2)
        _forbidden_spans(axes, line)
        axes.set_xlim(line.values[0], line.values[-1])


def plot_plane(points: Points, slices: Slices, plane: Plane) -> Figure:
    """Draw the surrogate over two parameters with the evaluations, and the path to the best."""
    figure = new_figure(6.4, 5.6)
    axes = figure.subplots()
    i, j = plane.axes
    filled = draw_plane(axes, plane)
    if filled is not None:
        add_cost_bar(figure, filled, [axes], f"{points.what} (%), believed")
    _stage_marks(axes, points, i, j)
    path = points.values[list(points.path)]
    axes.plot(path[:, i], path[:, j], "-", color="black", lw=1.6, label="path to the best")
    axes.plot(*slices.best[[i, j]], "*", ms=15, mfc="white", mec="black", label="best")
    axes.set(xlabel=points.names[i], ylabel=points.names[j])
    axes.set_xlim(*points.bounds[i])
    axes.set_ylim(*points.bounds[j])
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return as_it_stands(figure)


def draw_plane(axes: Axes, plane: Plane) -> QuadContourSet | None:
    """Draw the surrogate over two parameters, ln R as colours; None where it is the same all over.

    Hatched is where the guard against collapse lets no search go.
    """
    cost = 100 * plane.mean
    levels = np.geomspace(cost.min(), cost.max() * (1 + 1e-9), 15)
    filled = None
    if levels[-1] / levels[0] > 1 + 1e-6:
        filled = axes.contourf(plane.x, plane.y, np.log(cost), np.log(levels), cmap=COST_MAP)
    if not plane.allowed.all():
        axes.contourf(plane.x, plane.y, ~plane.allowed, [0.5, 1.5], colors=["0.9"], hatches=["///"])
    return filled


def add_cost_bar(
    figure: Figure, filled: QuadContourSet, panels: Sequence[Axes], label: str
) -> None:
    """Add a bar that tells R in % of what :func:`draw_plane` drew into `panels`."""
    bar = figure.colorbar(filled, ax=panels, label=label, ticks=np.asarray(filled.levels)[::2])
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{np.exp(x):.3g}"))


def plot_path(points: Points) -> Figure:
    """Draw R and the parameters along the path to the best."""
    figure = new_figure(6.4, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.0, 1.5])
    rows = list(points.path)
    steps = np.arange(len(rows))
    error = np.where(np.isfinite(points.error[rows]), points.error[rows], 0.0)
    upper.errorbar(
        steps, 100 * points.cost[rows], 100 * error, fmt="o-", color="black", ms=4, lw=1.4
    )
    upper.set_ylabel(f"{points.what} (%)")
    _log_if_wide(upper, 100 * points.cost[rows])
    for k in range(len(points.names)):
        colour, line = COLOURS[k % len(COLOURS)], LINES[(k // len(COLOURS)) % len(LINES)]
        marker = MARKERS[k % len(MARKERS)]
        style = {"ls": line, "marker": marker, "color": colour, "ms": 3.5, "lw": 1.4}
        lower.plot(steps, points.unit[rows, k], label=points.names[k], **style)
    lower.set_ylim(-0.04, 1.04)
    lower.set_ylabel("place within the bounds")
    lower.set_yticks([0, 0.5, 1], ["lower", "middle", "upper"])
    lower.set_xlabel("step of the path")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return as_it_stands(figure)


def moved_most(points: Points) -> list[int]:
    """Return the parameters that the path moved most within their bounds, at most PANELS."""
    rows = list(points.path)
    travel = np.ptp(points.unit[rows], axis=0) if rows else np.zeros(len(points.names))
    return [int(k) for k in np.argsort(-travel, kind="stable")[:PANELS]]


def plot_pair_path(points: Points, i: int, j: int) -> Figure:
    """Draw all evaluations in the plane of two parameters, and the path to the best."""
    figure = new_figure(4.4, 4.0)
    axes = figure.subplots()
    good = np.isfinite(points.cost)
    low, high = (100 * float(f(points.cost[good])) for f in (np.min, np.max))
    norm = LogNorm(low, high)
    stages = np.array(points.stages)
    for k, stage in enumerate(dict.fromkeys(points.stages)):
        chosen = good & (stages == stage)
        axes.scatter(
            points.values[chosen, i],
            points.values[chosen, j],
            c=100 * points.cost[chosen],
            marker=MARKERS[k % len(MARKERS)],
            cmap=COST_MAP,
            norm=norm,
            s=26,
            edgecolor="0.3",
            linewidth=0.5,
            zorder=3,
        )
    bar = figure.colorbar(ScalarMappable(norm, COST_MAP), ax=axes, label=f"{points.what} (%)")
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_locator(FixedLocator(np.geomspace(low, high, 4).tolist()))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.plot(*points.values[~good][:, [i, j]].T, "x", color="0.5", ms=4, zorder=2)
    path = points.values[list(points.path)]
    axes.plot(path[:, i], path[:, j], "-", color=COLOURS[1], lw=1.5, zorder=2)
    axes.plot(*path[0, [i, j]], "s", ms=9, mfc="none", mec="black", zorder=4)
    axes.plot(*path[-1, [i, j]], "*", ms=14, mfc="white", mec="black", zorder=4)
    axes.set(xlabel=points.names[i], ylabel=points.names[j])
    return as_it_stands(figure)


def plot_complexity(
    runs: Sequence[tuple[str, int, float, float, bool]],
    levels: Mapping[str, float],
    what: str = "R",
) -> Figure:
    """Draw the objective of several fits against their numbers of free parameters.

    Parameters
    ----------
    runs
        Name, free parameters, objective, its error, and whether it is confirmed.
    levels
        That of known potentials, by name.
    what
        What it is called.
    """
    figure = new_figure(7.0, 4.8)
    axes = figure.subplots()
    for k, (name, free, cost, error, confirmed) in enumerate(runs):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        axes.errorbar(
            free,
            100 * cost,
            100 * error if np.isfinite(error) else None,
            fmt=marker,
            ms=8,
            capsize=3,
            color=colour,
            mfc=colour if confirmed else "none",
            label=name if confirmed else f"{name} (not confirmed)",
        )
    highest = max([cost for _, _, cost, _, _ in runs] + list(levels.values()))
    axes.set_ylim(0.0, 108 * highest)
    level_lines(axes, levels)
    axes.margins(x=0.15)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("free parameters")
    axes.set_ylabel(f"{what} (%)")
    light_grid(axes, "y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return as_it_stands(figure)


def _stage_marks(axes: Axes, points: Points, i: int, j: int) -> None:
    failed = ~np.isfinite(points.cost)
    for k, stage in enumerate(dict.fromkeys(points.stages)):
        chosen = np.array([s == stage for s in points.stages]) & ~failed
        axes.plot(
            *points.values[chosen][:, [i, j]].T,
            MARKERS[k % len(MARKERS)],
            ms=6,
            color=("#FFFFFF", *COLOURS[4:0:-1])[k % 5],
            mec="black",
            mew=0.7,
            label=stage,
        )
    if failed.any():
        axes.plot(*points.values[failed][:, [i, j]].T, "x", color="black", ms=5, label="no cost")


def _forbidden_spans(axes: Axes, line: Slice) -> None:
    """Hatch what is forbidden from bottom to top, whatever the limits will be."""
    if line.allowed.all():
        return
    axes.fill_between(
        line.values,
        0.0,
        1.0,
        where=~line.allowed,
        transform=axes.get_xaxis_transform(),
        zorder=0,
        facecolor="0.9",
        edgecolor="0.6",
        hatch="///",
        linewidth=0.0,
    )


def _log_if_wide(axes: Axes, values: FloatArray) -> None:
    """Choose a logarithmic axis with plain numbers where costs span more than a factor of 3."""
    values = values[np.isfinite(values) & (values > 0)]
    if values.size and values.max() > 3 * values.min():
        logarithmic(axes, "y", (1.0, 2.0, 3.0, 5.0, 7.0))
