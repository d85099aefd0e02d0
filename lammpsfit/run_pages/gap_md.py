"""The page of a run of molecular dynamics with a GAP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from lammpsfit.gap.work.md import MdResult
from lammpsfit.report.html import Section, element, join, page, picture, pictures, table
from lammpsfit.report.panels import Curve, Panel, Picture, panels_markup, plot_panels

UNITS: Final = {
    "temperature": ("K", 1),
    "potential": ("eV/atom", 5),
    "volume": ("Å³/atom", 3),
    "pressure": ("bar", 0),
}

SMOOTHING: Final = 2.0
"""Bins over which g(r) is smoothed before the place of its peak is looked for."""


def first_peak(result: MdResult, pair: str) -> tuple[float, float]:
    """Return place (Å) and height of the highest peak of g(r): smoothing would lower it."""
    g = gaussian_filter1d(result.rdf[pair], SMOOTHING)
    k = int(np.argmax(g))
    return float(result.r[k]), float(result.rdf[pair][k])


def _rows(result: MdResult) -> Iterator[tuple[str, str, str]]:
    for name, (value, error) in result.means.items():
        unit, digits = UNITS[name]
        beside = "" if error is None else f" ± {error:.{digits}f}"
        yield name, f"{value:.{digits}f}{beside}", unit
    if result.drift is not None:
        yield "drift of the energy", f"{result.drift:.4f} ± {result.drift_error:.4f}", "meV/atom/ps"
    for pair in result.rdf:
        r, g = first_peak(result, pair)
        yield f"g(r) {pair}, highest", f"{g:.2f} at {r:.2f}", "Å"
    if "msd" in result.series:
        yield "mean squared displacement", f"{result.series['msd'][-1]:.2f}", "Å²"
    if "grade" in result.series:
        yield "largest grade", f"{result.series['grade'].max():.2f}", ""


def md_lines(result: MdResult) -> Iterator[str]:
    """Say what a run was like, a line for each quantity."""
    for name, value, unit in _rows(result):
        yield f"{name:>26}: {value} {unit}".rstrip()


def md_page(result: MdResult, title: str) -> str:
    """Make the page of a run."""
    time = result.series["time"]
    rdf = Picture(
        "rdf",
        "Pair distribution",
        "r (Å)",
        "g(r)",
        "r_A",
        [Panel(pair, {"run": Curve(result.r, g)}) for pair, g in result.rdf.items()],
    )
    shown = {
        "temperature": "temperature (K)",
        "pressure": "pressure (bar)",
        "volume": "volume (Å³/atom)",
        "msd": "mean squared displacement (Å²)",
        "grade": "largest grade",
    }
    panels = [
        Panel(heading, {"run": Curve(time, result.series[name])})
        for name, heading in shown.items()
        if name in result.series
    ]
    series = Picture("series", "Course of the run", "time (ps)", "", "time_ps", panels)
    sections = [
        Section("numbers", "Numbers", table(("quantity", "value", "unit"), list(_rows(result)))),
        Section("rdf", rdf.title, pictures([picture(plot_panels(rdf, None), "g(r) of the run")])),
        Section(
            "course",
            series.title,
            panels_markup(series, "quantities over time"),
        ),
    ]
    return page(f"{title}: dynamics", join([element("h1", title)]), sections)
