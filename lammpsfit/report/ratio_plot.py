"""Values over known ones, a row for each quantity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from lammpsfit.report.figures import COLOURS, light_grid, new_figure, save_figure


@dataclass(frozen=True)
class Ratio:
    """A quantity: its name, its value over the known one, and the standard error of that."""

    name: str
    ratio: float
    error: float | None = None


def plot_ratios(rows: Sequence[Ratio], path: Path | str | None, title: str = "") -> Figure:
    """Draw values over known ones with twice their standard errors, the first row at the top.

    Parameters
    ----------
    rows : sequence of Ratio
        One at least.
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
    figure = new_figure(5.2, 0.34 * len(rows) + 1.3)
    axes = figure.subplots()
    places = range(len(rows))
    axes.axvline(1.0, color="0.5", lw=1.0, zorder=1)
    axes.errorbar(
        [row.ratio for row in rows],
        list(places),
        xerr=[2.0 * (row.error or 0.0) for row in rows],
        fmt="o",
        color=COLOURS[0],
        capsize=3.0,
        zorder=3,
    )
    axes.set_yticks(list(places), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.1)
    axes.set_xlabel("value / literature")
    light_grid(axes, "x")
    if title:
        axes.set_title(title)
    return save_figure(figure, path)
