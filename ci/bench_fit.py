"""How far each way of fitting gets with a few dozen runs: silica, with real molecular dynamics.

Each fit is a run folder under ``--keep``. What is there is resumed or left as it is, so that the
work can be done in pieces, and its state be looked at meanwhile with ``--table``. Failed runs
count as evaluations. Fits run with 648 atoms for 5 + 10 ps; what comes of them is confirmed with
3000 atoms, 10 + 10 ps and a fresh seed.

bks7, chik10
    Gauss-Newton from BKS and from CHIK to the ab initio liquid.
random7
    The same from random points of wide bounds: does it need a good start?
cma7, simplex7, paper7
    As bks7 with CMA-ES, Nelder-Mead, and Gaussian process and CG with differences.
twin-chik, twin-new
    To the liquid of a known potential, where the best possible R is known: it is that between two
    runs of this potential, at the size of the fit, where these fits are judged too.

    python ci/bench_fit.py --keep FOLDER [--only TASK...] [--seeds N] [--limit-s SECONDS]
    python ci/bench_fit.py --keep FOLDER --table [--json FILE]
"""

import argparse
import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple
from unittest.mock import patch

import cma
import numpy as np
from rich.console import Console
from scipy.optimize import minimize

from lammpsfit.child.process import THREAD_VARIABLES
from lammpsfit.config import Job, read_job
from lammpsfit.errors import LammpsfitError, RunError, StoppedError
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.stop import RESERVE_S, Stop
from lammpsfit.farm.sturdy import SturdyFarm
from lammpsfit.files import write_json, write_text
from lammpsfit.fit.base import Ask, Candidate, Outcome, Vector
from lammpsfit.fit.design import random_point
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.run.build import build_constraint, build_space
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.evaluate_potentials import evaluate_potentials
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.problem import Problem, build_problem
from lammpsfit.fit.run.run_folder import RunFolder, create_run, evaluations, open_run
from lammpsfit.forcefield import ParameterSpace, Potential, dump_potential, load_potential
from lammpsfit.reference import write_rdf_table
from lammpsfit.report.progress import ProgressMonitor
from lammpsfit.structure.cost import cost
from lammpsfit.target import Evaluation

SILICA = Path(__file__).parent.parent / "examples" / "silica"
KNOWN = ("BKS", "CHIK", "ML", "ML-ALL")
NEW = {
    "q_Si": 2.1,
    "q_O": -1.05,
    "A_Si-O": 17000.0,
    "rho_Si-O": 0.2045,
    "C_Si-O": 125.0,
    "A_O-O": 1250.0,
    "rho_O-O": 0.366,
    "C_O-O": 135.0,
}
"""What makes a potential that is nowhere else out of BKS; the guard lets it pass."""

TRUE_RUNS = 4
"""Runs of the true potential of a twin: R between two of them, on average over all pairs."""

NEAR = 1.3
"""A twin is found where R is below so many times that."""

FIRST_STEP = 0.1
"""First standard deviation of CMA-ES and first edge of Nelder-Mead, in the unit cube."""

BROKEN = 2.0
"""What they are told a failed run costs: more than any that did not fail."""

FORBIDDEN = 10.0
"""What Nelder-Mead is told of a point that the guard forbids, at the price of no run."""

Propose = Callable[[list[float], Vector, Domain, int], Vector]
"""Costs so far, start, domain and seed to the next point."""


@dataclass(frozen=True)
class Size:
    """Atoms and times (ps) of fits, and of confirmations."""

    structure: str = "beta-cristobalite"
    fit: tuple[int, float, float] = (648, 5.0, 10.0)
    confirm: tuple[int, float, float] = (3000, 10.0, 10.0)
    blocks: int = 20
    evaluations: int | None = None


FULL = Size()
QUICK = Size("random", (300, 0.1, 0.4), (324, 0.1, 0.4), blocks=8, evaluations=6)
"""To see that all works; the numbers mean nothing."""


@dataclass(frozen=True)
class Task:
    """A kind of fit.

    Attributes
    ----------
    example
        Job file in ``examples/silica`` that gives system, start and bounds.
    seeds, evaluations
        Number of fits, and of evaluations of each.
    needed, level
        The goal: so many fits at or below this R. The median of n fits is where (n + 1) / 2 are.
        None: no goal, or that of a twin.
    strategy
        ``[strategy]`` of the job.
    propose
        The optimiser, where it is none of lammpsfit's own.
    random_start
        Whether fits begin at random points of the bounds that the guard allows.
    twin
        The true potential, where the reference is sampled here.
    factors
        Bounds other than the example's.
    """

    example: str
    seeds: int
    evaluations: int
    needed: int
    level: float | None = None
    strategy: Mapping[str, Any] = field(default_factory=lambda: {"name": "gauss-newton"})
    propose: Propose | None = None
    random_start: bool = False
    twin: Potential | None = None
    factors: Mapping[str, float] = field(default_factory=dict)


class Unit(NamedTuple):
    """A piece of work: a fit, runs of the true potential of a twin, or of a known one."""

    task: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.task}-{self.seed}"


@dataclass(frozen=True)
class Fitted:
    """What came of a fit. `confirmed` is infinite where there is nothing or it failed."""

    seed: int
    confirmed: float
    error: float
    searched: float
    start: float | None
    evaluations: int
    failed: int
    atom_steps: int
    wall_s: float


class Wanted(Exception):  # noqa: N818
    """Carries the first point whose cost is not known out of a minimiser."""

    def __init__(self, x: Vector) -> None:
        super().__init__("a cost is wanted")
        self.x = x


def by_cma(costs: list[float], start: Vector, domain: Domain, seed: int) -> Vector:
    """Propose by CMA-ES, with its package's own settings; forbidden points are drawn again."""
    if not costs:
        return start
    told = iter(costs[1:])
    rng = np.random.default_rng(seed)
    search = cma.CMAEvolutionStrategy(
        start,
        FIRST_STEP,
        {"seed": np.nan, "randn": lambda *shape: rng.standard_normal(shape), "verbose": -9},
    )
    while True:
        points, values = [], []
        for _ in range(search.popsize):
            x = search.ask(1)[0]
            while not domain.permits(x):
                x = search.ask(1)[0]
            if (value := next(told, None)) is None:
                return np.asarray(x)
            points.append(x)
            values.append(value)
        search.tell(points, values)


def by_simplex(costs: list[float], start: Vector, domain: Domain, seed: int) -> Vector:
    """Propose by the simplex of Nelder and Mead, its first edges to sides drawn by lot."""
    told = iter(costs)
    edges = FIRST_STEP * np.random.default_rng(seed).choice([-1.0, 1.0], len(start))
    edges = np.where(np.abs(start + edges - 0.5) > 0.5, -edges, edges)

    def value(x: Vector) -> float:
        if not domain.permits(x):
            return FORBIDDEN
        if (known := next(told, None)) is None:
            raise Wanted(x.copy())
        return known

    simplex = start + np.vstack([np.zeros(len(start)), np.diag(edges)])
    options = {"initial_simplex": simplex, "xatol": 0, "fatol": 0, "maxiter": 10**6}
    try:
        minimize(value, start, method="Nelder-Mead", options=options | {"maxfev": 10**6})
    except Wanted as wanted:
        return wanted.x
    raise RunError("the simplex of Nelder and Mead has shrunk to nothing")


class Replayed:
    """An optimiser that is a function of all costs so far, one point at a time.

    It has what a search that tells results as they come back makes use of.
    """

    def __init__(self, propose: Propose, start: Vector, domain: Domain, seed: int) -> None:
        self._propose = lambda costs: propose(costs, start, domain, seed)
        self._told: list[tuple[Ask, Outcome]] = []

    def ask(self, n: int) -> list[Ask]:
        """Return the next point."""
        costs = [BROKEN if told.cost is None else told.cost for _, told in self._told]
        return [Ask(len(costs), self._propose(costs), "search")] if n else []

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in the outcome of a point."""
        self._told.append((ask, outcome))

    def ranking(self, k: int) -> list[Candidate]:
        """Return up to `k` told points, by what they were told with."""
        sound = [(told.cost, ask, told) for ask, told in self._told if told.cost is not None]
        ranked = sorted(sound, key=lambda row: row[0])[:k]
        return [Candidate(ask, told, value, told.error) for value, ask, told in ranked]


def tasks() -> dict[str, Task]:
    """Return all tasks, in the order of the table."""
    paper = {
        "name": "paper",
        "design": 10,
        "explore": 8,
        "plateau": 8,
        "gradients": "differences",
    }
    bks7 = Task("paper.toml", 5, 30, 3, 0.080)
    rival = replace(bks7, seeds=3, needed=2, level=None)
    twin = replace(rival, evaluations=40)
    # the bounds must reach from BKS to CHIK
    wide = {"A_O-O": 4.0, "C_O-O": 10.0, "A_Si-Si": 4.0}
    chik, new = load_potential("CHIK"), replace(load_potential("BKS").replace(NEW), name="NEW")
    return {
        "bks7": bks7,
        "chik10": replace(bks7, example="ml_all.toml", level=0.060),
        "random7": replace(
            bks7, seeds=10, evaluations=80, needed=8, level=0.090, random_start=True
        ),
        "paper7": replace(rival, strategy=paper),
        "cma7": replace(rival, propose=by_cma),
        "simplex7": replace(rival, propose=by_simplex),
        "twin-chik": replace(twin, example="ml_all.toml", twin=chik, factors=wide),
        "twin-new": replace(twin, twin=new),
    }


TASKS = tasks()


def units(names: list[str], seeds: int | None) -> Iterator[Unit]:
    """Return all work on these tasks, in the order in which it is done."""
    counts = {name: min(TASKS[name].seeds, seeds or TASKS[name].seeds) for name in names}
    for name in ("bks7", "chik10"):
        yield from (Unit(name, seed + 1) for seed in range(counts.pop(name, 0)))
    yield from (Unit("known", number + 1) for number in range(len(KNOWN)))
    yield from (Unit(f"true-{name}", 1) for name in counts if TASKS[name].twin)
    for seed in range(max(counts.values(), default=0)):
        yield from (Unit(name, seed + 1) for name, count in counts.items() if seed < count)


def job_of(unit: Unit, size: Size, keep: Path) -> Job:
    """Make the job of a fit; its start and its reference are written first where they are ours."""
    task = TASKS[unit.task]
    content = read_job(SILICA / task.example).model_dump(mode="json", exclude_none=True)
    atoms, relax, sample = size.fit
    content |= {"title": unit.name, "seed": unit.seed, "strategy": dict(task.strategy)}
    content["system"] |= {"atoms": atoms, "structure": size.structure}
    content["protocol"] |= {"relax": relax, "sample": sample, "blocks": size.blocks}
    content["limits"] = {"evaluations": size.evaluations or task.evaluations}
    content["confirm"] = {"candidates": 1, "repeats": 1}
    content["parameters"] |= {name: {"factor": factor} for name, factor in task.factors.items()}
    if task.twin is None:
        content["confirm"] |= dict(zip(("atoms", "relax", "sample"), size.confirm, strict=True))
    else:
        content["reference"]["file"] = str(keep / f"true-{unit.task}-1" / "reference.csv")
    start = keep / f"{unit.name}.toml"
    if unit.task == "twin-chik":
        write_text(start, dump_potential(with_half_the_silicon_term()))
        content["potential"] = str(start)
    if task.random_start:
        content |= {"potential": str(start), "parameters": random_start(content, unit.seed, start)}
    return Job.model_validate(content)


def with_half_the_silicon_term() -> Potential:
    """Return BKS with half the Si-Si term of CHIK: of its own it has none that could be fitted."""
    bks, chik = load_potential("BKS"), load_potential("CHIK")
    pairs = {**bks.pairs, "Si-Si": chik.pairs["Si-Si"]}
    halved = {name: chik.parameters[name] / 2 for name in ("A_Si-Si", "C_Si-Si")}
    return replace(bks, name="BKS-SiSi", pairs=pairs).replace(halved)


def random_start(content: dict[str, Any], seed: int, path: Path) -> dict[str, Any]:
    """Write a random potential that the guard allows; return the bounds, which stay about BKS."""
    _, space, domain = spaces(Job.model_validate(content))
    x = random_point(domain, np.random.default_rng(seed))
    write_text(path, dump_potential(replace(space.potential(x), name=f"random-{seed}")))
    return {free.name: {"min": free.lower, "max": free.upper} for free in space.free}


def spaces(job: Job) -> tuple[Problem, ParameterSpace, Domain]:
    """Return problem and space of a job, and the part of the unit cube that the guard allows."""
    problem = build_problem(job)
    conditions = Conditions.only(problem)
    space = build_space(job, conditions)
    return problem, space, Domain(space.dim, build_constraint(job, conditions, space))


def run_unit(unit: Unit, size: Size, keep: Path, limit: float | None) -> None:
    """Do a unit, or go on with it, unless another process is at it."""
    with (keep / f"{unit.name}.lock").open("w") as lock, Stop(limit) as stop:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process is at it")
            return
        try:
            if unit.task in TASKS:
                fit(unit, size, keep, stop)
            elif unit.task == "known":
                run_known(unit, size, keep, stop)
            else:
                run_true(unit, size, keep, stop)
        except StoppedError as stopped:
            print(f"stopped: {stopped}")
        except LammpsfitError as error:
            raise SystemExit(f"{unit.name}: {error}") from error


def farm() -> SturdyFarm[Evaluation]:
    """Make a farm of one worker."""
    return SturdyFarm(LocalFarm(1), print)


def fit(unit: Unit, size: Size, keep: Path, stop: Stop) -> None:
    """Fit, from the journal if there is one."""
    path = keep / unit.name
    if path.exists() and not RunFolder(path).journal.exists():
        shutil.rmtree(path)  # killed while it was made
    if not path.exists():
        create_run(path, job_of(unit, size, keep))
    opened = open_fit(*open_run(path))
    opened.deadline = stop.deadline
    with optimiser_of(TASKS[unit.task]):
        run_fit(opened, farm(), ProgressMonitor(Console()), stop)


def optimiser_of(task: Task) -> AbstractContextManager[Any]:
    """Put the optimiser of a task in the place of lammpsfit's own, where it is another one.

    All else, from the seeds of the runs to the journal, is the same for all.
    """
    if (propose := task.propose) is None:
        return nullcontext()

    def build(job: Job, conditions: Conditions, space: ParameterSpace) -> Replayed:
        domain = Domain(space.dim, build_constraint(job, conditions, space))
        return Replayed(propose, space.unit(conditions.potential), domain, job.seed)

    return patch("lammpsfit.fit.run.search.build_optimiser", build)


def run_once(
    potential: Potential, problem: Problem, seed: int, stop: Callable[[], str | None]
) -> Evaluation:
    """Run a potential once.

    Raises
    ------
    RunError
        If the run fails.
    """
    monitor = ProgressMonitor(Console())
    conditions = Conditions.only(problem)
    results = evaluate_potentials({"run": potential}, 1, conditions, seed, farm(), monitor, stop)
    if not isinstance(result := results["run"], Evaluation):
        raise RunError(f"{potential.name} must run, but: {result}")
    return result


def run_known(unit: Unit, size: Size, keep: Path, stop: Stop) -> None:
    """Run a known potential as fits are confirmed."""
    job = job_of(Unit("bks7", 1), size, keep)
    problem = build_problem(job).of_size(job.confirm)
    name = KNOWN[unit.seed - 1]
    result = run_once(problem.load(name), problem, unit.seed, stop)
    (keep / unit.name).mkdir(exist_ok=True)
    summary = {"name": name, "cost": result.cost.value, "cost_error": result.cost.error}
    write_json(keep / unit.name / "result.json", summary)


def run_true(unit: Unit, size: Size, keep: Path, stop: Stop) -> None:
    """Sample the reference of a twin, and see how far apart runs of its potential are."""
    task = TASKS[unit.task.removeprefix("true-")]
    assert task.twin is not None
    job = job_of(Unit("bks7", 1), size, keep)
    small = build_problem(job)
    large = small.of_size(job.confirm)
    truth = run_once(task.twin, large, 1, stop).sample.rdf
    runs = [run_once(task.twin, small, 2 + k, stop).sample.rdf for k in range(TRUE_RUNS)]
    between = [cost(one, other, {}).value for one, other in permutations(runs, 2)]
    (keep / unit.name).mkdir(exist_ok=True)
    header = [f"Sampled from {task.twin.name}: {job.confirm.atoms} atoms", job.title]
    write_rdf_table(keep / unit.name / "reference.csv", truth, header)
    summary = {
        "floor": mean(between),
        "lowest": min(between),
        "highest": max(between),
        "to_reference": [cost(run, truth, {}).value for run in runs],
    }
    write_json(keep / unit.name / "result.json", summary)


def dispatch(waiting: list[Unit], options: argparse.Namespace, keep: Path) -> None:
    """Do units, some at a time, each in a process of its own.

    At the end of the time, or told to stop by a signal, fits stop where they are: they go on the
    next time.
    """
    running: dict[subprocess.Popen[bytes], Unit] = {}
    told: set[subprocess.Popen[bytes]] = set()
    with Stop(options.limit_s) as stop:
        while True:
            while len(running) < options.workers and stop() is None:
                unit = next((unit for unit in waiting if ready(unit, keep)), None)
                if unit is None:
                    break
                waiting.remove(unit)
                running[begin(unit, options, keep, stop.deadline)] = unit
            if not running:
                return
            time.sleep(0.5)
            if stop() not in (None, "walltime"):
                for process in running.keys() - told:
                    process.terminate()  # it takes this as a request
                told |= running.keys()
            for process in [process for process in running if process.poll() is not None]:
                unit = running.pop(process)
                state = "done" if done(unit, keep) else "not done"
                print(f"{unit.name}: {state}; {len(waiting)} waiting", flush=True)


def begin(
    unit: Unit, options: argparse.Namespace, keep: Path, deadline: float
) -> subprocess.Popen[bytes]:
    """Start the process of a unit, which adds to its log."""
    command = [sys.executable, "-u", __file__, "--keep", str(options.keep)]
    command += ["--one", unit.task, str(unit.seed)]
    command += ["--quick"] if options.quick else []
    if math.isfinite(deadline):
        command += ["--limit-s", str(deadline - time.monotonic() + RESERVE_S)]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    with (keep / f"{unit.name}.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def ready(unit: Unit, keep: Path) -> bool:
    """Whether what a unit needs is there."""
    task = TASKS.get(unit.task)
    return task is None or task.twin is None or done(Unit(f"true-{unit.task}", 1), keep)


def done(unit: Unit, keep: Path) -> bool:
    """Whether there is nothing left to do."""
    if unit.task in TASKS:
        return read_fit(unit, keep) is not None
    return (keep / unit.name / "result.json").exists()


def read_fit(unit: Unit, keep: Path) -> Fitted | None:
    """Return what came of a fit, or None where it has not come to its end."""
    folder = RunFolder(keep / unit.name)
    if not folder.journal.exists():
        return None
    journal = read_journal(folder.journal)
    records = evaluations(journal)
    confirmations = journal.of_type("confirmation")
    sound = {record["id"]: record for record in records if record["status"] == "ok"}
    confirmed = error = searched = math.inf
    if confirmations:
        (last,) = confirmations
        searched = sound[int(last["label"].rpartition("-")[2])]["cost"]
        if last["status"] == "ok":
            confirmed, error = last["cost"], last["cost_error"]
    elif sound or len(records) < limit_of(folder):
        return None
    return Fitted(
        seed=unit.seed,
        confirmed=confirmed,
        error=error,
        searched=searched,
        start=sound[0]["cost"] if 0 in sound else None,
        evaluations=len(records),
        failed=sum(record["status"] == "failed" for record in records),
        atom_steps=sum(record["atom_steps"] for record in sound.values()),
        wall_s=max(record["wall"] for record in records + confirmations),
    )


def limit_of(folder: RunFolder) -> int:
    limit = read_job(folder.job).limits.evaluations
    assert limit is not None
    return limit


def read_result(name: str, keep: Path) -> dict[str, Any] | None:
    """Read the result of a unit that is no fit; None where there is none."""
    with suppress(FileNotFoundError):
        content: dict[str, Any] = json.loads((keep / name / "result.json").read_text("utf-8"))
        return content
    return None


def summary_of(name: str, keep: Path) -> dict[str, Any]:
    """Summarise the fits of a task; R is a fraction, None where a fit failed."""
    task = TASKS[name]
    found = [read_fit(Unit(name, seed + 1), keep) for seed in range(task.seeds)]
    fits = [fitted for fitted in found if fitted is not None]
    level, floor = task.level, None
    if task.twin is not None and (truth := read_result(f"true-{name}-1", keep)):
        floor = truth["floor"]
        level = NEAR * floor
    hits = None if level is None else sum(fitted.confirmed <= level for fitted in fits)
    confirmed = [fitted.confirmed for fitted in fits]
    middle = {
        key: finite(median(getattr(fitted, key) for fitted in fits)) if fits else None
        for key in ("searched", "evaluations", "failed", "atom_steps", "wall_s")
    }
    return {
        "task": name,
        "seeds": task.seeds,
        "done": len(fits),
        "goal": {"level": level, "needed": task.needed, "hits": hits},
        "reached": verdict(task, len(fits), hits),
        "floor": floor,
        "confirmed": {
            key: finite(of(confirmed)) if fits else None
            for key, of in (("median", median), ("min", min), ("max", max))
        },
        "median": middle,
        "fits": [{key: finite(value) for key, value in vars(fitted).items()} for fitted in fits],
    }


def verdict(task: Task, fits: int, hits: int | None) -> str:
    """Say whether the goal is reached, as soon as the fits still to come cannot change it."""
    if task.level is None and task.twin is None:
        return "–"
    if not fits or hits is None:
        return "not run"
    if hits >= task.needed:
        return "reached"
    return "missed" if fits - hits > task.seeds - task.needed else "open"


def finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value


def markdown(summaries: list[dict[str, Any]], known: list[dict[str, Any]]) -> Iterator[str]:
    """Lay out the table."""
    yield (
        "| task | fits | R confirmed %: median | min | max | R in search % | evaluations | failed "
        "| 10⁶ atom-steps | wall s | goal |"
    )
    yield "|---|" + "--:|" * 9 + "---|"
    for row in summaries:
        cells = [row["task"], f"{row['done']}/{row['seeds']}"]
        if row["done"]:
            cells += [percent(row["confirmed"][key]) for key in ("median", "min", "max")]
            middle = row["median"]
            cells += [percent(middle["searched"])]
            cells += [f"{middle[key]:g}" for key in ("evaluations", "failed")]
            cells += [f"{middle['atom_steps'] / 1e6:.0f}", f"{middle['wall_s']:.0f}"]
        else:
            cells += ["not run"] + [""] * 7
        yield f"| {' | '.join(cells)} | {goal_text(row)} |"
    for row in known:
        cells = [row["name"], "", percent(row["cost"]), *[""] * 7, "for comparison"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield (
        "R in search, evaluations, failed, atom-steps (of the sound evaluations) and wall time are "
        "medians over the fits; a fit whose confirmation failed counts as infinite R."
    )


def goal_text(row: dict[str, Any]) -> str:
    goal = row["goal"]
    if row["reached"] == "–":
        return "–"
    level = f"{NEAR:g} × floor" if goal["level"] is None else f"{percent(goal['level'])} %"
    floor = "" if row["floor"] is None else f" ({NEAR:g} × {percent(row['floor'])})"
    hits = "" if goal["hits"] is None else f", {goal['hits']} are"
    return f"{goal['needed']} of {row['seeds']} ≤ {level}{floor}{hits}: {row['reached']}"


def percent(value: float | None) -> str:
    return "failed" if value is None else f"{100 * value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder of the fits")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS), metavar="TASK")
    parser.add_argument("--seeds", type=int, help="the first so many fits of each task only")
    parser.add_argument("--workers", type=int, default=2, help="fits at a time")
    parser.add_argument("--limit-s", type=float, help="stop in order within so many seconds")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()

    # tiny fits must not be taken for real ones
    keep = (options.keep / "quick" if options.quick else options.keep).absolute()
    keep.mkdir(parents=True, exist_ok=True)
    if options.one:
        unit = Unit(options.one[0], int(options.one[1]))
        run_unit(unit, QUICK if options.quick else FULL, keep, options.limit_s)
        return
    if not options.table:
        wanted = units(options.only, options.seeds)
        dispatch([unit for unit in wanted if not done(unit, keep)], options, keep)
    summaries = [summary_of(name, keep) for name in options.only]
    results = (read_result(f"known-{number}", keep) for number in range(1, len(KNOWN) + 1))
    known = [result for result in results if result is not None]
    print("\n".join(markdown(summaries, known)))
    if options.json:
        write_json(options.json, {"tasks": summaries, "known": known})


if __name__ == "__main__":
    main()
