"""Errors of predictions, as the Gaussian process has them.

    var(f) = cov(f, f) - k^T K^-1 k,   k = cov(f, observations)

for the energy and each force f of a frame. It takes the covariances of the frame with all
training frames, and a triangular solve for each of its 3 n + 1 rows: time with n times the square
of the number of observations, where the prediction itself is linear in both. The first call
factorises the covariances of the training frames again, which no file holds. A lean model holds
the factor of its weights, and needs no frames: see :mod:`lammpsfit.gap.sparse`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.covariance import kernel
from lammpsfit.gap.gp import (
    Described,
    Posterior,
    condition,
    covariances,
    cross_covariances,
    describe,
)
from lammpsfit.gap.model import Model
from lammpsfit.gap.sparse import JITTER, shares
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]


def prediction_errors(model: Model, frame: Frame) -> tuple[float, FloatArray, FloatArray]:
    """Return standard deviations of energy, forces and stress of a frame, without noise.

    Parameters
    ----------
    model
        With its training frames.
    frame
        Of species that the model knows.

    Returns
    -------
    energy : float, eV
    forces : ndarray, shape (n, 3), eV/Å
    stress : ndarray, shape (6,), eV/Å^3
        Of no meaning if the frame is not periodic.

    Raises
    ------
    InputError
        If the model has neither training frames nor a factor.
    """
    n = len(frame)
    asked = replace(frame, energy=0.0, forces=np.zeros((n, 3)), stress=np.zeros(6))
    (described,) = describe(
        [asked], model.descriptors, model.parameters, model.hyper, model.offsets
    )
    own = np.diagonal(cross_covariances(described, described, model.hyper))
    if model.factor is not None:
        variance = _of_weights(model, model.factor, described, own)
    else:
        posterior = posterior_of(model)
        shared = np.concatenate(
            [cross_covariances(one, described, model.hyper) for one in posterior.described]
        )
        variance = own - _squares(posterior.factor, shared)
    error = np.sqrt(np.maximum(variance, 0.0))
    return float(error[0]), error[1:-6].reshape(n, 3), error[-6:]


def _of_weights(model: Model, R: FloatArray, described: Described, own: FloatArray) -> FloatArray:
    """Variances of a lean model, as :mod:`lammpsfit.gap.sparse` has them."""
    z, species, m = model.centres.z, model.centres.species, len(model.centres.z)
    h = shares(described, z, species)
    K_mm = np.asarray(kernel(z, z, species, species)) + JITTER * np.eye(m)
    root = scipy.linalg.cholesky(K_mm, lower=True)
    of_gaussian = own - model.hyper.slope**2 * (described.phi**2).sum(axis=1)
    untold = of_gaussian - model.hyper.amplitude**2 * _squares(root, h[:, :m].T)
    variances: FloatArray = _squares(R.T, h.T) + np.maximum(untold, 0.0)
    return variances


def energy_covariance(model: Model, frames: Sequence[Frame]) -> FloatArray:
    """Return the covariances of the energies of some frames, without noise.

    Energies of like frames err alike, so that differences of them are known far better than
    each of them.

    Parameters
    ----------
    model
        With its training frames, or lean.
    frames
        Of species that the model knows; n of them.

    Returns
    -------
    ndarray, shape (n, n), eV^2

    Raises
    ------
    InputError
        If the model has neither training frames nor a factor.
    """
    asked = [replace(frame, energy=0.0, forces=None, stress=None) for frame in frames]
    described = describe(asked, model.descriptors, model.parameters, model.hyper, model.offsets)
    own = covariances(described, model.hyper)
    if model.factor is not None:
        return _lean_covariance(model, model.factor, described, own)
    posterior = posterior_of(model)
    shared = np.concatenate(
        [
            np.concatenate(
                [cross_covariances(one, other, model.hyper) for other in described], axis=1
            )
            for one in posterior.described
        ]
    )
    solved = scipy.linalg.solve_triangular(posterior.factor, shared, lower=True)
    found: FloatArray = own - solved.T @ solved
    return found


def _lean_covariance(
    model: Model, R: FloatArray, described: Sequence[Described], own: FloatArray
) -> FloatArray:
    """Return what :func:`_of_weights` has on its diagonal, for the energies of several frames."""
    z, species, m = model.centres.z, model.centres.species, len(model.centres.z)
    h = np.concatenate([shares(one, z, species) for one in described])
    phi = np.concatenate([one.phi for one in described])
    K_mm = np.asarray(kernel(z, z, species, species)) + JITTER * np.eye(m)
    root = scipy.linalg.cholesky(K_mm, lower=True)
    seen = scipy.linalg.solve_triangular(root, h[:, :m].T, lower=True)
    told = scipy.linalg.solve_triangular(R.T, h.T, lower=True)
    hyper = model.hyper
    untold = own - hyper.slope**2 * phi @ phi.T - hyper.amplitude**2 * seen.T @ seen
    found: FloatArray = told.T @ told + untold
    return found


def _squares(L: FloatArray, columns: FloatArray) -> FloatArray:
    """Return the squares of L^-1 times some columns, for a lower triangular L."""
    solved = scipy.linalg.solve_triangular(L, columns, lower=True, check_finite=False)
    squares: FloatArray = (solved**2).sum(axis=0)
    return squares


@lru_cache(maxsize=2)
def posterior_of(model: Model) -> Posterior:
    """Condition the Gaussian process of a model on its training frames again, once.

    Raises
    ------
    InputError
        If the model has no training frames.
    """
    if not model.training:
        raise InputError(
            "this model has no errors: its training frames were left out; fit it with them"
        )
    described = describe(
        model.training, model.descriptors, model.parameters, model.hyper, model.offsets
    )
    return condition(described, model.hyper)
