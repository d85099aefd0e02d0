"""The farm of Parsl: two nodes of one worker each on this machine, started once for all tests."""

import ctypes
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.child.failure import Reason
from lammpsfit.config import read_job
from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.base import Finished
from lammpsfit.farm.journal import read_journal
from lammpsfit.farm.launch import Launch, open_parsl_farm
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.parsl_config import read_config
from lammpsfit.farm.parsl_farm import GRACE_S, PATIENCE, ParslFarm
from lammpsfit.farm.parsl_worker import Answer
from lammpsfit.farm.sturdy import SturdyFarm
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.run_folder import create_run, evaluations, open_run
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.label import LabelRequest, label_frames
from lammpsfit.gap.learning_point import Kind, PointTask
from lammpsfit.gap.learning_point import work_off as work_off_points
from lammpsfit.labelled.frames import from_atoms
from lammpsfit.md.system import System
from lammpsfit.target.evaluate import Evaluate

LONG = 300.0
CONFIG = """
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

config = Config(
    run_dir="{folder}/runinfo",
    strategy_period=1,
    executors=[
        HighThroughputExecutor(
            label="here",
            address="127.0.0.1",
            cores_per_worker=0.1,
            max_workers_per_node=1,
            heartbeat_period=1,
            heartbeat_threshold=6,
            provider=LocalProvider(init_blocks=2, max_blocks=2),
        )
    ],
)
"""


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


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parsl")
    (folder / "config.py").write_text(CONFIG.format(folder=folder))
    with SturdyFarm(ParslFarm(folder / "config.py")) as farm:
        for k in range(2):  # until both nodes are there
            farm.submit(k, partial(time.sleep, 0.1), LONG)
        while farm.busy or farm.workers < 2:
            farm.wait(0.5)
        yield farm


def work_off(farm, tasks, timeout=LONG):
    waiting, results, workers = list(tasks.items()), {}, set()
    while waiting or farm.busy:
        while waiting and farm.idle:
            farm.submit(*waiting.pop(0), timeout)
        for back in farm.wait(0.5):
            assert back.key not in results
            results[back.key] = back.result
            workers.add(back.worker)
    return results, workers


def test_every_task_comes_back_once_under_its_key(farm):
    results, workers = work_off(
        farm, {("root", k): partial(math.sqrt, float(k)) for k in range(20)}
    )
    assert results == {("root", k): math.sqrt(k) for k in range(20)}
    assert workers <= {1, 2}
    assert (farm.idle, farm.busy) == (2, 0)


def test_a_dead_child_is_a_failure_and_the_others_go_on(farm):
    tasks = {
        "segfault": partial(ctypes.string_at, 0),
        "killed": partial(signal.raise_signal, signal.SIGKILL),
        "crash": partial(os._exit, 3),
        "hang": partial(time.sleep, LONG),
    }
    sound = {k: partial(math.sqrt, float(k)) for k in range(6)}
    results, _ = work_off(farm, tasks | sound, timeout=5.0)
    reasons = {key: results.pop(key).reason for key in tasks}
    assert reasons == {
        "segfault": Reason.SEGFAULT,
        "killed": Reason.KILLED,
        "crash": Reason.CRASH,
        "hang": Reason.TIMEOUT,
    }
    assert results == {k: math.sqrt(k) for k in range(6)}


def ancestor(generations):
    """Shell text that finds the process so many generations above the child that runs it."""
    up = 'read -r _ _ _ p _ < "/proc/$p/stat"; '
    return f"p=$PPID; {up * generations}"


@pytest.mark.parametrize(("who", "generations"), [("worker", 1), ("manager", 2)])
def test_what_a_lost_worker_was_at_is_run_again(farm, tmp_path, who, generations):
    """It kills its worker or manager when it runs for the first time, and only then."""
    script = (
        f"[ -e {tmp_path}/struck ] && exit 7; touch {tmp_path}/struck; "
        f"{ancestor(generations)} kill -9 $p; sleep {LONG}"
    )
    tasks = {"strikes": partial(subprocess.call, ["sh", "-c", script])}
    tasks |= {k: partial(math.sqrt, float(k)) for k in range(6)}
    results, _ = work_off(farm, tasks)
    assert (tmp_path / "struck").exists()
    assert results == {"strikes": 7} | {k: math.sqrt(k) for k in range(6)}


def test_what_is_no_failed_evaluation_is_raised(farm):
    for task, error, message in (
        (partial(System, "SiO2", 100, 2.2), InputError, "multiple of 3"),
        (partial(math.sqrt, -1.0), RunError, "math domain error"),
    ):
        within = farm._farm
        within.submit("bad", task, LONG)
        with pytest.raises(error, match=message):
            within.wait(LONG)
        within._error = None


@pytest.mark.lammps
def test_an_evaluation_has_the_same_bits_here_and_there(farm, problem, structure):
    task = Evaluate(problem.potential, problem.protocol, structure, 7, problem.target)
    there, _ = work_off(farm, {"only": task})
    with LocalFarm(1) as local:
        local.submit("only", task, LONG)
        (here,) = local.wait(LONG)
    assert pickle.dumps(there["only"].sample.rdf) == pickle.dumps(here.result.sample.rdf)
    assert there["only"].cost == here.result.cost


def records(folder):
    """What a journal says of evaluations, but for times."""
    found = evaluations(read_journal(folder / "journal.jsonl"))
    timed = {"seconds", "wall"}
    return {r["id"]: {k: v for k, v in r.items() if k not in timed} for r in found}


@pytest.mark.lammps
def test_an_ordered_fit_is_the_same_on_all_transports(farm, job_text, structure, tmp_path):
    job = tmp_path / "job.toml"
    text = job_text.replace("repeats = 2", "repeats = 1").replace('["CHIK"]', "[]")
    job.write_text(f"{text}[farm]\nordered = 3\n[limits]\nevaluations = 4\n")
    silent = SimpleNamespace(**dict.fromkeys(("say", "begin", "finished", "end"), lambda *_: None))
    for name, workers in {"local": LocalFarm(2), "parsl": Lent(farm)}.items():
        path = create_run(tmp_path / name, read_job(job)).path
        run_fit(open_fit(*open_run(path)), workers, silent, lambda: None)
    program = Path(sys.executable).parent / "lammpsfit"
    words = [program, "fit", job, "-o", tmp_path / "mpi", "--oversubscribe"]
    mpiexec = [program.with_name("mpiexec"), "-n", "3"]
    subprocess.run([*mpiexec, *words], check=True, capture_output=True, timeout=LONG)
    found = {name: records(tmp_path / name) for name in ("local", "mpi", "parsl")}
    assert len(found["local"]) == 4
    assert found["local"] == found["mpi"] == found["parsl"]


def test_frames_are_labelled_on_parsl(farm, tmp_path):
    boxes = [bulk("Al", cubic=True) * (1, 1, n) for n in (1, 2, 3)]
    frames = [from_atoms(box, labelled=False) for box in boxes]
    found = {}
    for name, workers in {"parsl": Lent(farm), "local": None}.items():
        request = LabelRequest("ase.calculators.emt:EMT", tmp_path / f"{name}.extxyz")
        found[name] = label_frames(frames, request, farm=workers).frames
    assert [frame.energy for frame in found["parsl"]] == [frame.energy for frame in found["local"]]
    for here, there in zip(*found.values(), strict=True):
        assert here.forces.tobytes() == there.forces.tobytes()


def test_points_of_a_learning_curve_are_those_of_this_process(farm):
    frames = []
    for seed in range(4):
        box = bulk("Al", cubic=True)
        box.rattle(0.1, seed=seed)
        box.calc = EMT()
        forces = box.get_forces()
        frames.append(replace(from_atoms(box, labelled=False), forces=forces))
    settings = Settings(radial_cutoff=4.0, radial_count=2, angular_count=0)
    described = make_descriptors(settings, frames)
    options = FitOptions(
        hyper=Hyperparameters((1.5,), 0.8, Noises(0.01, 0.05, 0.002)), offsets={"Al": 0.0}
    )
    kind = Kind(*described, options)
    tasks = {("original", n, 0): PointTask(kind, tuple(frames[:n]), (frames[3],)) for n in (2, 3)}
    there = dict(work_off_points(tasks, Lent(farm), lambda: None))
    assert there.keys() == tasks.keys()
    for point, task in tasks.items():
        here = task()["forces"].predicted
        assert there[point]["forces"].predicted == pytest.approx(here, abs=1e-9)
        assert np.abs(here).max() > 0.01


class OnPaper:
    """A pool whose tasks stay where they are until the test says what became of them."""

    def __init__(self, workers):
        self.workers = self.capacity = workers
        self.futures = []

    def look(self):
        pass

    def has_other_nodes(self, name):
        return True

    def submit(self, function, order):
        self.futures.append(Future())
        self.futures[-1].order = order
        return self.futures[-1]


@pytest.fixture
def on_paper(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text(CONFIG.format(folder=tmp_path))
    farm = ParslFarm(tmp_path / "config.py")
    farm._pool = OnPaper(1)
    return farm


def test_a_task_that_came_to_the_node_it_avoids_is_sent_again(on_paper):
    on_paper.submit("first", math.sqrt, 10.0)
    on_paper._pool.futures[0].set_result(Answer("node-a", pickle.dumps(1.0)))
    assert on_paper.wait(1.0) == [Finished("first", 1.0, 0.0, 1)]
    on_paper.submit("second", math.sqrt, 10.0, avoid=1)
    assert on_paper._pool.futures[1].order.avoid == "node-a"
    on_paper._pool.futures[1].set_result(Answer("node-a"))
    assert on_paper.wait(0.1) == []
    time.sleep(1.1)
    assert on_paper.wait(0.1) == []
    on_paper._pool.futures[2].set_result(Answer("node-b", pickle.dumps(2.0)))
    assert on_paper.wait(1.0) == [Finished("second", 2.0, 0.0, 2)]


def test_a_worker_that_hangs_is_given_up_and_its_late_answer_dropped(on_paper, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(
        "lammpsfit.farm.parsl_farm.Patience",
        lambda seconds: SimpleNamespace(over=False, until=now[0] + seconds),
    )
    on_paper.submit("hangs", math.sqrt, 10.0)
    on_paper.submit("waits", math.sqrt, 10.0)
    on_paper.wait(0.0)
    first, second = on_paper._sent["hangs"].patience, on_paper._sent["waits"].patience
    assert first.until == PATIENCE * 10.0 + GRACE_S
    assert second is None  # one worker: it is still in the queue
    first.over = True
    (back,) = on_paper.wait(0.1)
    assert (back.key, back.result.reason) == ("hangs", Reason.LOST_WORKER)
    on_paper._pool.futures[0].set_result(Answer("node-a", pickle.dumps(1.0)))
    assert on_paper.wait(0.1) == []
    assert on_paper.busy == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such configuration of Parsl"),
        ("x = 1\n", "must make one parsl.Config, .*, got 0"),
        ("from parsl.config import Config\na, b = Config(), Config()\n", "got 2"),
        ("from parsl.config import Config\nconfig = Config()\n", "HighThroughputExecutor, got Thr"),
        ("1 / 0\n", "does not run: ZeroDivisionError: division by zero"),
        ("raise SystemExit('no')\n", "does not run: SystemExit: no"),
        ("(\n", "does not run: SyntaxError"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path, text, message):
    path = tmp_path / "config.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        ParslFarm(path)
    assert "\n" not in str(caught.value)


def test_without_parsl_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parsl.config", None)
    with pytest.raises(InputError, match=r"pip install 'lammpsfit\[parsl\]'"):
        read_config(tmp_path / "config.py")


def test_a_configuration_is_kept_but_for_what_a_farm_does_itself(tmp_path):
    path = tmp_path / "config.py"
    text = CONFIG.format(folder=tmp_path).replace("strategy_period=1", "retries=5")
    path.write_text(text.replace("heartbeat_threshold=6,", ""))
    config = read_config(path)
    (executor,) = config.executors
    assert (config.retries, executor.heartbeat_period, executor.heartbeat_threshold) == (0, 1, 10)
    assert executor.provider.max_blocks == 2


@pytest.mark.parametrize(
    ("launch", "path", "workers", "message"),
    [
        (None, None, None, "needs a configuration: --parsl FILE"),
        (Launch(None, ()), Path("c.py"), None, "leave mpiexec or srun away"),
        (None, Path("c.py"), 4, "leave --workers away"),
    ],
)
def test_what_parsl_cannot_do_is_refused(launch, path, workers, message):
    with pytest.raises(InputError, match=message):
        open_parsl_farm(launch, path, workers, print)
