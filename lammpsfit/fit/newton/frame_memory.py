"""What frames say at a point, computed once: a descent asks for the same again at each step."""

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lammpsfit.fit.base import Vector
from lammpsfit.forcefield import ParameterSpace, Potential, dump_potential
from lammpsfit.md.frames import Frames
from lammpsfit.target import Term


class FrameMemory:
    """Energies, their derivatives and residuals of frames, for as long as the frames are kept.

    Parameters
    ----------
    space
        What the coordinates of points are.
    """

    def __init__(self, space: ParameterSpace) -> None:
        self._space = space
        self._known: WeakKeyDictionary[Frames, dict[tuple[str, bytes], Any]] = WeakKeyDictionary()
        self._texts: dict[int, tuple[Potential, bytes]] = {}

    def energies(self, frames: Frames, points: Sequence[Vector | Potential]) -> Vector:
        """Return the energy of each frame in eV at each point, shape (n_frames, n_points).

        A potential stands for itself: it may lie outside of the space.
        """
        known = self._known.setdefault(frames, {})
        keys = [("energies", self._key(one)) for one in points]
        new = {key: one for key, one in zip(keys, points, strict=True) if key not in known}
        if new:
            potentials = (
                one if isinstance(one, Potential) else self._space.potential(one)
                for one in new.values()
            )
            found = frames.energies(list(potentials))
            known.update(zip(new, found.T, strict=True))
        return np.column_stack([known[key] for key in keys])

    def gradient(self, frames: Frames, u: Vector) -> Vector:
        """Return dU/du of each frame at `u` in eV, shape (n_frames, d)."""
        gradient = self._once(
            frames, ("gradient", u.tobytes()), lambda: frames.gradient(self._space, u)
        )
        assert gradient is not None
        return gradient

    def residuals(self, frames: Frames, term: Term) -> Vector:
        """Return what each frame contributes to the residuals, shape (n_frames, K)."""
        residuals = self._once(frames, (f"of {term.name}", b""), lambda: term.per_frame(frames))
        assert residuals is not None
        return residuals

    def slope(self, frames: Frames, term: Term, u: Vector) -> Vector | None:
        """Return the derivatives of the residuals at fixed positions; None where they are 0."""
        return self._once(
            frames,
            (f"slope of {term.name}", u.tobytes()),
            lambda: term.per_frame_slope(frames, self._space, u),
        )

    def _once(
        self, frames: Frames, key: tuple[str, bytes], find: Callable[[], Vector | None]
    ) -> Vector | None:
        known = self._known.setdefault(frames, {})
        if key not in known:
            known[key] = find()
        found: Vector | None = known[key]
        return found

    def _key(self, one: Vector | Potential) -> bytes:
        """Return what tells a point from others; a potential is written out once."""
        if not isinstance(one, Potential):
            return one.tobytes()
        if id(one) not in self._texts:  # it is kept, so that no other has its id
            self._texts[id(one)] = one, dump_potential(one).encode()
        return self._texts[id(one)][1]
