"""Residuals far from the fitted point, where the linear model no longer holds.

Along a soft combination parameters may go far, and good potentials lie on a curve there, a valley:
the energy is no linear function of the parameters. How averages answer to a change of the energy is
far closer to linear, so that residuals at a distant point follow from the energy it gives to the
frames that were kept,

    y(θ) = y + J s + ρ,    ρ = -β cov(A, U(θ) - U(x) - s·dU/dθ).

A point drawn from a normal distribution about x is moved until y(θ), not y + J s, is what the
distribution meant in the directions that are determined. Where the energies of the frames do not
reach so far it goes only a part of the way: such an ensemble is narrower than the errors.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.fit.base import Vector
from lammpsfit.fit.certainty.uncertainty import SEEN, Uncertainty
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.exact_rows import ExactRows
from lammpsfit.forcefield import ParameterSpace, Potential
from lammpsfit.md.frames import Frames, felt
from lammpsfit.structure.fluctuations import Response
from lammpsfit.structure.reweighting import multistate_weights
from lammpsfit.target import Target, static_term
from lammpsfit.units import BOLTZMANN_CONSTANT

CORRECTIONS: Final = 12
"""Most corrections of a point."""

CLOSE: Final = 0.2
"""Standard errors by which a point may miss the valley."""

SHARES: Final = (1.0, 0.7, 0.5, 0.35, 0.25)
"""Of the way to a point that was drawn, tried in this order."""

HOPELESS: Final = 2.0
"""Times as far, from where no correction leads back."""


class NonlinearResiduals:
    """What the linear model of the residuals of one condition lacks, by the frames of runs.

    Parameters
    ----------
    space, target, temperature
        As for :class:`~lammpsfit.fit.newton.local_model.Fluctuations`.
    runs
        Points and frames of the runs, the first at x; their bins are the same.
    """

    def __init__(
        self,
        space: ParameterSpace,
        target: Target,
        temperature: float,
        runs: Sequence[tuple[Vector, Frames]],
    ) -> None:
        self._space = space
        self._x = runs[0][0]
        several = [frames for _, frames in runs]
        self._beta = 1.0 / (BOLTZMANN_CONSTANT * temperature)
        potentials = [space.potential(u) for u, _ in runs]
        U = np.concatenate([frames.energies(potentials) for frames in several])
        reduced = self._beta * U.T
        self._weights = multistate_weights(reduced, [len(f) for f in several], reduced[0])
        self._here = potentials[0]
        self._frames = several
        self._counts = [_counts(several, pair) for pair in several[0].pairs]
        self._slopes = np.concatenate([frames.gradient(space, self._x) for frames in several])
        A = np.concatenate(
            [
                np.column_stack([np.zeros((len(f), 0)), *(t.per_frame(f) for t in target.ensemble)])
                for f in several
            ]
        )
        self._weighted = (A - self._weights @ A) * self._weights[:, None]
        self._static = _StaticBend(space, target, self._x) if target.static else None

    def __call__(self, u: Vector) -> tuple[Vector, float]:
        """Return ρ, shape (K,), and the standard deviation of β (U(θ) - U(x))."""
        potential = self._space.potential(u)
        both = (potential, self._here)
        coulomb = np.concatenate([frames.coulomb_energies(both) for frames in self._frames])
        change = coulomb[:, 0] - coulomb[:, 1]
        for pair, r, n in self._counts:
            # of the change, single precision is enough
            step = felt(potential, pair, r) - felt(self._here, pair, r)
            change += n @ step.astype(np.float32)
        mean = self._weights @ change
        distance = self._beta * float(np.sqrt(self._weights @ (change - mean) ** 2))
        bend: Vector = -self._beta * (change - self._slopes @ (u - self._x)) @ self._weighted
        if self._static is not None:
            bend = np.concatenate([bend, self._static(u, potential)])
        return bend, distance


class _StaticBend:
    """What the linear model of residuals without noise lacks, in the rows of the local model."""

    def __init__(self, space: ParameterSpace, target: Target, x: Vector) -> None:
        self._terms, self._x = target.static, x
        self._y = static_term.residuals(self._terms, space.potential(x))
        self._J = static_term.jacobian(self._terms, space, x)
        self._rows = ExactRows.of(self._y, self._J)

    def __call__(self, u: Vector, potential: Potential) -> Vector:
        """Return ρ at `u`, where the potential is known, shape (d + 2,)."""
        y = static_term.residuals(self._terms, potential)
        return self._rows.projected(y - self._y - self._J @ (u - self._x))


class NonlinearModel:
    """What the frames of runs tell of points at a distance from the fitted one.

    Parameters
    ----------
    found
        The uncertainty at the point x.
    response
        What it was made of.
    bends
        For each condition its share in the squared cost and its bend, from runs about x.
    domain
        What is allowed.
    """

    def __init__(
        self,
        found: Uncertainty,
        response: Response,
        bends: Sequence[tuple[float, NonlinearResiduals]],
        domain: Domain,
    ) -> None:
        self._domain = domain
        self._found, self._response, self._bends = found, response, bends
        known = [direction for direction in found.directions if direction.resolved]
        curvatures = np.array([direction.curvature for direction in known])
        self._errors = np.array([direction.error for direction in known])
        self._V = np.array([direction.loadings for direction in known]).reshape(-1, len(found.x))
        J = response.jacobian / found.scale
        self._solve = self._V @ J.T / curvatures[:, None]

    def follow(self, u: Vector) -> tuple[Vector, float] | None:
        """Move a point `u` into the valley; nearer to x where frames or guard end before.

        Returns
        -------
        (array, shape (d,), float) or None
            The point of the unit cube and the cost R predicted there; None where even the nearest
            is not reached, or not allowed.
        """
        x = self._found.x
        nearer = (self._into_valley(x + share * (u - x)) for share in SHARES)
        return next((member for member in nearer if member is not None), None)

    def _into_valley(self, u: Vector) -> tuple[Vector, float] | None:
        scale, at = self._found.scale, u
        for _ in range(CORRECTIONS):
            if not np.all((at >= 0) & (at <= 1)):
                return None
            bend, distance = self._bend(at)
            if distance > HOPELESS * SEEN:
                return None
            missed = self._V @ ((at - u) * scale) + self._solve @ bend
            if np.all(np.abs(missed) <= CLOSE * self._errors):
                allowed = distance <= SEEN and self._domain.permits(at)
                return (at, self._cost(at, bend)) if allowed else None
            at = at - self._V.T @ missed / scale
        return None

    def _bend(self, u: Vector) -> tuple[Vector, float]:
        """Return ρ of all conditions, shape (K,), and how far `u` is where it is farthest.

        Residuals of several conditions together, which are the last, keep their linear model.
        """
        several = [(share, *bend(u)) for share, bend in self._bends]
        distance = max(distance for _, _, distance in several)
        bends = np.concatenate([np.sqrt(share) * bend for share, bend, _ in several])
        return np.pad(bends, (0, self._response.mean.size - bends.size)), distance

    def _cost(self, u: Vector, bend: Vector) -> float:
        s = u - self._found.x
        linear = self._response.mean + self._response.jacobian @ s
        more = float(bend @ (2.0 * linear + bend))
        return float(np.sqrt(max(self._found.predicted(u) ** 2 + more, 0.0)))


def _counts(several: Sequence[Frames], pair: str) -> tuple[str, Vector, NDArray[np.float32]]:
    """Gather the bins of a pair that any frame has anything in, and what is in them."""
    k = several[0].pairs.index(pair)
    counts = np.concatenate([frames.counts[:, k] for frames in several])
    seen = np.flatnonzero(counts.any(axis=0))
    return pair, several[0].histogram.centres[seen], counts[:, seen].astype(np.float32)
