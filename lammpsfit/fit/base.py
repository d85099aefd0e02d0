"""What an optimiser is: it asks for points of the unit cube and is told what they cost.

An optimiser knows no LAMMPS, no MPI and no files. Its state is a function of
what it was told: telling a fresh one the same history, in the same order,
brings it to the same next question. That is how a fit is resumed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

Constraint = Callable[[Vector], Vector]
"""Maps points, shape (n, d), to margins, shape (n,) or (n, k) for k conditions.

A point is allowed where all its margins >= 0.
"""

Slopes = Callable[[Vector], Vector]
"""Maps one point, shape (d,), to the derivatives of its margins, shape (k, d)."""


@dataclass(frozen=True)
class Ask:
    """A point to evaluate.

    Attributes
    ----------
    id
        Number of the evaluation, unique within a fit. Numbers that were asked
        for but never told (the job was killed) are asked for again.
    x
        Point of the unit cube, shape (d,).
    stage
        Which part of the search asks, for instance ``"design"``.
    level
        Cost above which the evaluation may be given up before its end: its :class:`Outcome`
        is a bound then. None: never.
    origin
        Number of the evaluation whose last configuration this one begins with. None: the start
        structure of the fit.
    keep
        Whether its outcome must hold what derivatives are made of.
    """

    id: int
    x: Vector
    stage: str
    level: float | None = None
    origin: int | None = None
    keep: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of an :class:`Ask`.

    Attributes
    ----------
    cost
        Cost as a fraction (0.098 for 9.8 %), or None where the evaluation failed or was given up.
    error
        Standard error of the cost; 0 where it is exact. Where it was given up, that of the shorter
        run.
    bound
        Where it was given up: what the cost is certain to be at or above. It is no cost, so that
        whoever compares costs takes the point for a failed one; the surrogate knows better.
    run
        What the evaluation saw, where it was asked to keep it: an optimiser hands it on to its
        :class:`~lammpsfit.fit.newton.local_model.Linearise` and knows no more of it.
    gradient
        Derivatives of the cost at the point, shape (d,), where the evaluation told them.
    """

    cost: float | None
    error: float = 0.0
    bound: float | None = None
    run: Any = field(default=None, repr=False, compare=False)
    gradient: Vector | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the evaluation gave a cost."""
        return self.cost is not None


@dataclass(frozen=True)
class Candidate:
    """A told point, and what is believed of it after all that was told.

    Attributes
    ----------
    ask
        The point.
    outcome
        What it was told with, luck included.
    cost
        Cost by the posterior mean, a fraction.
    error
        Posterior standard deviation of that cost, without the noise of one run.
    """

    ask: Ask
    outcome: Outcome
    cost: float
    error: float


class Optimiser(Protocol):
    """The one interface between the search and everything that runs it."""

    def ask(self, n: int) -> list[Ask]:
        """Return up to `n` new points; an empty list means: tell me more first."""

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in the outcome of a point, whether asked by this object or before a resume."""

    def expect(self, ask: Ask) -> None:
        """Take note of a point that was asked before a resume and is still to be told."""

    @property
    def done(self) -> bool:
        """Whether the search has come to its end."""

    def ranking(self, k: int) -> list[Candidate]:
        """Return up to `k` told points, best first, to be confirmed by longer runs."""
