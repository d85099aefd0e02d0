"""Where a step leads: parameters are a curved map of what runs feel, the energies of their frames.

How averages answer to a change of the energy is close to linear; the energy is no linear function
of the parameters. In the narrow valleys of pair potentials large changes of several parameters
cancel to first order, and what is left to second order is soon larger than the step:

    s means     the change of energies  G s,    G = β dU/du of each frame
    x + s makes                         β (U(x + s) - U(x))

So a step is followed to the point that makes the change that it means, as far as parameters can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton import trust_region

CORRECTIONS: Final = 6
"""Most corrections of where a step leads; each takes the energies of the frames once."""

CLOSE: Final = 0.1
"""Share of a step by which the change of energies may miss what it means."""

SOFT: Final = 0.1
"""Added to the metric where a step is corrected: directions that change no energy stay as they are,
such as those in which the whole cube is a third of a standard deviation wide."""


@dataclass(frozen=True, eq=False)
class Course:
    """How the energies of the frames of a run change from its point on.

    Attributes
    ----------
    x
        The point, shape (d,).
    slopes
        β dU/du of each frame less its mean, over the root of the number of frames, shape (n, d).
    change
        β (U(u) - U(x)) of each frame at the point u it is given, likewise, shape (n,).
    """

    x: Vector
    slopes: Vector
    change: Callable[[Vector], Vector]

    @cached_property
    def metric(self) -> Vector:
        """F of these frames, shape (d, d)."""
        metric: Vector = self.slopes.T @ self.slopes
        return metric

    def follow(self, s: Vector, domain: Domain) -> Vector:
        """Return the allowed point that makes the change of energies which the step `s` means.

        Parameters
        ----------
        s
            A step from :attr:`x`, shape (d,).
        domain
            What is allowed.

        Returns
        -------
        array, shape (d,)
        """
        end = domain.pull_back(self.x, np.clip(self.x + s, 0.0, 1.0))
        for _ in range(CORRECTIONS):
            if self.miss(s, end) <= CLOSE:
                break
            correction = self._step(self._gap(s, end))
            nearer = trust_region.allowed(self.metric, self.x, end + correction, domain)
            if not self.miss(s, nearer) < self.miss(s, end):
                break
            end = nearer
        return end

    def miss(self, s: Vector, end: Vector) -> float:
        """Return by what share of it the point `end` misses the change that the step `s` means."""
        wanted = float(np.linalg.norm(self.slopes @ s))
        return float(np.linalg.norm(self._gap(s, end))) / max(wanted, 1e-300)

    def meaning(self, s: Vector, end: Vector) -> Vector:
        """Return the step whose change of energies the point `end` makes, near `s`, shape (d,)."""
        return s - self._step(self._gap(s, end))

    def _gap(self, s: Vector, end: Vector) -> Vector:
        """Return the change of energies that `s` means and the point `end` does not make."""
        gap: Vector = self.slopes @ s - self.change(end)
        return gap

    def _step(self, change: Vector) -> Vector:
        """Return the step that changes energies so, to first order."""
        stiffness = self.metric + SOFT * np.eye(len(self.x))
        return np.asarray(np.linalg.solve(stiffness, self.slopes.T @ change), dtype=np.float64)


def joined(courses: Sequence[Course]) -> Course:
    """Join the courses of independent samples at one point; their metrics add up."""
    if len(courses) == 1:
        return courses[0]
    return Course(
        courses[0].x,
        np.concatenate([one.slopes for one in courses]),
        lambda u: np.concatenate([one.change(u) for one in courses]),
    )
