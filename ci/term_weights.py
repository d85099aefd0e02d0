"""What a term beside g(r) does to a fit, for several weights: forces, or bond angles.

Ten parameters of CHIK are fitted to the g(r) of ab initio liquid silica. Beside it stands a term:
the forces of ``examples/silica/labelled.extxyz``, or the distribution of Si-O-Si of the same
liquid. One fit for each weight; the first has none. What is given is of the confirmation: runs of
the best candidate with other seeds. The row of CHIK is the start. O-Si-O, the pressure, and the
density at zero pressure, of two runs of 8 + 24 ps, are seen by no fit.

Everything is kept in the folder --keep: a fit that is there is resumed, a finished one is left.

    python ci/term_weights.py forces --keep FOLDER [--limit-s SECONDS]
    python ci/term_weights.py angles --keep FOLDER --table

Without any run: how far potentials of the library are off these forces, and how near their best
parameters come where nothing but the forces counts, in seconds:

    python ci/term_weights.py alone
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from commands import call, go_on, result_of
from scipy.optimize import least_squares

from lammpsfit.config import read_job
from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.fit.run.run_folder import RunFolder
from lammpsfit.forcefield import load_potential
from lammpsfit.target.label_terms import ForceTerm

SILICA = Path(__file__).parent.parent / "examples" / "silica"
UNSEEN: Final = 100.0
"""A weight so small that a term is shown and not fitted to."""

WEIGHTS: Final = {
    "forces": {"none": 1e4, "2": 2.0, "1": 1.0, "0.5": 0.5, "0.25": 0.25},
    "angles": {"none": UNSEEN, "2": 0.02, "1": 0.01, "0.5": 0.005, "0.25": 0.0025},
}
"""What counts as much as R = 1 %: an rms error in eV/Å; a share of the angles, named in percent."""

UNITS: Final = {"forces": "eV/Å", "angles": "%"}

KNOWN: Final = ("BKS", "CHIK", "ML", "ML-ALL", "SHIK")

JOB = """
title = "silica, {term} {name}"
potential = "CHIK"

[reference]
file = "{silica}/gr_aimd_3600K.csv"

[system]
formula = "SiO2"
atoms = {atoms}
density = 2.2

[protocol]
temperature = 3600.0
relax = 2.0
sample = 4.0

[[frames]]
file = "{silica}/labelled.extxyz"
forces_per_percent = {forces}

[[angle_distribution]]
angle = "Si-O-Si"
file = "{silica}/bond_angles_3600K.csv"
whose = "aimd"
cutoffs = {{ "Si-O" = 2.2 }}
per_percent = {angles}

[[angle_distribution]]
angle = "O-Si-O"
file = "{silica}/bond_angles_3600K.csv"
whose = "aimd"
cutoffs = {{ "Si-O" = 2.2 }}
per_percent = {unseen}

[charges]
balance = "O"

[parameters]
"q_Si" = {{ min = 1.2, max = 2.8 }}
"A_Si-O" = {{ factor = 2.0 }}
"rho_Si-O" = {{ factor = 1.3 }}
"C_Si-O" = {{ factor = 2.0 }}
"A_O-O" = {{ factor = 2.0 }}
"rho_O-O" = {{ factor = 1.3 }}
"C_O-O" = {{ factor = 4.0 }}
"A_Si-Si" = {{ factor = 2.0 }}
"rho_Si-Si" = {{ factor = 1.3 }}
"C_Si-Si" = {{ factor = 4.0 }}

[limits]
evaluations = {evaluations}

[confirm]
candidates = 1
repeats = 2
sample = 8.0
compare = ["CHIK"]
"""


def fit(keep: Path, term: str, name: str, sizes: dict[str, int], until: float) -> None:
    """Run the fit of one weight, or go on with it."""
    job = keep / f"{name}.toml"
    if not job.exists():
        job.write_text(_job(term, name, sizes), encoding="utf-8")
    go_on(job, RunFolder(keep / name), until)


def _job(term: str, name: str, sizes: dict[str, int]) -> str:
    weights = {other: of[name if other == term else "none"] for other, of in WEIGHTS.items()}
    return JOB.format(name=name, term=term, silica=SILICA, unseen=UNSEEN, **weights, **sizes)


def alone() -> str:
    """Make the table of force errors, and find the least of ten parameters within their bounds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.toml"
        sizes = {"atoms": 306, "evaluations": 1}
        path.write_text(_job("forces", "1", sizes), encoding="utf-8")
        job = read_job(path)
        conditions = build_conditions(job)
    space = build_space(job, conditions)
    (term,) = (one for one in conditions.main.target.static if isinstance(one, ForceTerm))

    def error(y: Any) -> str:
        return f"{100 * term.per_percent * float(np.linalg.norm(y)):.3f}"

    lines = ["| potential | rms error of forces (eV/Å) |", "|---|--:|"]
    lines.append(f"| none | {100 * term.per_percent * term.gas**0.5:.3f} |")
    for name in KNOWN:
        potential = load_potential(name).for_composition({"Si": 1, "O": 2})
        lines.append(f"| {name} | {error(term.residuals(potential))} |")
    found = least_squares(
        lambda u: term.residuals(space.potential(u)),
        space.unit(conditions.potential),
        lambda u: term.jacobian(space, u),
        bounds=(0.0, 1.0),
        x_scale="jac",
    )
    lines.append(f"| CHIK, its ten parameters fitted to these forces alone | {error(found.fun)} |")
    values = ", ".join(f"{name} {value:.5g}" for name, value in space.values(found.x).items())
    frames = len(term.labelled.frames)
    return "\n".join([*lines, "", f"{frames} frames; {values}"])


def run_free(keep: Path, term: str, sizes: dict[str, int]) -> None:
    """Find the density at zero pressure of all that is finished, once."""
    job = keep / "free.toml"
    free = 'ensemble = "npt"\nrelax = 8.0\nsample = 24.0'
    job.write_text(_job(term, "none", sizes).replace("relax = 2.0\nsample = 4.0", free), "utf-8")
    for name in ("CHIK", *WEIGHTS[term]):
        found = keep / f"free-{name}.json"
        finished = result_of(RunFolder(keep / name)).get("status") == "finished"
        if not found.exists() and (finished or name == "CHIK"):
            what = name if name == "CHIK" else keep / name
            words = ["--job", job, "--repeats", 2, "--workers", 1, "--json", found]
            call("evaluate", what, *words)


def _density(keep: Path, name: str) -> str:
    """Return the density at zero pressure in words; nothing where it is not known."""
    file = keep / f"free-{name}.json"
    if not file.exists():
        return ""
    (found,) = json.loads(file.read_text("utf-8")).values()
    return f"{found['density']['mean']:.3f} ± {found['density']['error']:.3f}"


def table(keep: Path, term: str) -> str:
    """Make the table of the fits that are finished."""
    lines = [
        "| R = 1 % is worth | R (%) | forces (eV/Å) | Si-O-Si (%) | O-Si-O (%) | P (GPa) "
        "| g/cm³ at P = 0 | evaluations |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    start = None
    for name in WEIGHTS[term]:
        result = result_of(RunFolder(keep / name))
        if result.get("status") != "finished":
            continue
        best = result["best"]["evaluation"]
        for label, run in result["confirmed"].items():
            if label == "CHIK":
                row = f"{_row(run)} | {_density(keep, label)}"
                start = start or f"| (CHIK, the start) | {row} | |"
            elif label.endswith(f"-{best}"):
                words = "no such term" if name == "none" else f"{name} {UNITS[term]}"
                row = f"{_row(run)} | {_density(keep, name)}"
                lines.append(f"| {words} | {row} | {result['evaluations']['ok']} |")
    return "\n".join([*lines, *([start] if start else [])])


def _row(run: dict[str, Any]) -> str:
    terms = run["terms"]
    angles = [
        100 * terms[f"angle distribution {angle}"]["value"][0] for angle in ("Si-O-Si", "O-Si-O")
    ]
    return " | ".join(
        [
            f"{100 * run['cost']:.2f} ± {100 * run['cost_error']:.2f}",
            f"{terms['forces frames']['value'][0]:.3f}",
            *(f"{overlap:.1f}" for overlap in angles),
            f"{run['pressure'][0] / 1e4:.2f} ± {run['pressure'][1] / 1e4:.2f}",
        ]
    )


def main() -> None:
    """Run what is left, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=(*WEIGHTS, "alone"), help="the term; alone: no runs")
    parser.add_argument("--keep", type=Path, help="folder of everything")
    parser.add_argument("--atoms", type=int, default=306)
    parser.add_argument("--evaluations", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=1e6)
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    if options.what == "alone":
        print(alone())
        return
    if options.keep is None:
        parser.error("give --keep FOLDER")
    options.keep.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + options.limit_s
    sizes = {"atoms": options.atoms, "evaluations": options.evaluations}
    if not options.table:
        for name in WEIGHTS[options.what]:
            if time.monotonic() < until:
                fit(options.keep, options.what, name, sizes, until)
        if time.monotonic() < until:
            run_free(options.keep, options.what, sizes)
    print(table(options.keep, options.what))


if __name__ == "__main__":
    main()
