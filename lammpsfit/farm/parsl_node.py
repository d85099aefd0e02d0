"""Run the manager of a node so that nothing of it is left behind, however it ends.

``python -m lammpsfit.farm.parsl_node COMMAND...``. A manager that is killed leaves processes of its
own (Python's ``multiprocessing`` starts some), and one that hangs does not heed the end of its job.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from lammpsfit.child.main import die_with_parent

PR_SET_CHILD_SUBREAPER: Final = 36

GRACE_S: Final = 5.0
"""Seconds that a manager has to end in order."""


def main(command: list[str]) -> int:
    """Run a command; once it has ended, end whatever it started. Return its exit code."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # its orphans become children of ours
    us = os.getpid()
    told: list[float] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        told.append(time.monotonic())
        with suppress(ProcessLookupError):
            process.send_signal(number)

    process = subprocess.Popen(command, preexec_fn=lambda: die_with_parent(us))  # noqa: PLW1509
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while process.poll() is None and not (told and time.monotonic() > told[0] + GRACE_S):
        time.sleep(0.1)
    while children := _children():
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
    code = process.poll()
    return 128 + signal.SIGKILL if code is None else code if code >= 0 else 128 - code


def _children() -> list[int]:
    return [
        int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
