"""Lean models: the Gaussian process on a few of its atoms, the inducing ones.

The exact one takes memory with the square of the number of observations and time with its cube.
Here the local energy is a sum over m chosen atoms alone, and over the invariants x,

    E = sum_m k(z, z_m) a_m + w.x
    a, w = argmin |S^-1 (K_om a + Phi w - y)|^2 + a^T K_mm a / s^2 + |w|^2 / slope^2

with K_om the covariances of the observations with the local energies of those atoms, Phi their
shares in w, S their noise and s the amplitude: the mean of the "subset of regressors"
(Quinonero-Candela and Rasmussen, J. Mach. Learn. Res. 6, 1939, 2005; it is what GAP fits mostly
are, Bartok and Csanyi, doi:10.1002/qua.24927). In w nothing is approximated. It is solved by an
orthogonal decomposition of all rows, those of the prior too, into Q R: the normal equations would
square a condition number that is large already. (R^T R)^-1 is the posterior covariance of a and
w, so the variance of an f with the shares h = (K_fm, Phi_f) is

    var(f) = |R^-T h|^2 + cov(f, f) - s^2 K_fm K_mm^-1 K_mf

where the last two terms are of the Gaussian kernel: what the chosen atoms cannot tell is as
uncertain as it is without any frames ("projected process", same source). Errors therefore stay
honest far away from the frames, and need no frames.

Without radial and angular descriptors the kernel is a constant, so that one atom of each species
tells all of it, and the model is the exact Gaussian process of the dot-product kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.covariance import Features, kernel
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors
from lammpsfit.gap.gp import Centres, Described, describe
from lammpsfit.gap.hyperparameters import Hyperparameters
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]

JITTER = 1e-12
"""Added to the diagonal of K_mm, so that it has a Cholesky factor."""

BATCH = 10
"""Frames whose rows are decomposed at a time."""


def sparse_centres(
    frames: Sequence[Frame],
    descriptors: Descriptors,
    parameters: Parameters,
    hyper: Hyperparameters,
    offsets: Mapping[str, float],
    count: int,
) -> tuple[Centres, FloatArray]:
    """Fit the weights of chosen atoms and of the invariants.

    Parameters
    ----------
    frames, descriptors, parameters, hyper, offsets
        As in :func:`lammpsfit.gap.fit.fit_model`.
    count
        How many atoms to choose; all of them if there are fewer.

    Returns
    -------
    centres : Centres
        With b zero.
    factor : ndarray, shape (p, p)
        The R of all p weights, those a of the centres first.

    Raises
    ------
    InputError
        If none is to be chosen, or a frame has a species that has no descriptors.
    """
    if count < 1:
        raise InputError(f"there must be at least 1 inducing atom, got {count}")
    described = describe(frames, descriptors, parameters, hyper, offsets)
    z = np.concatenate([np.asarray(one.features.z)[: one.atoms] for one in described])
    species = np.concatenate([np.asarray(one.features.species)[: one.atoms] for one in described])
    chosen = pivots(z, species, count)
    z, species = z[chosen], species[chosen].astype(np.intp)
    K_mm = np.asarray(kernel(z, z, species, species))
    m, linear = len(z), described[0].phi.shape[1]
    root = scipy.linalg.cholesky(K_mm + JITTER * np.eye(m), lower=True)
    prior = scipy.linalg.block_diag(root.T / hyper.amplitude, np.eye(linear) / hyper.slope)
    R = np.column_stack([prior, np.zeros(m + linear)])
    for first in range(0, len(described), BATCH):  # the triangle is all that is kept of the rows
        some = described[first : first + BATCH]
        R = _triangle(np.vstack([R, *(_rows(one, z, species) for one in some)]))
    p = m + linear
    weights = scipy.linalg.solve_triangular(R[:p, :p], R[:p, p])
    n_species = len(descriptors.species)
    w = weights[m:].reshape(n_species, linear // n_species)
    return Centres(z, species, weights[:m], np.zeros_like(z), w), R[:p, :p]


def _triangle(rows: FloatArray) -> FloatArray:
    """Return the R of the decomposition of some rows into Q R."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _rows(one: Described, z: FloatArray, species: NDArray[np.intp]) -> FloatArray:
    """Shares of a frame in all weights, and its targets, each by its noise."""
    rows = np.column_stack([shares(one, z, species), one.targets])
    found: FloatArray = rows / np.sqrt(one.variances)[:, None]
    return found


def shares(one: Described, z: FloatArray, species: NDArray[np.intp]) -> FloatArray:
    """Return what each weight adds to each observation of a frame, shape (rows, p)."""
    rows = np.asarray(covariances_with_atoms(one.features, z, species))[one.rows]
    return np.column_stack([rows, one.phi])


@jax.jit
def covariances_with_atoms(one: Features, z: Array, species: Array) -> Array:
    """Covariances of what was observed of a frame with the local energies of some atoms.

    Parameters
    ----------
    one
        The frame.
    z : array, shape (m, d)
    species : array of int, shape (m,)
        Of the atoms.

    Returns
    -------
    array, shape (1 + c, m)
        In units of the amplitude squared.
    """
    k = kernel(one.z, z, one.species, species)
    slope = jnp.einsum("icd,im,md->cm", one.B, k, z)
    slope = slope - jnp.einsum("icd,id,im->cm", one.B, one.z, k)
    return jnp.concatenate([one.energy * k.sum(axis=0)[None], slope])


def pivots(
    z: FloatArray, species: NDArray[np.intp], count: int, floor: float = 10.0 * JITTER
) -> NDArray[np.intp]:
    """Choose atoms one by one, each the one the chosen ones tell least about.

    The pivots of an incomplete Cholesky decomposition of the kernel matrix: the variance of the
    local energy of an atom, given those of the chosen ones, is its diagonal.

    Parameters
    ----------
    z : ndarray, shape (n, d)
    species : ndarray of int, shape (n,)
    count
        At most so many; fewer if the others follow from them.
    floor
        Variance, in units of the amplitude squared, below which an atom follows from others.

    Returns
    -------
    ndarray of int, shape (m,)
    """
    n = len(z)
    left = np.ones(n)
    found: list[int] = []
    columns = np.zeros((min(count, n), n))
    for step in range(min(count, n)):
        at = int(np.argmax(left))
        if left[at] < floor:
            break
        k = np.exp(-0.5 * ((z - z[at]) ** 2).sum(axis=1)) * (species == species[at])
        columns[step] = (k - columns[:step, at] @ columns[:step]) / np.sqrt(left[at])
        left = np.maximum(left - columns[step] ** 2, 0.0)
        left[at] = 0.0
        found.append(at)
    return np.array(found, dtype=np.intp)
