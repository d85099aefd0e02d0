"""Are derivatives from the fluctuations of one run those of independent runs? Ask the MD.

In a small box of liquid, the derivatives of g(r), of the pressure and of every other term of a
target are found twice for each parameter: from the fluctuations of runs in the middle, and as
central differences of runs with that parameter raised and lowered. A pull is their difference over
the root of the sum of the squared errors, of unit variance if the derivatives are right. With n
runs at each end errors are uncertain themselves, which makes the mean square of pulls some
(n - 1)/(n - 2).

The liquids are silica at 3600 K, in the charge and in A, rho and C of every pair of CHIK, and
argon-krypton, 108 atoms at 110 K, in ln ε and ln σ of all pairs: that shares nothing with silica,
and a run takes seconds. --npt lets the box change, at zero pressure and at 1000 bar.

Errors come from the scatter of whole runs with velocities of their own. Blocks of 2.5 ps of one run
of silica would not do: means of runs of 25 ps scatter with about three times the variance that
these tell.

The step of the differences has the length |s|_F = 1 in the metric F = β² cov(dU/dθ) of the runs in
the middle: as far as energies tell, the ends are one standard deviation away. Averages move by no
more than |s|_F standard deviations of a single frame, so a shorter step drowns in noise; and frames
of the middle are still typical at the ends (a fraction exp(-|s|²) of them counts), so a longer one
leaves the linear range. Even so differences are the noisier route: slow modes of the liquid scatter
them, whereas in products with dU/dθ, which is fast, they average out. Runs in the middle serve all
parameters, so there are more of them, and what scatters is the differences, each its own.

Single bins are noisy, and there are many. Compared are

- the component of the gradient of R² (all bins, weighted by the residual in the middle),
- the pressure, which depends on the parameters itself, too,
- g(r) in windows of 0.2 or 0.25 Å: the mean square of their pulls (neighbours are correlated),
- the change of all bins as a vector: cosine between both routes, and the length along the
  differences over that of the differences, with the noise taken out of the squares,
- the residuals of every other term: coordination, bond angles, S(q) of neutrons and X-rays, T(r),
  and with --npt the density: the mean square of their pulls. Residuals that are the same in two
  runs, such as empty bins of an angle, do not count.

Runs are kept in the folder --keep and never made twice: the same command goes on where it was
stopped, with a larger --runs it adds runs, with --only it does some of the parameters.

    python ci/check_jacobian.py argon-krypton --keep FOLDER [--npt] [--json FILE]
    python ci/check_jacobian.py silica --keep FOLDER [--runs 16] [--only q_Si ...]
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jacobian_liquids import LIQUIDS, Liquid, problem_of
from numpy.typing import NDArray

from lammpsfit.farm.local import LocalFarm, available_cores
from lammpsfit.fit.run.problem import Problem
from lammpsfit.forcefield import Free, ParameterSpace
from lammpsfit.md.melt import melted_structure
from lammpsfit.md.protocol import Ensemble
from lammpsfit.md.sample import Sample
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import residual_scale
from lammpsfit.structure.fluctuations import Response, linear_response
from lammpsfit.target import Evaluation, Target, Term
from lammpsfit.target.evaluate import Evaluate
from lammpsfit.target.terms.pair_distribution import PairDistribution
from lammpsfit.units import BAR_PER_GPA, BOLTZMANN_CONSTANT

FloatArray = NDArray[np.float64]

REACH = math.exp(0.5)  # bounds a factor e apart: the unit of the cube is that of ln θ
BUSY = 20  # times longer than usual a run may take: what runs beside this is not known
LEAST_G = 0.05  # windows where g is smaller hold too few pairs for an error


@dataclass(frozen=True)
class Settings:
    """What all runs of a folder have in common."""

    liquid: str
    ps: float
    relax: float
    step: float
    ensemble: Ensemble


@dataclass(frozen=True)
class Summary:
    """The fixed linear functions of g(r) that are compared, by row of the result.

    Attributes
    ----------
    target
        What residuals are made with.
    residuals
        Residuals in the middle, shape (pairs * bins,).
    width
        Of a window, Å.
    windows
        Which windows of g(r) are compared, shape (pairs, windows).
    """

    target: Target
    residuals: FloatArray
    width: float
    windows: NDArray[np.bool_]

    def __call__(self, g: FloatArray) -> FloatArray:
        """Return R² (linear part), windows and residuals, shape (n, K), of g, (n, pairs, bins)."""
        scale = residual_scale(self.target.reference, self.target.structure.weights)
        y = ((g - self.target.reference.g) * scale[:, None]).reshape(len(g), -1)
        seen = into_windows(g, self.width, self.target.reference.dr)[:, self.windows]
        return np.hstack([2.0 * (y @ self.residuals)[:, None], seen, y])

    @property
    def n_windows(self) -> int:
        """Number of windows compared."""
        return int(self.windows.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("liquid", choices=LIQUIDS)
    parser.add_argument("--keep", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--ps", type=float, help="sampled ps of each run: 20, or 80 of argon")
    parser.add_argument("--relax", type=float, help="ps before that: 10, or 20")
    parser.add_argument("--step", type=float, default=1.0, help="|s|_F of the differences")
    parser.add_argument("--runs", type=int, default=16, help="runs at each point")
    parser.add_argument("--base-runs", type=int, help="in the middle, by default 4 times as many")
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--only", nargs="+", metavar="PARAM", help="parameters to compare")
    parser.add_argument("--npt", action="store_true", help="at constant pressure, and the density")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    ensemble: Ensemble = "npt" if options.npt else "nvt"
    liquid = LIQUIDS[options.liquid]
    ps, relax = options.ps or liquid.sample, options.relax or liquid.relax
    settings = Settings(options.liquid, ps, relax, options.step, ensemble)
    folder: Path = options.keep
    check_settings(folder, settings)
    problem = set_up(settings, folder)
    space = space_around(liquid, problem)
    names = options.only or list(space.names)
    if unknown := set(names) - set(space.names):
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(space.names)}")

    base_runs = options.base_runs or 4 * options.runs
    if min(options.runs, base_runs) < 2:
        raise SystemExit("errors need at least two runs at each point")
    middle = space.unit(space.base)
    run_all(folder, problem, space, {"base": middle}, base_runs, options.workers)
    summary = summarise(problem, liquid.window, samples(folder, "base", base_runs))
    g, pressure = fluctuations(problem, space, samples(folder, "base", base_runs), summary)
    others = other_terms(problem, space, samples(folder, "base", base_runs))
    steps = choose_steps(folder, space, g.metric, settings.step)
    ends = {
        f"{name}{sign:+d}": middle + sign * steps[name] * np.eye(space.dim)[space.names.index(name)]
        for name in names
        for sign in (1, -1)
    }
    run_all(folder, problem, space, ends, options.runs, options.workers)
    rows = []
    for name in names:
        up, down = (list(samples(folder, f"{name}{s}", options.runs)) for s in ("+1", "-1"))
        i = space.names.index(name)
        row = compare(name, i, steps[name], (g, pressure), (up, down), summary)
        row["terms"] = {
            term.name: pulls_of(term, others[term.name], i, steps[name], (up, down)).tolist()
            for term in problem.target.observables
        }
        rows.append(row)
    report(rows)
    if options.json:
        options.json.write_text(json.dumps({"settings": asdict(settings), "rows": rows}, indent=1))


def check_settings(folder: Path, settings: Settings) -> None:
    """Refuse to mix runs of different settings in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.json"
    ours = asdict(settings)
    if not file.exists():
        file.write_text(json.dumps(ours))
    if (theirs := json.loads(file.read_text())) != ours:
        raise SystemExit(f"{folder} holds runs with {theirs}, asked for are {ours}: use another")


def set_up(settings: Settings, folder: Path) -> Problem:
    """Make the small box and its target, with pairs in the order of frames."""
    problem = problem_of(settings.liquid, folder, settings.relax, settings.ps, settings.ensemble)
    reference = problem.target.reference.reorder(problem.potential.pair_names)
    others = problem.target.others
    return replace(problem, target=Target(PairDistribution(reference), others))


def space_around(liquid: Liquid, problem: Problem) -> ParameterSpace:
    """Make the space of ln θ: bounds a factor e apart, so that the cube's unit is that of ln θ."""
    base = problem.potential
    known = base.parameters
    free = [Free(name, known[name] / REACH, known[name] * REACH) for name in liquid.names()]
    composition = problem.system.composition
    return ParameterSpace(base, free, balance=liquid.balance, composition=composition)


def run_all(
    folder: Path,
    problem: Problem,
    space: ParameterSpace,
    points: dict[str, FloatArray],
    runs: int,
    workers: int,
) -> None:
    """Make the runs that are not there yet; those in the middle keep their frames."""
    structure = melted_structure(problem.melt_potential, problem.system, problem.melting)
    waiting = [(run, point) for run in range(runs) for point in points]
    waiting = [key for key in waiting if not file_of(folder, *key).exists()]
    hung = BUSY * problem.protocol.timeout(problem.system.atoms)
    with LocalFarm[Evaluation](workers) as farm:
        while waiting or farm.busy:
            while waiting and farm.idle:
                run, point = key = waiting.pop(0)
                potential = space.potential(points[point])
                seed = seed_of(space, run, point)
                keep = point == "base"
                task = Evaluate(
                    potential, problem.protocol, structure, seed, problem.target, keep=keep
                )
                farm.submit(key, task, hung)
            for back in farm.wait(10.0):
                run, point = back.key
                if not isinstance(back.result, Evaluation):
                    raise SystemExit(f"{point}, run {run + 1}: {back.result}")
                save_sample(file_of(folder, run, point), back.result.sample)
                print(f"{point}, run {run + 1}: {back.seconds:.0f} s, {len(waiting)} waiting")


def file_of(folder: Path, run: int, point: str) -> Path:
    return folder / f"{point}_{run + 1}.npz"


def seed_of(space: ParameterSpace, run: int, point: str) -> int:
    """Return a seed that no other run has."""
    everything = ["base", *(f"{name}{sign}" for name in space.names for sign in ("+1", "-1"))]
    return 1 + everything.index(point) + run * len(everything)


def samples(folder: Path, point: str, runs: int) -> Iterator[Sample]:
    return (load_sample(file_of(folder, run, point)) for run in range(runs))


def into_windows(g: FloatArray, wide: float, dr: float) -> FloatArray:
    """Average g, shape (..., bins), over windows, shape (..., windows)."""
    width = round(wide / dr)
    n = g.shape[-1] // width
    windows: FloatArray = g[..., : n * width].reshape(*g.shape[:-1], n, width).mean(axis=-1)
    return windows


def summarise(problem: Problem, width: float, base: Iterator[Sample]) -> Summary:
    """Fix what is compared by the mean g(r) in the middle."""
    g = np.mean([one.rdf.g for one in base], axis=0)
    reference = problem.target.reference
    residuals = (g - reference.g) * residual_scale(reference)[:, None]
    windows = into_windows(g, width, reference.dr) > LEAST_G
    return Summary(problem.target, residuals.ravel(), width, windows)


def fluctuations(
    problem: Problem, space: ParameterSpace, base: Iterator[Sample], summary: Summary
) -> tuple[Response, Response]:
    """Find the derivatives of the summary and of the pressure (GPa) from the runs in the middle."""
    u, beta = space.unit(space.base), 1.0 / (BOLTZMANN_CONSTANT * problem.protocol.temperature)
    rows = []
    for run, one in enumerate(base):
        assert one.frames is not None  # runs in the middle keep them
        dP = one.frames.pressure_gradient(space, u) / BAR_PER_GPA
        P, label = one.frames.pressure / BAR_PER_GPA, np.full(len(one.frames), run)
        rows.append((summary(one.frames.g()), P, dP, one.frames.gradient(space, u), label))
    A, P, dP, dU, runs = (np.concatenate(column) for column in zip(*rows, strict=True))
    return (
        linear_response(A, dU, beta, runs),
        linear_response(P[:, None], dU, beta, runs, dA=dP[:, None, :]),
    )


def other_terms(
    problem: Problem, space: ParameterSpace, base: Iterator[Sample]
) -> dict[str, Response]:
    """Find the derivatives of the residuals of the other terms from the runs in the middle."""
    u, beta = space.unit(space.base), 1.0 / (BOLTZMANN_CONSTANT * problem.protocol.temperature)
    terms = problem.target.observables
    values: dict[str, list[FloatArray]] = {term.name: [] for term in terms}
    dU, labels = [], []
    for run, one in enumerate(base):
        assert one.frames is not None  # runs in the middle keep them
        dU.append(one.frames.gradient(space, u))
        labels.append(np.full(len(one.frames), run))
        for term in terms:
            values[term.name].append(term.per_frame(one.frames))
    gradient, runs = np.concatenate(dU), np.concatenate(labels)
    return {
        name: linear_response(np.concatenate(several), gradient, beta, runs)
        for name, several in values.items()
    }


def pulls_of(
    term: Term,
    response: Response,
    i: int,
    h: float,
    ends: tuple[list[Sample], list[Sample]],
) -> FloatArray:
    """Return the pulls of the residuals of a term that runs move, for one parameter."""
    up, down = (np.array([term.per_block(one).mean(axis=0) for one in end]) for end in ends)
    there = (up.mean(axis=0) - down.mean(axis=0)) / (2 * h)
    variance = up.var(axis=0, ddof=1) / len(up) + down.var(axis=0, ddof=1) / len(down)
    error = np.hypot(response.jacobian_error[:, i], np.sqrt(variance) / (2 * h))
    moved = np.all([np.diff(np.sort(end, axis=0), axis=0).all(axis=0) for end in (up, down)], 0)
    pulls: FloatArray = ((response.jacobian[:, i] - there)[moved]) / error[moved]
    return pulls


def choose_steps(
    folder: Path, space: ParameterSpace, metric: FloatArray, length: float
) -> dict[str, float]:
    """Choose the step of each ln θ, of that length in the metric; once for all runs."""
    file = folder / "steps.json"
    if not file.exists():
        steps = length / np.sqrt(np.diag(metric))
        file.write_text(json.dumps(dict(zip(space.names, steps.tolist(), strict=True))))
    steps_of: dict[str, float] = json.loads(file.read_text())
    return steps_of


def means(runs: list[Sample], summary: Summary) -> tuple[FloatArray, FloatArray, Estimate]:
    """Mean summary of the runs at one point, its error, and the pressure in GPa."""
    values = summary(np.stack([one.rdf.g for one in runs]))
    pressure = np.array([one.pressure.mean for one in runs]) / BAR_PER_GPA
    root = math.sqrt(len(runs))
    return (
        values.mean(axis=0),
        values.std(axis=0, ddof=1) / root,
        Estimate(float(pressure.mean()), float(pressure.std(ddof=1) / root)),
    )


def compare(
    name: str,
    i: int,
    h: float,
    responses: tuple[Response, Response],
    ends: tuple[list[Sample], list[Sample]],
    summary: Summary,
) -> dict:
    """Compare both routes for one parameter; derivatives are by ln θ."""
    (up, up_error, up_P), (down, down_error, down_P) = (means(end, summary) for end in ends)
    g, pressure = responses
    there = (up - down) / (2 * h)
    there_error = np.hypot(up_error, down_error) / (2 * h)
    here, here_error = g.jacobian[:, i], g.jacobian_error[:, i]
    windows = slice(1, 1 + summary.n_windows)
    pulls = (here - there)[windows] / np.hypot(here_error, there_error)[windows]
    bins = slice(1 + summary.n_windows, None)
    a, b = here[bins], there[bins]
    # noise adds its variance to squares, but nothing to the product of independent vectors
    aa, bb = a @ a - np.sum(here_error[bins] ** 2), b @ b - np.sum(there_error[bins] ** 2)
    return {
        "name": name,
        "step": h,
        "R2": [here[0], here_error[0], there[0], there_error[0]],
        "P": [
            float(pressure.jacobian[0, i]),
            float(pressure.jacobian_error[0, i]),
            (up_P.mean - down_P.mean) / (2 * h),
            math.hypot(up_P.error, down_P.error) / (2 * h),
        ],
        "windows": pulls.tolist(),
        "cosine": float(a @ b / math.sqrt(aa * bb)) if min(aa, bb) > 0 else math.nan,
        "ratio": float(a @ b / bb) if bb > 0 else math.nan,
    }


def pull(four: list[float]) -> float:
    """Pull of value, error, value, error."""
    here, here_error, there, there_error = four
    return (here - there) / math.hypot(here_error, there_error)


def report(rows: list[dict]) -> None:
    """Print both derivatives of each parameter, and how far they agree."""
    print("by ln θ    step %  d(R²): fluctuations      differences  pull | dP/GPa: ", end="")
    print("fluctuations      differences  pull | windows: χ²/n  worst | cosine  ratio")
    for row in rows:
        print(f"{row['name']:10s} {100 * row['step']:6.2f}", end="")
        for key in ("R2", "P"):
            here, here_error, there, there_error = row[key]
            print(f"  {here:9.4g} ± {here_error:7.2g} {there:9.4g} ± {there_error:7.2g}", end="")
            print(f" {pull(row[key]):+5.1f} |", end="")
        pulls = np.array(row["windows"])
        print(f" {np.mean(pulls**2):14.2f} {np.abs(pulls).max():6.1f} |", end="")
        print(f" {row['cosine']:6.3f} {row['ratio']:6.3f}")
    everything = {key: np.array([pull(row[key]) for row in rows]) for key in ("R2", "P")}
    everything["windows"] = np.concatenate([row["windows"] for row in rows])
    for name in rows[0]["terms"] if rows else ():
        everything[name] = np.concatenate([row["terms"][name] for row in rows])
    for key, pulls in everything.items():
        print(f"{key:28s} χ² per degree of freedom {np.mean(pulls**2):.2f} of {len(pulls)}")


if __name__ == "__main__":
    main()
