"""Nonlinear conjugate gradients, for the last stretch into a minimum.

After Shewchuk, An Introduction to the Conjugate Gradient Method Without the
Agonizing Pain (1994), sec. 14, with what a noisy cost on a bounded domain
needs besides: steps no worse within noise, faces of the cube held while the
gradient presses against them, failed evaluations that shorten the way.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Outcome, Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.derivatives import Derivatives, Line, Search
from lammpsfit.fit.paper.line_search import LineSettings, secant_search

Beta: TypeAlias = Callable[[Vector, Vector], float]
"""Maps the residual (minus the gradient) and the one before it to beta in p = r + beta p_old."""


def polak_ribiere(r: Vector, r_old: Vector) -> float:
    """Return max(0, r (r - r_old) / r_old r_old): where negative, the direction starts afresh."""
    return max(0.0, float(r @ (r - r_old)) / float(r_old @ r_old))


def fletcher_reeves(r: Vector, r_old: Vector) -> float:
    """Return r r / r_old r_old."""
    return float(r @ r) / float(r_old @ r_old)


class Stop(StrEnum):
    """Why a descent ended, and what that means."""

    GRADIENT = "the gradient stayed at zero within the threshold: a minimum"
    FLAT = "the cost no longer fell beyond its noise: a minimum as far as the noise can tell"
    STUCK = (
        "the point no longer moved, no lower point lay along steepest descent: a minimum, an edge "
        "of the allowed domain, or noise too large for the step (evaluate longer)"
    )
    START = "the start failed when it was run again: confirm it with longer runs"
    ITERATIONS = "the iterations were used up while the cost still fell: allow more of them"


@dataclass(frozen=True)
class DescentSettings:
    """How a descent goes and when it stops.

    Attributes
    ----------
    beta
        :func:`polak_ribiere` or :func:`fletcher_reeves`.
    max_iterations
        Most directions searched.
    zero
        Squared norm of the gradient, in cost per scaled coordinate, that counts as zero.
    patience
        Iterations the gradient must stay at zero (10 in doi:10.1557/mrc.2019.47).
    flat
        Iterations without a fall of the cost beyond its noise that end the descent.
    line
        How lines are searched.
    """

    beta: Beta = polak_ribiere
    max_iterations: int = 30
    zero: float = 1e-8
    patience: int = 10
    flat: int = 3
    line: LineSettings = field(default_factory=LineSettings)

    def __post_init__(self) -> None:
        for name in ("max_iterations", "patience", "flat"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.zero >= 0:
            raise InputError(f"zero must not be negative, got {self.zero}")


@dataclass(frozen=True)
class Descent:
    """Where a descent ended.

    Attributes
    ----------
    x
        Last point, shape (d,).
    outcome
        Its outcome.
    iterations
        Directions searched.
    reason
        Why it ended.
    """

    x: Vector
    outcome: Outcome
    iterations: int
    reason: Stop


@dataclass
class _Progress:
    """Counts the iterations that got nowhere."""

    settings: DescentSettings
    lowest: Outcome
    small: int = 0
    flat: int = 0

    def gradient(self, r: Vector) -> bool:
        """Take in a residual; say whether the gradient has been zero for long enough."""
        self.small = self.small + 1 if float(r @ r) <= self.settings.zero else 0
        return self.small >= self.settings.patience or not r.any()

    def step(self, outcome: Outcome) -> Stop | None:
        """Take in a new point; say to stop where the cost has been flat for long enough."""
        noise = float(np.hypot(outcome.error, self.lowest.error))
        if _cost(outcome) < _cost(self.lowest) - noise:
            self.lowest, self.flat = outcome, 0
        else:
            self.flat += 1
        return Stop.FLAT if self.flat >= self.settings.flat else None


def conjugate_gradient(
    x: Vector,
    domain: Domain,
    scale: Vector,
    derivatives: Derivatives,
    settings: DescentSettings,
) -> Search[Descent]:
    """Descend from `x` until one of the reasons of :class:`Stop` ends it.

    The start is run again first: a point that was picked as the best of many
    noisy ones is lucky, and all differences would be taken against its luck.

    Parameters
    ----------
    x
        Start, an allowed point, shape (d,).
    domain
        What is allowed.
    scale
        Unit of each coordinate, shape (d,): lengths over which the cost changes alike.
    derivatives
        Source of derivatives.
    settings
        How to descend and when to stop.
    """
    (outcome,) = yield x[None]
    if not outcome.ok:
        return Descent(x, outcome, 0, Stop.START)
    progress = _Progress(settings, outcome)
    r_old = p_old = np.zeros(len(x))
    for iteration in range(settings.max_iterations):
        g = yield from derivatives.gradient(x, outcome, scale, domain)
        r = _press(-g, x)
        if progress.gradient(r):
            return Descent(x, outcome, iteration, Stop.GRADIENT)
        moved = None
        for p in _directions(r, r_old, p_old, x, iteration, settings.beta):
            line = Line(x, p / np.linalg.norm(p), scale, domain)
            slope = float(g @ line.p)
            # Against the lowest, not the last: step by step within noise the way leads uphill.
            moved = yield from secant_search(
                line, progress.lowest, slope, derivatives, settings.line
            )
            if moved is not None:
                break
        if moved is not None:
            x, outcome, r_old, p_old = line.at(moved.t), moved.outcome, r, p
        stop = Stop.STUCK if moved is None else progress.step(outcome)
        if stop is not None:
            closer = derivatives.finer()
            if closer is None:
                return Descent(x, outcome, iteration + 1, stop)
            derivatives, r_old, progress.flat = closer, np.zeros(len(x)), 0
    return Descent(x, outcome, settings.max_iterations, Stop.ITERATIONS)


def _directions(
    r: Vector, r_old: Vector, p_old: Vector, x: Vector, iteration: int, beta: Beta
) -> list[Vector]:
    """Return the conjugate direction, if there is one, then steepest descent.

    Conjugacy is lost after as many directions as there are coordinates
    (Shewchuk restarts then), and where the direction does not descend.
    """
    if not r_old.any() or iteration % len(x) == 0:
        return [r]
    p = _press(r + beta(r, r_old) * p_old, x)
    if np.array_equal(p, r) or float(p @ r) <= 0:
        return [r]
    return [p, r]


def _press(p: Vector, x: Vector) -> Vector:
    """Drop the components of a direction `p` that press `x` against the faces of the cube."""
    return np.where(((x <= 0) & (p < 0)) | ((x >= 1) & (p > 0)), 0.0, p)


def _cost(outcome: Outcome) -> float:
    return np.inf if outcome.cost is None else outcome.cost
