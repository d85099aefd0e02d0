"""One step of a least-squares descent: as far down as a linear model is to be trusted.

    minimise  |y + J s|² + sᵀ C s + 2 cᵀ s
    where     sᵀ F s <= radius², the point stays in the cube, and the guard's margin >= 0

with F the metric of :mod:`lammpsfit.structure.fluctuations`: the radius is the standard deviation
of βΔU that a step may have. C and c are the covariances of J with itself and with y: what is left
is the expected cost where J is known with an error, so that directions that the run did
not resolve are not taken on its noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain

RIDGE = 1e-6
"""Of the mean eigenvalue of F, added to it: directions without any effect stay bounded."""

RESTORATIONS = 10
"""Most corrections of a step that breaks the guard."""

BUFFER = 1e-3
"""Margin in eV that a step is made to keep."""

ITERATIONS = 20
"""Of a search within the region where the guard is linear."""

GUARD_ITERATIONS = 12
"""Of a search along the guard itself: more of them only follow its kinks. Of 128 steps of silica,
20 bring one 1.2 % farther down, and all of them together not."""

PRECISION = 1e-6
"""Of the lowest cost within the region, as a fraction of that here: far below the noise of any."""


@dataclass(frozen=True, eq=False)
class Quadratic:
    """A quadratic model of a cost, H >= 0: value(s) = constant + 2 gᵀ s + sᵀ H s."""

    constant: float
    g: Vector
    H: Vector

    def __call__(self, s: Vector) -> float:
        """Return the value at the step `s`, shape (d,)."""
        return float(self.constant + 2.0 * self.g @ s + s @ self.H @ s)


def step(model: Quadratic, metric: Vector, x: Vector, radius: float, domain: Domain) -> Vector:
    """Solve the problem above from the allowed point `x`.

    Parameters
    ----------
    model
        The quadratic model around `x`.
    metric
        F, shape (d, d).
    x
        Point of the unit cube, shape (d,).
    radius
        Length of the longest step.
    domain
        What is allowed.

    Returns
    -------
    array, shape (d,)
        The best step found; x + step is allowed.
    """
    d = len(x)
    way = _way(metric)
    ball = _Ball(way.T @ model.H @ way, way.T @ model.g, radius)
    region = _Region(x, way, radius, domain)
    tries = [ball.lowest()]
    best = region.nearest(tries[0])
    if not np.allclose(best, way @ tries[0]):
        scale = max(abs(model.constant), 1e-300)
        for conditions, iterations in region.conditions():
            found = minimize(
                lambda z: ball(z) / scale,
                np.zeros(d),
                jac=lambda z: ball.slope(z) / scale,
                method="SLSQP",
                constraints=conditions,
                options={"maxiter": iterations, "ftol": PRECISION},
            )
            tries.append(region.restore(found.x))
    steps = [best, *(region.nearest(z) for z in tries[1:]), np.zeros(d)]
    return min(steps, key=model)


def allowed(metric: Vector, x: Vector, end: Vector, domain: Domain) -> Vector:
    """Return an allowed point near `end`, by the guard's slopes, or on the way there from `x`.

    Parameters
    ----------
    metric
        F, shape (d, d): what is near.
    x, end
        An allowed point, and another, shape (d,).
    domain
        What is allowed.
    """
    way = _way(metric)
    region = _Region(x, way, np.inf, domain)
    z = np.asarray(np.linalg.solve(way, np.clip(end, 0.0, 1.0) - x), dtype=np.float64)
    if domain.constraint is not None:
        z = region.restore(z)
    point: Vector = np.add(x, region.nearest(z))
    return point


def _way(metric: Vector) -> Vector:
    """Return what leads from z to s with |z|² = sᵀ F s: all directions matter alike in z."""
    d = len(metric)
    F = metric + RIDGE * np.trace(metric) / d * np.eye(d)
    way: Vector = np.linalg.inv(np.linalg.cholesky(F).T)
    return way


@dataclass(frozen=True, eq=False)
class _Ball:
    """The quadratic 2 gᵀ z + zᵀ H z, and its minimum within the ball |z| <= radius."""

    H: Vector
    g: Vector
    radius: float

    def __call__(self, z: Vector) -> float:
        return float(2.0 * self.g @ z + z @ self.H @ z)

    def slope(self, z: Vector) -> Vector:
        slope: Vector = 2.0 * (self.g + self.H @ z)
        return slope

    def lowest(self) -> Vector:
        return in_ball(self.H, self.g, self.radius)


def in_ball(H: Vector, g: Vector, radius: float) -> Vector:
    """Minimise 2 gᵀ z + zᵀ H z over ``|z| <= radius``, H symmetric and >= 0.

    The multiplier of the ball is found by bisection in the eigenbasis (Moré and Sorensen,
    SIAM J. Sci. Stat. Comput. 4, 553 (1983), doi:10.1137/0904038).

    Examples
    --------
    >>> in_ball(np.eye(2), np.array([-3.0, -4.0]), 1.0).round(6).tolist()
    [0.6, 0.8]
    """
    values, vectors = np.linalg.eigh(H)
    values = np.maximum(values, 0.0)
    b = vectors.T @ g
    if not b.any():
        return np.zeros_like(g)

    # H may be singular, up to rounding; it may be zero
    least = max(np.finfo(np.float64).eps * values[-1], 1e-100)

    def at(multiplier: float) -> Vector:
        z: Vector = -b / np.maximum(values + multiplier, least)
        return z

    low, high = 0.0, float(np.linalg.norm(b)) / radius
    if np.linalg.norm(at(low)) > radius:
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if np.linalg.norm(at(middle)) > radius else (low, middle)
        low = high
    z: Vector = vectors @ at(low)
    return z


@dataclass(frozen=True, eq=False)
class _Region:
    """Where a step may go, in the coordinates z of the ball: x + way z is allowed."""

    x: Vector
    way: Vector
    radius: float
    domain: Domain

    def nearest(self, z: Vector) -> Vector:
        """Return the last allowed step on the way to `z`, shape (d,)."""
        end: Vector = np.clip(self.x + self._within(z), 0.0, 1.0)
        # what is left of a step that a face of the cube clips may be a longer one
        clipped = np.asarray(np.linalg.solve(self.way, end - self.x), dtype=np.float64)
        short = self._within(clipped)
        return self.domain.pull_back(self.x, np.clip(self.x + short, 0.0, 1.0)) - self.x

    def _within(self, z: Vector) -> Vector:
        """Return the step to `z`, or as far on the way there as the ball reaches."""
        step: Vector = self.way @ z
        return step * min(1.0, self.radius / max(float(np.linalg.norm(z)), 1e-300))

    def conditions(self) -> list[tuple[list[dict[str, Any]], int]]:
        """Return what a step must meet: with the guard linear about x, then as it is.

        With each goes the number of iterations that are worth their time.
        """
        always = [
            _condition(lambda z: self.radius**2 - z @ z, lambda z: -2 * z),
            _condition(lambda z: self.x + self.way @ z, lambda z: self.way),
            _condition(lambda z: 1 - self.x - self.way @ z, lambda z: -self.way),
        ]
        if self.domain.constraint is None:
            return [(always, ITERATIONS)]
        here, slopes = self.margins(np.zeros_like(self.x)), self.slopes(np.zeros_like(self.x))
        linear = _condition(lambda z: here + slopes @ z, lambda z: slopes)
        bent = _condition(self.margins, self.slopes)
        return [([*always, linear], ITERATIONS), ([*always, bent], GUARD_ITERATIONS)]

    def restore(self, z: Vector) -> Vector:
        """Move `z` to where the guard is met, along its slopes: its margins bend and have kinks."""
        for _ in range(RESTORATIONS):
            broken = np.flatnonzero((margins := self.margins(z)) < 0)
            if not broken.size:
                break
            z = z - np.linalg.pinv(self.slopes(z)[broken]) @ margins[broken]
        return z

    def margins(self, z: Vector) -> Vector:
        """Return the guard's margins, shape (k,), less a little: rounding must not end a step."""
        margins: Vector = self.domain.margins(self._at(z)[None])[0] - BUFFER
        return margins

    def slopes(self, z: Vector) -> Vector:
        """Differentiate the margins, shape (k, d)."""
        slopes: Vector = self.domain.margin_slopes(self._at(z)) @ self.way
        return slopes

    def _at(self, z: Vector) -> Vector:
        """Return the point of the cube nearest to where `z` leads, shape (d,)."""
        return np.clip(self.x + self.way @ z, 0.0, 1.0)


def _condition(
    margin: Callable[[Vector], Vector], slope: Callable[[Vector], Vector]
) -> dict[str, Any]:
    return {"type": "ineq", "fun": margin, "jac": slope}
