"""One child process that runs LAMMPS, seen from its parent.

LAMMPS can segfault, hang or fill the memory on a bad parameter set. Here it runs in a child
process that is started once and given one task after the other; if it dies, the task has
failed with a reason and the next task gets a fresh child.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import IO, Generic, TypeAlias, TypeVar, cast

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.child.patience import Patience
from lammpsfit.errors import RunError, StoppedError

Result = TypeVar("Result")

LAUNCHER_PREFIXES = (
    "PMI",  # PMI_, PMIX_: how a process finds its job, under any launcher
    "HYDI",  # MPICH's Hydra
    "HYDRA",
    "MPI_",  # Hydra's MPI_LOCALRANKID
    "OMPI",  # Open MPI
    "ORTE",
    "PRTE",
    "SLURM",
    "PALS",  # Cray
    "ALPS",
    "FLUX",
    "JSM",  # IBM
)
"""Variables of MPI launchers. A child that saw them would try to join the parent's MPI job."""

POLL_S = 0.2
"""Seconds between two looks at whether to stop."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""One core per evaluation: every threaded library in the child gets one thread."""


Task: TypeAlias = Callable[[], Result]
"""Work for the child: anything that can be pickled and called there."""


@dataclass(frozen=True)
class ParentError:
    """An error of the child that is no failed evaluation: the parent raises it."""

    error: Exception


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Environment of the child: no MPI launcher's variables, one thread per library."""
    kept = {k: v for k, v in environment.items() if not k.startswith(LAUNCHER_PREFIXES)}
    return kept | dict.fromkeys(THREAD_VARIABLES, "1")


class ChildProcess(Generic[Result]):
    """A child process for tasks that give a `Result` each.

    Use as a context manager; :meth:`start` a task, wait for :meth:`connection` to become
    readable (or for the task to be :attr:`late`), then take its :meth:`result`. Whoever waits
    looks at :attr:`late` or :attr:`time_left` at least twice a second: time in which nobody
    looked does not count against the task.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._errors: IO[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._patience = Patience(float("inf"))

    def __enter__(self) -> "ChildProcess[Result]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, None before the first task and after :meth:`close`."""
        return None if self._process is None else self._process.pid

    @property
    def time_left(self) -> float:
        """Seconds that the task still has."""
        return self._patience.left()

    @property
    def late(self) -> bool:
        """Whether the task had all its time, and is to be ended."""
        return self._patience.over

    @property
    def connection(self) -> Connection:
        """Readable once the task is done, or the child dead."""
        assert self._pipe is not None
        return self._pipe

    def start(self, task: Task[Result], timeout: float) -> None:
        """Send a task to the child, which must be idle; start the child where there is none."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._spawn()
        self._patience = Patience(timeout)
        # should the child have died meanwhile, the pipe reads as closed, and result() says why
        with suppress(OSError):
            self.connection.send(task)

    def result(self) -> Result | Failure:
        """Take the result of the task: call it once the connection is readable or time is up.

        Raises
        ------
        LammpsfitError
            If the task was refused for its input, or broke for a reason that is no property
            of the potential (disk full, a bug).
        """
        if not self.connection.poll() and self.late:
            self.close()
            return Failure(Reason.TIMEOUT, "the run was ended")
        try:
            result = self.connection.recv()
        except (EOFError, OSError):
            return self._post_mortem()
        if isinstance(result, ParentError):
            if isinstance(result.error, RuntimeError):
                raise RunError(f"the LAMMPS process broke:\n{result.error}")
            raise result.error
        return cast("Result | Failure", result)

    def close(self) -> None:
        """End the child at once, and what it started."""
        if self._process is not None:
            if self._process.poll() is None:
                # the child leads a group of its own: a calculator may have started a program
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._pipe is not None:
            self._pipe.close()
        if self._errors is not None:
            self._errors.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        self._process = self._pipe = self._errors = self._scratch = None
        self._patience = Patience(float("inf"))

    def _spawn(self) -> None:
        ours, theirs = Pipe()
        # both live as long as the child, which, when killed, leaves its temporary files behind
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._scratch = tempfile.TemporaryDirectory(prefix="lammpsfit-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lammpsfit.child.main", str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            env=child_environment(os.environ) | {"TMPDIR": self._scratch.name},
            start_new_session=True,  # Ctrl-C is for the parent, which decides what to keep
        )
        theirs.close()
        self._pipe = ours

    def _post_mortem(self) -> Failure:
        """Say why the child died."""
        assert self._process is not None
        assert self._errors is not None
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        self.close()
        detail = said[-1] if said else f"exit code {code}"
        if "bad_alloc" in detail:
            return Failure(Reason.OUT_OF_MEMORY, detail)
        if code in (-signal.SIGSEGV, -signal.SIGBUS):
            return Failure(Reason.SEGFAULT, detail)
        if code < 0:
            return Failure(Reason.KILLED, f"by {signal.Signals(-code).name}")
        return Failure(Reason.CRASH, detail)


def run_in_child(
    task: Task[Result], timeout: float, stop: Callable[[], str | None] = lambda: None
) -> Result:
    """Run one task in a child of its own and wait for it.

    Parameters
    ----------
    task
        What to run.
    timeout
        Seconds after which it is ended.
    stop
        Says why to stop before, or None to go on.

    Raises
    ------
    StoppedError
        If it was told to stop.
    RunError
        If it fails, with the reason.
    LammpsfitError
        If it was refused for its input.
    """
    with ChildProcess[Result]() as process:
        process.start(task, timeout)
        while not process.connection.poll(POLL_S) and not process.late:
            if (why := stop()) is not None:
                raise StoppedError(why)
        result = process.result()
    if isinstance(result, Failure):
        raise RunError(f"the run failed: {result}")
    return result
