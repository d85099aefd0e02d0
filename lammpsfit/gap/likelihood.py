"""The marginal likelihood of energies, forces and stresses, and its gradient in everything.

    L = 1/2 y^T K^-1 y + 1/2 ln det K + n/2 ln 2 pi

Its gradient in K is W = (K^-1 - alpha alpha^T) / 2, alpha = K^-1 y. The gradient in whatever K
depends on is therefore that of the sum of W * K with W held constant, which is taken frame by
frame: nothing but K itself is ever as large as K.
"""

from __future__ import annotations

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
    log_noises : array, shape (3,)
        Energy, forces, stress.
    """

    parameters: Parameters
    log_theta: Values
    log_amplitude: Values
    log_noises: Values


def variables_of(parameters: Parameters, hyper: Hyperparameters) -> Variables:
    """Take logarithms."""
    noises = hyper.noises
    return Variables(
        {name: jnp.asarray(values) for name, values in parameters.items()},
        jnp.log(jnp.asarray(hyper.theta)),
        jnp.log(jnp.asarray(hyper.amplitude)),
        jnp.log(jnp.asarray([noises.energy, noises.forces, noises.stress])),
    )


def hyperparameters_of(variables: Variables) -> Hyperparameters:
    """Undo :func:`variables_of`."""
    noises = np.exp(np.asarray(variables.log_noises))
    return Hyperparameters(
        tuple(float(x) for x in np.exp(np.asarray(variables.log_theta))),
        float(np.exp(variables.log_amplitude)),
        Noises(*(float(x) for x in noises)),
    )


def covariance_matrix(described: Features) -> Array:
    """Covariances of all observations of a stack of frames, shape (rows, rows)."""
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
    """The last three of :class:`Variables`: what the likelihood depends on beside descriptors."""

    log_theta: Values
    log_amplitude: Values
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
    """The negative logarithm of the likelihood, and what comes with it.

    Attributes
    ----------
    loss : array, shape ()
        Not finite, as the rest, if K is not positive definite.
    by_hyper : Hyper
        Gradient in the hyper-parameters.
    by_feature : Features
        In z and B of each frame.
    alpha : array, shape (frames, rows)
        K^-1 y, which predicts other frames.
    """

    loss: Array
    by_hyper: Hyper
    by_feature: Features
    alpha: Array


@partial(jax.jit, static_argnums=0)
def negative_log_likelihood(
    layout: Layout, hyper: Hyper, described: Features, problem: Problem
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
    """
    shortened = partial(_shorten, layout)
    scaled, pull = jax.vjp(shortened, hyper.log_theta, described.z, described.B)
    at = described._replace(z=scaled[0], B=scaled[1])
    K0 = covariance_matrix(at)
    amplitude = jnp.exp(2.0 * hyper.log_amplitude)
    noise, pull_noise = jax.vjp(partial(noise_variances, problem), hyper.log_noises)
    L = jnp.linalg.cholesky(amplitude * K0 + jnp.diag(noise.reshape(-1)))
    y = jnp.asarray(problem.targets).reshape(-1)
    alpha = jax.scipy.linalg.cho_solve((L, True), y)
    count = problem.observed.energy.sum() + problem.observed.mask.sum()
    loss = 0.5 * y @ alpha + jnp.log(jnp.diagonal(L)).sum()
    loss = loss + 0.5 * count * jnp.log(2.0 * jnp.pi)

    inverse = jax.scipy.linalg.cho_solve((L, True), jnp.eye(len(y)))
    W = 0.5 * (inverse - jnp.outer(alpha, alpha))
    by_theta, z, B = pull(_gradient_in_features(at, amplitude * W))
    by_hyper = Hyper(
        by_theta,
        2.0 * amplitude * jnp.sum(W * K0),
        pull_noise(jnp.diagonal(W).reshape(noise.shape))[0],
    )
    return Judged(loss, by_hyper, described._replace(z=z, B=B), alpha.reshape(noise.shape))


@partial(jax.jit, static_argnums=0)
def gradient_in_parameters(
    layout: Layout,
    parameters: Parameters,
    scaling: Scaling,
    problem: Problem,
    by_feature: Features,
) -> Parameters:
    """Return the gradient in the parameters of the descriptors, given that in the features."""

    def of_frame(frame: tuple[Graph, Observed, Array, Array]) -> Parameters:
        graph, observed, z, B = frame

        def described(parameters: Parameters) -> tuple[Array, Array]:
            found = features(layout, parameters, scaling, graph, observed)
            return found.z, found.B

        by_parameter: Parameters = jax.vjp(described, parameters)[1]((z, B))[0]
        return by_parameter

    frames = (problem.graph, problem.observed, by_feature.z, by_feature.B)
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

    def of_frame(one: Features) -> Array:
        def share(other: tuple[Features, Array]) -> Array:
            return block_times(one, *other)

        shares: Array = jax.lax.map(share, (known, alpha))
        return jnp.exp(2.0 * hyper.log_amplitude) * shares.sum(axis=0)

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
