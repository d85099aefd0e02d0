"""The uncertainty of a fit, as the ``uncertainty`` of ``result.json`` has it: lines and picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lammpsfit.report.figures import light_grid, logarithmic, new_figure, save_figure
from lammpsfit.words import objective_words

MAP: Final = "PuOr_r"
"""Purple to orange: people with colour-blindness tell its ends apart."""

FACTOR: Final = 0.4
"""Error of a logarithm from which on it is given as a factor, not in per cent."""

DECADES: Final = 100.0
"""Ratio of the ends of an axis from which on only its powers of ten are named."""

NOT_RESOLVED: Final = "not resolved"
"""Said where these runs tell nothing; no number stands there."""

NOTHING_RESOLVED: Final = (
    "these runs resolve no combination of the parameters: run more evaluations (limits.evaluations)"
    " or longer ones (protocol.sample)"
)

MOST_WRITTEN: Final = 18
"""Parameters up to which the cells hold their numbers; they are small where there are more."""

CELL: Final = 0.62
"""Side of a cell with its number in inches, ..."""

SMALL_CELL: Final = 0.24
"""... and without."""

DARK: Final = (-0.5, 0.6)
"""Values beyond which a cell is so dark that it is written in white."""


def uncertainty_lines(block: Mapping[str, Any], values: Mapping[str, float]) -> Iterator[str]:
    """Return lines on how well the runs resolve the parameters.

    Parameters
    ----------
    block
        The ``uncertainty`` of a result.
    values
        The fitted parameters.
    """
    rise, what = 100 * block["rise"], block.get("minimised", "R")
    if not any(direction["resolved"] for direction in block["directions"]):
        yield NOTHING_RESOLVED
        return
    yield (
        f"parameters with errors, and how far each may go before {objective_words(what)} rises by "
        f"{rise:.2f} points{_held(block)}:"
    )
    for name, value in values.items():
        note = ", at its bound" if name in block["at_bound"] else ""
        yield f"{name:>10} = {value:<9.5g} {_known_words(block, name, value)}{note}"
    yield "what the runs resolve, from the best known combination to the least:"
    for direction in block["directions"]:
        yield f"  {direction['words']}"
    yield from _ensemble_lines(block["ensemble"], what)


def _held(block: Mapping[str, Any]) -> str:
    """Return a remark on what stays fixed, if some combinations are not resolved."""
    some = not all(direction["resolved"] for direction in block["directions"])
    return " (what is not resolved stays fixed)" if some else ""


def _known_words(block: Mapping[str, Any], name: str, value: float) -> str:
    """Return the error of a parameter and its range, in words."""
    error, reach, relative = block["errors"][name], block["reach"][name], block["relative"][name]
    if error is None:
        return NOT_RESOLVED
    words = f"{error_words(error)}{'' if relative else ' of its range'}"
    if reach is None:
        return f"{words}, range {NOT_RESOLVED}"
    low, high = _span(value, reach, block["bounds"][name], relative)
    return f"{words}, {low:.4g} to {high:.4g}"


def error_words(error: float | None) -> str:
    """Give the standard error of a logarithm; say so where it is not resolved."""
    if error is None:
        return NOT_RESOLVED
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


def _ensemble_lines(ensemble: Sequence[Mapping[str, Any]], what: str) -> Iterator[str]:
    checked = [member for member in ensemble if "measured" in member or "failed" in member]
    if not checked:
        return
    yield f"potentials as good by these errors, {what} predicted and measured:"
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
    errors = np.array([np.nan if e is None else e for e in block["errors"].values()])
    loadings = np.array([list(d["loadings"].values()) for d in directions]).T
    d = len(names)
    written = d <= MOST_WRITTEN
    side = max((CELL if written else SMALL_CELL) * d, 2.6)
    figure = new_figure(2 * side + 2.6, side + 2.9)
    grid = figure.subplots(
        2, 2, height_ratios=[1.5, side], sharex="col", gridspec_kw={"hspace": 0.0}
    )
    grid[0, 0].set_axis_off()
    correlation = covariance / np.outer(errors, errors)
    _cells(grid[1, 0], correlation, names, names, written=written)
    grid[1, 0].set_title("correlation of the parameters")
    grid[1, 0].tick_params(axis="x", rotation=90)
    _spectrum(grid[0, 1], directions)
    known = np.where([direction["resolved"] for direction in directions], loadings, np.nan)
    _cells(grid[1, 1], known, names, [str(k) for k in range(1, d + 1)], written=written)
    grid[1, 1].set_xlabel("combination, from the stiffest to the softest")
    figure.supxlabel(
        "cells on the right: power of each parameter in the combination; grey: not resolved by "
        "these runs",
        fontsize="small",
    )
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _spectrum(axes: Axes, directions: Sequence[Mapping[str, Any]]) -> None:
    """Draw the error and the reach of each direction in per cent, on a logarithmic axis."""
    for key, colour, marker, label in (
        ("error", "#0072B2", "o", "standard error"),
        ("reach", "#D55E00", "s", "change with little effect"),
    ):
        axes.plot(
            range(len(directions)),
            [np.nan if one[key] is None else 100 * one[key] for one in directions],
            marker,
            ls="-",
            color=colour,
            lw=1.0,
            ms=5.5,
            label=label,
        )
    low, high = axes.get_ylim()
    logarithmic(axes, "y", (1.0,) if high > DECADES * max(low, 1e-9) else (1.0, 2.0, 5.0))
    axes.set_ylabel("change (%)")
    light_grid(axes)
    axes.tick_params(axis="x", which="both", labelbottom=False, length=0)
    axes.legend(frameon=False, fontsize="small", loc="best")
    axes.set_title("combinations of parameters")


def _cells(
    axes: Axes,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    written: bool,
) -> None:
    """Draw values from -1 to 1 as cells, with their numbers; those that are NaN are grey."""
    axes.set_facecolor("0.88")
    axes.imshow(values, cmap=MAP, vmin=-1.0, vmax=1.0, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        if np.isnan(value) or not written:
            continue
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
