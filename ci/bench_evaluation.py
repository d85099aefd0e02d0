"""What an evaluation costs: the combined table against the overlay, and what is not LAMMPS.

The third figure is what derivatives cost: to keep the frames in fine bins (what is not LAMMPS's
loop, with them less without, turn by turn), and on the master to write and read them and to
turn them into residuals, Jacobian and metric for seven parameters.

Both realisations run turn by turn on one worker, so that a busy machine slows both; the ratio
of each turn is taken, and the median is printed. The share that is not LAMMPS's own run loop is
that of a whole evaluation as the farm sees it: set-up, tables, harvest, cost, transport.

    python ci/bench_evaluation.py [--atoms 3000] [--turns 5] [--json FILE]
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from lammpsfit.child.process import run_in_child
from lammpsfit.config import read_job
from lammpsfit.farm.local import Finished, LocalFarm
from lammpsfit.fit.newton.local_model import Fluctuations
from lammpsfit.fit.run.build import build_space
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.md.export import Forces, RunExport
from lammpsfit.md.melt import melted_structure
from lammpsfit.md.potential_text import Realisation, pair_lines, species_lines
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.target import Evaluation
from lammpsfit.target.evaluate import Evaluate

JOB = Path(__file__).parent.parent / "examples" / "silica" / "paper.toml"
REALISATIONS: tuple[Realisation, ...] = ("combined", "overlay")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, default=3000, help="atoms of the speed ratio")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    problem = build_problem(read_job(JOB))
    large = replace(problem, system=replace(problem.system, atoms=options.atoms))
    small = replace(problem, system=replace(problem.system, atoms=648))
    result = {
        "force_difference_rms": force_difference(large),
        "speed": speed(large, options.turns),
        "overhead": overhead(small, options.turns),
        "derivatives": derivatives(small, options.turns),
    }
    ratios = result["speed"]["ratios"]
    print(f"forces, combined minus overlay: {result['force_difference_rms']:.1e} eV/Å rms")
    print(
        f"overlay / combined, {options.atoms} atoms: median {median(ratios):.2f} "
        f"({', '.join(f'{ratio:.2f}' for ratio in ratios)})"
    )
    shares = result["overhead"]["shares"]
    print(
        f"not in LAMMPS's loop, 648 atoms, 5 + 10 ps: median {100 * median(shares):.2f} % "
        f"({', '.join(f'{100 * share:.2f}' for share in shares)}) "
        f"of {median(result['overhead']['seconds']):.1f} s"
    )
    costs = result["derivatives"]
    derivative_share = median(costs["kept"]) + median(costs["master"])
    print(
        f"derivatives: median {100 * median(costs['kept']):.2f} % in the run "
        f"({', '.join(f'{100 * share:.2f}' for share in costs['kept'])}), "
        f"{100 * median(costs['master']):.2f} % on the master "
        f"({', '.join(f'{100 * share:.2f}' for share in costs['master'])})"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))
    if not (median(ratios) >= 2.4 and median(shares) < 0.03 and derivative_share < 0.05):
        raise SystemExit("missed: 2.4 times the speed, 3 % of overhead, 5 % for derivatives")


def force_difference(problem: Problem) -> float:
    """Compare the forces of both realisations on the molten structure, in eV/Å rms."""
    structure = melted_structure(problem.melt_potential, problem.system, problem.melting)
    forces = {name: _forces(problem, name, structure).forces for name in REALISATIONS}
    return float(np.sqrt(np.mean((forces["combined"] - forces["overlay"]) ** 2)))


def speed(problem: Problem, turns: int) -> dict[str, list[float]]:
    """Time both realisations turn by turn: seconds in the loop, and their ratios."""
    protocol = Protocol(problem.protocol.temperature, relax=0.2, sample=0.4, blocks=4)
    seconds: dict[Realisation, list[float]] = {name: [] for name in REALISATIONS}
    with LocalFarm[Evaluation](1) as farm:
        for turn in range(turns):
            for name in REALISATIONS:
                back = _evaluate(farm, problem, protocol, turn + 1, name)
                seconds[name].append(back.result.sample.md_seconds)
    ratios = np.array(seconds["overlay"]) / np.array(seconds["combined"])
    return {**seconds, "ratios": ratios.tolist()}


def overhead(problem: Problem, turns: int) -> dict[str, list[float]]:
    """Time whole evaluations of 5 + 10 ps as the farm sees them."""
    warm_up = Protocol(problem.protocol.temperature, relax=0.0, sample=0.2, blocks=4)
    protocol = Protocol(problem.protocol.temperature, relax=5.0, sample=10.0)
    shares, seconds = [], []
    with LocalFarm[Evaluation](1) as farm:
        _evaluate(farm, problem, warm_up, 1, "combined")  # starts the child, once per job
        for turn in range(turns):
            back = _evaluate(farm, problem, protocol, turn + 1, "combined")
            shares.append(1.0 - back.result.sample.md_seconds / back.seconds)
            seconds.append(back.seconds)
    return {"shares": shares, "seconds": seconds}


def derivatives(problem: Problem, turns: int) -> dict[str, list[float]]:
    """Time what derivatives cost, as shares of an evaluation of 5 + 10 ps."""
    warm_up = Protocol(problem.protocol.temperature, relax=0.0, sample=0.2, blocks=4)
    protocol = Protocol(problem.protocol.temperature, relax=5.0, sample=10.0)
    space = build_space(read_job(JOB), Conditions.only(problem))
    u = space.unit(problem.potential)
    linearise = Fluctuations(space, problem.target, protocol.temperature)
    kept, master = [], []
    with LocalFarm[Evaluation](1) as farm, tempfile.TemporaryDirectory() as folder:
        _evaluate(farm, problem, warm_up, 1, "combined")
        for turn in range(turns):
            runs = {
                keep: _evaluate(farm, problem, protocol, turn + 1, "combined", keep)
                for keep in (False, True)
            }
            rests = {keep: back.seconds - _md(back) for keep, back in runs.items()}
            kept.append((rests[True] - rests[False]) / runs[True].seconds)
            begin = time.perf_counter()
            save_sample(Path(folder) / "s.npz", runs[True].result.sample)
            linearise([(u, load_sample(Path(folder) / "s.npz"))], u)
            master.append((time.perf_counter() - begin) / runs[True].seconds)
    return {"kept": kept, "master": master}


def _md(back: Finished[Evaluation]) -> float:
    return back.result.sample.md_seconds


def _evaluate(
    farm: LocalFarm[Evaluation],
    problem: Problem,
    protocol: Protocol,
    seed: int,
    realisation: Realisation,
    keep: bool = False,
) -> Finished[Evaluation]:
    structure = melted_structure(problem.melt_potential, problem.system, problem.melting)
    potential = problem.potential
    task = Evaluate(potential, protocol, structure, seed, problem.target, realisation, keep=keep)
    farm.submit(seed, task, protocol.timeout(problem.system.atoms))
    (back,) = farm.wait(1e6)
    if not isinstance(back.result, Evaluation):
        raise SystemExit(f"the run failed: {back.result}")
    return back


def _forces(problem: Problem, realisation: Realisation, structure: Path) -> Forces:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [
            species_lines(problem.potential),
            pair_lines(problem.potential, realisation, folder),
        ]
        (folder / "potential.lmp").write_text("\n".join(lines) + "\n")
        return run_in_child(RunExport(folder, "potential.lmp", structure), 60.0)


if __name__ == "__main__":
    main()
