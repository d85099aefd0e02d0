"""Does the master keep its workers busy? `python ci/bench_farm.py --json FILE`.

Three measurements:

- *real*: two workers, in local child processes, under `mpiexec -n 3` and of Parsl, with tasks that
  sleep for a fixed time in the real child. The loop around them is the real search of
  `lammpsfit/fit/run/loop.py`, with optimiser, samples on disk and journal.
- *simulated*: 64, 256 and 1024 workers on a clock. An evaluation takes 60 s +- 20 % of it and
  returns a sample of realistic size; the search, the guard, the journal, the pickling of tasks and
  answers are real, and the CPU time they take goes by on the clock too. So the share of busy
  workers comes out, and the seconds of the master per evaluation. *design* and *explore* are
  stages of the search of the paper, with an analytic cost in 10 dimensions, explore with 1000 and
  with 10 000 points told before. *descents* is gauss-newton with 10 parameters and as many
  starts as workers. Its samples have the frames of one real run (300 atoms, 200 frames), whatever
  the point: the minimum is everywhere, and all runs of a descent are pooled at each step, which is
  the most the master can be asked for.
- *journal*: reading 100 000 records.

Where the master needs s seconds per evaluation, 60 / s workers keep it busy without a pause:
that is the number at which it becomes the bottleneck.
"""

import argparse
import heapq
import importlib
import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lammpsfit.config import read_job
from lammpsfit.errors import StoppedError
from lammpsfit.farm.base import Finished
from lammpsfit.farm.journal import JournalWriter, encode, read_journal
from lammpsfit.farm.launch import launched
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.parsl_farm import ParslFarm
from lammpsfit.fit import Ask
from lammpsfit.fit.run.open_fit import Silent, open_fit
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.fit.run.records import evaluation_record
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.fit.run.search import search
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target.evaluate import Evaluate

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "silica" / "paper.toml"
FREE = ["q_Si"] + [f"{name}_{pair}" for pair in ("Si-O", "O-O") for name in ("A", "rho", "C")]
FREE += ["D_Si-O", "D_O-O", "D_Si-Si"]
SECONDS = 60.0
WORKERS, POINTS = (64, 256, 1024), (1000, 10_000)
BLOCKS = 10
STAGES = ("design", "explore", "descents")


# ruff: noqa: D102 (the methods are those of Farm and Monitor)


@dataclass(frozen=True)
class Answer:
    """What an evaluation would have given at a point: the target plus an error of g(r)."""

    target: object
    x: np.ndarray
    seed: int
    sleep: float = 0.0

    def __call__(self):
        time.sleep(self.sleep)
        rng = np.random.default_rng(self.seed)
        x, g = self.x, self.target.reference.g
        valley = (x[1] - x[0] ** 2) ** 2 / 0.02 + np.mean((x - 0.5) ** 2)
        off = (0.06 + 0.3 * np.log1p(valley)) * np.sqrt(np.mean(g**2, axis=1))
        shape = g + off[:, None] * np.sign(np.sin(np.arange(g.shape[1])))
        blocks = shape + 0.02 * rng.standard_normal((BLOCKS, *g.shape))
        rdf = PartialRdf.from_blocks(self.target.reference.pairs, self.target.reference.r, blocks)
        some = Estimate(1.0, 0.1)
        sample = Sample(rdf, some, some, some, some, 60_000_000, 59.0, SECONDS)
        return self.target.evaluation(sample)


def never_run(atoms):
    """Return a data file that is whole, in the place of a molten box: nobody runs it."""
    rows = [f"{k + 1} 1 0.0 0.0 0.0 {k}.0" for k in range(atoms)]
    speeds = [f"{k + 1} 0.0 0.0 0.0" for k in range(atoms)]
    parts = ["", f"{atoms} atoms", "", "Atoms", "", *rows, "", "Velocities", "", *speeds, ""]
    return "\n".join(parts)


class Fitted:
    """A real fit of 10 parameters of silica in a folder of its own, but for the molten box."""

    def __init__(self, folder, design=0, starts=0, sample=None):
        self.sample = sample
        job = read_job(EXAMPLE) if sample is None else short_job()
        first = next(iter(job.parameters.values())).model_copy(update={"min": 2.2, "max": 2.6})
        factor = next(p for p in job.parameters.values() if p.factor is not None)
        factor = factor.model_copy(update={"factor": 1.3})
        changes = {"design": design, "plateau": 100_000, "explore": 100_000}
        if starts:
            changes = {"name": "gauss-newton", "starts": starts, "quiet": 10_000}
        strategy = job.strategy.model_copy(update=changes)
        free = {name: first if name == "q_Si" else factor for name in FREE}
        job = job.model_copy(update={"parameters": free, "strategy": strategy})
        self.fit = open_fit(*open_run(create_run(folder, job).path))
        atoms = self.fit.problem.system.atoms
        self.fit.folder.structure(atoms).write_text(never_run(atoms))

    def answer(self, task, sleep=0.0):
        if self.sample is not None:
            return partial(task.target.evaluation, self.sample)
        return Answer(task.target, self.fit.space.unit(task.potential), task.seed, sleep)

    def search(self, farm, evaluations, stop=None):
        """Run the search until so many evaluations are back."""
        enough = len(self.fit.records) + evaluations
        stop = stop or (lambda: "enough" if len(self.fit.records) >= enough else None)
        with JournalWriter(self.fit.folder.journal) as journal, farm:
            try:
                search(self.fit, farm, journal, Silent(), stop)
            except StoppedError:
                return


class Relay:
    """A real farm whose workers sleep instead of running LAMMPS, and who watches them."""

    def __init__(self, farm, fitted, seconds):
        self.farm, self.fitted, self.sleep = farm, fitted, seconds
        self.workers, self.returns = farm.workers, {}

    def __enter__(self):
        self.farm.__enter__()
        return self

    def __exit__(self, *error):
        self.farm.__exit__(*error)

    idle = property(lambda self: self.farm.idle)
    busy = property(lambda self: self.farm.busy)

    def submit(self, key, task, timeout):
        self.farm.submit(key, self.fitted.answer(task, self.sleep), timeout)

    def wait(self, seconds):
        back = self.farm.wait(seconds)
        for one in back:
            self.returns.setdefault(one.worker, []).append(time.monotonic())
        return back

    @property
    def share(self):
        """Share of the time from a worker's first return to its last that was in its tasks."""
        slept = sum(self.sleep * (len(times) - 1) for times in self.returns.values())
        return slept / sum(times[-1] - times[0] for times in self.returns.values())


class Clock:
    """A farm on a clock: workers' time is made up, the master's goes by."""

    def __init__(self, workers, fitted, seed=0):
        self.workers, self.fitted, self.rng = workers, fitted, np.random.default_rng(seed)
        self.now, self.running, self.master, self.done, self.sent = 0.0, [], 0.0, 0, 0
        self.last, self.warm, self.spans = None, None, []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    idle = property(lambda self: self.workers - len(self.running))
    busy = property(lambda self: len(self.running))

    def submit(self, key, task, timeout):
        self.now += self._master()
        sent = pickle.dumps(task)
        self.now += self._master()
        length = SECONDS * self.rng.uniform(0.8, 1.2)
        if self.warm is None:  # as if they had been at work for long
            length *= self.rng.random()
        heapq.heappush(self.running, (self.now + length, key, length, sent))
        self.spans.append((self.now, self.now + length))
        self.sent += 1
        self.last = time.process_time()

    def wait(self, seconds):
        self.now += self._master()
        if self.warm is None:  # the first fill is no steady state
            self.now, self.warm, self.master, self.sent = 0.0, True, 0.0, 0
            self.running = [(length, k, length, sent) for _, k, length, sent in self.running]
            heapq.heapify(self.running)
            self.spans = [(0.0, length) for length, *_ in self.running]
        self.now = max(self.now, self.running[0][0])
        back = []
        while self.running and self.running[0][0] <= self.now:
            _, key, length, sent = heapq.heappop(self.running)
            answer = pickle.dumps(self.fitted.answer(pickle.loads(sent))())
            back.append((key, length, answer))
            self.done += 1
        self.last = time.process_time()
        return [Finished(key, pickle.loads(a), length, 1) for key, length, a in back]

    @property
    def share(self):
        """Share of the workers' time, since the first fill, that they were at work."""
        at_work = sum(min(end, self.now) - begin for begin, end in self.spans if begin < self.now)
        return at_work / (self.workers * self.now)

    def _master(self):
        """Return the real seconds the master spent since the last look, and count them."""
        spent = 0.0 if self.last is None else time.process_time() - self.last
        self.last = time.process_time()
        self.master += spent
        return spent


def past(fitted, n):
    """Tell a fit of `n` points: a design, then points that crowd round the valley."""
    fit, rng = fitted.fit, np.random.default_rng(2)
    design = min(n, 1000)
    start = fit.space.unit(fit.problem.potential)
    target = fit.problem.target
    for number in range(n):
        width = rng.choice([0.02, 0.1, 0.3])
        explored = np.clip(start + width * rng.standard_normal(len(start)), 0, 1)
        x = rng.random(len(start)) if number <= design else explored
        stage = "start" if number == 0 else "design" if number <= design else "explore"
        ask = Ask(number, start if number == 0 else x, stage)
        result = Answer(target, ask.x, number)()
        record = evaluation_record(ask, fit.space.values(ask.x), 1, result, SECONDS)
        fit.records.append(record | {"wall": 0.0})
    lines = b"".join(map(encode, fit.records))
    with fit.folder.journal.open("ab") as journal:
        journal.write(lines)


def short_job():
    """Make a job of the real run whose frames all descents are told."""
    job = read_job(EXAMPLE)
    system = job.system.model_copy(update={"atoms": 300, "structure": "random"})
    times = {"relax": 0.2, "sample": 2.0, "every_fs": 10.0, "blocks": 20}
    protocol = job.protocol.model_copy(update=times)
    return job.model_copy(update={"system": system, "protocol": protocol})


def real_sample():
    """Run the start potential once, frames kept."""
    problem = build_problem(short_job())
    task = Evaluate(
        problem.potential, problem.protocol, problem.melted(), 1, problem.target, keep=True
    )
    with LocalFarm(1) as farm:
        farm.submit("only", task, 3600.0)
        while not (back := farm.wait(1.0)):
            pass
    return back[0].result.sample


def simulated(stage, workers, points, evaluations, sample=None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        if stage == "descents":
            fitted = Fitted(path, starts=workers, sample=sample)
        else:
            fitted = Fitted(path, design=999 if stage == "explore" else 10_000)
            past(fitted, points)
        farm = Clock(workers, fitted)
        fitted.search(farm, evaluations)
    # by tasks handed out: the points for the last that came back were not asked for any more
    cycles = farm.master / farm.sent
    return {
        "stage": stage,
        "workers": workers,
        "points": points,
        "evaluations": farm.done,
        "master_s": cycles,
        "bottleneck": int(SECONDS / cycles),
        "busy": farm.share,
    }


def print_simulated(stages, every_workers, rounds):
    print(f"simulated, {SECONDS:g} s per evaluation, 10 dimensions")
    print("| stage | told before | workers | evaluations | master | bottleneck at | busy |")
    print("|---|--:|--:|--:|--:|--:|--:|", flush=True)
    sample = real_sample() if "descents" in stages else None
    clocks = []
    for stage in stages:
        for points in POINTS if stage == "explore" else (0,):
            for workers in every_workers:
                least, most = (60, 400) if stage == "explore" else (0, 3000)
                evaluations = max(least, min(round(rounds * workers), most))
                clocks.append(r := simulated(stage, workers, points, evaluations, sample))
                print(
                    f"| {stage} | {points} | {workers} | {r['evaluations']} "
                    f"| {r['master_s']:.3f} s | {r['bottleneck']} workers | {r['busy']:.1%} |",
                    flush=True,
                )
    return clocks


def real(kind, farm, seconds, evaluations):
    with tempfile.TemporaryDirectory() as folder:
        fitted = Fitted(Path(folder) / "run", design=20)
        relay = Relay(farm, fitted, seconds)
        fitted.search(relay, evaluations)
    return {"farm": kind, "workers": farm.workers, "task_s": seconds, "busy": relay.share}


def reading(n=100_000):
    with tempfile.TemporaryDirectory() as folder:
        fitted = Fitted(Path(folder) / "run", design=9)
        past(fitted, 1)
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(b"".join(encode(fitted.fit.records[0] | {"id": k}) for k in range(n)))
        began = time.perf_counter()
        assert len(read_journal(path).records) == n
        return {"records": n, "seconds": time.perf_counter() - began}


def under_mpi(options):
    """Be one rank of `mpiexec -n 3`; rank 0 prints its result."""
    launch = launched()
    if launch.rank > 0:
        launch.serve()
        return
    from lammpsfit.farm.mpi import MpiFarm

    with launch:
        print(json.dumps(real("MPI", MpiFarm(launch.comm), options.task, options.evaluations)))


def parsl(options):
    config = HERE.parent / "examples" / "hpc" / "parsl_here.py"
    with tempfile.TemporaryDirectory() as folder:
        # a node of one worker each, since it is nodes that a result tells
        text = config.read_text().replace("cores_per_worker=1", "max_workers_per_node=1")
        text = text.replace("init_blocks=1, max_blocks=1", "init_blocks=2, max_blocks=2")
        path = Path(folder) / "config.py"
        path.write_text(text.replace("executors=[", f'run_dir="{folder}/runinfo", executors=['))
        with ParslFarm(path) as farm:
            while farm.workers < 2:
                farm.submit("warm", partial(time.sleep, 0.1), 60.0)
                while not farm.wait(0.5):
                    pass
            return real("Parsl", Lent(farm), options.task, options.evaluations)


class Lent:
    """A farm that is not closed by whoever is given it."""

    def __init__(self, farm):
        self.farm = farm

    def __getattr__(self, name):
        return getattr(self.farm, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def mpi(options):
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", "3", sys.executable, __file__, "--mpi-rank"]
    command += ["--task", str(options.task), "--evaluations", str(options.evaluations)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", type=float, default=2.0, help="length of a real task, s")
    parser.add_argument("--evaluations", type=int, default=40, help="real tasks per farm")
    parser.add_argument("--rounds", type=float, default=0.5, help="simulated tasks per worker")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="simulated")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    parser.add_argument("--mpi-rank", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES, help="simulated")
    parser.add_argument("--simulated", action="store_true", help="simulated workers only")
    parser.add_argument("--real", action="store_true", help="real workers only")
    options = parser.parse_args()
    if options.mpi_rank:
        under_mpi(options)
        return 0
    if options.simulated:
        print_simulated(options.stages, options.workers, options.rounds)
        return 0
    table = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    farms = [real("local", LocalFarm(2), options.task, options.evaluations)]
    farms += [mpi(options), parsl(options)]
    print("farm   workers  task    busy")
    for r in farms:
        print(f"{r['farm']:5s}  {r['workers']:7d}  {r['task_s']:.1f} s  {r['busy']:.1%}")
    if options.real:
        return 0
    clocks = print_simulated(options.stages, options.workers, options.rounds)
    journal = reading()
    print(f"\njournal: {journal['records']} records read in {journal['seconds']:.1f} s")
    if options.json:
        table |= {"real": farms, "simulated": clocks, "journal": journal}
        options.json.write_text(json.dumps(table, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    # the children must find the tasks by the name of this module, which __main__ is not
    os.environ["PYTHONPATH"] = str(HERE)
    sys.exit(importlib.import_module("bench_farm").main())
