"""Break a running fit in every way a cluster does, and count what is lost.

Each fault strikes a fit of short evaluations (306 atoms, half a second each) ten times: with two
local workers, under ``mpiexec -n 3``, and with Parsl on two blocks of one node and worker each.
Faults inside a run (segfault, hang, NaN, ...) are made in the child that runs LAMMPS, by a
``sitecustomize`` module that this script puts on its path; faults of processes are signals.
Printed is, for each: how often it struck, how often the fit went on by itself or was resumed,
evaluations lost of those the journal held (must be 0), evaluations recorded twice (must be 0),
processes left behind (must be 0), and the median time from the end of the strike until the next
evaluation is in the journal, or, where runs were struck that are run again, all of them are.

With ``--keep`` what was counted stays there, a file for each fault and transport; what is there is
not struck again, so that the table can be made in pieces.

    python ci/faults.py [--times 10] [--only FAULT ...] [--transport NAME ...] [--keep FOLDER]
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from victim import EVALUATION_S, PATIENCE_S, Victim, wait

from lammpsfit.farm.journal import read_journal
from lammpsfit.files import write_json

TRANSPORTS = ("local", "mpi", "parsl")
WORKERS = 2
SUSPENDED_S = EVALUATION_S + 2.0
"""Longer than an evaluation may take."""


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


def at_work(victim: Victim) -> bool:
    """Say that a fit is at work, whoever is."""
    return True


def in_a_run(
    victim: Victim,
    tally: Tally,
    strike: Callable[[], None],
    reasons: set[str],
    until: Callable[[Victim], bool] = at_work,
) -> None:
    """Strike a running evaluation: the fit must go on by itself.

    It must record a failure with one of `reasons`; without any, the evaluation must be run again.
    `until` says whether all is well again besides.
    """
    before = {n for n, r in victim.records().items() if r["status"] != "ok"}
    last = max(victim.records()) + WORKERS
    strike()
    tally.injected += 1

    def failed() -> list[dict]:
        records = victim.records().items()
        return [r for n, r in records if r["status"] != "ok" and n not in before]

    wait(lambda: not (victim.folder / "inject").exists(), victim)
    if reasons:
        wait(lambda: bool(failed()), victim)
    began = time.monotonic()
    if reasons:
        victim.wait_for(1, ok=True)
    else:  # what was struck must be back: a second strike would convict it
        wait(lambda: victim.records().keys() >= set(range(last + 1)) and until(victim), victim)
    recovery = time.monotonic() - began
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


def kill(pids: list[int]) -> None:
    """Kill processes as far as they are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_a_child(victim: Victim) -> None:
    kill([random.choice(victim.processes("lammpsfit.child.main"))])


def kill_a_worker(victim: Victim) -> None:
    """Kill a process that supervises a child; without MPI or Parsl it is the fit itself."""
    kill([random.choice(victim.supervisors())])


def kill_the_interchange(victim: Victim) -> None:
    kill(victim.processes("HTEX interchange"))


def pause(victim: Victim, pids: list[int], seconds: float) -> None:
    """Stop processes for a while."""
    for number, length in ((signal.SIGSTOP, seconds), (signal.SIGCONT, 0.0)):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(length)


def suspend(victim: Victim) -> None:
    """Stop all that belongs to the fit, as ``scontrol suspend`` and a closed laptop do."""
    pause(victim, victim.processes(), SUSPENDED_S)


def delete_the_journal(victim: Victim) -> None:
    (victim.run / "journal.jsonl").unlink()


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


def at_a_manager(act: Callable[[Victim, int], None]) -> Callable[[Victim], None]:
    """Do something to the manager of a node."""

    def strike(victim: Victim) -> None:
        act(victim, random.choice(victim.managers()))

    return strike


def at_full_strength(victim: Victim) -> bool:
    """Whether all workers have a child."""
    return len(victim.supervisors()) == WORKERS


def join_late(victim: Victim) -> None:
    """Take a node away, let the next one wait in the queue for a while, and then join."""
    (victim.folder / "closed").touch()
    at_a_manager(lambda victim, pid: kill(victim.block(pid)))(victim)
    victim.wait_for(2)
    assert not at_full_strength(victim)
    (victim.folder / "closed").unlink()


def end_of_a_block(victim: Victim) -> None:
    """Wait until a block is over by itself."""
    before = set(victim.managers())
    wait(lambda: not before <= set(victim.managers()), victim)


IN_A_RUN = {
    "segfault": set(),  # died once only: run again
    "hang": {"timeout"},
    "NaN": {"not a number"},
    "collapse": {"collapse", "lost atoms", "runaway temperature", "not a number"},
    "lost atoms": {"lost atoms"},
}
BESIDE_A_RUN: dict[str, Callable[[Victim], object]] = {
    "kill -9 of a child": kill_a_child,
    "suspended": suspend,
    "journal deleted": delete_the_journal,
}
OF_PARSL: dict[str, Callable[[Victim], object]] = {
    "kill -9 of a manager": at_a_manager(lambda victim, pid: kill([pid])),
    "kill -9 of a block": at_a_manager(lambda victim, pid: kill(victim.block(pid))),
    "SIGSTOP of a worker": lambda victim: pause(
        victim, [random.choice(victim.supervisors())], 1.5 * EVALUATION_S + 15.0
    ),
    "SIGSTOP of a manager": at_a_manager(lambda victim, pid: pause(victim, [pid], 15.0)),
    "SIGSTOP of the interchange": lambda victim: pause(
        victim, victim.processes("HTEX interchange"), 15.0
    ),
    "end of a block": end_of_a_block,
    "node joins late": join_late,
}
OF_A_PROCESS: dict[str, tuple[Callable[[Victim], object], set[int]]] = {
    "kill -9 of a worker": (kill_a_worker, set()),
    "kill -9 of the launched": (lambda victim: victim.process.kill(), {-signal.SIGKILL}),
    "kill -9 of the interchange": (kill_the_interchange, {1}),
    "SIGTERM": (lambda victim: victim.process.terminate(), {75}),
    "torn journal tail": (tear_the_tail, set()),
    "disk full": (fill_the_disk, {1}),
}
ENDS = {"node joins late": at_full_strength}
"""What else must be so before such a fault is over."""

FAULTS = [*IN_A_RUN, *BESIDE_A_RUN, *OF_A_PROCESS, *OF_PARSL]
BLOCK_S = 25
"""Walltime of a block where it is to end by itself."""


def strikes(fault: str, transport: str) -> bool:
    """Whether a transport has what a fault strikes."""
    return transport == "parsl" or not (fault in OF_PARSL or "interchange" in fault)


def measure(fault: str, transport: str, times: int) -> Tally:
    """Strike one fit `times` times with one fault."""
    tally = Tally(fault, transport)
    with room(small=fault == "disk full") as folder:
        ends = fault == "end of a block"
        prepend = f"timeout --foreground -k 10 {BLOCK_S}" if ends else ""
        victim = Victim(transport, folder, prepend)
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
    elif fault in BESIDE_A_RUN or fault in OF_PARSL:
        act = BESIDE_A_RUN.get(fault) or OF_PARSL[fault]
        if fault in OF_PARSL:
            wait(lambda: at_full_strength(victim), victim)
        in_a_run(victim, tally, lambda: act(victim), set(), until=ENDS.get(fault, at_work))
    elif fault == "kill -9 of a worker" and victim.transport == "parsl":
        in_a_run(victim, tally, lambda: kill_a_worker(victim), set())
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
    yield folder  # where something went wrong, it stays, to be looked at
    if small:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.rmtree(folder)
    shutil.rmtree(f"{folder}-parsl", ignore_errors=True)  # where Parsl has its logs


def kept(folder: Path | None, fault: str, transport: str, times: int) -> Tally:
    """Measure one fault, or read what was counted when it was."""
    if folder is None:
        return measure(fault, transport, times)
    file = folder / f"{transport}-{fault.replace(' ', '-')}.json"
    if file.exists():
        return Tally(**json.loads(file.read_text()))
    tally = measure(fault, transport, times)
    write_json(file, asdict(tally))
    return tally


def line(tally: Tally) -> str:
    """Return the line of the table."""
    counts = (tally.injected, tally.survived, tally.resumed, tally.lost, tally.twice)
    numbers = " | ".join(map(str, (*counts, tally.orphans)))
    recovery = f"{median(tally.recovery_s):.1f} s | {max(tally.recovery_s):.1f} s"
    remarks = "; ".join(sorted(set(tally.remarks)))
    return f"| {tally.fault} | {tally.transport} | {numbers} | {recovery} |{remarks}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=FAULTS)
    parser.add_argument("--transport", nargs="*", choices=TRANSPORTS, default=TRANSPORTS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    heads = ("struck", "went on", "resumed", "lost", "twice", "left behind", "recovery", "longest")
    print("| fault | with |", " | ".join(heads), "|")
    print("|---|---|" + "---:|" * 8, flush=True)
    tallies = []
    for fault in options.only:
        for transport in options.transport:
            if not strikes(fault, transport):
                continue
            tallies.append(kept(options.keep, fault, transport, options.times))
            print(line(tallies[-1]), flush=True)
    if any(t.lost or t.twice or t.orphans or t.remarks for t in tallies):
        raise SystemExit("something was lost, repeated, left behind or misnamed")


if __name__ == "__main__":
    main()
