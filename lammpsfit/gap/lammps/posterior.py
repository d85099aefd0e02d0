"""Errors of predictions that molecular dynamics can wait for: the posterior at a few atoms.

The exact error takes the covariances of a prediction with all that was observed
(:mod:`lammpsfit.gap.variance`). Here the observations reach a prediction f by way of the local
energies u of m chosen atoms, and of the weights of the invariants, as in a lean model
(:mod:`lammpsfit.gap.sparse`): with k = cov(f, u) and h = (k, shares of f in the weights)

    var(f) = cov(f, f) - |L^-1 k|^2 + |M^-1 h|^2

where cov(f, f) is that of the Gaussian kernel, L L^T = K_uu, and M^-T M^-1 is the posterior
covariance of the weights. A lean model has its own atoms; for an exact one they are chosen here,
and the error is never less than the exact one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lammpsfit.gap.covariance import kernel
from lammpsfit.gap.gp import Described, cross_covariances, describe
from lammpsfit.gap.model import Model
from lammpsfit.gap.sparse import JITTER as LEAN_JITTER
from lammpsfit.gap.sparse import pivots, shares
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]

CHOSEN: Final = 300
"""Atoms that errors go by, at most."""

JITTER: Final = 1e-15
"""Added to the diagonal of K_uu, as a part of it. A long theta needs it so small: what the chosen
atoms do not tell of others, as little as it is, counts as an error."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """What errors follow from.

    Attributes
    ----------
    z : ndarray, shape (m, d)
        Scaled descriptors of the chosen atoms, one species after the other.
    species : ndarray of int, shape (m,)
    prior : ndarray, shape (m, m), eV
    posterior : ndarray, shape (p, p)
        Lower triangles L and M of the module; those of the p weights are of the m atoms first.
    """

    z: FloatArray
    species: NDArray[np.intp]
    prior: FloatArray
    posterior: FloatArray


def posterior_at_atoms(model: Model, count: int = CHOSEN) -> Posterior | None:
    """Return what the errors of a model follow from; ``None`` if it has none.

    Parameters
    ----------
    model
        Exact, with its training frames, or lean.
    count
        How many atoms to choose for an exact one, at most.
    """
    if model.factor is not None:
        z, species, R, jitter = model.centres.z, model.centres.species, model.factor, LEAN_JITTER
    elif model.training:
        z, species, R = _chosen(model, count)
        jitter = JITTER
    else:
        return None
    order = np.argsort(species, kind="stable")
    z, species, m = z[order], species[order], len(z)
    variance = model.hyper.amplitude**2
    K = variance * (np.asarray(kernel(z, z, species, species)) + jitter * np.eye(m))
    columns = np.concatenate([order, np.arange(m, len(R))])
    R = np.asarray(np.linalg.qr(R[:, columns], mode="r"))
    scale = np.where(np.arange(len(R)) < m, variance, 1.0)
    posterior = scale[:, None] * (R.T * np.sign(np.diagonal(R)))
    return Posterior(z, species, scipy.linalg.cholesky(K, lower=True), posterior)


def _chosen(model: Model, count: int) -> tuple[FloatArray, NDArray[np.intp], FloatArray]:
    """Choose atoms of the training frames; return z, species and the R of all weights."""
    described = _described(model, model.training)
    z = np.concatenate([np.asarray(one.features.z)[: one.atoms] for one in described])
    species = np.concatenate([np.asarray(one.features.species)[: one.atoms] for one in described])
    chosen = pivots(z, species, count, floor=10.0 * JITTER)
    z, species, m = z[chosen], species[chosen].astype(np.intp), len(chosen)
    root = scipy.linalg.cholesky(
        np.asarray(kernel(z, z, species, species)) + JITTER * np.eye(m), lower=True
    )
    linear = np.eye(described[0].phi.shape[1]) / model.hyper.slope
    R = scipy.linalg.block_diag(root.T / model.hyper.amplitude, linear)
    for one in described:  # the triangular factor of all rows so far is all that is kept
        rows = shares(one, z, species) / np.sqrt(one.variances)[:, None]
        R = np.asarray(np.linalg.qr(np.vstack([R, rows]), mode="r"))
    return z, species, R


def errors_at_atoms(model: Model, posterior: Posterior, frame: Frame) -> FloatArray:
    """Return the errors of the forces of a frame as the plugin computes them, eV/Å.

    Returns
    -------
    ndarray, shape (n, 3)
    """
    asked = replace(frame, energy=None, forces=np.zeros((len(frame), 3)), stress=None)
    (one,) = _described(model, (asked,))
    hyper, m = model.hyper, len(posterior.z)
    h = shares(one, posterior.z, posterior.species)
    h[:, :m] *= hyper.amplitude**2
    own = np.diagonal(cross_covariances(one, one, hyper))
    own = own - hyper.slope**2 * (one.phi**2).sum(axis=1)
    untold = np.maximum(own - _squares(posterior.prior, h[:, :m]), 0.0)
    error: FloatArray = np.sqrt(untold + _squares(posterior.posterior, h))
    return error.reshape(-1, 3)


def _squares(triangle: FloatArray, rows: FloatArray) -> FloatArray:
    solved = scipy.linalg.solve_triangular(triangle, rows.T, lower=True)
    squares: FloatArray = (solved**2).sum(axis=0)
    return squares


def _described(model: Model, frames: Sequence[Frame]) -> tuple[Described, ...]:
    return describe(frames, model.descriptors, model.parameters, model.hyper, model.offsets)
