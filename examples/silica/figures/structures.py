"""Figures of structures: g(r) and bond angles of known and fitted potentials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runs import FITTED, HERE, KNOWN, job_of

from lammpsfit.reference import read_rdf_table
from lammpsfit.reference.angle_table import OWN, read_angle_table
from lammpsfit.report.figures import COLOURS, LINES, new_figure, save_figure
from lammpsfit.report.rdf_plot import plot_rdf
from lammpsfit.structure.cost import cost
from lammpsfit.structure.rdf import PartialRdf

SILICA: Final = HERE.parent
TRIPLES: Final = ("O-Si-O", "Si-O-Si")

ANGLES_OF: Final = {
    "BKS": "BKS",
    "ML": "ML",
    "fit7": "fit, 7 parameters",
    "fit10": "fit, 10 parameters",
}


def draw_classics(data: Path, picture: Path) -> None:
    """Draw g(r) of the classics, run here and as published, and the ab initio liquid (Fig. 5)."""
    curves = {}
    for name in KNOWN:
        curves[name] = rdf_of(data, name)
        curves[f"{name}, published"] = read_rdf_table(SILICA / f"gr_{name.lower()}_3600K.csv")
    _draw_rdf(curves, picture)


def draw_fits(data: Path, picture: Path) -> None:
    """Draw g(r) of the fits against the ab initio liquid (Fig. 9)."""
    names = {name: f"{len(job_of(name).parameters)} parameters" for name in FITTED}
    _draw_rdf({label: rdf_of(data, name) for name, label in names.items()}, picture)


def _draw_rdf(curves: Mapping[str, PartialRdf], picture: Path) -> None:
    reference = read_rdf_table(SILICA / "gr_aimd_3600K.csv")
    costs = {name: cost(rdf, reference) for name, rdf in curves.items()}
    plot_rdf(
        reference,
        curves,
        picture,
        costs={name: one.value for name, one in costs.items()},
        definition=next(iter(costs.values())).definition,
    )


def draw_angles(data: Path, picture: Path) -> None:
    """Draw the bond angles, which no fit sees (Fig. 6)."""
    published = read_angle_table(SILICA / "bond_angles_3600K.csv")
    figure = new_figure(10.0, 4.4)
    panels = figure.subplots(1, len(TRIPLES))
    for axes, triple in zip(panels, TRIPLES, strict=True):
        ab_initio = published.curves["aimd"][triple]
        axes.plot(published.theta, ab_initio, color="0.72", lw=5, label="ab initio")
        for k, (name, label) in enumerate(ANGLES_OF.items()):
            own = read_angle_table(data / f"angles_{name}.csv")
            p = own.curves[OWN][triple]
            axes.plot(own.theta, p, color=COLOURS[k], ls=LINES[k], lw=1.6, label=label)
            if name in KNOWN:
                theirs = published.curves[name.lower()][triple]
                axes.plot(published.theta[::4], theirs[::4], "o", ms=3, mfc="none",
                          color=COLOURS[k], label=f"{label}, published")  # fmt: skip
        axes.set(title=triple, xlabel="θ (degree)", xlim=(60.0, 180.0))
        axes.set_ylim(bottom=0.0)
    panels[0].set_ylabel("p (1/degree)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    save_figure(figure, picture)


def rdf_of(data: Path, name: str) -> PartialRdf:
    """Read g(r) of a trajectory."""
    return read_rdf_table(data / f"gr_{name}.csv")
