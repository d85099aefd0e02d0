"""Errors of predictions, as the Gaussian process has them.

    var(f) = cov(f, f) - k^T K^-1 k,   k = cov(f, observations)

for the energy and each force f of a frame. It takes the covariances of the frame with all
training frames, and a triangular solve for each of its 3 n + 1 rows: time with n times the square
of the number of observations, where the prediction itself is linear in both. The first call
factorises the covariances of the training frames again, which no file holds.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.frames import Frame
from lammpsfit.gap.gp import Posterior, condition, cross_covariances, describe
from lammpsfit.gap.model import Model

FloatArray = NDArray[np.float64]


def prediction_errors(model: Model, frame: Frame) -> tuple[float, FloatArray]:
    """Return standard deviations of the energy and of the forces of a frame, without noise.

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

    Raises
    ------
    InputError
        If the model has no training frames, or has inducing atoms.
    """
    posterior = posterior_of(model)
    n = len(frame)
    asked = replace(frame, energy=0.0, forces=np.zeros((n, 3)), stress=None)
    (described,) = describe(
        [asked], model.descriptors, model.parameters, model.hyper, model.offsets
    )
    amplitude = model.hyper.amplitude
    own = np.diagonal(cross_covariances(described, described, amplitude))
    shared = np.concatenate(
        [cross_covariances(one, described, amplitude) for one in posterior.described]
    )
    explained = scipy.linalg.solve_triangular(
        posterior.factor, shared, lower=True, check_finite=False, overwrite_b=True
    )
    error = np.sqrt(np.maximum(own - (explained**2).sum(axis=0), 0.0))
    return float(error[0]), error[1:].reshape(n, 3)


@lru_cache(maxsize=2)
def posterior_of(model: Model) -> Posterior:
    """Condition the Gaussian process of a model on its training frames again, once.

    Raises
    ------
    InputError
        If the model has no training frames, or has inducing atoms.
    """
    if model.inducing:
        raise InputError(
            "this model has no errors: it is an approximation by inducing atoms; fit it without"
        )
    if not model.training:
        raise InputError(
            "this model has no errors: its training frames were left out; fit it with them"
        )
    described = describe(
        model.training, model.descriptors, model.parameters, model.hyper, model.offsets
    )
    return condition(described, model.hyper)
