"""How long to wait for a task, not counting the time in which nobody could have waited."""

import time
from collections.abc import Callable
from typing import Final

LOOK_S: Final = 1.0
"""Time between two looks that counts; who waits for a child looks at least twice as often."""


class Patience:
    """Time that a task may take, counted while somebody looks.

    A job that is suspended (``scontrol suspend``, SIGSTOP, a closed laptop) stands still as a
    whole. Whoever wakes up to find that time is over must not conclude that the task hung: so of
    the time since the last look at most `longest` counts.

    Parameters
    ----------
    seconds
        Time it may take, s; ``inf``: for ever.
    longest
        Longest time between two looks that counts as such, s.
    clock
        Tells the time in s.

    Examples
    --------
    >>> hours = iter([0.0, 0.5, 3600.0, 3600.5])
    >>> patience = Patience(2.0, clock=lambda: next(hours))
    >>> patience.left(), patience.left(), patience.left()
    (1.5, 0.5, 0.0)
    """

    def __init__(
        self,
        seconds: float,
        longest: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest = longest
        self._clock = clock
        self._left = seconds
        self._last = clock()

    def left(self) -> float:
        """Look at the clock; return the seconds that are left, 0 once it is over."""
        now = self._clock()
        self._left = max(0.0, self._left - min(now - self._last, self._longest))
        self._last = now
        return self._left

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.left() <= 0.0
