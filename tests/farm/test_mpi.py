"""The farm under a real mpiexec: what comes back, what dies, and how it all ends."""

import json
import os
import pickle
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from lammpsfit.child.process import child_environment
from lammpsfit.farm.local import LocalFarm
from lammpsfit.target.evaluate import Evaluate

BIN = Path(sysconfig.get_path("scripts"))
PROGRAMS = Path(__file__).parent / "under_mpi.py"
MARK = "LAMMPSFIT_TEST_RUN"


class Run:
    """A command and all processes that come from it, which carry a mark in their environment."""

    def __init__(self, command, environment, folder):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [str(part) for part in command],
            env=child_environment(os.environ) | environment | {MARK: self.mark},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.out = self.err = ""

    def finish(self, timeout=60):
        self.out, self.err = self.process.communicate(timeout=timeout)
        return self.process.returncode

    def living(self):
        """Process ids of this run."""
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in pids if f"{MARK}={self.mark}".encode() in environment_of(pid)]

    def kill(self):
        for pid in self.living():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def environment_of(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@contextmanager
def started(*command, folder=None, **environment):
    run = Run(command, environment, folder)
    try:
        yield run
    finally:
        run.kill()


def under_mpi(n, *command, folder=None, timeout=60):
    """Run a command under mpiexec to its end, and hold that nothing is left of it."""
    with started(BIN / "mpiexec", "-n", n, *command, folder=folder) as run:
        run.finish(timeout)
        assert run.living() == []
    return run


def program(n, name, *arguments):
    run = under_mpi(n, sys.executable, PROGRAMS, name, *arguments)
    assert run.process.returncode == 0, run.err
    assert run.err == ""
    return json.loads(run.out) if run.out else None


def eventually(condition, timeout=60.0):
    end = time.monotonic() + timeout
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("n", [2, 3])
def test_every_task_comes_back_once_under_its_key(n):
    answer = program(n, "many")
    assert answer["results"] == {f"{k}": k**0.5 for k in range(30)}
    assert answer["workers"] == list(range(1, n))


def test_a_dead_child_is_a_failure_and_the_others_go_on():
    assert program(3, "deaths") == {
        "segfault": "segmentation fault",
        "killed": "killed",
        "crash": "crash",
        "hang": "timeout",
    } | {f"{k}": k**0.5 for k in range(8)}


def test_large_messages():
    assert program(3, "large") == [True] * 4


def test_what_a_farm_left_behind_does_not_come_back_in_the_next():
    assert program(3, "twice") == {"new": 2.0}


def test_rank_0_sleeps_while_others_work():
    assert program(3, "idle") < 0.3


@pytest.mark.lammps
def test_an_evaluation_has_the_same_bits_here_and_there(problem, structure, tmp_path):
    task = Evaluate(problem.potential, problem.protocol, structure, 7, problem.target)
    (tmp_path / "task").write_bytes(pickle.dumps(task))
    program(2, "evaluation", tmp_path / "task", tmp_path / "result")
    with LocalFarm(1) as farm:
        farm.submit("only", task, 120.0)
        (back,) = farm.wait(120.0)
    there = pickle.loads((tmp_path / "result").read_bytes())
    assert there.cost == back.result.cost
    assert there.sample.rdf.g.tobytes() == back.result.sample.rdf.g.tobytes()
    assert there.sample.temperature == back.result.sample.temperature


@pytest.mark.parametrize("name", ["bug", "bug_outside"])
def test_a_bug_on_rank_0_ends_all_in_order(name):
    run = under_mpi(3, sys.executable, PROGRAMS, name)
    assert run.process.returncode == 1
    assert run.err.count("ZeroDivisionError: a bug on rank 0") == 1
    assert "BAD TERMINATION" not in run.out + run.err
    assert "MPICH" not in run.out + run.err  # which complains of messages left at the end


def test_what_is_no_failed_evaluation_is_raised_on_rank_0():
    run = under_mpi(3, sys.executable, PROGRAMS, "refused")
    assert run.process.returncode != 0
    assert run.err.count("InputError") == 1
    assert "multiple of 3" in run.err


@pytest.mark.parametrize("code", [0, 1, 2, 75])
def test_the_exit_code_is_that_of_rank_0(code):
    run = under_mpi(3, sys.executable, PROGRAMS, "code", code)
    assert run.process.returncode == code
    assert run.out + run.err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_all_ranks_ends_them_in_order(number):
    with started(BIN / "mpiexec", "-n", 3, sys.executable, PROGRAMS, "forever") as run:
        run.process.stdout.readline()
        assert eventually(lambda: len(run.living()) >= 6)  # three ranks, two children, launcher
        for _ in range(2):  # as batch systems do
            run.process.send_signal(number)
        assert run.finish() == 128 + number
        assert run.living() == []
        assert run.out + run.err == ""


def test_the_death_of_rank_0_takes_all_along():
    with started(BIN / "mpiexec", "-n", 3, sys.executable, PROGRAMS, "forever") as run:
        os.kill(int(run.process.stdout.readline()), signal.SIGKILL)
        assert run.finish() != 0
        assert eventually(lambda: run.living() == [])


@pytest.mark.lammps
def test_a_whole_fit(job_file, tmp_path):
    run = under_mpi(
        *(3, BIN / "lammpsfit", "fit", job_file, "-o", "run", "--oversubscribe"),
        folder=tmp_path,
        timeout=300,
    )
    assert run.process.returncode == 0, run.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["evaluations"]["ok"] >= 4
    assert (tmp_path / "run" / "lammps" / "potential.lmp").exists()
    assert run.out.count("parameters of BKS") == 1  # only one rank speaks


@pytest.mark.lammps
def test_a_fit_that_is_stopped_can_be_resumed_without_mpi(job_file, tmp_path):
    command = [BIN / "lammpsfit", "fit", job_file, "-o", "run", "--oversubscribe"]
    journal = tmp_path / "run" / "journal.jsonl"
    with started(BIN / "mpiexec", "-n", 3, *command, folder=tmp_path) as run:
        assert eventually(journal.exists)  # from then on, stopping is orderly
        run.process.send_signal(signal.SIGTERM)
        assert run.finish() == 75, run.err
        assert run.living() == []
    assert "BAD TERMINATION" not in run.out + run.err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["stopped"] == "SIGTERM"
    with started(BIN / "lammpsfit", "resume", "run", "--workers", 1, folder=tmp_path) as run:
        assert run.finish(300) == 0, run.err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"


def test_wrong_input_is_one_line_and_exit_code_2(tmp_path):
    run = under_mpi(3, BIN / "lammpsfit", "fit", "none.toml", "-o", "run", folder=tmp_path)
    assert run.process.returncode == 2
    assert run.out == ""
    assert run.err == "lammpsfit: none.toml: no such job file\n"


def test_other_commands_speak_once():
    run = under_mpi(3, BIN / "lammpsfit", "--version")
    assert run.process.returncode == 0
    assert run.out.count("\n") == 1


def test_a_launch_without_workers_is_refused():
    run = under_mpi(1, BIN / "lammpsfit", "--version")
    assert run.process.returncode == 2
    assert "use -n 2 or more" in run.err
    assert run.err.count("\n") == 1


def test_more_workers_than_cores_are_refused(job_file, tmp_path):
    pin = f"import os, sys; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}}); "
    pinned = (sys.executable, "-c", pin + "os.execv(sys.argv[1], sys.argv[1:])")
    fit = (BIN / "lammpsfit", "fit", job_file, "-o", "run", "--dry-run")
    for extra, code in ((), 2), (("--oversubscribe",), 0):
        with started(*pinned, BIN / "mpiexec", "-n", 3, *fit, *extra, folder=tmp_path) as run:
            assert run.finish() == code, run.err
        assert ("2 of them share 1" in run.err) == (code == 2)
        assert run.err.count("\n") == (1 if code else 0)


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (3, 0)])
@pytest.mark.parametrize(
    "variables",
    [("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")],
)
def test_the_launcher_of_another_library_is_refused(rank, lines, variables):
    environment = dict(zip(variables, (str(rank), "4"), strict=True))
    with started(BIN / "lammpsfit", "--version", **environment) as run:
        assert run.finish() == 2
    assert run.out == ""
    assert run.err.count("\n") == lines
    if lines:
        assert "started 4 processes must belong to the MPI library" in run.err
        assert f"start with {BIN / 'mpiexec'}" in run.err


def test_a_launcher_that_would_make_mpi_abort_is_refused():
    with started(BIN / "lammpsfit", "--version", PMIX_RANK="0") as run:
        assert run.finish() == 2
    assert "must belong to the MPI library" in run.err
    assert run.err.count("\n") == 1


def test_without_a_launcher_mpi_is_never_loaded(job_file):
    script = (
        "import sys; from lammpsfit.cli import main\n"
        "try: main()\n"
        "finally: print('mpi4py' in sys.modules)"
    )
    with started(
        *(sys.executable, "-c", script, "fit", job_file, "-o", "never-made", "--dry-run")
    ) as run:
        assert run.finish() == 0, run.err
    assert run.out.endswith("False\n")
