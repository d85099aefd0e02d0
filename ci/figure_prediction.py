"""Predicted against measured change of g(r) for one step in parameter space.

From runs at CHIK alone, a step of given length down the fit to the ab initio liquid and the change
of g(r) it will make are predicted, by the fluctuations of these runs. Then the potential at its end
is run. Drawn are both, with their standard errors from run to run; printed is how well they agree:
the change along the predicted one, and the rest in standard errors.

    python ci/figure_prediction.py docs/prediction.png [--runs 6] [--ps 10] [--length 2]
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from lammpsfit.config import read_job
from lammpsfit.farm.local import LocalFarm
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton import trust_region
from lammpsfit.fit.newton.local_model import Fluctuations
from lammpsfit.fit.run.build import build_constraint, build_space
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.forcefield import Potential
from lammpsfit.md.melt import melted_structure
from lammpsfit.md.sample import Sample
from lammpsfit.report.figures import COLOURS, new_figure, save_figure
from lammpsfit.structure.blocks import jackknife_error
from lammpsfit.structure.cost import residual_scale
from lammpsfit.target import Evaluation
from lammpsfit.target.evaluate import Evaluate

JOB = Path(__file__).parent.parent / "examples" / "silica" / "quick.toml"
SHOWN = 1.2
"""Å below which there is nothing to see."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--runs", type=int, default=6, help="runs at each end")
    parser.add_argument("--ps", type=float, default=10.0, help="sampled in each, after 5 ps")
    parser.add_argument("--length", type=float, default=2.0, help="of the step, in kT of U")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    job = read_job(JOB)
    problem = build_problem(job)
    problem = replace(problem, protocol=replace(problem.protocol, relax=5.0, sample=options.ps))
    conditions = Conditions.only(problem)
    space = build_space(job, conditions)
    linearise = Fluctuations(space, problem.target, problem.protocol.temperature)
    x = space.unit(problem.potential)
    before = run_all(problem, problem.potential, options.runs, 1, options.workers)
    model = linearise([(x, sample) for sample in before], x)
    domain = Domain(space.dim, build_constraint(job, conditions, space))
    F = model.response.metric
    step = trust_region.step(model.quadratic, F, x, options.length, domain)
    after = run_all(problem, space.potential(x + step), options.runs, 101, options.workers)

    scale = residual_scale(problem.target.reference, problem.target.structure.weights)[:, None]
    shape = problem.target.reference.g.shape
    predicted = (model.response.jacobian @ step).reshape(shape) / scale
    one_less = [
        linearise([(x, s) for s in before if s is not left], x).response.jacobian @ step
        for left in before
    ]
    error = jackknife_error(np.array(one_less)).reshape(shape) / scale
    g0, g1 = (curves(problem, samples) for samples in (before, after))
    measured = g1.mean(axis=0) - g0.mean(axis=0)
    noise = np.hypot(*(g.std(axis=0, ddof=1) / np.sqrt(options.runs) for g in (g0, g1)))
    along = float(np.sum(scale**2 * predicted * measured) / np.sum(scale**2 * predicted**2))
    pulls = (measured - predicted) / np.maximum(np.hypot(noise, error), 1e-12)
    seen = problem.target.reference.g > 0.05
    R = [
        100 * float(problem.target.structure.cost(sample.rdf).value) for sample in (*before, *after)
    ]
    print(
        f"length of the step {np.sqrt(step @ F @ step):.2f}; measured along predicted: {along:.2f}"
    )
    print(
        f"rms of (measured - predicted) / error over {seen.sum()} bins: "
        f"{np.sqrt(np.mean(pulls[seen] ** 2)):.2f}"
    )
    print(
        f"R before {np.mean(R[: options.runs]):.2f} %, after {np.mean(R[options.runs :]):.2f} %; "
        f"predicted {100 * np.sqrt(max(model.quadratic(step), 0)):.2f} %"
    )
    draw(problem, predicted, error, measured, noise, options.picture)


def run_all(
    problem: Problem, potential: Potential, runs: int, seed: int, workers: int
) -> list[Sample]:
    """Run a potential several times."""
    structure = melted_structure(problem.melt_potential, problem.system, problem.melting)
    samples = {}
    with LocalFarm[Evaluation](workers) as farm:
        waiting = [seed + k for k in range(runs)]
        while waiting or farm.busy:
            while waiting and farm.idle:
                task = Evaluate(
                    potential, problem.protocol, structure, waiting[0], problem.target, keep=True
                )
                farm.submit(waiting.pop(0), task, 1e4)
            for back in farm.wait(0.5):
                if not isinstance(back.result, Evaluation):
                    raise SystemExit(f"the run failed: {back.result}")
                samples[back.key] = back.result.sample
    return [samples[key] for key in sorted(samples)]


def curves(problem: Problem, samples: list[Sample]) -> np.ndarray:
    """g(r) of each sample in the order of the reference, shape (n, n_pairs, n_bins)."""
    pairs = problem.target.reference.pairs
    return np.array([sample.rdf.reorder(pairs).g for sample in samples])


def draw(
    problem: Problem,
    predicted: np.ndarray,
    error: np.ndarray,
    measured: np.ndarray,
    noise: np.ndarray,
    path: Path,
) -> None:
    """Draw the change of g(r) pair by pair."""
    reference = problem.target.reference
    figure = new_figure(11.0, 3.6)
    for k, pair in enumerate(reference.pairs):
        axes = figure.add_subplot(1, len(reference.pairs), k + 1)
        shown = reference.r > SHOWN
        r = reference.r[shown]
        for values, errors, colour, line, label in (
            (measured, noise, COLOURS[0], "-", "measured"),
            (predicted, error, COLOURS[1], "--", "predicted"),
        ):
            y, e = values[k, shown], errors[k, shown]
            axes.fill_between(r, y - e, y + e, color=colour, alpha=0.25, linewidth=0)
            axes.plot(r, y, line, color=colour, label=label)
        axes.axhline(0.0, color="0.5", linewidth=0.7)
        axes.set_title(pair)
        axes.set_xlabel("r (Å)")
        if k == 0:
            axes.set_ylabel("change of g(r)")
            axes.legend(frameon=False)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
