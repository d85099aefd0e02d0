"""Frames that a restarted run wrote again."""

from __future__ import annotations

from typing import Final

import numpy as np

from lammpsfit.reference.frame import FloatArray, Frame

SAMPLE: Final = 8
"""Atoms whose positions tell whether two frames are the same."""

SAME_PLACE: Final = 1e-3
"""Å within which an atom stands where it stood: a tenth of its way in a femtosecond or two."""


class Repeats:
    """Tells frames that were there before: those of the same step with the same positions.

    A run that was restarted from an older state writes the steps since then again. A run of its
    own that counts from the same step has other positions, and all its frames count.

    Attributes
    ----------
    repeated, others : int
        Frames whose step was there before, with the same and with other positions.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self.others = 0
        self._known: dict[int, FloatArray] = {}

    def is_one(self, frame: Frame) -> bool:
        """Tell whether a frame is a repeated one; frames without a step never are."""
        if frame.step is None:
            return False
        n = len(frame.species)
        chosen = np.linspace(0, n - 1, min(n, SAMPLE)).astype(int)
        here = np.linalg.solve(frame.cell.T, frame.positions[chosen].T).T
        before = self._known.get(frame.step)
        self._known[frame.step] = here
        if before is None:
            return False
        same = bool(before.shape == here.shape)
        if same:
            moved = here - before
            moved -= np.round(moved)
            same = bool(np.all(np.abs(moved @ frame.cell) < SAME_PLACE))
        self.repeated += same
        self.others += not same
        return same

    def notes(self) -> list[str]:
        """Say how many there were."""
        found = []
        if self.repeated:
            found.append(
                f"{self.repeated} frames are those of an earlier step once more, as a restart "
                f"writes them: counted once"
            )
        if self.others:
            found.append(
                f"{self.others} frames have the step of an earlier one but other positions, as "
                f"those of another run: all counted"
            )
        return found
