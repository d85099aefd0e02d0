"""The errors lammpsfit raises on purpose, and how it warns.

The command line catches :class:`LammpsfitError` only: it prints the message
without a traceback and leaves with the error's exit code. Anything else is a
bug and is shown in full.
"""

import sys


def warn(line: str) -> None:
    """Say in a line what is no error, and no result either."""
    print(f"lammpsfit: {line}", file=sys.stderr)


class LammpsfitError(Exception):
    """Base of all errors a user can act on."""

    exit_code = 1


class InputError(LammpsfitError):
    """What the user gave cannot be right: a job file, a potential, a table, an option."""

    exit_code = 2


class StoppedError(LammpsfitError):
    """The run was told to stop before its end: the message is why."""

    exit_code = 75  # EX_TEMPFAIL: what is there stays, and a fit can be resumed


class RunError(LammpsfitError):
    """The input was sound but the run failed."""

    exit_code = 1
