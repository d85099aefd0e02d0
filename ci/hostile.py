"""A few hundred hostile inputs over all commands, each in a process of its own.

    python ci/hostile.py [--kind KIND] [--every N] [--sample N] [--jobs N] [--csv TABLE.csv]

For each: exit code, seconds, peak memory, lines printed, files changed. It is right if the exit is
one of those expected, a refusal is one line of at most 300 characters, there is no traceback, and
no file changed that it was not told to write, within 20 s and 2 GiB. Seconds in which the process
waited for a core that another had do not count. The command ends with the number of those that
were not right, and exits 1 if there is one.
"""

import argparse
import csv
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from hostile_cases import Case, every_case, make_home

SECONDS = 20.0
BYTES = 2 * 2**30
LINE = 300
LEDGER = ".lammpsfit-outputs.json"
IMPORTED = (
    *("cli", "fit.run.open_fit", "fit.run.loop", "run_pages", "validate.command", "validate.plan"),
    *("reference.command", "report.structure", "report.progress", "md.export", "farm.launch"),
    *("gap.run", "gap.learning", "gap.label", "gap.accuracy", "run_pages.gap"),
    *("gap.work.md", "gap.work.sample", "gap.work.source", "gap.work.properties"),
    *("gap.lammps.export", "run_pages.gap_work", "run_pages.gap_md"),
)
"""What commands import, before the first of them: a process for each case costs little then."""


@dataclass(frozen=True)
class Row:
    """What came of a case; `wrong` is empty where all is right."""

    kind: str
    name: str
    command: str
    exit: int
    seconds: float
    megabytes: int
    lines: int
    changed: str
    wrong: str


def run_case(case: Case, template: Path) -> Row:
    """Run a case in a copy of the folder `template`."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        home = Path(name) / "home"
        copy(template, home)
        case.change(home)
        before = state(home)
        output, errors = Path(name) / "out", Path(name) / "err"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(case, home, output, errors)
        code, used, starved = _wait(child, began)
        seconds = time.monotonic() - began - starved
        after = state(home)
        said = errors.read_text("utf-8", "replace")
        changed = [x for x in {**before, **after} if before.get(x) != after.get(x)]
        told = {*case.writes, LEDGER} if case.writes else set()
        unasked = sorted(x for x in changed if x not in told)
        wrong = "; ".join(_wrong(case, code, seconds, used, said, unasked))
        lines = said.count("\n") + output.read_text("utf-8", "replace").count("\n")
        command = " ".join(case.arguments)[:80]
        shown = " ".join(sorted(changed))
        return Row(
            case.kind, case.name, command, code, round(seconds, 2), used // 2**20, lines, shown,
            wrong,
        )  # fmt: skip


def _wrong(
    case: Case, code: int, seconds: float, used: int, said: str, unasked: Sequence[str]
) -> Iterator[str]:
    if code not in case.exits:
        yield f"exit {code} ({said.strip()[-120:]})"
    if "Traceback" in said:
        yield "traceback"
    if seconds > SECONDS:
        yield f"{seconds:.0f} s"
    if used > BYTES:
        yield f"{used // 2**20} MiB"
    if unasked:
        yield f"changed {' '.join(unasked)}"
    if code == 2 and (said.count("\n") != 1 or len(said.strip()) > LINE):
        yield f"refusal of {said.count(chr(10))} lines, {len(said)} characters"


def _child(case: Case, home: Path, output: Path, errors: Path) -> NoReturn:
    """Be the command: in this process, which has imported what all commands import."""
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (8 * BYTES, 8 * BYTES))
        os.chdir(home)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(_standard_output(case.redirect, output, flags), 1)
        os.dup2(os.open(errors, flags), 2)
        if case.redirect == "closed":
            os.close(1)
        sys.stdout = None if case.redirect == "closed" else open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        sys.argv = ["lammpsfit", *case.arguments]
        from lammpsfit.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)


def _standard_output(redirect: str, output: Path, flags: int) -> int:
    kept = os.open(output, flags)
    if redirect == "/dev/full":
        return os.open(redirect, os.O_WRONLY)
    if redirect == "nobody":
        read, write = os.pipe()
        os.close(read)
        return write
    return kept


def _wait(child: int, began: float) -> tuple[int, int, float]:
    """Wait for a process, ended if it hangs.

    Returns its exit code, peak memory in bytes, and seconds that it waited for a core.
    """
    while True:
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        starved = int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
        if ended:
            _, status, usage = os.wait4(child, 0)
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, starved
        if time.monotonic() - began - starved > 2 * SECONDS:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)


def copy(template: Path, home: Path) -> None:
    """Copy a folder with its links and pipes."""
    for path in (template, *sorted(template.rglob("*"))):
        target = home / path.relative_to(template)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir()
        elif path.is_fifo():
            os.mkfifo(target)
        else:
            shutil.copyfile(path, target)
    (home / "hard").unlink()
    os.link(home / "gr.csv", home / "hard")


def state(home: Path) -> dict[str, object]:
    """Return what is in a folder."""
    found: dict[str, object] = {}
    for path in home.rglob("*"):
        kind = path.lstat()
        regular = path.is_file() and not path.is_symlink()
        content = hash(path.read_bytes()) if regular else None
        found[str(path.relative_to(home))] = (kind.st_mode, kind.st_nlink * regular, content)
    return found


def sample(cases: Sequence[Case], count: int) -> list[Case]:
    """Choose so many refusals of each kind, evenly: others draw pages, or start calculators."""
    chosen = []
    for kind in dict.fromkeys(case.kind for case in cases):
        quick = [case for case in cases if case.kind == kind and not case.slow]
        chosen += quick[:: max(1, len(quick) // count)][:count]
    return chosen


def run_cases(cases: Sequence[Case], template: Path, jobs: int) -> Iterator[Row]:
    """Run cases, so many at a time, each in a process that one of these processes makes."""
    _AT_WORK[:] = cases, template
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(_run_number, range(len(cases)))


_AT_WORK: list[Any] = []
"""Cases and template, as processes find them when they are made: no case can be sent to one."""


def _run_number(number: int) -> Row:
    cases, template = _AT_WORK
    return run_case(cases[number], template)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", help="only of this kind")
    parser.add_argument("--every", type=int, default=1, help="only one in so many")
    parser.add_argument("--sample", type=int, help="only so many refusals of each kind")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time")
    parser.add_argument("--csv", type=Path, help="write the table here")
    options = parser.parse_args()
    cases = [case for case in every_case() if options.kind in (None, case.kind)][:: options.every]
    if options.sample is not None:
        cases = sample(cases, options.sample)
    rows, began = [], time.monotonic()
    for module in IMPORTED:
        importlib.import_module(f"lammpsfit.{module}")
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        make_home(Path(name))
        for number, row in enumerate(run_cases(cases, Path(name), options.jobs), 1):
            rows.append(row)
            if row.wrong:
                print(f"{row.kind}: {row.name}: {row.command}: {row.wrong}", flush=True)
            elif number % 50 == 0:
                print(f"{number} of {len(cases)}, {time.monotonic() - began:.0f} s", flush=True)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(Row)])
            writer.writerows([[getattr(row, f.name) for f in fields(Row)] for row in rows])
    wrong = Counter(row.kind for row in rows if row.wrong)
    for kind, count in Counter(row.kind for row in rows).items():
        print(f"{kind}: {count - wrong[kind]} of {count} right")
    slowest, largest = max(row.seconds for row in rows), max(row.megabytes for row in rows)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cores = sum(one.ru_utime + one.ru_stime for one in used)
    print(
        f"{len(rows)} inputs, {time.monotonic() - began:.0f} s ({cores:.0f} s of cores); "
        f"at most {slowest} s, {largest} MiB"
    )
    sys.exit(bool(wrong.total()))


if __name__ == "__main__":
    main()
