"""Everything a child can do to its parent. Tasks are plain functions that pickle by name."""

import ctypes
import math
import os
import resource
import signal
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.child.process import ChildProcess, child_environment, run_in_child
from lammpsfit.errors import InputError, RunError
from lammpsfit.md.system import System


def answer(process, task, timeout=30.0):
    process.start(task, timeout)
    process.connection.poll(timeout)
    return process.result()


@pytest.fixture
def process():
    with ChildProcess() as process:
        yield process


def test_one_child_serves_many_tasks(process):
    assert answer(process, partial(math.sqrt, 9.0)) == 3.0
    pid = process.pid
    assert answer(process, partial(math.sqrt, 16.0)) == 4.0
    assert answer(process, os.getpid) == pid == process.pid


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (partial(ctypes.string_at, 0), Reason.SEGFAULT),
        (partial(signal.raise_signal, signal.SIGKILL), Reason.KILLED),
        (partial(os._exit, 3), Reason.CRASH),
    ],
)
def test_a_dead_child_is_a_failure_and_the_next_task_gets_another(process, task, reason):
    failure = answer(process, task)
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert answer(process, partial(math.sqrt, 9.0)) == 3.0


def test_temporary_files_of_a_dead_child_are_removed(process, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = Path(answer(process, tempfile.gettempdir))
    assert folder.parent == tmp_path
    assert Path(answer(process, tempfile.mkdtemp)).parent == folder
    assert answer(process, partial(signal.raise_signal, signal.SIGKILL)).reason == Reason.KILLED
    assert list(tmp_path.iterdir()) == []


def test_a_child_gets_its_share_of_the_memory_and_no_more(process):
    failure = answer(process, partial(bytearray, 1 << 45))
    assert isinstance(failure, Failure)
    assert failure.reason == Reason.OUT_OF_MEMORY
    # the limit is below what the machine has, so that the kernel is not asked to choose
    limit, _ = answer(process, partial(resource.getrlimit, resource.RLIMIT_AS))
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < limit <= max(total, 2 << 30)
    failure = answer(process, partial(bytearray, limit))
    assert failure.reason == Reason.OUT_OF_MEMORY


def test_a_child_that_hangs_is_ended(process, alive):
    process.start(partial(time.sleep, 60.0), timeout=0.5)
    pid = process.pid
    time.sleep(0.6)
    assert process.result() == Failure(Reason.TIMEOUT, "the run was ended")
    assert not alive(pid)


def test_a_child_killed_while_idle_does_not_fail_the_next_task(process):
    answer(process, os.getpid)
    os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert answer(process, partial(math.sqrt, 9.0)) == 3.0


def test_input_errors_of_the_child_reach_the_parent(process):
    process.start(partial(System, "SiO2", 100, 2.2), 30.0)
    process.connection.poll(30.0)
    with pytest.raises(InputError, match="multiple of 3"):
        process.result()


def test_a_bug_in_the_child_is_no_failed_evaluation(process):
    process.start(partial(math.sqrt, -1.0), 30.0)
    process.connection.poll(30.0)
    with pytest.raises(RunError, match="math domain error"):
        process.result()


def test_a_missing_file_is_no_failed_evaluation_either(process, tmp_path):
    process.start(partial(os.rmdir, tmp_path / "none"), 30.0)
    process.connection.poll(30.0)
    with pytest.raises(RunError, match=r"a run could not work: .*No such file"):
        process.result()


def test_what_a_child_prints_stays_out_of_the_pipe(process):
    assert answer(process, partial(os.write, 1, b"noise")) == 5
    assert answer(process, partial(math.sqrt, 9.0)) == 3.0


def test_closing_leaves_no_process(alive):
    with ChildProcess() as process:
        process.start(partial(time.sleep, 60.0), timeout=60.0)
        pid = process.pid
    assert not alive(pid)


def test_a_failed_run_is_a_run_error():
    with pytest.raises(RunError, match="segmentation fault"):
        run_in_child(partial(ctypes.string_at, 0), 30.0)


def test_the_child_sees_no_launcher_and_one_thread():
    before = {"PMI_RANK": "1", "SLURM_NTASKS": "8", "OMP_NUM_THREADS": "64", "HOME": "/root"}
    after = child_environment(before)
    assert "PMI_RANK" not in after
    assert "SLURM_NTASKS" not in after
    assert after["OMP_NUM_THREADS"] == "1"
    assert after["HOME"] == "/root"
