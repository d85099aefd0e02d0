"""A picture of the structure of a trajectory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammpsfit.report.figures import COLOURS, LINES, new_figure, save_figure
from lammpsfit.structure.bonding import BondAngles
from lammpsfit.structure.rdf import FloatArray, PartialRdf


def plot_structure(
    rdf: PartialRdf,
    path: Path | str,
    title: str = "",
    cutoffs: Mapping[str, float] | None = None,
    angles: BondAngles | None = None,
) -> Figure:
    """Draw g(r) of every pair with its error, and the bond angles about every species.

    Parameters
    ----------
    rdf : PartialRdf
        Bands of twice the standard error are drawn where it has blocks.
    path : Path or str
        PNG file to write.
    title : str
        Title of the figure.
    cutoffs : mapping of str to float, Å, optional
        Where bonds end, by pair; drawn as dashed lines.
    angles : BondAngles, optional
        One panel for each species in the middle.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    centres: dict[str, list[int]] = {}
    for k, triple in enumerate(() if angles is None else angles.triples):
        centres.setdefault(triple.split("-")[1], []).append(k)
    n_rdf, columns = len(rdf.pairs), min(3, max(len(rdf.pairs), len(centres)))
    rdf_rows = math.ceil(n_rdf / columns)
    rows = rdf_rows + math.ceil(len(centres) / columns)
    figure = new_figure(4.0 * columns + 0.4, 3.0 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for k, pair in enumerate(rdf.pairs):
        _rdf_panel(panels[k], rdf, k, (cutoffs or {}).get(pair))
    for axes, (centre, triples) in zip(panels[rdf_rows * columns :], centres.items(), strict=False):
        assert angles is not None
        _angle_panel(axes, angles, centre, triples)
    if title:
        figure.suptitle(title)
    return save_figure(figure, path)


def _rdf_panel(axes: Axes, rdf: PartialRdf, row: int, cutoff: float | None) -> None:
    axes.set_axis_on()
    axes.axhline(1.0, color="0.85", lw=0.8, zorder=0)
    _curve(axes, rdf.r, rdf.g[row], np.sqrt(rdf.variance[row]), 0)
    if cutoff is not None:
        axes.axvline(cutoff, color="0.5", ls="--", lw=1.0, label=f"cutoff {cutoff:.2f} Å")
        axes.legend(frameon=False, fontsize="small")
    axes.set_title(rdf.pairs[row])
    axes.set_xlim(0.0, float(rdf.edges[-1]))
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("r (Å)")
    axes.set_ylabel("g(r)")


def _angle_panel(axes: Axes, angles: BondAngles, centre: str, triples: list[int]) -> None:
    axes.set_axis_on()
    for k, triple in enumerate(triples):
        error = np.nan_to_num(angles.error[triple])
        name = f"{angles.triples[triple]}  {angles.mean[triple].mean:.1f}°"
        _curve(axes, angles.theta, angles.p[triple], error, k, name)
    axes.set_title(f"angles at {centre}")
    axes.set_xlim(0.0, 180.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("θ (degree)")
    axes.set_ylabel("p (1/degree)")
    axes.legend(frameon=False, fontsize="small")


def _curve(
    axes: Axes, x: FloatArray, y: FloatArray, error: FloatArray, k: int, label: str = ""
) -> None:
    colour = COLOURS[k % len(COLOURS)]
    axes.plot(x, y, color=colour, ls=LINES[k // len(COLOURS) % len(LINES)], lw=1.4, label=label)
    if error.any():
        axes.fill_between(x, y - 2 * error, y + 2 * error, color=colour, alpha=0.25, lw=0)
