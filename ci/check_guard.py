"""Does the guard against collapse tell sound potentials from unsound ones? Ask the MD.

Potentials are drawn evenly (Sobol) from a box about BKS, without any guard, and each is run for
3 ps at 3600 K. Printed is how many runs failed: of those the guard says only the core holds, and
of the others by the height of the lowest barrier in front of an inner well, in kT. The
guard's default, BARRIER in lammpsfit/forcefield/guard.py, was read off this table.

    python ci/check_guard.py [--points 256] [--json FILE]
"""

import argparse
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.stats import qmc

from lammpsfit.child.failure import Failure
from lammpsfit.config import read_job
from lammpsfit.farm.local import LocalFarm, available_cores
from lammpsfit.farm.stop import Stop
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.evaluate_potentials import evaluate_potentials
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.forcefield import Free, ParameterSpace, collapse
from lammpsfit.md.protocol import Protocol
from lammpsfit.report.progress import ProgressMonitor
from lammpsfit.units import BOLTZMANN_CONSTANT

JOB = Path(__file__).parent.parent / "examples" / "silica" / "quick.toml"
FACTORS = {"q_Si": 1.3} | {
    f"{name}_{pair}": factor
    for pair in ("Si-O", "O-O")
    for name, factor in (("A", 1.35), ("rho", 1.08), ("C", 1.35))
}
EDGES = (0, 20, 25, 30, 35, 40, 45, 50, 60, np.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=256)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    problem = build_problem(read_job(JOB))
    problem = replace(problem, protocol=Protocol(3600.0, relax=2.0, sample=1.0))
    start = problem.potential.parameters
    space = ParameterSpace(
        problem.potential,
        [Free(name, start[name] / f, start[name] * f) for name, f in FACTORS.items()],
        balance="O",
        composition=problem.system.composition,
    )
    points = qmc.Sobol(space.dim, rng=np.random.default_rng(1)).random(options.points)
    potentials = {str(i): space.potential(u) for i, u in enumerate(points)}
    monitor = ProgressMonitor(Console(soft_wrap=True))
    results = evaluate_potentials(
        potentials, 1, Conditions.only(problem), 1, LocalFarm(available_cores()), monitor, Stop()
    )
    kT = BOLTZMANN_CONSTANT * problem.protocol.temperature
    found = []
    for label, potential in potentials.items():
        guard = collapse(potential, problem.protocol.temperature)
        # any barrier will do here: what is left are wells that only the core holds
        walls = collapse(potential, problem.protocol.temperature, barrier=1e-9)
        result = results[label]
        found.append(
            {
                "parameters": potential.parameters,
                "lowest_kT": min(one.height for one in guard.pairs.values()) / kT,
                "held_by_core": not walls.sound,
                "sound": guard.sound,
                "failed": str(result) if isinstance(result, Failure) else "",
            }
        )
    report(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def report(found: list[dict]) -> None:
    """Print failures by barrier height, and the guard's hits and misses."""
    lowest = np.array([one["lowest_kT"] for one in found])
    core = np.array([one["held_by_core"] for one in found])
    failed = np.array([bool(one["failed"]) for one in found])
    sound = np.array([one["sound"] for one in found])
    print(f"{'':>22}   runs   failed")
    print(f"{'held by the core alone':>22} {core.sum():6d} {(core & failed).sum():8d}")
    for low, high in pairwise(EDGES):
        here = ~core & (lowest >= low) & (lowest < high)
        name = f"{low:.0f} to {high:.0f} kT" if np.isfinite(high) else f"over {low:.0f} kT, or none"
        print(f"{name:>22} {here.sum():6d} {(here & failed).sum():8d}")
    print(
        f"of {len(found)} the guard turns away {np.sum(~sound)}, of which "
        f"{np.sum(~sound & failed)} failed, and lets through {sound.sum()}, of which "
        f"{np.sum(sound & failed)} failed"
    )


if __name__ == "__main__":
    main()
