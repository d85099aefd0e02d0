"""What GAP potentials cost: fits, steps of the training and predictions, on one core.

fit
    CPU seconds and peak memory of a fit with the descriptors as they are, search for theta and
    noises and compilation included, each in a process of its own.
step
    CPU seconds of a step of Adam on the likelihood of all energies, forces and stresses of 25
    frames; the first one, which compiles, is left out.
predict
    CPU seconds for each atom in ASE's calculator, neighbours found anew each time, in turn with
    SOAP-GAP (`pip install 'lammpsfit[bench]'`) fitted to the same frames. Medians; what matters
    are the ratios.
lammps
    Thousand atom-steps a second of CPU time in LAMMPS: 4000 atoms of fcc at 1000 K, one core, NVE;
    beside the pair style, the calculator on the same atoms, and potentials of LAMMPS's own.

    python ci/bench_gap_speed.py [--only PART...] [--json FILE]
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import gap_peer_pod
import lammps
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from gap_splits import ALUMINIUM, POOL, VALIDATE, read_data

from lammpsfit.files import write_json
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.descriptors import make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.job import read_gap_job
from lammpsfit.gap.lammps.export import export_model
from lammpsfit.gap.lammps.installation import find_lammps
from lammpsfit.gap.lammps.run import run_input
from lammpsfit.gap.model import Model
from lammpsfit.gap.train import Step, TrainOptions, TrainState, train
from lammpsfit.labelled.frames import Frame

KINDS = ("radial", "angular", "invariants")
SIZES = (10, 25, 50)
STEP_FRAMES = 25
STEPS = 3
CELLS = (2, 4, 6)
"""Cubic cells of four atoms along each side: 32, 256 and 864 atoms."""

REPEATS = 5
FIT_GOAL = (10.0, 4096.0)
"""Of 50 frames: seconds, MiB."""

STEP_GOAL = 8.0
RATIO_GOAL = 20.0

LAMMPS_ATOMS = 4000
LAMMPS_STEPS = 40
LAMMPS_GOAL = {"angular": 30.0, "radial": 60.0}
INDUCING = 300

LAMMPS_INPUT = """
units metal
atom_modify map array sort 100 3.0
lattice fcc {lattice}
region box block 0 10 0 10 0 10
create_box 1 box
create_atoms 1 box
mass 1 {mass}
velocity all create 2000 87287 loop geom mom yes
neighbor 1.0 bin
{potential}
fix 1 all nve
timestep 0.002
run {steps}
run {steps}
"""

PEERS = {
    "eam/alloy": ("pair_style eam/alloy\npair_coeff * * {0}/Al_zhou.eam.alloy Al", 4.16, 26.98),
    "SNAP (Cu, 2J = 8, 4.1 Å)": (
        "pair_style snap\npair_coeff * * {0}/Cu_Zuo_JPCA2020.snapcoeff "
        "{0}/Cu_Zuo_JPCA2020.snapparam Cu",
        3.72,
        63.55,
    ),
}
"""Potentials that come with LAMMPS, the lattice constant in Å and mass they are run with."""

PODS = ("55", "133")
"""Sizes of POD, fitted to a few frames: how fast they are does not depend on these."""


def frames_of(count: int) -> list[Frame]:
    """Return frames spread over the trajectory."""
    data = read_data()
    return [data[k] for k in np.linspace(POOL[0], POOL[-1], count).round().astype(int)]


def fitted(kind: str, frames: list[Frame], inducing: int | None = None) -> Model:
    """Fit with the descriptors of an example as they are."""
    job = read_gap_job(ALUMINIUM / f"{kind}.toml")
    described = make_descriptors(job.descriptors.settings(), frames)
    return fit_model(frames, *described, replace(job.fit_options(), inducing=inducing))


def run_one(kind: str, count: int) -> dict[str, Any]:
    """Fit in this process, and say what it took."""
    frames = frames_of(count)
    began, clock = time.process_time(), time.monotonic()
    fitted(kind, frames)
    taken, wall = time.process_time() - began, time.monotonic() - clock
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"kind": kind, "frames": count, "cpu_s": taken, "wall_s": wall, "memory_MiB": memory}


def bench_fit() -> list[dict[str, Any]]:
    rows = []
    for kind in KINDS:
        for count in SIZES:
            command = [sys.executable, __file__, "--one", kind, str(count)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows.append(json.loads(said.splitlines()[-1]))
            print(rows[-1], file=sys.stderr)
    return rows


def bench_step() -> list[dict[str, Any]]:
    return [{"kind": kind, "frames": STEP_FRAMES, "cpu_s": step_seconds(kind)} for kind in KINDS]


def step_seconds(kind: str) -> float:
    """Median over some steps of Adam."""
    job, data, frames = (
        read_gap_job(ALUMINIUM / f"{kind}.toml"),
        read_data(),
        frames_of(STEP_FRAMES),
    )
    described = make_descriptors(job.descriptors.settings(), frames)
    everything = FitOptions(
        likelihood_frames=STEP_FRAMES, likelihood_components=3 * len(frames[0]), iterations=1
    )
    clock = [time.process_time()]

    def see(step: Step, state: TrainState) -> None:
        clock.append(time.process_time())
        print(f"{kind}: step {step.step}, {np.diff(clock)[-1]:.1f} s", file=sys.stderr)

    options = TrainOptions(steps=STEPS, fit=everything)
    train(frames, [data[k] for k in VALIDATE], *described, options, see)
    return float(median(np.diff(clock)[1:]))


def bench_predict() -> list[dict[str, Any]]:
    from bench_gap_soap import fit_soap, load_soap

    frames = frames_of(SIZES[0])
    with tempfile.TemporaryDirectory() as folder:
        calculators = {"soap": load_soap(fit_soap(frames, Path(folder)).path)}
        for kind in KINDS:
            for count in (SIZES[0], SIZES[-1]):
                model = fitted(kind, frames_of(count))
                calculators[f"{kind}, {count} frames"] = GapCalculator(model)
        return [row for cells in CELLS for row in predictions(cells, calculators)]


def predictions(cells: int, calculators: dict[str, Calculator]) -> list[dict[str, Any]]:
    """Time every calculator on one supercell, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in calculators}
    for repeat in range(REPEATS + 1):
        for name, calculator in calculators.items():
            atoms = bulk("Al", a=4.16, cubic=True).repeat(cells)
            atoms.rattle(0.2, seed=repeat)
            seconds = timed(lambda atoms=atoms, own=calculator: compute(atoms, own))
            taken[name] += [seconds] * (repeat > 0)  # the first one compiles
    medians = {name: median(values) / len(atoms) for name, values in taken.items()}
    rows = [
        {
            "model": name,
            "atoms": len(atoms),
            "cpu_s_per_atom": value,
            "faster_than_soap": medians["soap"] / value,
        }
        for name, value in medians.items()
    ]
    print(rows, file=sys.stderr)
    return rows


def compute(atoms: Atoms, calculator: Calculator) -> None:
    atoms.calc = calculator
    atoms.get_forces()
    atoms.get_stress()


def bench_lammps() -> list[dict[str, Any]]:
    many, few = frames_of(SIZES[-1]), frames_of(SIZES[0])
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in KINDS:
            models = {
                f"{kind}, {SIZES[0]} frames": fitted(kind, few),
                f"{kind}, {SIZES[-1]} frames": fitted(kind, many),
            }
            if kind == "angular":  # where centres are what takes the time
                models[f"{kind}, {SIZES[-1]} frames, inducing"] = fitted(kind, many, INDUCING)
            for number, (what, model) in enumerate(models.items()):
                place = folder / f"{kind}{number}"
                export_model(model, place, find_lammps())
                potential = f"variable potential_dir index {place}\ninclude {place}/potential.lmp"
                rate = katoms(folder, potential, 4.16, 26.98)
                rows.append(lammps_row(what, len(model.centres.a), "LAMMPS", rate, kind))
                rate = katoms_in_ase(model)
                rows.append(lammps_row(what, len(model.centres.a), "ASE", rate))
        share = Path(lammps.__file__).parent / "share" / "lammps" / "potentials"
        for what, (potential, lattice, mass) in PEERS.items():
            rate = katoms(folder, potential.format(share), lattice, mass)
            rows.append(lammps_row(what, 0, "LAMMPS", rate))
        for size in PODS:
            place = folder / f"pod{size}"
            place.mkdir()
            gap_peer_pod.fit(few, place, gap_peer_pod.TAKEN[size])
            files = f"{place}/param.pod {place}/fitted_coefficients.pod"
            potential = f"pair_style pod\npair_coeff * * {files} Al"
            rate = katoms(folder, potential, 4.16, 26.98)
            rows.append(lammps_row(f"POD-{size}", 0, "LAMMPS", rate))
    return rows


def lammps_row(what: str, centres: int, where: str, rate: float, kind: str = "") -> dict[str, Any]:
    row = {"model": what, "centres": centres, "in": where, "katom_steps_per_cpu_s": rate}
    goal = LAMMPS_GOAL.get(kind)
    print(row, file=sys.stderr)
    return row if goal is None else row | {"goal": goal}


def katoms(folder: Path, potential: str, lattice: float, mass: float) -> float:
    """Run LAMMPS; the second run counts, when the atoms are hot and memory is there."""
    values = {"potential": potential, "lattice": lattice, "mass": mass, "steps": LAMMPS_STEPS}
    (folder / "in.bench").write_text(LAMMPS_INPUT.format(**values), encoding="utf-8")
    said = run_input(find_lammps(), folder, "in.bench")
    seconds = [float(x) for x in re.findall(r"Loop time of (\S+) on", said)]
    use = [float(x) / 100.0 for x in re.findall(r"([\d.]+)% CPU use", said)]
    return LAMMPS_ATOMS * LAMMPS_STEPS / (seconds[-1] * use[-1]) / 1000.0


def katoms_in_ase(model: Model) -> float:
    """Take steps of the same size in ASE's calculator."""
    atoms = bulk("Al", a=4.16, cubic=True).repeat(10)
    atoms.rattle(0.15, seed=1)
    atoms.calc = GapCalculator(model)
    taken = []
    for step in range(REPEATS + 1):
        atoms.rattle(0.01, seed=step)
        taken.append(timed(atoms.get_forces))
    return float(len(atoms) / median(taken[1:]) / 1000.0)


def print_lammps(rows: list[dict[str, Any]]) -> None:
    print("| model | centres | in | thousand atom-steps a CPU second | goal |")
    print("|---|--:|---|--:|---|")
    for row in rows:
        rate, goal = row["katom_steps_per_cpu_s"], "–"
        if "goal" in row:
            goal = f"≥ {row['goal']:.0f}: {verdict(rate >= row['goal'])}"
        print(f"| {row['model']} | {row['centres'] or '–'} | {row['in']} | {rate:.1f} | {goal} |")


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def print_fit(rows: list[dict[str, Any]]) -> None:
    print("| fit of | frames | CPU s | peak memory MiB | goal |")
    print("|---|--:|--:|--:|---|")
    for row in rows:
        goal = "–"
        if row["frames"] == SIZES[-1]:
            reached = row["cpu_s"] < FIT_GOAL[0] and row["memory_MiB"] < FIT_GOAL[1]
            goal = f"< {FIT_GOAL[0]:.0f} s, {FIT_GOAL[1]:.0f} MiB: {verdict(reached)}"
        used = f"{row['cpu_s']:.1f} | {row['memory_MiB']:.0f}"
        print(f"| {row['kind']} | {row['frames']} | {used} | {goal} |")


def print_step(rows: list[dict[str, Any]]) -> None:
    print("| step of Adam | frames | CPU s | goal |")
    print("|---|--:|--:|---|")
    for row in rows:
        goal = f"< {STEP_GOAL:.0f} s: {verdict(row['cpu_s'] < STEP_GOAL)}"
        print(f"| {row['kind']} | {row['frames']} | {row['cpu_s']:.1f} | {goal} |")


def print_predict(rows: list[dict[str, Any]]) -> None:
    print("| prediction | atoms | CPU µs per atom | times as fast as SOAP-GAP | goal |")
    print("|---|--:|--:|--:|---|")
    for row in rows:
        goal = f"≥ {RATIO_GOAL:.0f}: {verdict(row['faster_than_soap'] >= RATIO_GOAL)}"
        print(
            f"| {row['model']} | {row['atoms']} | {1e6 * row['cpu_s_per_atom']:.0f} "
            f"| {row['faster_than_soap']:.1f} | {'–' if row['model'] == 'soap' else goal} |"
        )


def verdict(reached: bool) -> str:
    return "reached" if reached else "missed"


PARTS = {
    "fit": (bench_fit, print_fit),
    "step": (bench_step, print_step),
    "predict": (bench_predict, print_predict),
    "lammps": (bench_lammps, print_lammps),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before JAX counts the cores
    if options.one:
        print(json.dumps(run_one(options.one[0], int(options.one[1]))))
        return
    found = {}
    for name in options.only:
        bench, show = PARTS[name]
        found[name] = bench()
        show(found[name])
        print(flush=True)
    if options.json:
        write_json(options.json, found)


if __name__ == "__main__":
    main()
