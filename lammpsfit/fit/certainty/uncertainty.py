"""How well a fit determines its parameters: errors, combinations, and potentials as good.

At the minimum θ of ``|y|²``, residuals y with the Jacobian J, noise δy and δJ moves the minimum by

    δθ = -(JᵀJ)⁻¹ δ(Jᵀy),    δ(Jᵀy) = Jᵀδy + δJᵀy,

so that its covariance is the sandwich (JᵀJ)⁻¹ S (JᵀJ)⁻¹ with S the covariance of the gradient Jᵀy
(White, Econometrica 48, 817 (1980), doi:10.2307/1912934). It holds where the model cannot reach
the data, and a pair potential cannot: y is far above its noise at the minimum. Then the usual
s² (JᵀJ)⁻¹ would take the misfit for noise, and δJᵀy is not to be left out. S comes from the
jackknife over the blocks of the runs, and from the errors of the reference where it has any. What
the second derivatives of y would add to JᵀJ is left out, as in the search.

Noise of J adds to JᵀJ; it is taken off (jackknife). Directions whose curvature is then within
twice its error are not resolved, nor are those whose error is wider than the bounds. They have no
number at all: neither error nor reach, and a parameter that has much of them has none either. The
errors of the others hold while what is not resolved is held. A reach that leads where the frames
of the runs tell nothing is no number, too. Errors are thus those of the minimum by these runs and
this model, to first order: far along soft combinations the valley
of good potentials bends (:mod:`lammpsfit.fit.certainty.nonlinear`). Whether another form of the
potential had other parameters is not in them.

Coordinates are η = ln|θ|, so that changes are relative, but θ / (upper - lower) for a parameter on
a linear scale whose bounds enclose zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.local_model import LocalModel
from lammpsfit.fit.newton.trust_region import Quadratic
from lammpsfit.forcefield import Free
from lammpsfit.structure.blocks import jackknife_error
from lammpsfit.structure.fluctuations import Response

RISE: Final = 0.01
"""Rise of the cost, as a fraction of it, that a change may bring and pass as harmless."""

SIGNIFICANT: Final = 2.0
"""Errors of its curvature that a resolved direction has at least as curvature."""

SEEN: Final = 3.0
"""Standard deviation of β ΔU up to which the frames of runs tell what a change does."""

LOADING: Final = 0.2
"""Component of a direction from which on a parameter has much of it."""

FLAT: Final = 1e-10
"""Of the largest curvature: below, a curvature is rounding."""

AT_BOUND: Final = 1e-3
"""Distance in the cube below which a parameter ended at its bound."""

MOST_DRAWS: Final = 15
"""Draws for each potential wanted, after which an ensemble stays smaller."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A combination of parameters, an eigenvector of JᵀJ.

    Attributes
    ----------
    loadings
        Unit vector in η, shape (d,); its largest component is positive.
    curvature
        Its eigenvalue: a move by s along it raises the squared cost by curvature · s².
    error
        Standard error along it; NaN where it is not resolved.
    reach
        Move that raises the cost by no more than the stated rise; NaN where it is not resolved, or
        leads where the frames of the runs tell nothing.
    resolved
        Whether the runs tell its curvature, and more of it than the bounds do.
    """

    loadings: Vector
    curvature: float
    error: float
    reach: float
    resolved: bool


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What the runs around a fitted point say of its parameters, in η.

    Attributes
    ----------
    parameters
        The free parameters.
    x
        The point of the unit cube, shape (d,).
    scale
        dη/du, shape (d,).
    relative
        By parameter, whether η is ln|θ|.
    run_factor
        Variance from run to run, in that between the blocks of the runs.
    cost
        Cost R at the point, a fraction, without the noise of the runs.
    rise
        Rise of R that `reach` refers to, a fraction.
    covariance
        Covariance of η by the resolved directions, the others held, shape (d, d).
    offset
        From the point to the minimum by these runs, shape (d,): what the search left, as its
        last steps were less than the noise.
    directions
        Those that are resolved from the stiffest to the softest, then the others.
    model
        Squared cost around the point, in η.
    """

    parameters: tuple[Free, ...]
    x: Vector
    scale: Vector
    relative: tuple[bool, ...]
    run_factor: float
    cost: float
    rise: float
    covariance: Vector
    offset: Vector
    directions: tuple[Direction, ...]
    model: Quadratic

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(free.name for free in self.parameters)

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Which parameters have little of the directions that are not resolved, shape (d,)."""
        lost = [one.loadings**2 for one in self.directions if not one.resolved]
        return np.sum(lost, axis=0) < LOADING**2 if lost else np.ones(len(self.x), np.bool_)

    @property
    def errors(self) -> Vector:
        """Standard errors of the parameters in η, shape (d,); NaN where not resolved."""
        return np.where(self.resolved, np.sqrt(np.diag(self.covariance)), np.nan)

    @property
    def reach(self) -> Vector:
        """Largest change of each parameter that raises R by no more than `rise`, shape (d,).

        The others follow. NaN where it is not resolved.
        """
        squares = np.zeros(len(self.x))
        for one in self.directions:
            matters = (np.abs(one.loadings) >= LOADING) | np.isfinite(one.reach)
            squares[matters] += (one.loadings[matters] * one.reach) ** 2
        return np.where(self.resolved, np.sqrt(squares), np.nan)

    @property
    def correlation(self) -> Vector:
        """Correlation of the parameters, shape (d, d); NaN where one is not resolved."""
        errors = self.errors
        correlation: Vector = self.covariance / np.outer(errors, errors)
        return correlation

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Names of parameters that ended at a bound: their errors are to one side only."""
        near = np.minimum(self.x, 1.0 - self.x) < AT_BOUND
        return tuple(name for name, ended in zip(self.names, near, strict=True) if ended)

    def predicted(self, u: Vector) -> float:
        """Predict the cost R, a fraction, at the point `u` of the unit cube."""
        return float(np.sqrt(max(self.model((u - self.x) * self.scale), 0.0)))


def uncertainty(
    model: LocalModel,
    x: Vector,
    parameters: Sequence[Free],
    reference_error: Vector | None = None,
    run_factor: float = 1.0,
) -> Uncertainty:
    """Find the errors of parameters from what runs tell about their point.

    Parameters
    ----------
    model
        Residuals with their derivatives in the unit cube.
    x
        The fitted point, shape (d,).
    parameters
        The free parameters, d of them.
    reference_error
        Standard errors of the residuals by the reference, shape (K,), independent of each other.
    run_factor
        Variance from run to run, in that between the blocks of the runs, which do not see the slow
        modes of a liquid.
    """
    scale, relative = _coordinates(parameters, x)
    r = _in(scale, model.response)
    quadratic = _without_noise(r)
    S = run_factor * _gradient_noise(r)
    if reference_error is not None:
        S = S + (r.jacobian.T * reference_error**2) @ r.jacobian

    curvatures, V = np.linalg.eigh(quadratic.H)
    curvatures, V = curvatures[::-1], V[:, ::-1]
    V = V * np.sign(V[np.argmax(np.abs(V), axis=0), np.arange(len(x))])
    noise = np.sqrt(run_factor) * jackknife_error(np.sum((r.jacobians @ V) ** 2, axis=1))
    known = curvatures > np.maximum(SIGNIFICANT * noise, FLAT * max(curvatures[0], 1e-300))
    steep = np.where(known, curvatures, 1.0)
    sandwich = V.T @ S @ V / np.outer(steep, steep)
    box = 12.0 / scale**2  # inverse variances of uniform distributions between the bounds
    widest = 1.0 / np.sqrt(box @ V**2)
    resolved = known & (np.diag(sandwich) < widest**2)
    D = V[:, resolved]
    covariance = D @ sandwich[np.ix_(resolved, resolved)] @ D.T

    R = float(np.sqrt(quadratic.constant))
    rise = RISE * R
    reach = np.sqrt(((R + rise) ** 2 - R**2) / steep)
    seen = reach**2 * np.diag(V.T @ r.metric @ V) <= SEEN**2
    errors = np.sqrt(np.where(resolved, np.diag(sandwich), np.nan))
    reach = np.where(resolved & seen, reach, np.nan)
    slopes = D.T @ quadratic.g
    return Uncertainty(
        tuple(parameters),
        x,
        scale,
        relative,
        run_factor,
        cost=R,
        rise=rise,
        covariance=covariance,
        offset=-D @ (slopes / curvatures[resolved]),
        directions=tuple(
            Direction(
                V[:, i], float(curvatures[i]), float(errors[i]), float(reach[i]), bool(resolved[i])
            )
            for i in np.argsort(~resolved, kind="stable")
        ),
        model=Quadratic(quadratic.constant, D @ slopes, (V * np.maximum(curvatures, 0.0)) @ V.T),
    )


def ensemble(
    found: Uncertainty,
    n: int,
    domain: Domain,
    seed: int | Sequence[int],
    follow: Callable[[Vector], tuple[Vector, float] | None] | None = None,
) -> tuple[Vector, Vector]:
    """Draw potentials that the runs cannot tell from the fitted one.

    They are normally distributed about the fitted point with its covariance, as far as the domain
    allows; what the runs do not resolve is held. The first of more are those of fewer.

    Parameters
    ----------
    found
        The uncertainty of the fitted point.
    n
        How many.
    domain
        What is allowed.
    seed
        Of the draws.
    follow
        Moves a point drawn to where it belongs and predicts the cost there, or says None where it
        belongs nowhere, see :mod:`lammpsfit.fit.certainty.nonlinear`; without it the model is
        linear.

    Returns
    -------
    (array, shape (m, d)), (array, shape (m,))
        Up to `n` points of the unit cube, and the cost R predicted at each, a fraction; none where
        nothing is resolved.
    """
    if not any(direction.resolved for direction in found.directions):
        return np.empty((0, len(found.x))), np.empty(0)
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(found.covariance)
    # the symmetric root is unique: signs of eigenvectors change nothing
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    points: list[tuple[Vector, float]] = []
    for _ in range(MOST_DRAWS * n):
        if len(points) == n:
            break
        u = found.x + root @ rng.standard_normal(len(found.x)) / found.scale
        member = (u, found.predicted(u)) if follow is None else follow(u)
        if member is not None and domain.permits(member[0]):
            points.append(member)
    drawn = np.array([u for u, _ in points]).reshape(-1, len(found.x))
    return drawn, np.array([cost for _, cost in points])


def _in(scale: Vector, r: Response) -> Response:
    """Return a response in coordinates with the derivatives dη/du `scale`."""
    metric = r.metric / np.outer(scale, scale)
    return Response.of(r.mean, r.jacobian / scale, metric, r.means, r.jacobians / scale)


def _without_noise(r: Response) -> Quadratic:
    """Return |y + J s|² less what noise of y and J adds to it, by the jackknife."""
    y, J, noise = r.mean, r.jacobian, r.noise
    return Quadratic(
        max(float(y @ y) - noise.mean_mean, 0.0),
        J.T @ y - noise.jacobian_mean,
        J.T @ J - noise.jacobian_jacobian,
    )


def _gradient_noise(r: Response) -> Vector:
    """Return the covariance of Jᵀy by the jackknife, shape (d, d)."""
    gradients = np.einsum("bki,bk->bi", r.jacobians, r.means)
    dg, n = gradients - gradients.mean(axis=0), len(gradients)
    S: Vector = (n - 1) / n * dg.T @ dg
    return S


def _coordinates(parameters: Sequence[Free], x: Vector) -> tuple[Vector, tuple[bool, ...]]:
    """Return dη/du, shape (d,), and for which parameters η is ln|θ|."""
    scale, relative = [], []
    for free, u in zip(parameters, x, strict=True):
        one_sign = free.lower * free.upper > 0.0
        relative.append(one_sign)
        scale.append(free.derivative(u) / free.value(u) if one_sign else 1.0)
    return np.array(scale), tuple(relative)
