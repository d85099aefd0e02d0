"""Compare derivatives at constant pressure from fluctuations with those of independent runs.

A small box of argon and krypton (Lennard-Jones, 108 atoms, 110 K, 1000 bar) shares nothing with
silica, and runs in seconds. Derivatives of its density and g(r) in ln ε and ln σ of all pairs
are found twice, as ``ci/check_jacobian.py`` does at constant volume: from the fluctuations of runs
in the middle, and as central differences of runs with that parameter raised and lowered, by a step
of length |s|_F = 1 in the metric F = β² cov(dU/dθ). A pull is the difference over the root of the
sum of the squared errors, which come from the scatter of whole runs; they have unit variance if the
derivatives are right. g(r), normalised frame by frame, is compared in windows of 0.25 Å.

Runs are kept in the folder --keep and never made twice: the same command goes on where it was
stopped, and with larger numbers of runs it adds some.

    python ci/check_npt_jacobian.py --keep FOLDER [--runs 8] [--base-runs 32] [--workers 1]
"""

import argparse
import json
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lammpsfit.farm.local import LocalFarm, available_cores
from lammpsfit.forcefield import Free, ParameterSpace
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.md.melt import Melting, melted_structure
from lammpsfit.md.protocol import LEAST_BLOCKS, Protocol
from lammpsfit.md.sample import Sample, sample
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.md.system import System
from lammpsfit.structure.fluctuations import linear_response
from lammpsfit.units import BOLTZMANN_CONSTANT

FloatArray = NDArray[np.float64]
Both = tuple[FloatArray, FloatArray]

# ε/k and σ of argon 119.8 K, 3.405 Å, of krypton 164 K, 3.827 Å (J. O. Hirschfelder, C. F. Curtiss
# and R. B. Bird, Molecular Theory of Gases and Liquids, 1954); Lorentz and Berthelot between them
POTENTIAL = """
name = "ArKr"
cutoff = 8.0
[species.Ar]
mass = 39.948
[species.Kr]
mass = 83.798
[pairs.Ar-Ar]
lennard-jones = { epsilon = 0.010324, sigma = 3.405 }
[pairs.Ar-Kr]
lennard-jones = { epsilon = 0.012079, sigma = 3.616 }
[pairs.Kr-Kr]
lennard-jones = { epsilon = 0.014133, sigma = 3.827 }
"""
SYSTEM = System("ArKr", 108, 1.9)
PROTOCOL = Protocol(
    110.0,
    relax=20.0,
    sample=80.0,
    timestep_fs=4.0,
    every_fs=100.0,
    blocks=LEAST_BLOCKS,
    ensemble="npt",
    pressure=1000.0,
    barostat=1.0,
)
R = 0.025 * (np.arange(320) + 0.5)
WINDOW = 10  # bins, 0.25 Å
LEAST_G = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--runs", type=int, default=8, help="runs at each end of a step")
    parser.add_argument("--base-runs", type=int, default=32, help="runs in the middle")
    parser.add_argument("--workers", type=int, default=available_cores())
    options = parser.parse_args()

    space = space_around()
    middle, folder = space.unit(space.base), options.keep
    folder.mkdir(parents=True, exist_ok=True)
    run_all(folder, space, {"base": middle}, options.base_runs, options.workers)
    density, g, seen, F = fluctuations(space, samples(folder, "base", options.base_runs))
    steps = choose_steps(folder, space, F)
    ends = {
        f"{name}{sign:+d}": middle + sign * steps[name] * np.eye(space.dim)[k]
        for k, name in enumerate(space.names)
        for sign in (1, -1)
    }
    run_all(folder, space, ends, options.runs, options.workers)
    pulls, windows = [], []
    print("by ln θ        step %   dρ/dθ: fluctuations       differences   pull | windows: χ²/n")
    for k, name in enumerate(space.names):
        ups, downs = (
            np.array([summary(s, seen) for s in samples(folder, f"{name}{sign}", options.runs)])
            for sign in ("+1", "-1")
        )
        there = (ups.mean(axis=0) - downs.mean(axis=0)) / (2 * steps[name])
        scatter = ups.var(axis=0, ddof=1) + downs.var(axis=0, ddof=1)
        there_error = np.sqrt(scatter / options.runs) / (2 * steps[name])
        here = np.append(density[0][k], g[0][:, k])
        here_error = np.append(density[1][k], g[1][:, k])
        pull = (here - there) / np.hypot(here_error, there_error)
        pulls.append(pull[0])
        windows.append(pull[1:])
        print(
            f"{name:14s} {100 * steps[name]:6.2f}  {here[0]:9.3f} ± {here_error[0]:6.3f}  "
            f"{there[0]:9.3f} ± {there_error[0]:6.3f}  {pull[0]:+5.1f} | "
            f"{np.mean(pull[1:] ** 2):6.2f}"
        )
    for what, values in (("density", np.array(pulls)), ("windows", np.concatenate(windows))):
        print(f"{what} χ² per degree of freedom {np.mean(values**2):.2f} of {len(values)}")


def space_around() -> ParameterSpace:
    """Make the space of ln θ: bounds a factor e apart, so that the cube's unit is that of ln θ."""
    base, reach = parse_potential(POTENTIAL), math.exp(0.5)
    free = [Free(name, value / reach, value * reach) for name, value in base.parameters.items()]
    return ParameterSpace(base, [one for one in free if not one.name.startswith("q_")])


def run_all(
    folder: Path, space: ParameterSpace, points: dict[str, FloatArray], runs: int, workers: int
) -> None:
    """Make the runs that are not there yet; those in the middle keep their frames."""
    melting = Melting("random", 300.0, PROTOCOL.temperature, timestep_fs=PROTOCOL.timestep_fs)
    start = melted_structure(space.base, SYSTEM, melting)
    everything = ["base", *(f"{name}{sign}" for name in space.names for sign in ("+1", "-1"))]
    waiting = [(run, point) for run in range(runs) for point in points]
    waiting = [key for key in waiting if not file_of(folder, *key).exists()]
    with LocalFarm[Sample](workers) as farm:
        while waiting or farm.busy:
            while waiting and farm.idle:
                run, point = key = waiting.pop(0)
                seed = 1 + everything.index(point) + run * len(everything)
                potential, keep = space.potential(points[point]), point == "base"
                task = partial(sample, potential, PROTOCOL, start, seed, R, keep=keep)
                farm.submit(key, task, 10 * PROTOCOL.timeout(SYSTEM.atoms))
            for back in farm.wait(10.0):
                run, point = back.key
                if not isinstance(back.result, Sample):
                    raise SystemExit(f"{point}, run {run + 1}: {back.result}")
                save_sample(file_of(folder, run, point), back.result)
                print(f"{point}, run {run + 1}: {back.seconds:.0f} s, {len(waiting)} waiting")


def file_of(folder: Path, run: int, point: str) -> Path:
    return folder / f"{point}_{run + 1}.npz"


def samples(folder: Path, point: str, runs: int) -> Iterator[Sample]:
    return (load_sample(file_of(folder, run, point)) for run in range(runs))


def into_windows(g: FloatArray) -> FloatArray:
    """Average g, shape (..., pairs, bins), over windows, shape (..., pairs × windows)."""
    wide: FloatArray = g.reshape(*g.shape[:-1], -1, WINDOW).mean(axis=-1)
    return wide.reshape(*g.shape[:-2], -1)


def summary(one: Sample, seen: NDArray[np.bool_]) -> FloatArray:
    """Return the density in g/cm³ and the windows of g(r) of a run."""
    assert one.density is not None
    return np.append(one.density.mean(), into_windows(one.rdf.g)[seen])


def fluctuations(
    space: ParameterSpace, base: Iterator[Sample]
) -> tuple[Both, Both, NDArray[np.bool_], FloatArray]:
    """Find the derivatives of density and windows with their errors, which are seen, and F."""
    beta, rows = 1.0 / (BOLTZMANN_CONSTANT * PROTOCOL.temperature), []
    u, masses = space.unit(space.base), {x: s.mass for x, s in space.base.species.items()}
    for run, one in enumerate(base):
        assert one.frames is not None  # runs in the middle keep them
        frames = one.frames
        label = np.full(len(frames), run)
        rows.append(
            (
                np.column_stack([frames.density(masses), into_windows(frames.g())]),
                frames.gradient(space, u),
                label,
            )
        )
    A, dU, runs = (np.concatenate(column) for column in zip(*rows, strict=True))
    found = linear_response(A, dU, beta, runs)
    seen = found.mean[1:] > LEAST_G
    J, error = found.jacobian, found.jacobian_error
    return (J[0], error[0]), (J[1:][seen], error[1:][seen]), seen, found.metric


def choose_steps(folder: Path, space: ParameterSpace, metric: FloatArray) -> dict[str, float]:
    """Choose the step of each ln θ, of length 1 in the metric; once for all runs."""
    file = folder / "steps.json"
    if not file.exists():
        steps = 1.0 / np.sqrt(np.diag(metric))
        file.write_text(json.dumps(dict(zip(space.names, steps.tolist(), strict=True))))
    known: dict[str, float] = json.loads(file.read_text())
    return known


if __name__ == "__main__":
    main()
