"""Calls of lammpsfit by scripts whose fits go on where they were stopped."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from lammpsfit.fit.run.run_folder import RunFolder

PROGRAM: Final = Path(sys.executable).with_name("lammpsfit")

STOPPED: Final = 75
"""Exit code of what was stopped before its end: the same call goes on."""


def call(*words: object) -> None:
    """Call lammpsfit with these words.

    Raises
    ------
    SystemExit
        If it fails, with its exit code.
    """
    code = subprocess.run([str(PROGRAM), *map(str, words)], check=False).returncode
    if code not in (0, STOPPED):
        raise SystemExit(code)


def gap(name: str, *words: object, modules: Path | None = None) -> None:
    """Call a command of ``lammpsfit gap``, which finds the modules of a folder.

    Raises
    ------
    CalledProcessError
        If it fails, or is stopped.
    """
    print("gap", name, *words, flush=True)
    found = {} if modules is None else {"PYTHONPATH": str(modules)}
    command = [str(PROGRAM), "gap", name, *map(str, words)]
    subprocess.run(command, check=True, env={**os.environ, **found})


def go_on(job: Path, run: RunFolder, until: float) -> None:
    """Run a fit on one core, or go on with it, until a time of the monotonic clock (inf: none)."""
    if result_of(run).get("status") == "finished":
        return
    what = ["resume", run.path] if run.journal.exists() else ["fit", job, "-o", run.path]
    left = until - time.monotonic()
    walltime = () if math.isinf(left) else ("--walltime", max(1, int(left)))
    call(*what, *walltime, "--workers", 1)


def result_of(run: RunFolder) -> dict[str, Any]:
    """Return the result of a fit; empty where there is none yet."""
    found: dict[str, Any] = json.loads(run.result.read_text("utf-8")) if run.result.exists() else {}
    return found
