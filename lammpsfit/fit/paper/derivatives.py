"""Where a gradient search gets its derivatives from: differences of costs, or a formula.

Searches are generators: they yield batches of points, shape (k, d), and are
sent the list of their k outcomes. So the same lines run on an analytic cost,
on a farm of simulations and on a journal that is replayed, and a batch is
evaluated by as many workers as there are.

Derivatives are taken in scaled coordinates u = x / scale.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from lammpsfit.fit.base import Outcome, Vector
from lammpsfit.fit.domain import Domain

T = TypeVar("T")

Search: TypeAlias = Generator[Vector, Sequence[Outcome], T]
"""Yields points, shape (k, d), k >= 1; is sent their k outcomes; returns a T."""


@dataclass(frozen=True)
class Line:
    """The path x(t) = x + t scale p, kept in the unit cube by clipping.

    Attributes
    ----------
    x
        Where it begins, an allowed point, shape (d,).
    p
        Direction in scaled coordinates, of length 1, shape (d,).
    scale
        Unit of each coordinate, shape (d,).
    domain
        What is allowed.
    """

    x: Vector
    p: Vector
    scale: Vector
    domain: Domain

    def at(self, t: float) -> Vector:
        """Return x(t), shape (d,)."""
        return np.clip(self.x + t * self.scale * self.p, 0.0, 1.0)

    def permits(self, t: float) -> bool:
        """Whether x(t) is allowed."""
        return self.domain.permits(self.at(t))

    def fits(self, t: float) -> bool:
        """Whether x(t) is allowed and no coordinate was clipped on the way."""
        return self.domain.permits(self.x + t * self.scale * self.p)

    def limit(self, t: float) -> float:
        """Return the largest of t, t/2, t/4, ... that is allowed; 0 where none is."""
        for _ in range(20):
            if self.permits(t):
                return t
            t /= 2.0
        return 0.0


class Derivatives(Protocol):
    """A source of derivatives of the cost."""

    def gradient(
        self, x: Vector, outcome: Outcome, scale: Vector, domain: Domain
    ) -> Search[Vector]:
        """Find the gradient at `x`, which had `outcome`: shape (d,), per unit of `scale`."""

    def slope(self, line: Line, t: float) -> Search[tuple[Outcome, float | None]]:
        """Evaluate x(t) of a `line`: its outcome, and the derivative of the cost with t.

        The slope is None where the evaluations do not tell it.
        """

    def finer(self) -> "Derivatives | None":
        """Return a source that looks closer; None where there is none."""


Side: TypeAlias = tuple[float, float]
"""Signed length of a step, and the cost there."""


@dataclass(frozen=True)
class Differences:
    """Derivatives from finite differences.

    A forward difference over `step` with noise e in each cost and curvature c
    is off by sqrt(2) e / step + c step / 2: a small step drowns in the noise
    (see :func:`noise_step`), a large one is biased. The bias outgrows the
    gradient at the floor of a narrow valley: there :meth:`finer` turns to
    central differences, which have none, for twice the evaluations (Gill,
    Murray & Wright, Practical Optimization (1981), sec. 8.6).

    Attributes
    ----------
    step
        Length of the step, in scaled coordinates.
    central
        Whether to look both ways.
    """

    step: float
    central: bool = False

    def gradient(
        self, x: Vector, outcome: Outcome, scale: Vector, domain: Domain
    ) -> Search[Vector]:
        """Step along each coordinate; the other way where that is forbidden or failed.

        A coordinate that can be moved neither way gets the derivative 0: the
        search then leaves it alone.
        """
        lines = [Line(x, unit, scale, domain) for unit in np.eye(len(x))]
        sides: list[list[Side]] = [[] for _ in lines]
        for sign in (1.0, -1.0):
            todo = [i for i in range(len(x)) if self.central or not sides[i]]
            todo = [i for i in todo if lines[i].fits(sign * self.step)]
            if todo:
                outcomes = yield np.array([lines[i].at(sign * self.step) for i in todo])
                for i, there in zip(todo, outcomes, strict=True):
                    sides[i] += _side(sign * self.step, there)
        return np.array([_derivative(outcome, known) or 0.0 for known in sides])

    def slope(self, line: Line, t: float) -> Search[tuple[Outcome, float | None]]:
        """Evaluate x(t), and x(t + step), or x(t - step) where that is forbidden, or both."""
        ways = [way for way in (self.step, -self.step) if line.permits(t + way)]
        ways = ways if self.central else ways[:1]
        here, *there = yield np.array([line.at(t), *(line.at(t + way) for way in ways)])
        sides = [side for way, o in zip(ways, there, strict=True) for side in _side(way, o)]
        return here, _derivative(here, sides)

    def finer(self) -> "Differences | None":
        """Look both ways. A shorter step would see the noise better, not the cost."""
        return None if self.central else replace(self, central=True)


@dataclass(frozen=True)
class Told:
    """Derivatives that evaluations tell themselves, from the fluctuations of their runs.

    No evaluation is spent on them. An outcome without one leaves the search where it is.
    """

    def gradient(
        self, x: Vector, outcome: Outcome, scale: Vector, domain: Domain
    ) -> Search[Vector]:
        """Return the gradient the outcome holds."""
        yield from ()
        return np.zeros_like(x) if outcome.gradient is None else outcome.gradient * scale

    def slope(self, line: Line, t: float) -> Search[tuple[Outcome, float | None]]:
        """Evaluate x(t), and project its gradient onto the line, where that is not clipped."""
        x = line.at(t)
        (here,) = yield x[None]
        if not here.ok or here.gradient is None:
            return here, None
        moving = np.where(x == line.x + t * line.scale * line.p, line.scale * line.p, 0.0)
        return here, float(here.gradient @ moving)

    def finer(self) -> "Told | None":
        """Return nothing: the run has told all it knows."""
        return None


def _side(way: float, outcome: Outcome) -> list[Side]:
    return [] if outcome.cost is None else [(way, outcome.cost)]


def _derivative(here: Outcome, sides: list[Side]) -> float | None:
    """Return the mean of the one-sided differences; None where there is none."""
    if here.cost is None or not sides:
        return None
    return sum((cost - here.cost) / way for way, cost in sides) / len(sides)


def noise_step(cost: float, error: float, largest: float = 0.25) -> float:
    """Return the step of a forward difference that balances noise against curvature.

    step = 8^(1/4) sqrt(error / curvature) (Moré & Wild, ACM TOMS 38, 19
    (2012), doi:10.1145/2168773.2168777), with a curvature of one `cost` per
    scaled coordinate squared: over one length scale the cost changes by about
    itself. Round-off is the least noise.

    Examples
    --------
    >>> round(noise_step(0.10, 0.0001), 4)
    0.0532
    """
    relative = max(error / cost if cost > 0 else 0.0, 1e-14)
    return float(min(8.0**0.25 * np.sqrt(relative), largest))
