"""When to stop: a signal of the batch system, Ctrl-C, or the end of the walltime."""

import math
import re
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Final

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

RESERVE_S: Final = 15.0
"""Seconds kept back before the end of the walltime, to end children and write results."""


_WALLTIME: Final = re.compile(
    r"(?:(?:(?P<days>[0-9]{1,9})-)?(?P<hours>[0-9]{1,9}):(?=[0-9]+:))?"
    r"(?:(?P<minutes>[0-9]{1,9}):)?(?P<seconds>[0-9]{1,9})"
)
_UNITS: Final = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


class Stop:
    """Says why to stop, or None to go on.

    Within its context, signals no longer end the process but make it stop in order. A second
    Ctrl-C ends it at once, which loses nothing that the journal holds.

    Parameters
    ----------
    walltime
        Wall-clock seconds from now on until the batch system ends the job, or None.

    Attributes
    ----------
    deadline
        When to have stopped for it, on the clock of ``time.monotonic``.
    """

    def __init__(self, walltime: float | None = None) -> None:
        self._why: str | None = None
        self.deadline = math.inf if walltime is None else time.monotonic() + walltime - RESERVE_S
        self._previous: dict[signal.Signals, Any] = {}

    def __call__(self) -> str | None:
        """Return the reason to stop, or None."""
        if self._why is None and time.monotonic() > self.deadline:
            self._why = "walltime"
        return self._why

    def __enter__(self) -> "Stop":
        for number in SIGNALS:
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._why = signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def parse_walltime(text: str) -> float:
    """Read a walltime: seconds, ``mm:ss``, ``hh:mm:ss`` or Slurm's ``d-hh:mm:ss``.

    Examples
    --------
    >>> parse_walltime("3600"), parse_walltime("1:30:00"), parse_walltime("1-00:00:00")
    (3600.0, 5400.0, 86400.0)

    Raises
    ------
    InputError
        If it is none of these, or not longer than the reserve at its end.
    """
    match = _WALLTIME.fullmatch(text)
    if match is None:
        raise InputError(
            f"walltime must be seconds, mm:ss, hh:mm:ss or d-hh:mm:ss, got {quoted(text)}"
        )
    seconds = float(sum(_UNITS[name] * int(part or 0) for name, part in match.groupdict().items()))
    if seconds <= RESERVE_S:
        raise InputError(f"walltime must be longer than {RESERVE_S:g} s, got {quoted(text)}")
    return seconds
