"""Time that counts against a task, and time in which all stood still."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from lammpsfit.child.patience import Patience

TASKS = """
import time

def nap():
    for _ in range(15):
        time.sleep(0.1)
    return "done"
"""
WAITING = """
import os, sys
from tasks import nap
from lammpsfit.child.process import ChildProcess
from lammpsfit.farm.local import LocalFarm

def in_a_farm():
    with LocalFarm(1) as farm:
        farm.submit("warm", os.getpid, 60.0)
        farm.wait(60.0)
        farm.submit("task", nap, 3.0)
        print("begun", flush=True)
        (back,) = farm.wait(60.0)
        return back.result

def in_a_child():
    with ChildProcess() as process:
        process.start(os.getpid, 60.0)
        process.connection.poll(60.0)
        process.result()
        process.start(nap, 3.0)
        print("begun", flush=True)
        while not process.connection.poll(0.2) and not process.late:
            pass
        return process.result()

print(globals()[sys.argv[1]]())
"""


def clock_of(*times):
    return partial(next, iter(times))


def test_time_between_looks_counts_up_to_its_longest():
    patience = Patience(3.0, longest=1.0, clock=clock_of(0.0, 0.25, 1.0, 9.0, 9.5))
    assert [patience.left() for _ in range(4)] == [2.75, 2.0, 1.0, 0.5]


def test_it_ends_where_somebody_looks_all_the_time():
    patience = Patience(1.0, clock=clock_of(*(k / 10 for k in range(30))))
    looks = 0
    while not patience.over:
        looks += 1
    assert looks == 9 or looks == 10  # of rounding


def test_for_ever():
    patience = Patience(float("inf"), clock=clock_of(0.0, 1e9))
    assert patience.left() == float("inf")


def test_a_suspended_job_takes_nothing_for_hung(tmp_path):
    """Stop all processes for longer than the timeout: the tasks come back, and no failure."""
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "waiting.py").write_text(WAITING)
    runs = [
        subprocess.Popen(
            [sys.executable, tmp_path / "waiting.py", waits],
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for waits in ("in_a_farm", "in_a_child")
    ]
    assert [run.stdout.readline() for run in runs] == ["begun\n"] * 2
    everyone = [pid for run in runs for pid in (run.pid, *children(run.pid))]
    assert len(everyone) == 4
    for number, pause in ((signal.SIGSTOP, 3.5), (signal.SIGCONT, 0.0)):
        for pid in everyone:
            os.kill(pid, number)
        time.sleep(pause)
    assert [run.communicate(timeout=60)[0] for run in runs] == ["done\n"] * 2


def children(pid):
    return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
