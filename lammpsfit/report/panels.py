"""Curves of several potentials beside known ones, one panel for each quantity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammpsfit.report.figures import COLOURS, LINES, logarithmic, new_figure, save_figure
from lammpsfit.report.html import Markup
from lammpsfit.report.html import picture as embedded
from lammpsfit.structure.rdf import FloatArray

NARROW_WIDTH: Final = 5.5
"""Inches of the narrowest figure."""

KNOWN: Final = (("0.72", 5.0, "-"), ("0.45", 2.2, ":"), ("0.45", 2.2, "-."))
"""Grey, width and line of known curves: the first is what the others are compared with."""

ROOM: Final = 1.05
"""Height of an axis that begins at zero, in units of the highest curve at least."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve, shape (n,) each, and its standard error where there is one."""

    x: FloatArray
    y: FloatArray
    error: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """One quantity: curves of potentials, known ones, and guides for the eye, by label."""

    title: str
    curves: Mapping[str, Curve]
    known: Mapping[str, Curve] = field(default_factory=dict)
    guides: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Picture:
    """Panels with the same axes.

    Attributes
    ----------
    name : str
        Name in files.
    title : str
        What it shows, for people.
    x, y : str
        Labels of the axes.
    column : str
        Name of x in tables.
    panels : sequence of Panel
        In their order.
    x_range : (float, float), optional
        Range of x that is drawn; all of the curves by default.
    logarithmic : bool
        Whether both axes are.
    """

    name: str
    title: str
    x: str
    y: str
    column: str
    panels: Sequence[Panel]
    x_range: tuple[float, float] | None = None
    logarithmic: bool = False


def panels_markup(picture: Picture, alt: str, caption: object = "") -> Markup:
    """Embed a picture, whose panels stand one below the other where the screen is narrow."""
    narrow = plot_panels(picture, None, columns=1) if len(picture.panels) > 1 else None
    return embedded(plot_panels(picture, None), alt, caption, wide=True, narrow=narrow)


def plot_panels(
    picture: Picture, path: Path | str | None, heading: str = "", columns: int = 3
) -> Figure:
    """Draw a picture; bands are twice the standard error.

    Parameters
    ----------
    picture : Picture
        What to draw.
    path : Path or str
        PNG file to write; None writes none.
    heading : str
        Title of the figure.
    columns : int
        Most panels side by side.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    n = len(picture.panels)
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    figure = new_figure(max(4.0 * columns + 0.4, NARROW_WIDTH), 3.3 * rows + 0.8)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    labels = list(dict.fromkeys(label for p in picture.panels for label in p.curves))
    known = list(dict.fromkeys(label for p in picture.panels for label in p.known))
    guides = list(dict.fromkeys(label for p in picture.panels for label in p.guides))
    for one in axes[n:]:
        one.set_axis_off()
    for k, (one, panel) in enumerate(zip(axes, picture.panels, strict=False)):
        _panel(one, panel, labels, known, picture)
        one.set_xlabel(picture.x)
        if k % columns == 0:
            one.set_ylabel(picture.y)
    _legend(figure, list(axes[:n]), [*known, *labels, *guides])
    if heading:
        figure.suptitle(heading)
    return save_figure(figure, path)


def _panel(
    axes: Axes, panel: Panel, labels: Sequence[str], known: Sequence[str], picture: Picture
) -> None:
    if picture.logarithmic:
        logarithmic(axes, "x", (1.0, 2.0, 5.0))
        logarithmic(axes, "y", (1.0, 2.0, 5.0))
    for label, curve in panel.known.items():
        grey, width, line = KNOWN[known.index(label) % len(KNOWN)]
        axes.plot(curve.x, curve.y, color=grey, lw=width, ls=line, label=label, zorder=1)
    for label, curve in panel.guides.items():
        axes.plot(curve.x, curve.y, color="0.5", lw=1.0, ls="--", label=label, zorder=1)
    for label, curve in panel.curves.items():
        k = labels.index(label)
        colour, line = COLOURS[k % len(COLOURS)], LINES[(k + k // len(COLOURS)) % len(LINES)]
        dot = "o" if len(curve.x) == 1 else None  # a line of one point would not be seen
        axes.plot(
            curve.x, curve.y, color=colour, ls=line, lw=1.5, marker=dot, label=label, zorder=3
        )
        if curve.error is not None and np.all(np.isfinite(curve.error)):
            low, high = curve.y - 2 * curve.error, curve.y + 2 * curve.error
            axes.fill_between(curve.x, low, high, color=colour, alpha=0.25, lw=0, zorder=2)
    axes.set_title(panel.title)
    if picture.x_range is not None:
        axes.set_xlim(*picture.x_range)
    if not picture.logarithmic and min(c.y.min() for c in panel.curves.values()) >= 0:
        highest = max(c.y.max() for c in panel.curves.values())
        axes.set_ylim(0.0, max(axes.get_ylim()[1], ROOM * highest))


def _legend(figure: Figure, panels: Sequence[Axes], order: Sequence[str]) -> None:
    """Put one legend under the figure, known curves first."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    shown = [label for label in order if label in handles]
    figure.legend(
        [handles[label] for label in shown],
        shown,
        loc="outside lower center",
        ncols=min(6 if figure.get_figwidth() > NARROW_WIDTH else 3, len(shown)),
        frameon=False,
    )
