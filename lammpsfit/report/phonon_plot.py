"""Phonon bands beside their densities of states, of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lammpsfit.report.figures import curve_style, legend_columns, new_figure, save_figure

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dispersion:
    """Phonons of one potential.

    Attributes
    ----------
    distances : ndarray, shape (n_lines, n_points)
        Along the path, any unit.
    bands : ndarray, shape (n_lines, n_points, n_modes), THz
    frequency : ndarray, shape (n,), THz
    density : ndarray, shape (n,), 1/THz
    """

    distances: FloatArray
    bands: FloatArray
    frequency: FloatArray
    density: FloatArray


def plot_phonons(
    curves: Mapping[str, Dispersion],
    path_labels: Sequence[tuple[str, str]],
    known: Mapping[str, Sequence[tuple[str, float]]],
    path: Path | str | None,
    title: str = "",
) -> Figure:
    """Draw bands of several potentials, and their densities of states beside.

    Parameters
    ----------
    curves : mapping of str to Dispersion
        By label; paths of other cells are stretched to that of the first.
    path_labels : sequence of (str, str)
        Names of both ends of each line.
    known : mapping of str to sequence of (str, float)
        Measured frequencies, THz, by label: the name of a point at which a line ends, and the
        value.
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
    figure = new_figure(9.0, 4.6)
    bands, density = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    first = next(iter(curves.values())).distances
    for k, (label, one) in enumerate(curves.items()):
        colour, line = curve_style(k)
        for at, frequencies in zip(first, one.bands, strict=True):
            bands.plot(at, frequencies, color=colour, ls=line, lw=1.4, zorder=2 + k)
        bands.plot([], [], color=colour, ls=line, lw=1.4, label=label)
        density.plot(one.density, one.frequency, color=colour, ls=line, lw=1.4)
    ends = {name: at[-1] for (_, name), at in zip(path_labels, first, strict=True)}
    for k, (label, points) in enumerate(known.items()):
        where = [ends[name] for name, _ in points]
        values = [value for _, value in points]
        style: dict[str, Any] = {"color": "0.2", "mfc": "none", "zorder": 9, "clip_on": False}
        bands.plot(where, values, "os"[k % 2], label=label, **style)
    ticks = _ticks(path_labels, first)
    for _, place in ticks:
        bands.axvline(place, color="0.85", lw=0.8, zorder=0)
    bands.set_xticks([place for _, place in ticks], [name for name, _ in ticks])
    bands.set_xlim(first[0, 0], first[-1, -1])
    bands.set_ylabel("frequency (THz)")
    lowest = min(float(one.bands.min()) for one in curves.values())
    bands.set_ylim(bottom=0.0 if lowest > -0.05 else None)
    if lowest <= -0.05:
        bands.axhline(0.0, color="0.5", lw=0.8, zorder=0)
    bands.set_title("bands")
    density.set_title("density of states")
    density.set_xlabel("1/THz")
    density.set_xlim(left=0.0)
    figure.legend(loc="outside lower center", ncols=legend_columns(figure), frameon=False)
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _ticks(labels: Sequence[tuple[str, str]], distances: FloatArray) -> list[tuple[str, float]]:
    """Return names and places of points; where the path jumps, both names at one place."""
    found = [(labels[0][0], float(distances[0, 0]))]
    for (start, end), at in zip(labels, distances, strict=True):
        before, place = found[-1]
        if start != before:
            found[-1] = (f"{before}|{start}", place)
        found.append((end, float(at[-1])))
    return found
