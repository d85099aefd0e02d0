"""Where a search may go: the unit cube, less what the guard forbids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Constraint, Slopes, Vector

GUARD_STEP = 1e-4
"""Half the length in the cube over which margins without slopes of their own are differentiated:
the guard's are read off a grid, whose rounding shorter differences see."""

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
    slopes
        Derivatives of the margins; None: by differences.
    """

    dimension: int
    constraint: Constraint | None = None
    slopes: Slopes | None = None

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, got {self.dimension}")

    def margins(self, points: Vector) -> Vector:
        """Return the margins of `points`, shape (n, d), as shape (n, k)."""
        if self.constraint is None:
            return np.zeros((len(points), 0))
        return self.constraint(points).reshape(len(points), -1)

    def margin_slopes(self, x: Vector) -> Vector:
        """Return the derivatives of the margins at one point, shape (k, d)."""
        if self.slopes is not None:
            return self.slopes(x)
        shifts = GUARD_STEP * np.eye(self.dimension)
        ends = (self.margins(np.clip(x + h, 0.0, 1.0)) for h in (shifts, -shifts))
        slopes: Vector = np.subtract(*ends).T / (2 * GUARD_STEP)
        return slopes

    def allowed(self, points: Vector) -> NDArray[np.bool_]:
        """Say of each of the `points`, shape (n, d), whether it is allowed, shape (n,).

        A margin that is not a number counts as forbidden.
        """
        inside: NDArray[np.bool_] = np.all((points >= 0) & (points <= 1), axis=1)
        if self.constraint is not None and inside.any():
            inside[inside] = np.all(self.margins(points[inside]) >= 0, axis=1)
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
