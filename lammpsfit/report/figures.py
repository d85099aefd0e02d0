"""What all pictures share: colours and lines, an empty figure, axes, and how it is saved.

Every picture is drawn on a figure of its own (no pyplot, no global state), and its PNG is written
whole or not at all. Colours are those of Okabe and Ito, which people with colour-blindness can tell
apart (https://jfly.uni-koeln.de/color/).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from lammpsfit.files import replacing

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
LINES: Final = ("-", "--", "-.", ":")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DPI: Final = 110
LEGEND_WIDTH: Final = 2.1
"""Room for one entry of a legend, in inches."""


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure; width and height in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def panel_grid(n: int) -> tuple[int, int]:
    """Return rows and columns for `n` panels: up to three in one row, more in two.

    Examples
    --------
    >>> panel_grid(3), panel_grid(6)
    ((1, 3), (2, 3))
    """
    columns = n if n <= 3 else math.ceil(n / 2)
    return math.ceil(n / columns), columns


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


def as_it_stands(figure: Figure) -> Figure:
    """Take every text as it stands: titles and names are a user's, a $ in them is no formula."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    return figure


def save_figure(figure: Figure, path: Path | str | None) -> Figure:
    """Write a PNG whole or not at all; None writes none."""
    as_it_stands(figure)
    if path is None:
        return figure
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI)
    return figure


def legend_columns(figure: Figure) -> int:
    """As many columns as a legend under the figure has room for."""
    return min(4, int(figure.get_figwidth() // LEGEND_WIDTH))


def curve_style(k: int) -> tuple[str, str]:
    """Colour and line of the k-th curve; the pair repeats after every combination."""
    return COLOURS[k % len(COLOURS)], LINES[(k + k // len(COLOURS)) % len(LINES)]
