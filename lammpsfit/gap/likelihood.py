"""How likely energies, forces and stresses are, and the gradient of that in everything.

Either all of them at once, the marginal likelihood,

    L = 1/2 y^T K^-1 y + 1/2 ln det K + n/2 ln 2 pi

or each by those of other times: the frames, in their order, are cut into blocks, and each
observation of a block is judged by what all the other blocks predict of it,

    L = sum_i [e_i^2 / v_i + ln 2 pi v_i] / 2
    e_B = P_BB^-1 (P y)_B,   v_B = diag P_BB^-1,   P = K^-1

(Sundararajan and Keerthi, Neural Comput. 13, 1103, 2001, doi:10.1162/08997660151134343, for
blocks.) The marginal likelihood takes what a model cannot describe for noise that is new in every
frame, and in near copies it is the same; across blocks it is new.

With W the gradient of L in K, that in whatever K depends on is the gradient of the sum of W * K
with W held constant, which is taken frame by frame: nothing but K is ever as large as K.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import NamedTuple

import numpy as np

from lammpsfit.gap.backend import Array, Values, jax, jnp
from lammpsfit.gap.covariance import Features, Observed, Scaling, block, block_times, features
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Layout
from lammpsfit.gap.graph import Graph
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.problem import Problem, noise_variances


class Variables(NamedTuple):
    """Everything the likelihood is a function of, without bounds.

    Attributes
    ----------
    parameters : dict of arrays
        Of the descriptors.
    log_theta : array, shape (parts,)
    log_amplitude : array, shape ()
    log_slope : array, shape (1,)
        Empty without invariants.
    log_noises : array, shape (3,)
        Energy, forces, stress.
    """

    parameters: Parameters
    log_theta: Values
    log_amplitude: Values
    log_slope: Values
    log_noises: Values


def variables_of(parameters: Parameters, hyper: Hyperparameters) -> Variables:
    """Take logarithms."""
    noises = hyper.noises
    return Variables(
        {name: jnp.asarray(values) for name, values in parameters.items()},
        jnp.log(jnp.asarray(hyper.theta)),
        jnp.log(jnp.asarray(hyper.amplitude)),
        jnp.log(jnp.asarray([hyper.slope] if "invariant_eta" in parameters else [])),
        jnp.log(jnp.asarray([noises.energy, noises.forces, noises.stress])),
    )


def hyperparameters_of(variables: Variables) -> Hyperparameters:
    """Undo :func:`variables_of`."""
    noises = np.exp(np.asarray(variables.log_noises))
    slopes = np.exp(np.asarray(variables.log_slope))
    return Hyperparameters(
        tuple(float(x) for x in np.exp(np.asarray(variables.log_theta))),
        float(np.exp(variables.log_amplitude)),
        Noises(*(float(x) for x in noises)),
        *(float(x) for x in slopes),
    )


def covariance_matrix(described: Features) -> Array:
    """Those of the Gaussian kernel, of all observations of a stack of frames, (rows, rows)."""
    count = described.energy.shape[0]
    rows = 1 + described.B.shape[2]
    first, second = np.triu_indices(count)

    def one(pair: tuple[Array, Array]) -> Array:
        a, b = (jax.tree.map(lambda x, k=k: x[k], described) for k in pair)
        return block(a, b)

    found = jax.lax.map(one, (first, second))
    K = jnp.zeros((count, count, rows, rows)).at[first, second].set(found)
    K = K.at[second, first].set(jnp.swapaxes(found, 1, 2))
    return jnp.swapaxes(K, 1, 2).reshape(count * rows, count * rows)


class Hyper(NamedTuple):
    """The last four of :class:`Variables`: what the likelihood depends on beside descriptors."""

    log_theta: Values
    log_amplitude: Values
    log_slope: Values
    log_noises: Values


@partial(jax.jit, static_argnums=0)
def describe_all(
    layout: Layout, parameters: Parameters, scaling: Scaling, problem: Problem
) -> Features:
    """Describe every frame of a problem, with a theta of one if the scaling is for that."""
    found: Features = jax.lax.map(
        lambda frame: features(layout, parameters, scaling, frame[0], frame[1]),
        (problem.graph, problem.observed),
    )
    return found


class Judged(NamedTuple):
    """The negative logarithm of a likelihood, and what comes with it.

    Attributes
    ----------
    loss : array, shape ()
        Not finite, as the rest, if K is not positive definite.
    by_hyper : Hyper
        Gradient in the hyper-parameters.
    by_feature : Features
        In z, B and phi of each frame.
    alpha : array, shape (frames, rows)
        K^-1 y, which predicts other frames.
    """

    loss: Array
    by_hyper: Hyper
    by_feature: Features
    alpha: Array


@partial(jax.jit, static_argnames=("layout", "blocks"))
def negative_log_likelihood(
    layout: Layout, hyper: Hyper, described: Features, problem: Problem, blocks: int = 0
) -> Judged:
    """Return L and its gradient in the hyper-parameters and in the features.

    Parameters
    ----------
    layout
        Of the descriptors.
    hyper
        Where.
    described
        The frames of the problem, described with a theta of one.
    problem
        Frames and observations.
    blocks
        So many are each predicted by the others; if none, the marginal likelihood is taken.
    """
    shortened = partial(_shorten, layout)
    scaled, pull = jax.vjp(shortened, hyper.log_theta, described.z, described.B)
    at = described._replace(z=scaled[0], B=scaled[1])
    K0 = covariance_matrix(at)
    amplitude, slope = jnp.exp(2.0 * hyper.log_amplitude), jnp.exp(2.0 * hyper.log_slope).sum()
    count, rows, length = described.phi.shape
    Phi = described.phi.reshape(count * rows, length)
    noise, pull_noise = jax.vjp(partial(noise_variances, problem), hyper.log_noises)
    K = amplitude * K0 + slope * Phi @ Phi.T + jnp.diag(noise.reshape(-1))
    y = jnp.asarray(problem.targets).reshape(-1)
    missing = len(y) - problem.observed.energy.sum() - problem.observed.mask.sum()
    loss, alpha, W = _predictive(K, y, len(noise), blocks) if blocks else _marginal(K, y)
    loss = loss - 0.5 * missing * jnp.log(2.0 * jnp.pi)

    by_theta, z, B = pull(_gradient_in_features(at, amplitude * W))
    by_phi = 2.0 * slope * W @ Phi
    by_hyper = Hyper(
        by_theta,
        2.0 * amplitude * jnp.sum(W * K0),
        jnp.full(jnp.shape(hyper.log_slope), jnp.sum(by_phi * Phi)),
        pull_noise(jnp.diagonal(W).reshape(noise.shape))[0],
    )
    by_feature = described._replace(z=z, B=B, phi=by_phi.reshape(described.phi.shape))
    return Judged(loss, by_hyper, by_feature, alpha.reshape(noise.shape))


def _marginal(K: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return L of all observations, K^-1 y, and the gradient in K."""
    L = jnp.linalg.cholesky(K)
    alpha = jax.scipy.linalg.cho_solve((L, True), y)
    loss = 0.5 * y @ alpha + jnp.log(jnp.diagonal(L)).sum() + 0.5 * len(y) * jnp.log(2.0 * jnp.pi)
    inverse = jax.scipy.linalg.cho_solve((L, True), jnp.eye(len(y)))
    return loss, alpha, 0.5 * (inverse - jnp.outer(alpha, alpha))


def _predictive(K: Array, y: Array, frames: int, blocks: int) -> tuple[Array, Array, Array]:
    """Return L of blocks of frames by the others, K^-1 y, and the gradient in K."""
    rows = len(y) // frames
    ends = np.linspace(0, frames, min(blocks, frames) + 1).round().astype(int) * rows

    def loss_of(P: Array) -> Array:
        alpha, total = P @ y, jnp.asarray(0.0)
        for begin, end in itertools.pairwise(ends):
            among = jnp.linalg.inv(P[begin:end, begin:end])
            error, variance = among @ alpha[begin:end], jnp.diagonal(among)
            total = total + 0.5 * (error**2 / variance + jnp.log(2.0 * jnp.pi * variance)).sum()
        return total

    L = jnp.linalg.cholesky(K)
    P = jax.scipy.linalg.cho_solve((L, True), jnp.eye(len(y)))
    loss, by_inverse = jax.value_and_grad(loss_of)(P)
    by_inverse = 0.5 * (by_inverse + by_inverse.T)
    return loss, P @ y, -P @ by_inverse @ P


@partial(jax.jit, static_argnums=0)
def gradient_in_parameters(
    layout: Layout,
    parameters: Parameters,
    scaling: Scaling,
    problem: Problem,
    by_feature: Features,
) -> Parameters:
    """Return the gradient in the parameters of the descriptors, given that in the features."""

    def of_frame(frame: tuple[Graph, Observed, Array, Array, Array]) -> Parameters:
        graph, observed, *by = frame

        def described(parameters: Parameters) -> tuple[Array, Array, Array]:
            found = features(layout, parameters, scaling, graph, observed)
            return found.z, found.B, found.phi

        by_parameter: Parameters = jax.vjp(described, parameters)[1](tuple(by))[0]
        return by_parameter

    frames = (problem.graph, problem.observed, by_feature.z, by_feature.B, by_feature.phi)
    summed: Parameters = jax.tree.map(lambda g: g.sum(axis=0), jax.lax.map(of_frame, frames))
    return summed


@partial(jax.jit, static_argnums=0)
def predicted(
    layout: Layout, hyper: Hyper, described: Features, alpha: Values, asked: Features
) -> Array:
    """Predict what was observed of other frames, shape of their targets.

    Parameters
    ----------
    layout, hyper, described
        As in :func:`negative_log_likelihood`.
    alpha
        What that returned.
    asked
        The other frames, described with a theta of one.
    """
    z, B = _shorten(layout, hyper.log_theta, described.z, described.B)
    known = described._replace(z=z, B=B)
    z, B = _shorten(layout, hyper.log_theta, asked.z, asked.B)

    amplitude, slope = jnp.exp(2.0 * hyper.log_amplitude), jnp.exp(2.0 * hyper.log_slope).sum()
    weights = slope * jnp.einsum("fcl,fc->l", described.phi, alpha)

    def of_frame(one: Features) -> Array:
        def share(other: tuple[Features, Array]) -> Array:
            return block_times(one, *other)

        shares: Array = jax.lax.map(share, (known, alpha))
        return amplitude * shares.sum(axis=0) + one.phi @ weights

    found: Array = jax.lax.map(of_frame, asked._replace(z=z, B=B))
    return found


def _shorten(layout: Layout, log_theta: Values, z: Array, B: Array) -> tuple[Array, Array]:
    """Divide descriptors by the theta of their part."""
    lengths = layout.lengths
    each = jnp.repeat(jnp.asarray(log_theta), np.array(lengths), total_repeat_length=sum(lengths))
    return z * jnp.exp(-each), B * jnp.exp(-each)


def _gradient_in_features(described: Features, W: Array) -> tuple[Array, Array]:
    """Gradient of the sum of W * K in z and B of each frame, for a symmetric W."""
    count = described.energy.shape[0]
    blocks = W.reshape(count, -1, count, W.shape[0] // count).swapaxes(1, 2)
    pairs = jnp.stack(jnp.triu_indices(count), axis=1)

    def add(total: tuple[Array, Array], pair: Array) -> tuple[tuple[Array, Array], None]:
        first, second = pair
        a, b = (jax.tree.map(lambda x, k=k: x[k], described) for k in (first, second))

        def covariances(az: Array, aB: Array, bz: Array, bB: Array) -> Array:
            return block(a._replace(z=az, B=aB), b._replace(z=bz, B=bB))

        _, pull = jax.vjp(covariances, a.z, a.B, b.z, b.B)
        twice = jnp.where(first == second, 1.0, 2.0)  # two frames meet on both sides of K
        az, aB, bz, bB = pull(twice * blocks[first, second])
        z, B = total[0].at[first].add(az), total[1].at[first].add(aB)
        return (z.at[second].add(bz), B.at[second].add(bB)), None

    nothing = jnp.zeros_like(described.z), jnp.zeros_like(described.B)
    found: tuple[Array, Array] = jax.lax.scan(add, nothing, pairs)[0]
    return found
