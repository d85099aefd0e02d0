"""What is believed about the cost and about failure, given what was told.

Two Gaussian processes: one regresses the logarithm of the cost on the points
that gave one, the other says how likely a point is to give one at all. A
failed evaluation has no cost, and none is made up for it: a large made-up
number would bend the first model far beyond the place of the failure.

An evaluation that was given up early has a bound instead of a cost. Without
it the search would come back to the place; as a cost it would be too low. It
is believed to have cost what the others make expected there, or its bound
where they expect less.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from lammpsfit.errors import RunError
from lammpsfit.fit.base import Vector
from lammpsfit.fit.paper.acquisition import (
    log_expected_improvement,
    log_expected_improvement_derivatives,
    log_phi,
)
from lammpsfit.fit.paper.gaussian_process import GaussianProcess, condition, extend
from lammpsfit.fit.paper.hyperparameters import (
    Hyperparameters,
    default_hyperparameters,
    fit_hyperparameters,
    last_fit,
)
from lammpsfit.fit.paper.subset import Choice, Indices, choose, chosen_from

COST_FLOOR = 1e-6
"""Cost taken for the logarithm of a cost of zero: a ten-thousandth of a percent."""

LABEL_WIDTH = 0.25
"""How far the label regression must be from 0 to be one normal deviation sure.

Where all fails (-1) this makes log P = -10. With much less to pay, a cost that
falls towards the failing side draws the search there again and again: failures
do not raise the mean of the cost.
"""

LEAST_GAIN = 1e-3
"""Smallest relative fall of the cost that counts as an improvement where the noise is less."""

LABEL_NOISE = 0.1
"""Noise variance of the labels: a lone failure amid successes is no proof."""

LABEL_SCALES = (0.1, 0.3)
"""Bounds of the label regression's length scales, times the root of the dimension."""


@dataclass(frozen=True)
class Data:
    """What was told, in the order it was told.

    Attributes
    ----------
    X
        Points, shape (n, d).
    cost
        Costs as fractions, NaN where the evaluation failed, shape (n,).
    error
        Standard errors of the costs, shape (n,).
    bound
        What the cost is at or above where the evaluation was given up, else NaN, shape (n,).
        None where none was.
    """

    X: Vector
    cost: Vector
    error: Vector
    bound: Vector | None = None

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Which evaluations gave a cost, shape (n,)."""
        return np.isfinite(self.cost)

    @property
    def censored(self) -> NDArray[np.bool_]:
        """Which evaluations were given up, shape (n,)."""
        return np.zeros(len(self.X), bool) if self.bound is None else np.isfinite(self.bound)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which evaluations failed, shape (n,)."""
        return np.asarray(~(self.ok | self.censored))

    @property
    def least(self) -> Vector:
        """Cost, or its bound where the evaluation was given up, NaN where it failed: (n,)."""
        return self.cost if self.bound is None else np.where(self.ok, self.cost, self.bound)

    def take(self, rows: Indices) -> "Data":
        """Return some of the evaluations."""
        bound = None if self.bound is None else self.bound[rows]
        return Data(self.X[rows], self.cost[rows], self.error[rows], bound)


def log_cost(cost: Vector, error: Vector) -> tuple[Vector, Vector]:
    """Return the logarithm of costs and its variance, each of shape (n,).

    The noise of the cost is about relative (some percent, whether the cost is
    6 % or 200 %), so its logarithm has about the same noise everywhere, and a
    cost of 1000 % does not drown the valley. By the delta method the variance
    of log c is (error/c)^2. A cost below its own error is known no better than
    to its error.

    Examples
    --------
    >>> y, variance = log_cost(np.array([0.1]), np.array([0.002]))
    >>> float(y[0].round(3)), float(variance[0].round(6))
    (-2.303, 0.0004)
    """
    c = np.maximum(np.maximum(cost, error), COST_FLOOR)
    return np.log(c), np.asarray((error / c) ** 2)


@dataclass(frozen=True)
class Feasibility:
    """The chance that an evaluation gives a cost.

    Least-squares classification (Rasmussen & Williams 2006, sec. 6.5): a
    Gaussian process regresses the labels +1 (gave a cost) and -1 (failed), and
    P = Phi(mean / LABEL_WIDTH) squashes its mean. Smooth, never 0 or 1, and a
    lone failure amid successes (a dead node) counts as noise.

    Attributes
    ----------
    gp
        Regression of the labels.
    """

    gp: GaussianProcess

    def log_probability(self, X: Vector) -> Vector:
        """Return log P at `X`, shape (n, d): shape (n,)."""
        return np.asarray(log_ndtr(self.gp.predict_mean(X) / LABEL_WIDTH))

    def log_probability_with_gradient(self, x: Vector) -> tuple[float, Vector]:
        """Return log P and its gradient, shape (d,), at one point, shape (d,)."""
        mean, gradient = self.gp.mean(x)
        t = mean / LABEL_WIDTH
        value = float(log_ndtr(t))
        return value, np.exp(log_phi(t) - value) / LABEL_WIDTH * gradient


@dataclass(frozen=True)
class Surrogate:
    """The two models together, and the acquisition they make.

    Attributes
    ----------
    cost
        Regression of log cost on what was told: first on the points that gave a cost, in their
        order, then on those that were given up, as they are believed.
    believed
        The same, with its own mean at the points that failed or are pending
        taken for told. This is the kriging believer (Ginsbourger, Le Riche &
        Carraro 2010, doi:10.1007/978-3-642-10701-6_6): it leaves the mean as
        it is and takes the doubt from points that need no further run.
    feasibility
        Chance of a cost; None where nothing has failed yet.
    best
        Lowest posterior mean of log cost at the points that gave a cost or are
        pending, never at one that was given up. Not the lowest value told, which
        of many noisy ones is the luckiest.
    gain
        Fall of log cost that one evaluation can tell from its noise.
    rows
        Which of the told points it is conditioned on, rising: all of them, up to
        :data:`lammpsfit.fit.paper.subset.MOST`.
    """

    cost: GaussianProcess
    believed: GaussianProcess
    feasibility: Feasibility | None
    best: float
    gain: float
    rows: Indices

    @property
    def target(self) -> float:
        """What log cost must fall below to be an improvement: the best, less the gain.

        With the best itself for a target, expected improvement goes on for
        ever at the bottom of the first minimum it finds, after differences no
        run could show, while a second basin waits.
        """
        return self.best - self.gain

    def believe(self, X: Vector) -> "Surrogate":
        """Take the posterior mean at the pending points `X`, shape (m, d), for told."""
        if not len(X):
            return self
        means = self.believed.predict_mean(X)
        best = min(self.best, float(means.min()))
        return replace(self, believed=extend(self.believed, X, means), best=best)

    def acquisition(self, X: Vector) -> Vector:
        """Return log EI + log P(feasible) at `X`, shape (n, d): shape (n,). To be maximised."""
        mean, sd = self.believed.predict(X)
        value = log_expected_improvement(mean, sd, self.target)
        if self.feasibility is not None:
            value += self.feasibility.log_probability(X)
        return value

    def acquisition_with_gradient(self, x: Vector) -> tuple[float, Vector]:
        """Return the acquisition and its gradient, shape (d,), at one point, shape (d,)."""
        mean, dmean, sd, dsd = self.believed.predict_with_gradient(x)
        target = self.target
        value = float(log_expected_improvement(mean, sd, target)[0])
        by_mean, by_sd = log_expected_improvement_derivatives(mean, sd, target)
        gradient = by_mean[0] * dmean + by_sd[0] * dsd
        if self.feasibility is not None:
            log_p, dlog_p = self.feasibility.log_probability_with_gradient(x)
            value, gradient = value + log_p, gradient + dlog_p
        return value, gradient


class Modeller:
    """Makes surrogates of growing data; remembers its last hyper-parameters and choice of points.

    The memory saves time only: a surrogate is a function of data and seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._cost: tuple[int, Hyperparameters] | None = None
        self._choice: Choice | None = None

    def surrogate(self, data: Data) -> Surrogate:
        """Return the surrogate of `data`, with hyper-parameters fitted on schedule.

        Raises
        ------
        RunError
            Where no evaluation gave a cost.
        """
        if not data.ok.any():
            raise RunError(
                f"at least one evaluation must give a cost, all {len(data.cost)} failed: "
                "look at the reasons in the journal, move the start or narrow the bounds"
            )
        _, variance = log_cost(data.cost[data.ok], data.error[data.ok])
        gain = max(LEAST_GAIN, float(np.sqrt(np.median(variance))))
        theta = self._hyperparameters(data)
        rows = self._rows(data, theta)
        data = data.take(rows)
        cost = believed = self._cost_model(data, theta)
        if data.failed.any():
            failed = data.X[data.failed]
            believed = extend(cost, failed, cost.predict_mean(failed))
        best = float(cost.means_at_data[: np.count_nonzero(data.ok)].min())
        chance = feasibility(data, cost.theta.length_scale)
        return Surrogate(cost, believed, chance, best, gain, rows)

    def _rows(self, data: Data, theta: Hyperparameters) -> Indices:
        """Choose what to condition on, where there is too much, see :mod:`.subset`."""
        n, length_scale = chosen_from(len(data.X)), theta.length_scale
        if self._choice is None or not self._choice.serves(n, length_scale):
            self._choice = Choice(n, length_scale, choose(data.X[:n], data.least[:n], length_scale))
        return np.concatenate([self._choice.rows, np.arange(n, len(data.X))])

    def _cost_model(self, data: Data, theta: Hyperparameters) -> GaussianProcess:
        X = data.X[data.ok]
        y, variance = log_cost(data.cost[data.ok], data.error[data.ok])
        gp = condition(theta, X, y, variance)
        if not data.censored.any():
            return gp
        given_up = data.X[data.censored]
        bound, doubt = log_cost(data.least[data.censored], data.error[data.censored])
        # all from the same model, so that their order does not matter
        expected = np.maximum(gp.predict_mean(given_up), bound)
        return condition(
            theta,
            np.vstack([X, given_up]),
            np.concatenate([y, expected]),
            np.concatenate([variance, doubt]),
        )

    def _hyperparameters(self, data: Data) -> Hyperparameters:
        """Fit on schedule, bounds taken for costs: they tell how far the cost rises, and where."""
        told = ~data.failed
        X = data.X[told]
        y, variance = log_cost(data.least[told], data.error[told])
        n = last_fit(len(y))
        if n == 0:
            return default_hyperparameters(y, X.shape[1])
        if self._cost is None or self._cost[0] != n:
            self._cost = n, fit_hyperparameters(X[:n], y[:n], variance[:n], self._seed)
        return self._cost[1]


def feasibility(data: Data, length_scale: Vector) -> Feasibility | None:
    """Return the model of failure; None where nothing has failed.

    Its hyper-parameters are set, not fitted: labels that jump from +1 to -1
    make the likelihood choose length scales that resolve single points. The
    regression takes the `length_scale` of the cost, shape (d,), within
    :data:`LABEL_SCALES`: the side of a parameter that fails is felt at the
    distance over which the cost changes, and never across the whole cube.
    """
    if not data.failed.any():
        return None
    y = np.where(data.failed, -1.0, 1.0)
    scale = np.clip(length_scale, *(np.sqrt(data.X.shape[1]) * np.array(LABEL_SCALES)))
    theta = Hyperparameters(float(np.mean(y)), 1.0, scale, LABEL_NOISE)
    return Feasibility(condition(theta, data.X, y))
