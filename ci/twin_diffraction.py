"""Is S(q) alone enough? A twin: diffraction of a known potential is all that a fit may see.

The truth is CHIK, run with the styles of the export (``hybrid/overlay``), not with the tables that
a fit runs with: liquid silica at 2.2 g/cm³ and 3600 K. Of its runs come the total S(q)
of neutrons and of X-rays, which is what the fit is given, and partial g(r), which it never sees.
The fit begins at CHIK with other charges, O-O and Si-O walls, some 15 % off in R. What counts is R
of these g(r) (r < 6 Å), of the start and of what the fit confirms, beside the floor: R between two
runs of the truth.

Everything is kept in the folder --keep: what is there is resumed or left as it is.

    python ci/twin_diffraction.py --keep FOLDER [--atoms 648] [--evaluations 40] [--limit-s SECONDS]
    python ci/twin_diffraction.py --keep FOLDER --compare S
    python ci/twin_diffraction.py --keep FOLDER --table [--json FILE]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np
from rich.console import Console

from lammpsfit.config import read_job
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.stop import Stop
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import dump_potential, load_potential
from lammpsfit.md.frames import Frames
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import pool, sample
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.reference import write_rdf_table
from lammpsfit.reference.table import write_columns
from lammpsfit.reference.total_table import read_total_table
from lammpsfit.report.progress import ProgressMonitor
from lammpsfit.structure.cost import cost
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.scattering import neutron_weights, xray_weights
from lammpsfit.structure.structure_factor import structure_factors, wavevectors

EXAMPLE = Path(__file__).parent.parent / "examples" / "silica" / "quick.toml"
TRUTH, START = "CHIK", "start"
OFF = {"q_Si": 0.96, "q_O": 0.96, "A_O-O": 1.25, "rho_O-O": 1.05, "rho_Si-O": 0.995}
"""The start is the truth times these."""

RUNS = 4
PROTOCOL = Protocol(3600.0, relax=3.0, sample=8.0)
R = 0.02 * (np.arange(300) + 0.5)
Q_MAX, WIDTH = 12.0, 0.1
MOST = 100
"""Wavevectors of a bin, about."""

JOB = f"""
title = "twin of {TRUTH}: S(q) alone"
potential = "{START}.toml"

[system]
formula = "SiO2"
atoms = 648
density = 2.2
melt = {{ potential = "CHIK" }}

[protocol]
temperature = 3600.0
relax = 4.0
sample = 10.0

[[total_scattering]]
radiation = "neutron"
file = "sq_neutron.csv"
compare = "q(S-1)"

[[total_scattering]]
radiation = "xray"
file = "sq_xray.csv"
compare = "q(S-1)"

[charges]
balance = "O"

[parameters]
"q_Si" = {{ min = 1.2, max = 2.8 }}
"A_Si-O" = {{ factor = 2.0 }}
"rho_Si-O" = {{ factor = 1.3 }}
"C_Si-O" = {{ factor = 2.0 }}
"A_O-O" = {{ factor = 2.0 }}
"rho_O-O" = {{ factor = 1.3 }}
"C_O-O" = {{ factor = 6.0 }}

[limits]
evaluations = 40

[confirm]
candidates = 2
repeats = 2
compare = ["{START}.toml"]
"""


@dataclass(frozen=True, eq=False)
class Factors:
    """Partial S(q) in every frame, taken during a run."""

    name = "factors"
    fine_bins = False

    def measure(self, composition: Composition, positions, cell) -> np.ndarray:
        """Return S of every pair one after the other, shape (K,)."""
        vectors = wavevectors(cell, Q_MAX, WIDTH, MOST)
        return structure_factors(composition, positions, cell, vectors).ravel()

    def observe(self, frames: Frames) -> np.ndarray:
        """Return what was taken."""
        return frames.measured[self.name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder of everything")
    parser.add_argument("--atoms", type=int, default=648, help="a multiple of 3")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--compare", choices=("S", "q(S-1)"), default="q(S-1)")
    parser.add_argument("--limit-s", type=float, default=None, help="stop after so long")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="show what is there, run nothing")
    parser.add_argument("--truth", action="store_true", help="make the truth, and no fit")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder: Path = options.keep
    folder.mkdir(parents=True, exist_ok=True)
    if not options.table:
        make_truth(folder, options.atoms)
        if options.truth:
            return
        text = JOB.replace("q(S-1)", options.compare).replace("648", str(options.atoms))
        text = text.replace("evaluations = 40", f"evaluations = {options.evaluations}")
        fit(folder, text, options.workers, options.limit_s)
    for radiation in ("neutron", "xray"):
        S, weighed = noise(folder, radiation)
        print(f"noise of one run, {radiation}: {S:.1%} as S, {weighed:.1%} as q(S-1)")
    found = dict(results(folder))
    for name, (mean, spread) in found.items():
        print(f"R of the unseen g(r), {name}: {100 * mean:.2f} ± {100 * spread:.2f} %")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def of_atoms(atoms: int) -> Problem:
    """Make the box of the truth: liquid silica of so many atoms, melted from a random packing."""
    problem = build_problem(read_job(EXAMPLE))
    system = replace(problem.system, atoms=atoms)
    melting = replace(problem.melting, structure="random")
    return replace(problem, system=system, melting=melting).checked()


def make_truth(folder: Path, atoms: int) -> None:
    """Run the truth, and write its diffraction for the fit and its g(r) for the judge."""
    problem = of_atoms(atoms)
    files = [folder / f"truth-{k}.npz" for k in range(RUNS)]
    for k, file in enumerate(files):
        if not file.exists():
            structure = problem.melted()
            truth = problem.load(TRUTH)
            taken = (Factors(),)
            found = sample(truth, PROTOCOL, structure, 101 + k, R, "overlay", observables=taken)
            save_sample(file, found)
            print(f"truth, run {k + 1} of {RUNS}", flush=True)
    runs = [load_sample(file) for file in files]
    header = [f"Liquid SiO2, {TRUTH}, 3600 K, 2.2 g/cm3, {atoms} atoms, {RUNS} runs of 8 ps"]
    write_rdf_table(folder / "unseen_gr.csv", pool(runs).rdf, header)
    composition = Composition.of([n for n, c in problem.system.counts.items() for _ in range(c)])
    masses = {name: kind.mass for name, kind in problem.potential.species.items()}
    cell = problem.system.box_length(masses) * np.eye(3)
    q = wavevectors(cell, Q_MAX, WIDTH, MOST).q
    S = np.array([run.observed["factors"].mean(axis=0) for run in runs])
    S = S.reshape(RUNS, len(composition.pairs), q.size)
    for radiation in ("neutron", "xray"):
        weigh = neutron_weights(composition.numbers, composition.pairs)
        if radiation == "xray":
            weigh = xray_weights(composition.numbers, composition.pairs, q)
        total = np.einsum("rpq,pq->rq", S, np.broadcast_to(weigh, S.shape[1:]))
        columns = {
            "q (1/Å)": q,
            "S": total.mean(axis=0),
            "err": total.std(axis=0, ddof=1) / np.sqrt(RUNS),
        }
        write_columns(folder / f"sq_{radiation}.csv", columns, [*header, f"S(q), {radiation}"])


def fit(folder: Path, text: str, workers: int, limit: float | None) -> None:
    """Fit to S(q) alone by the job of that text, or go on with it."""
    run, job = folder / "fit", folder / "job.toml"
    if not (run / "journal.jsonl").exists():
        job.write_text(text, "utf-8")
        truth = load_potential(TRUTH)
        changed = {name: times * truth.parameters[name] for name, times in OFF.items()}
        start = dump_potential(replace(truth.replace(changed), name=START))
        (folder / f"{START}.toml").write_text(start, "utf-8")
        create_run(run, read_job(job))
    with Stop(limit) as stop:
        opened = open_fit(*open_run(run))
        opened.deadline = stop.deadline
        result = run_fit(opened, LocalFarm(workers), ProgressMonitor(Console()), stop)
    print(result.stopped or f"fitted: {result.summary['best']}")


def noise(folder: Path, radiation: str) -> tuple[float, float]:
    """Return how far one run of the truth is off by noise, as distances of S and of q(S-1)."""
    table = read_total_table(folder / f"sq_{radiation}.csv", "q")
    assert table.error is not None
    error = table.error * np.sqrt(RUNS)
    weights = (np.ones_like(table.x), table.x)
    S, weighed = (
        float(np.linalg.norm(w * error) / np.linalg.norm(w * (table.y - 1.0))) for w in weights
    )
    return S, weighed


def results(folder: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield R of the unseen g(r) with the standard deviation over runs."""
    truth = [load_sample(folder / f"truth-{k}.npz").rdf for k in range(RUNS)]
    floor = [cost(one, other).value for one, other in permutations(truth, 2)]
    yield "floor", (float(np.mean(floor)), float(np.std(floor, ddof=1)))
    unseen = pool([load_sample(folder / f"truth-{k}.npz") for k in range(RUNS)]).rdf
    samples = sorted((folder / "fit" / "samples").glob("confirm-*.npz"))
    by_label: dict[str, list[float]] = {}
    for file in samples:
        label = file.stem.removeprefix("confirm-").rpartition("-")[0]
        rdf = load_sample(file).rdf.select(0.0, R[-1] + 0.01)
        by_label.setdefault(label, []).append(cost(rdf.reorder(unseen.pairs), unseen).value)
    for label, values in by_label.items():
        yield label, (float(np.mean(values)), float(np.std(values, ddof=1)))


if __name__ == "__main__":
    main()
