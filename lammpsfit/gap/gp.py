"""The exact Gaussian process: conditioned on frames, and collapsed to a sum over atoms.

The covariance of the local energy E(z) with an observation is a sum over the atoms m of the
frame it is of. So the mean of E(z), a sum over observations, is one over atoms too, without
any approximation:

    E(z) = sum_m k(z, z_m) [a_m + b_m.(z - z_m)]

with a_m the weight of the energy of m's frame, and b_m the sum of the weights of its forces and
stresses times the derivatives of z_m in them. That of the dot-product kernel is one weight for
each invariant, w = slope^2 sum of the weights of the observations times their phi.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from lammpsfit.errors import RunError
from lammpsfit.gap.backend import jax
from lammpsfit.gap.covariance import (
    Features,
    Scaling,
    block,
    features_from,
    scaling_of,
    slopes_of,
)
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors, Layout
from lammpsfit.gap.hyperparameters import Hyperparameters
from lammpsfit.gap.problem import Problem, make_problem, noise_variances
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Described:
    """One frame as the covariances see it.

    Attributes
    ----------
    features : Features
        Of the frame, filled up.
    rows : ndarray of int, shape (n_rows,)
        Which rows of a block of covariances were observed.
    targets : ndarray, shape (n_rows,)
        What was observed, energies less the offsets: eV, eV/Å, eV/Å^3.
    variances : ndarray, shape (n_rows,)
        Of their noise.
    atoms : int
        Number of atoms; the features have more where they fill up.
    """

    features: Features
    rows: NDArray[np.intp]
    targets: FloatArray
    variances: FloatArray
    atoms: int

    @property
    def phi(self) -> FloatArray:
        """Shares of what was observed in the weights of the dot-product kernel."""
        return np.asarray(self.features.phi)[self.rows]


@dataclass(frozen=True, eq=False)
class Centres:
    """A potential as a sum over centres, and a linear one; see the module.

    Attributes
    ----------
    z : ndarray, shape (m, d)
        Scaled descriptors of the centres.
    species : ndarray of int, shape (m,)
    a : ndarray, shape (m,), eV
    b : ndarray, shape (m, d), eV
    w : ndarray, shape (species of the model, invariants), eV
        Of the scaled invariants of the atoms of each species.
    """

    z: FloatArray
    species: NDArray[np.intp]
    a: FloatArray
    b: FloatArray
    w: FloatArray


@dataclass(frozen=True, eq=False)
class Posterior:
    """A Gaussian process that knows its training frames.

    Attributes
    ----------
    described : tuple of Described
    hyper : Hyperparameters
    factor : ndarray, shape (rows, rows)
        Lower Cholesky factor of the covariances of all observations.
    alpha : ndarray, shape (rows,)
    """

    described: tuple[Described, ...]
    hyper: Hyperparameters
    factor: FloatArray
    alpha: FloatArray


def describe(
    frames: Sequence[Frame],
    descriptors: Descriptors,
    parameters: Parameters,
    hyper: Hyperparameters,
    offsets: Mapping[str, float],
) -> tuple[Described, ...]:
    """Describe frames; those of one number of atoms are filled up to one size.

    Raises
    ------
    InputError
        If a frame has a species that has no descriptors.
    """
    scaling = scaling_of(descriptors, hyper.theta)
    found: dict[int, Described] = {}
    for n in sorted({len(frame) for frame in frames}):
        alike = [k for k, frame in enumerate(frames) if len(frame) == n]
        problem = make_problem([frames[k] for k in alike], descriptors, offsets)
        noises = np.log(list(vars(hyper.noises).values()))
        variances = np.asarray(_noise_variances(problem, noises))
        described = describe_each(descriptors.layout, parameters, scaling, problem)
        for row, (k, of_frame) in enumerate(zip(alike, described, strict=True)):
            there = problem.observed
            rows = np.flatnonzero(np.concatenate([[there.energy[row]], there.mask[row]]))
            targets = np.asarray(problem.targets)[row, rows]
            found[k] = Described(of_frame, rows, targets, variances[row, rows], n)
    return tuple(found[k] for k in range(len(frames)))


def describe_each(
    layout: Layout, parameters: Parameters, scaling: Scaling, problem: Problem
) -> Iterator[Features]:
    """Describe the frames of a problem one by one.

    What takes long to compile is compiled once for each size of frames, and not again for other
    observations of them.
    """
    arrays = jax.tree.map(np.asarray, (problem.graph, problem.observed))
    for row in range(len(problem.atoms)):
        graph, observed = jax.tree.map(lambda x, row=row: x[row], arrays)
        slopes = _slopes_of(layout, parameters, graph)
        yield _features_from(layout, slopes, scaling, graph, observed)


_noise_variances = jax.jit(noise_variances)
_slopes_of = partial(jax.jit, static_argnums=0)(slopes_of)
_features_from = partial(jax.jit, static_argnums=0)(features_from)
_block = jax.jit(block)


def covariances(described: Sequence[Described], hyper: Hyperparameters) -> FloatArray:
    """Covariances of all observations of some frames, without noise, shape (rows, rows)."""
    ends = np.cumsum([0, *(len(one.rows) for one in described)])
    K = np.empty((ends[-1], ends[-1]))
    for i, one in enumerate(described):
        for j, other in enumerate(described[: i + 1]):
            found = cross_covariances(one, other, hyper)
            K[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] = found
            K[ends[j] : ends[j + 1], ends[i] : ends[i + 1]] = found.T
    return K


def cross_covariances(one: Described, other: Described, hyper: Hyperparameters) -> FloatArray:
    """Covariances of the observations of two frames, shape (rows, rows of the other)."""
    found = np.asarray(_block(one.features, other.features))[np.ix_(one.rows, other.rows)]
    return hyper.amplitude**2 * found + hyper.slope**2 * one.phi @ other.phi.T


def condition(described: Sequence[Described], hyper: Hyperparameters) -> Posterior:
    """Condition the Gaussian process on what was observed.

    Raises
    ------
    RunError
        If the matrix of covariances is not positive definite.
    """
    K = covariances(described, hyper)
    K[np.diag_indices_from(K)] += np.concatenate([one.variances for one in described])
    try:
        factor = scipy.linalg.cholesky(K, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError:
        raise RunError(
            "the covariances of the training frames are not positive definite: two frames are "
            "alike and the noise is too small; leave one out or raise the noises"
        ) from None
    y = np.concatenate([one.targets for one in described])
    alpha = scipy.linalg.cho_solve((factor, True), y, check_finite=False)
    return Posterior(tuple(described), hyper, factor, alpha)


def collapse(posterior: Posterior, n_species: int) -> Centres:
    """Turn the weights of observations into those of the atoms of the training frames."""
    variance = posterior.hyper.amplitude**2
    ends = np.cumsum([len(one.rows) for one in posterior.described])[:-1]
    z, species, a, b, w = [], [], [], [], []
    for one, alpha in zip(posterior.described, np.split(posterior.alpha, ends), strict=True):
        weights = np.zeros(1 + one.features.B.shape[1])
        weights[one.rows] = variance * alpha
        n = one.atoms
        z.append(np.asarray(one.features.z)[:n])
        species.append(np.asarray(one.features.species)[:n].astype(np.intp))
        a.append(np.full(n, weights[0]))
        b.append(np.einsum("c,icd->id", weights[1:], np.asarray(one.features.B)[:n]))
        w.append(posterior.hyper.slope**2 * alpha @ one.phi)
    linear = np.sum(w, axis=0)
    return Centres(
        np.concatenate(z),
        np.concatenate(species),
        np.concatenate(a),
        np.concatenate(b),
        linear.reshape(n_species, len(linear) // n_species),
    )
