"""The child process that runs LAMMPS: take a task, run it, send the result back, again.

Started by :mod:`lammpsfit.child.process` as ``python -m lammpsfit.child.main FD``. It dies with its
parent, and whatever LAMMPS or MPI print never reaches the pipe the results go through.
"""

import ctypes
import os
import resource
import signal
import sys
import traceback
from multiprocessing.connection import Connection

from lammpsfit.child.failure import Failure, Reason, SimulationError
from lammpsfit.child.process import ParentError, Task
from lammpsfit.errors import LammpsfitError, RunError

PR_SET_PDEATHSIG = 1

LEAST_MEMORY = 2 << 30
"""Bytes of address space a child may always have; it begins with a third of that."""


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent is gone, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)


def limit_memory() -> None:
    """Let this process have no more than its core's share of the machine's memory.

    One that wants more (a collapsing system has ever more neighbours) fails by itself then,
    instead of having the kernel kill whichever process it likes.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    share = max(LEAST_MEMORY, total // (os.cpu_count() or 1))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or share < most:
        resource.setrlimit(resource.RLIMIT_AS, (share, most))


def lift_memory_limit() -> None:
    """Let this process have all memory again: for work that needs more than a core's share."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def run(task: Task[object]) -> object:
    """Run a task; what it raises becomes a value that the parent can read."""
    try:
        return task()
    except SimulationError as error:
        return error.failure
    except MemoryError as error:
        return Failure(Reason.OUT_OF_MEMORY, str(error))
    except LammpsfitError as error:
        return ParentError(error)
    except OSError as error:
        # a full disk, a file that is gone: no property of the potential, so never a failure of it
        return ParentError(RunError(f"a run could not work: {error}"))
    except Exception:
        # a bug, which is to be seen in full
        return ParentError(RuntimeError(traceback.format_exc()))


def main() -> None:
    """Serve tasks until the parent closes the pipe."""
    die_with_parent(int(sys.argv[2]))
    limit_memory()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        # batch systems signal every process of a job: what to do about it, the first one decides
        signal.signal(number, signal.SIG_IGN)
    with Connection(int(sys.argv[1])) as pipe:
        while True:
            try:
                task = pipe.recv()
            except EOFError:
                return
            result = run(task)
            pipe.send(result)


if __name__ == "__main__":
    main()
