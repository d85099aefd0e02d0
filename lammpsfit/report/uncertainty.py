"""The uncertainty of a fit, as the ``uncertainty`` of ``result.json`` has it: lines and picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from lammpsfit.report.figures import light_grid, new_figure, save_figure

MAP: Final = "PuOr_r"
"""Purple to orange: people with colour-blindness tell its ends apart."""

FACTOR: Final = 0.4
"""Error of a logarithm from which on it is given as a factor, not in per cent."""

DARK: Final = (-0.5, 0.6)
"""Values beyond which a cell is so dark that it is written in white."""


def uncertainty_lines(block: Mapping[str, Any], values: Mapping[str, float]) -> Iterator[str]:
    """Say how well a fit determines its parameters, line by line.

    Parameters
    ----------
    block
        The ``uncertainty`` of a result.
    values
        The fitted parameters.
    """
    rise = 100 * block["rise"]
    yield f"errors of the parameters, and how far each may go while R rises by {rise:.2f} points:"
    for name, value in values.items():
        error, relative = error_words(block["errors"][name]), block["relative"][name]
        low, high = _span(value, block["reach"][name], block["bounds"][name], relative)
        unit = "" if relative else " of its range"
        note = ", at its bound" if name in block["at_bound"] else ""
        yield f"{name:>10} = {value:<9.5g} {error}{unit}, {low:.4g} to {high:.4g}{note}"
    yield "what the runs determine, from the best known combination to the least:"
    for direction in block["directions"]:
        yield f"  {direction['words']}"
    yield from _ensemble_lines(block["ensemble"])


def error_words(error: float) -> str:
    """Give the standard error of a logarithm."""
    return f"×÷ {math.exp(error):.2g}" if error >= FACTOR else f"± {100 * error:.2g} %"


def _span(
    value: float, reach: float, bounds: tuple[float, float], relative: bool
) -> tuple[float, float]:
    """Return the range of a parameter within its reach and its bounds."""
    low, high = bounds
    if relative:
        ends = sorted((value * math.exp(-reach), value * math.exp(reach)))
    else:
        ends = [value - reach * (high - low), value + reach * (high - low)]
    return max(low, ends[0]), min(high, ends[1])


def _ensemble_lines(ensemble: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    checked = [member for member in ensemble if "measured" in member or "failed" in member]
    if not checked:
        return
    yield "potentials as good by these errors, R predicted and measured:"
    for k, member in enumerate(checked, 1):
        measured = (
            f"{100 * member['measured']:.2f} ± {100 * member['measured_error']:.2f} %"
            if "measured" in member
            else f"failed: {member['failed']}"
        )
        yield f"  {k}: {100 * member['predicted']:.2f} %, {measured}"


def plot_uncertainty(block: Mapping[str, Any], path: Path | str | None, title: str = "") -> Figure:
    """Draw how parameters hang together, and which combinations are known.

    Left the correlation of the parameters; right the directions from the stiffest to the
    softest, each a column of loadings under its error.

    Parameters
    ----------
    block
        The ``uncertainty`` of a result.
    path
        PNG file to write; None writes none.
    title
        Title of the figure.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    names = list(block["errors"])
    directions = block["directions"]
    covariance = np.array(block["covariance"])
    errors = np.sqrt(np.diag(covariance))
    loadings = np.array([list(d["loadings"].values()) for d in directions]).T
    d = len(names)
    side = max(0.62 * d, 2.6)
    figure = new_figure(2 * side + 2.6, side + 2.9)
    grid = figure.subplots(
        2, 2, height_ratios=[1.5, side], sharex="col", gridspec_kw={"hspace": 0.0}
    )
    grid[0, 0].set_axis_off()
    _cells(grid[1, 0], covariance / np.outer(errors, errors), names, names)
    grid[1, 0].set_title("correlation of the parameters")
    grid[1, 0].tick_params(axis="x", rotation=90)
    _spectrum(grid[0, 1], directions)
    _cells(grid[1, 1], loadings, names, [str(k) for k in range(1, d + 1)])
    grid[1, 1].set_xlabel("combination, from the stiffest to the softest")
    figure.supxlabel(
        "cells on the right: power of each parameter in the combination; hollow: not determined "
        "within the bounds",
        fontsize="small",
    )
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _spectrum(axes: Axes, directions: Sequence[Mapping[str, Any]]) -> None:
    """Draw the error and the reach of each direction in per cent, on a logarithmic axis."""
    for key, colour, marker, label in (
        ("error", "#0072B2", "o", "standard error"),
        ("reach", "#D55E00", "s", "change that R hardly feels"),
    ):
        axes.plot(
            range(len(directions)),
            [100 * direction[key] for direction in directions],
            color=colour,
            lw=1.0,
            label=label,
        )
        for k, direction in enumerate(directions):
            fill = colour if direction["determined"] else "white"
            axes.plot(k, 100 * direction[key], marker, color=colour, mfc=fill, ms=5.5)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("change (%)")
    light_grid(axes)
    axes.tick_params(axis="x", which="both", labelbottom=False, length=0)
    axes.legend(frameon=False, fontsize="small", loc="best")
    axes.set_title("combinations of parameters")


def _cells(
    axes: Axes, values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Draw values from -1 to 1 as annotated cells."""
    axes.imshow(values, cmap=MAP, vmin=-1.0, vmax=1.0, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        axes.text(
            j,
            i,
            f"{value:z.2f}".replace("-", "−").replace("0.", "."),
            ha="center",
            va="center",
            fontsize="small",
            color="0.15" if DARK[0] < value < DARK[1] else "white",
        )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="white", lw=1.0)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
