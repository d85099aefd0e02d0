"""Figures of searches: the surrogate along one parameter, paths over two, R against complexity.

The surrogates are made again from what the searches were told; nothing is run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from runs import FITTED, HERE, job_of

from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.fit.run.open_fit import Fit
from lammpsfit.fit.run.run_folder import RunFolder
from lammpsfit.report.figures import COLOURS, new_figure, save_figure
from lammpsfit.report.run_view import Plane, Points, Slices
from lammpsfit.report.search_plots import add_cost_bar, draw_line, draw_plane, plot_complexity
from lammpsfit.run_pages.slices import surrogate_slices
from lammpsfit.run_pages.view import points_of

AXES: Final = ("q_Si", "A_Si-O")
SEARCHES: Final = {
    "search": "EI, then conjugate gradients",
    "descent": "conjugate gradients alone",
    "differences": "the same, gradients by differences",
}

SHOWN: Final = (15_000.0, 28_000.0)
"""eV; below, the Si-O of BKS has no wall of its own, and the guard forbids all."""


@dataclass(frozen=True)
class Told:
    """A search as far as it has come.

    Attributes
    ----------
    fit
        Its job, and what it was told.
    points
        That in its space, with the path to the best.
    slices
        The surrogate about the best.
    """

    fit: Fit
    points: Points
    slices: Slices


def told(data: Path, name: str, runs: int | None = None) -> Told:
    """Make the surrogate of a search after its first `runs` evaluations, or all."""
    job = job_of(name)
    conditions = build_conditions(job)
    records = read(data, name)["records"][:runs]
    fit = Fit(job, RunFolder(HERE), conditions, build_space(job, conditions), records)
    best = fit.best_so_far()
    assert best is not None
    slices = surrogate_slices(fit, np.array(best["x"]))
    assert slices is not None
    return Told(fit, points_of(fit, best), slices)


def draw_charge(data: Path, picture: Path) -> None:
    """Draw the Gaussian process and EI over q_Si as the search goes on (Fig. 2)."""
    design = job_of("line").strategy.design + 1
    every = len(read(data, "line")["records"])
    stages = sorted({min(n, every) for n in (design, design + 1, design + 3, every)})
    figure = new_figure(3.4 * len(stages), 4.4)
    panels = figure.subplots(2, len(stages), sharex=True, squeeze=False, height_ratios=[2.2, 1.0])
    for axes in panels[0, 1:]:
        axes.sharey(panels[0, 0])  # but not EI, which falls by orders of magnitude
    whole = told(data, "line").points
    for (upper, lower), n in zip(panels.T, stages, strict=True):
        known = told(data, "line", n)
        (line,) = known.slices.lines
        draw_line(upper, lower, known.points, line, float(known.slices.best[0]))
        upper.set_title(f"after {n} runs")
        if n < every:
            lower.plot(whole.values[n, 0], 0.0, "^", ms=8, color="black", clip_on=False, zorder=5)
    for axes in panels[:, 1:].ravel():
        axes.set_ylabel("")
    panels[0, 0].set_ylim(90 * np.nanmin(whole.cost), 130 * np.nanmax(whole.cost))
    panels[1, 0].plot([], [], "^", ms=8, color="black", label="run next")
    named = [axes.get_legend_handles_labels() for axes in panels[:, 0]]
    figure.legend(
        [handle for handles, _ in named for handle in handles],
        [label for _, labels in named for label in labels],
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    save_figure(figure, picture)


def draw_paths(data: Path, picture: Path) -> None:
    """Draw the map over (q_Si, A_Si-O), and searches from one start (Figs. 3, 4, 7)."""
    ground = told(data, "map")
    plane = _over(ground, *AXES)
    good = np.isfinite(ground.points.cost)
    columns = [ground.points.names.index(name) for name in AXES]
    figure = new_figure(14.0, 5.0)
    panels = figure.subplots(1, len(SEARCHES), sharex=True, sharey=True)
    for axes, (name, title) in zip(panels, SEARCHES.items(), strict=True):
        filled = draw_plane(axes, plane)
        axes.plot(*ground.points.values[good][:, columns].T, "o", ms=2.6, mfc="white", mec="0.3",
                  mew=0.4, label="runs of the map")  # fmt: skip
        _trail(axes, read(data, name)["records"])
        axes.set(title=title, xlabel=AXES[0], ylim=SHOWN)
    panels[0].set_ylabel(f"{AXES[1]} (eV)")
    assert filled is not None
    add_cost_bar(figure, filled, list(panels), "R (%), map")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    save_figure(figure, picture)


def _over(known: Told, x: str, y: str) -> Plane:
    """Return the plane with the parameters `x` and `y` along its axes."""
    plane = known.slices.plane
    assert plane is not None
    if known.points.names[plane.axes[0]] == x:
        return plane
    i, j = plane.axes
    return Plane((j, i), plane.y, plane.x, plane.mean.T, plane.allowed.T)


def _trail(axes: Axes, records: list[dict[str, Any]]) -> None:
    """Draw the runs of a search in their order, its start and its lowest."""

    def place(record: Mapping[str, Any]) -> tuple[float, float]:
        x, y = AXES
        return record["parameters"][x], record["parameters"][y]

    ok = [record for record in records if record["status"] == "ok"]
    stages = {"explore": COLOURS[1], "refine": COLOURS[2]}
    first = records[0]
    axes.plot(*place(first), "s", ms=9, mfc="white", mec="black", zorder=6, label="start")
    given = [record for record in ok if record["stage"] == "design"]
    axes.plot(*zip(*map(place, given), strict=True) if given else ([], []), "o", ms=6, mfc="white",
              mec="black", zorder=5, label="design")  # fmt: skip
    before = min((record for record in ok if record["stage"] in ("start", "design")), key=_R)
    for stage, colour in stages.items():
        ours = [record for record in ok if record["stage"] == stage]
        way = [place(record) for record in [before, *ours]] if ours else [place(before)]
        label = {"explore": "expected improvement", "refine": "conjugate gradients"}[stage]
        axes.plot(*zip(*way, strict=True), "o-", ms=4, lw=1.3, color=colour, mec="white", mew=0.5,
                  zorder=4, label=label)  # fmt: skip
        before = min([before, *ours], key=_R)
    axes.plot(*place(before), "*", ms=16, mfc="white", mec="black", zorder=7, label="lowest R")
    axes.annotate(
        f"{100 * _R(before):.1f} %",
        place(before),
        xytext=(-10, 8),
        textcoords="offset points",
        ha="right",
        zorder=8,
        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )


def _R(record: Mapping[str, Any]) -> float:
    return float(record["cost"])


def draw_complexity(data: Path, picture: Path) -> None:
    """Draw R against the number of free parameters (Fig. 8)."""
    runs, levels = [], {}
    for name in FITTED:
        result = read(data, name)["result"]
        best = result["best"]
        n = len(job_of(name).parameters)
        runs.append((f"fit, {n} parameters", n, best["cost"], best["cost_error"], True))
        levels |= {
            label: found["cost"]
            for label, found in result["confirmed"].items()
            if not label.startswith("fit") and "cost" in found
        }
    ordered = dict(sorted(levels.items(), key=lambda item: -item[1]))
    save_figure(plot_complexity(runs, ordered), picture)


def read(data: Path, name: str) -> dict[str, Any]:
    """Read the table of a run: its records, and its result."""
    content: dict[str, Any] = json.loads((data / f"{name}.json").read_text("utf-8"))
    return content
