"""What the early end of hopeless evaluations saves, and how often it errs.

Runs the start, a Sobol design about it and known potentials in full, then replays the rule of
``lammpsfit.md.racing`` on the blocks of those samples: as if each run had been given up at a
level of `race` times the best cost of the search. Samples are kept, so that the rule can be
replayed with other constants without another run.

    python ci/bench_racing.py [--job examples/silica/quick.toml] [--design 24] [--keep FOLDER]
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lammpsfit.config import read_job
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.run.build import build_optimiser, build_space
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.forcefield import Potential
from lammpsfit.md import racing
from lammpsfit.md.melt import melted_structure
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Evaluation
from lammpsfit.target.evaluate import Evaluate

JOB = Path(__file__).parent.parent / "examples" / "silica" / "quick.toml"
KNOWN = ("CHIK", "ML", "ML-SiO", "ML-ALL")
RACES = (1.05, 1.2, 1.5, 2.0, 3.0)
SURENESS = (1.0, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True)
class Run:
    """A full run: its cost, and that of its first n blocks for every n."""

    name: str
    cost: float
    rdf: PartialRdf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job", type=Path, default=JOB)
    parser.add_argument("--design", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder where samples are kept and looked for")
    options = parser.parse_args()

    job = read_job(options.job)
    strategy = job.strategy.model_copy(update={"design": options.design})
    job = job.model_copy(update={"strategy": strategy})
    problem = build_problem(job)
    conditions = Conditions.only(problem)
    space = build_space(job, conditions)
    asks = build_optimiser(job, conditions, space).ask(options.design + 1)
    search = {f"{ask.id:03d}": space.potential(ask.x) for ask in asks}
    known = {name: problem.load(name) for name in KNOWN}
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        evaluate_all(search | known, problem, folder, options.workers)
        runs = list(read_runs(folder, problem))
    best = min(run.cost for run in runs if run.name in search)
    costs = ", ".join(f"{100 * run.cost:.1f}" for run in sorted(runs, key=lambda run: run.cost))
    print(f"{len(runs)} runs, R in %: {costs}")
    print(f"best of the search {100 * best:.2f} %")
    levels_table(runs, best, problem)
    errors_table(runs, problem)


def evaluate_all(
    potentials: dict[str, Potential], problem: Problem, folder: Path, workers: int
) -> None:
    """Run those whose sample is not there yet, in full."""
    structure = melted_structure(problem.melt_potential, problem.system, problem.melting)
    waiting = [name for name in potentials if not (folder / f"{name}.npz").exists()]
    hung = problem.protocol.timeout(problem.system.atoms)
    with LocalFarm[Evaluation](workers) as farm:
        while waiting or farm.busy:
            while waiting and farm.idle:
                name = waiting.pop(0)
                seed = 1 + list(potentials).index(name)
                task = Evaluate(potentials[name], problem.protocol, structure, seed, problem.target)
                farm.submit(name, task, hung)
            for back in farm.wait(0.5):
                if isinstance(back.result, Evaluation):
                    save_sample(folder / f"{back.key}.npz", back.result.sample)
                else:
                    print(f"{back.key}: {back.result}")


def read_runs(folder: Path, problem: Problem) -> Iterator[Run]:
    """Read the samples back."""
    for path in sorted(folder.glob("*.npz")):
        rdf = load_sample(path).rdf
        yield Run(path.stem, problem.target.structure.cost(rdf).value, rdf)


def bounds(run: Run, problem: Problem, sureness: float) -> np.ndarray:
    """Bounds of the cost after 1, 2, ... blocks, shape (blocks - 1,)."""
    whole = run.rdf.blocks
    assert whole is not None
    firsts = (
        PartialRdf.from_blocks(run.rdf.pairs, run.rdf.r, whole[:n]) for n in range(1, len(whole))
    )
    cost = problem.target.structure.cost
    return np.array([racing.least_cost(part, len(whole), cost, sureness) for part in firsts])


def levels_table(runs: list[Run], best: float, problem: Problem) -> None:
    """Print what racing at several levels saves."""
    protocol = problem.protocol
    block_steps = protocol.frame_steps * protocol.frames // protocol.blocks
    print("race  level %   k   hopeless  given up  MD saved %  sampling saved %  wrong")
    for sureness in SURENESS:
        tables = [bounds(run, problem, sureness) for run in runs]
        for race in RACES:
            level = race * best
            hopeless = sum(run.cost >= level for run in runs)
            saved = given_up = wrong = 0
            for run, bound in zip(runs, tables, strict=True):
                if (over := np.flatnonzero(bound >= level)).size:
                    given_up += 1
                    saved += (protocol.blocks - 1 - over[0]) * block_steps
                    wrong += run.cost < level
            share = 100 * saved / (len(runs) * protocol.steps)
            of_sampling = 100 * saved / (len(runs) * protocol.blocks * block_steps)
            print(
                f"{race:4.2f}  {100 * level:7.2f}  {sureness:2.0f}  {hopeless:8d}  {given_up:8d}  "
                f"{share:10.1f}  {of_sampling:16.1f}  {wrong:5d}"
            )


def errors_table(runs: list[Run], problem: Problem) -> None:
    """Print how often the bound lies above the cost of the full run, ever during the run."""
    print("  k  bound ever above R (of runs)  worst bound / R")
    for sureness in SURENESS:
        ratios = np.array([bounds(run, problem, sureness).max() / run.cost for run in runs])
        print(f"{sureness:3.0f}  {np.mean(ratios > 1.0):28.2f}  {ratios.max():15.3f}")


if __name__ == "__main__":
    main()
