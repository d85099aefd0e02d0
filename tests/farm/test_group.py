"""Groups of ranks under a real mpiexec: what comes back, what is lost, and who is convicted."""

import json
import pickle
import signal
import sys
from dataclasses import replace
from importlib import util
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.farm.journal import read_journal
from lammpsfit.fit.seeds import Runs, run_seed
from lammpsfit.target.evaluate import Evaluate

HERE = Path(__file__).parent
specification = util.spec_from_file_location("mpi_runs", HERE / "test_mpi.py")
mpi = util.module_from_spec(specification)
specification.loader.exec_module(mpi)

PROGRAMS = HERE / "groups_under_mpi.py"
SABOTAGED = HERE / "sabotaged.py"
SEED = 3


@pytest.fixture(scope="session")
def task(problem, structure):
    """An evaluation of 80 steps: two ranks that share a core spin at each of them."""
    protocol = replace(problem.protocol, relax=0.0, sample=0.08)
    return Evaluate(problem.potential, protocol, structure, 7, problem.target)


def kept(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


def program(n, *arguments, code=0):
    with mpi.started(mpi.BIN / "mpiexec", "-n", n, sys.executable, PROGRAMS, *arguments) as run:
        run.finish(120)
        assert mpi.eventually(lambda: run.living() == [])  # ranks that hung are killed at the end
    assert run.process.returncode == code, run.err
    return run, [json.loads(line) for line in run.out.splitlines()]


@pytest.mark.parametrize("n", [3, 5])
def test_every_task_comes_back_once_from_the_leader_of_a_group(n):
    run, (answer,) = program(n, "many")
    assert run.err == ""
    assert answer["results"] == {f"{k}": k**0.5 for k in range(30)}
    assert answer["workers"] == list(range(1, n, 2))
    assert answer["number"] == n // 2


@pytest.mark.lammps
def test_two_ranks_sample_what_one_samples(task, tmp_path):
    # a timestep of 1e-9 fs moves nothing, so every frame is the start structure
    still = replace(task.protocol, timestep_fs=1e-9, every_fs=1e-9, relax=0.0, sample=4e-12)
    tasks = {"frozen": replace(task, protocol=still), "real": task}
    run, _ = program(3, "evaluations", kept(tmp_path / "tasks", tasks), tmp_path / "results")
    assert run.err == ""
    there = pickle.loads((tmp_path / "results").read_bytes())
    here = {name: one() for name, one in tasks.items()}
    g = there["frozen"].sample.rdf.g
    assert g == pytest.approx(here["frozen"].sample.rdf.g, abs=1e-12)
    assert np.any(g > 1)
    assert there["frozen"].cost.value == pytest.approx(here["frozen"].cost.value, abs=1e-12)
    # trajectories part by rounding, and are the same in the mean
    noise = 6 * here["real"].cost.error
    assert there["real"].cost.value == pytest.approx(here["real"].cost.value, abs=noise)
    for name, quantity in product(tasks, ("temperature", "pressure", "energy")):
        a, b = (getattr(found[name].sample, quantity) for found in (there, here))
        close = 1e-9 * abs(b.mean) if name == "frozen" else 6 * b.error
        assert a.mean == pytest.approx(b.mean, abs=close)
        assert there[name].sample.atom_steps == here[name].sample.atom_steps


@pytest.mark.lammps
def test_after_a_failure_that_all_ranks_see_the_group_goes_on(task, tmp_path):
    run, (answer,) = program(3, "survived", kept(tmp_path / "task", task))
    assert run.err == ""
    assert answer == {
        "lost atom": "lost atoms",
        "sound": "ok",
        "raised by the last": "out of memory",
        "sound again": "ok",
    }


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("name", "expected"), [("slow", {"slow": "timeout", "sound": "ok"}), ("halted", 2.0)]
)
def test_between_two_runs_a_group_can_be_stopped(task, tmp_path, name, expected):
    endless = replace(task, protocol=replace(task.protocol, relax=1000.0))
    run, (answer,) = program(3, name, kept(tmp_path / "tasks", (task, endless)))
    assert answer == expected
    assert run.err == ""


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("deed", "timeout", "reason"),
    [
        ("close_pair", 60, "collapse"),
        ("raised_by_one", 60, "out of memory"),
        ("hang", 2, "timeout"),
    ],
)
def test_a_group_that_hangs_is_given_up_and_the_others_go_on(task, tmp_path, deed, timeout, reason):
    run, answers = program(5, "given_up", kept(tmp_path / "task", task), deed, timeout)
    assert answers == [{deed: reason}, {"sound": "ok"}]
    assert "lammpsfit: ranks 1 to 2 are given up: an evaluation" in run.err


@pytest.mark.lammps
def test_where_no_group_is_left_the_job_ends(task, tmp_path):
    run, answers = program(3, "given_up", kept(tmp_path / "task", task), "hang", 1, code=1)
    assert answers == [{"hang": "timeout"}]
    assert run.err.count("RunError: no group of ranks is left") == 1


def test_a_bug_is_raised_on_rank_0():
    run, _ = program(3, "bug", code=1)
    assert "RunError: a worker broke" in run.err
    assert "must be real number" in run.err


@pytest.fixture
def group_job(job_text, tmp_path):
    """A job of four evaluations of 40 steps: two ranks that share a core spin at each of them."""
    path = tmp_path / "job.toml"
    for long, short in (("relax = 0.05", "relax = 0.0"), ("sample = 0.2", "sample = 0.04")):
        assert job_text.count(f"\n{long}\n") == 1
        job_text = job_text.replace(f"\n{long}\n", f"\n{short}\n")
    path.write_text(
        job_text.partition("[confirm]")[0]
        + "[confirm]\ncandidates = 1\nrepeats = 1\n"
        + "[limits]\nevaluations = 4\nevaluation_s = 120.0\n[farm]\nranks_per_evaluation = 2\n"
    )
    return path


def records(folder, kind):
    return read_journal(folder / "journal.jsonl").of_type(kind)


def fit_until_it_ends(n, folder, job, sabotage):
    """Begin the fit, or resume it; return its exit code, and hold that nothing is left of it."""
    begun = (folder / "journal.jsonl").exists()
    words = ["resume", folder] if begun else ["fit", job, "-o", folder]
    with mpi.started(
        *(mpi.BIN / "mpiexec", "-n", n, sys.executable, SABOTAGED, *words, "--oversubscribe"),
        SABOTAGE=sabotage,
    ) as run:
        run.finish(600)
        assert mpi.eventually(lambda: run.living() == [])
    return run


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("n", "deed", "rank"), [(3, "exit", 1), (3, "segfault", 0), (5, "kill", 1)]
)
def test_who_killed_the_job_twice_is_convicted(group_job, structure, tmp_path, n, deed, rank):
    folder, killer = tmp_path / "run", 2
    sabotage = f"{run_seed(SEED, Runs.SEARCH, killer)}:{deed}:{rank}"
    for death in (1, 2):
        run = fit_until_it_ends(n, folder, group_job, sabotage)
        assert run.process.returncode != 0
        assert killer not in {record["id"] for record in records(folder, "evaluation")}
        started = [record["id"] for record in records(folder, "start")]
        assert started.count(killer) == death
    at_work = records(folder, "start")[-1]
    run = fit_until_it_ends(n, folder, group_job, sabotage)
    assert run.process.returncode == 0, run.err
    failed = [r for r in records(folder, "evaluation") if r["status"] == "failed"]
    assert [(r["id"], r["reason"]) for r in failed] == [(killer, "killed the job")]
    assert failed[0]["x"] == at_work["x"]
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["evaluations"]["by_reason"] == {"killed the job": 1}
    assert result["evaluations"]["ok"] == 3
    assert read_journal(folder / "journal.jsonl").records[-1] == {"type": "end"}


@pytest.mark.lammps
def test_a_hang_is_ended_and_recorded(group_job, structure, tmp_path):
    # a sound evaluation takes a tenth of a second, and many where the machine is busy
    text = group_job.read_text()
    group_job.write_text(text.replace("evaluation_s = 120.0", "evaluation_s = 15.0"))
    folder = tmp_path / "run"
    sabotage = f"{run_seed(SEED, Runs.SEARCH, 1)}:hang:1"
    run = fit_until_it_ends(3, folder, group_job, sabotage)
    assert run.process.returncode == 1
    assert "lammpsfit: no group of ranks is left" in run.err
    failed = [r for r in records(folder, "evaluation") if r["status"] == "failed"]
    assert [(r["id"], r["reason"]) for r in failed] == [(1, "timeout")]
    run = fit_until_it_ends(3, folder, group_job, sabotage)
    assert run.process.returncode == 0, run.err


@pytest.mark.lammps
def test_a_session_that_ends_in_order_leaves_no_suspects(group_job, structure, tmp_path):
    folder = tmp_path / "run"
    journal = folder / "journal.jsonl"
    text = group_job.read_text().replace("relax = 0.0\n", "relax = 100.0\n", 1)
    group_job.write_text(text.replace("evaluation_s = 120.0\n", ""))
    command = [mpi.BIN / "lammpsfit", "fit", group_job, "-o", folder, "--oversubscribe"]
    with mpi.started(mpi.BIN / "mpiexec", "-n", 3, *command) as run:
        assert mpi.eventually(lambda: journal.exists() and b'"start"' in journal.read_bytes())
        run.process.send_signal(signal.SIGTERM)
        assert run.finish() == 75, run.err
        assert run.living() == []
    assert "BAD TERMINATION" not in run.out + run.err
    kinds = [record["type"] for record in read_journal(journal).records]
    assert kinds == ["header", "session", "start", "end"]


def test_groups_need_a_launcher_and_a_multiple_of_ranks(group_job, tmp_path):
    words = ("fit", group_job, "-o", tmp_path / "run", "--dry-run", "--oversubscribe")
    with mpi.started(mpi.BIN / "lammpsfit", *words) as run:
        assert run.finish() == 2
    assert "farm.ranks_per_evaluation = 2 needs an MPI launcher: start with mpiexec -n 3" in run.err
    for n, remedy in ((2, "use -n 3"), (4, "use -n 3"), (3, "")):
        run = mpi.under_mpi(n, mpi.BIN / "lammpsfit", *words)
        assert run.process.returncode == (2 if remedy else 0), run.err
        assert remedy in run.err
        assert run.err.count("\n") == (1 if remedy else 0)
