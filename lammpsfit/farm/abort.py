"""The end of all processes of an MPI job at once, after their last words.

On an abort MPI launchers kill what they started and may throw away what is still in the pipes
they read from: with MPICH's Hydra the last lines of a message are missing now and then.
"""

import fcntl
import os
import stat
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

if TYPE_CHECKING:
    from mpi4py import MPI

HEARD_S: Final = 5.0
"""Longest time to wait until the launcher has read what was said."""


def abort(comm: "MPI.Comm", code: int) -> NoReturn:
    """End all processes of a communicator with an exit code, once their launcher has heard us."""
    for file in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody listens any more
            file.flush()
            wait_until_read(file, HEARD_S)
    comm.Abort(code)
    os._exit(code)  # MPI may come back while the launcher does its work


def wait_until_read(file: TextIO, seconds: float) -> bool:
    """Wait until nothing is unread in the pipe, socket or terminal that a file writes to.

    Parameters
    ----------
    file
        Flushed file with a descriptor. Others than pipes, sockets and terminals, say a file on
        disk, have nothing unread.
    seconds
        Longest time to wait.

    Returns
    -------
    bool
        Whether all is read.
    """
    until = time.monotonic() + seconds
    while unread := _unread(file.fileno()):
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    return not unread


def _unread(descriptor: int) -> bool:
    pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    try:
        answer = fcntl.ioctl(descriptor, termios.FIONREAD if pipe else termios.TIOCOUTQ, bytes(4))
    except OSError:
        return False
    return int.from_bytes(answer, sys.byteorder) > 0
