"""Slices of the surrogate through the best point of a search."""

from typing import Final

import numpy as np

from lammpsfit.fit.base import Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.history import as_data
from lammpsfit.fit.paper.surrogate import Data, Modeller, Surrogate
from lammpsfit.fit.run.build import build_constraint
from lammpsfit.fit.run.open_fit import Fit
from lammpsfit.fit.run.records import as_told
from lammpsfit.report.run_view import Plane, Slice, Slices

FINE: Final = 121
"""Points along a line."""

COARSE: Final = 41
"""Points along an edge of the plane."""

NEAREST: Final = 16
"""Evaluations drawn on a slice."""

BAND: Final = 1.96
"""Standard deviations of a 95 % band."""


def surrogate_slices(fit: Fit, best: Vector) -> Slices | None:
    """Rebuild the surrogate from the journal, and cut it along every parameter.

    Parameters
    ----------
    fit
        The fit with its records.
    best
        Point of the unit cube that the cuts go through, shape (d,).

    Returns
    -------
    Slices or None
        None where no evaluation gave a cost.
    """
    data = as_data([as_told(record) for record in fit.records], fit.space.dim)
    if not data.ok.any():
        return None
    surrogate = Modeller(fit.job.seed).surrogate(data)
    domain = Domain(fit.space.dim, build_constraint(fit.job, fit.conditions, fit.space))
    lines = tuple(_line(fit, surrogate, data, domain, best, k) for k in range(fit.space.dim))
    # a parameter matters as much as the cost changes along it
    swing = [float(np.log(line.mean.max() / line.mean.min())) for line in lines]
    first, second = (*np.argsort(swing)[::-1], -1)[:2]
    plane = (
        None
        if fit.space.dim == 1
        else _plane(fit, surrogate, domain, best, int(first), int(second))
    )
    held = np.array(list(fit.space.values(best).values()))
    return Slices(held, lines, plane)


def _line(
    fit: Fit, surrogate: Surrogate, data: Data, domain: Domain, best: Vector, k: int
) -> Slice:
    u = np.linspace(0.0, 1.0, FINE)
    X = np.tile(best, (FINE, 1))
    X[:, k] = u
    mean, sd = surrogate.cost.predict(X)
    apart = (data.X - best) / surrogate.cost.theta.length_scale
    apart[:, k] = 0.0
    distance2 = np.sum(apart**2, axis=1)
    told = np.flatnonzero(~data.failed)
    near = told[np.argsort(distance2[told], kind="stable")[:NEAREST]]
    free = fit.space.free[k]
    allowed = domain.allowed(X)
    return Slice(
        name=free.name,
        values=np.array([free.value(x) for x in u]),
        mean=np.exp(mean),
        low=np.exp(mean - BAND * sd),
        high=np.exp(mean + BAND * sd),
        gain=np.where(allowed, np.exp(surrogate.acquisition(X)), np.nan),
        allowed=allowed,
        near=near,
        closeness=np.exp(-0.5 * distance2[near]),
    )


def _plane(fit: Fit, surrogate: Surrogate, domain: Domain, best: Vector, i: int, j: int) -> Plane:
    u = np.linspace(0.0, 1.0, COARSE)
    X = np.tile(best, (COARSE * COARSE, 1))
    X[:, i], X[:, j] = np.tile(u, COARSE), np.repeat(u, COARSE)
    square = (COARSE, COARSE)
    return Plane(
        axes=(i, j),
        x=np.array([fit.space.free[i].value(x) for x in u]),
        y=np.array([fit.space.free[j].value(x) for x in u]),
        mean=np.exp(surrogate.cost.predict_mean(X)).reshape(square),
        allowed=domain.allowed(X).reshape(square),
    )
