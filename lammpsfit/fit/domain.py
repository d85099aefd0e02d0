"""Where a search may go: the unit cube, less what the guard forbids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Constraint, Vector

BISECTIONS = 30
"""Halvings of a segment when a point is pulled back: 1e-9 of its length."""


@dataclass(frozen=True)
class Domain:
    """The allowed part of the unit cube.

    Attributes
    ----------
    dimension
        Number of parameters, d.
    constraint
        Margins of points, shape (n, d) to (n,) or (n, k); allowed where all >= 0. None
        allows the whole cube.
    """

    dimension: int
    constraint: Constraint | None = None

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, got {self.dimension}")

    def allowed(self, points: Vector) -> NDArray[np.bool_]:
        """Say of each of the `points`, shape (n, d), whether it is allowed, shape (n,).

        A margin that is not a number counts as forbidden.
        """
        inside: NDArray[np.bool_] = np.all((points >= 0) & (points <= 1), axis=1)
        if self.constraint is not None and inside.any():
            margins = self.constraint(points[inside])
            inside[inside] = np.all(margins.reshape(len(margins), -1) >= 0, axis=1)
        return inside

    def permits(self, x: Vector) -> bool:
        """Whether the one point `x`, shape (d,), is allowed."""
        return bool(self.allowed(x[None])[0])

    def pull_back(self, inside: Vector, x: Vector) -> Vector:
        """Return an allowed point of the segment from the allowed point `inside` towards `x`.

        It is `x` where that is allowed, else the end of a bisection: the edge
        of an allowed part, the first one from `inside` where that is convex.
        """
        if self.permits(x):
            return x
        near, far = 0.0, 1.0
        for _ in range(BISECTIONS):
            middle = (near + far) / 2
            if self.permits(inside + middle * (x - inside)):
                near = middle
            else:
                far = middle
        return inside + near * (x - inside)

    def check(self, x: Vector, name: str) -> Vector:
        """Return `x` as a float array.

        Raises
        ------
        InputError
            Where it is no allowed point of the cube.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.shape != (self.dimension,):
            raise InputError(f"{name} must have shape ({self.dimension},), got {x.shape}")
        if not np.all((x >= 0) & (x <= 1)):
            raise InputError(f"{name} must lie in the unit cube, got {x.tolist()}")
        if not self.permits(x):
            raise InputError(
                f"{name} must satisfy the constraint, got {x.tolist()}: "
                "start elsewhere or loosen the guard"
            )
        return x
