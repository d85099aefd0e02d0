"""Covariances of energies, forces and stresses: sums and derivatives of a kernel.

Energies are sums of local energies with the kernel

    amplitude^2 exp(-|z - z'|^2 / 2) + slope^2 x.x'

for two atoms of one species, zero for two of different ones. z are the radial and angular
descriptors on their fixed scale, divided by theta; x are the invariants on theirs. The second
term is a function linear in x whose weights have the prior standard deviation slope (eV); its
covariances are products of sums of x over atoms, and of their derivatives. Without radial and
angular descriptors the first term is a constant.

A force or stress is a derivative of the energy, so its covariances follow from those of
k = exp(-|z - z'|^2 / 2): with d = z - z'

    cov(E(z), dE(z')) = k d.B',   cov(dE(z), dE(z')) = k [B.B' - (d.B)(d.B')]

where B and B' are the derivatives of z and z' in a coordinate. The matrix of second derivatives
of k is never there: the first term is a product of matrices, the second of two vectors per pair
of atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lammpsfit.gap.backend import Array, Values, jnp
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors, Layout
from lammpsfit.gap.graph import NOBODY, Graph


class Scaling(NamedTuple):
    """How descriptors enter the kernels: (G - offset) * weight, each of shape (d,).

    Those of the Gaussian kernel first, whose weights hold theta.
    """

    offset: Values
    weight: Values


def scaling_of(descriptors: Descriptors, theta: Sequence[float]) -> Scaling:
    """Return what makes descriptors the arguments of the kernel."""
    layout = descriptors.layout
    each = np.repeat(np.asarray(theta, dtype=np.float64), layout.lengths)
    each = np.concatenate([each, np.ones(layout.linear_length)])
    weight = 1.0 / (np.asarray(descriptors.scale) * each)
    return Scaling(jnp.asarray(descriptors.offset), jnp.asarray(weight))


class Observed(NamedTuple):
    """Which observations of a frame of n atoms there are, as ones and zeros.

    Attributes
    ----------
    energy : array, shape ()
    columns : array of int, shape (c,)
        Which of the 3 n + 6 forces and stresses.
    mask : array, shape (c,)
        One where that observation is there.
    """

    energy: Values
    columns: Values
    mask: Values


class Features(NamedTuple):
    """What the covariances of a frame depend on; or of a stack of frames, one axis more.

    Attributes
    ----------
    z : array, shape (n, d)
        Scaled descriptors.
    B : array, shape (n, c, d)
        Their share in each force and stress; zero where it was not observed.
    energy : array, shape ()
        One if the energy was observed, else zero.
    species : array of int, shape (n,)
    phi : array, shape (1 + c, species of the model times invariants)
        Shares of the observations in the weights of the dot-product kernel, the energy first;
        zero where it was not observed.
    """

    z: Array
    B: Array
    energy: Values
    species: Values
    phi: Array


class Slopes(NamedTuple):
    """Descriptors of a frame and their derivatives, unscaled: what it takes long to work out.

    Attributes
    ----------
    G : array, shape (n, d)
    J : array, shape (n, 3 n + 6, d)
        Of the Gaussian kernel.
    x : array, shape (n, invariants)
    dx : array, shape (3 n + 6, species, invariants)
        Of the dot-product kernel.
    """

    G: Array
    J: Array
    x: Array
    dx: Array


def slopes_of(layout: Layout, parameters: Parameters, graph: Graph) -> Slopes:
    """Return the descriptors of a frame and their derivatives."""
    return Slopes(*layout.derivatives(parameters, graph), *layout.linear(parameters, graph))


def features(
    layout: Layout, parameters: Parameters, scaling: Scaling, graph: Graph, observed: Observed
) -> Features:
    """Describe one frame."""
    return features_from(layout, slopes_of(layout, parameters, graph), scaling, graph, observed)


def features_from(
    layout: Layout, slopes: Slopes, scaling: Scaling, graph: Graph, observed: Observed
) -> Features:
    """Describe one frame by its descriptors and their derivatives."""
    n, d = slopes.G.shape
    sign = jnp.concatenate([jnp.full(3 * n, -1.0), jnp.full(6, 1.0 / graph.volume)])
    factor = sign[observed.columns] * observed.mask
    species = jnp.asarray(graph.species)
    B = slopes.J[:, observed.columns] * factor[:, None] * scaling.weight[:d]
    z = (slopes.G - scaling.offset[:d]) * scaling.weight[:d]
    centres = (species[:, None] == jnp.arange(layout.n_species)).astype(z.dtype)
    x = (slopes.x - scaling.offset[d:]) * scaling.weight[d:]
    energy = observed.energy * centres.T @ x
    rest = slopes.dx[observed.columns] * factor[:, None, None] * scaling.weight[d:]
    phi = jnp.concatenate([energy[None], rest])
    return Features(z, B, observed.energy, species, phi.reshape(len(phi), phi[0].size))


def kernel(a: Values, b: Values, species_a: Values, species_b: Values) -> Array:
    """Return k of every atom of one frame with every one of another, shape (n, m)."""
    same, exponent = _exponent(a, b, species_a, species_b)
    return jnp.where(same, jnp.exp(exponent), 0.0)


def kernel_less_one(a: Values, b: Values, species_a: Values, species_b: Values) -> Array:
    """Return k - 1, to all its digits, for atoms of one species; zero for those of two."""
    same, exponent = _exponent(a, b, species_a, species_b)
    return jnp.where(same, jnp.expm1(exponent), 0.0)


def _exponent(a: Values, b: Values, species_a: Values, species_b: Values) -> tuple[Array, Array]:
    square = (a**2).sum(-1)[:, None] + (b**2).sum(-1)[None] - 2.0 * a @ b.T
    same = (species_a[:, None] == species_b[None]) & (species_a[:, None] != NOBODY)
    return same, -0.5 * jnp.maximum(square, 0.0)


def block(a: Features, b: Features) -> Array:
    """Covariances of the Gaussian kernel of the observations of two frames.

    In units of the amplitude squared.

    Returns
    -------
    array, shape (1 + c, 1 + c')
        The energy first, then forces and stresses; zero where one was not observed.
    """
    k = kernel(a.z, b.z, a.species, b.species)
    u = _towards(b, a.z)  # (j, 1 + c', i)
    v = _towards(a, b.z)  # (i, 1 + c, j)
    n, _, d = a.B.shape
    m, c = b.B.shape[:2]
    pairs = jnp.einsum("iaj,ij,jbi->ab", v, k, u)
    through = jnp.tensordot(k, b.B.reshape(m, c * d), axes=1).reshape(n, c, d)
    products = jnp.einsum("iad,ibd->ab", a.B, through)
    return pairs.at[1:, 1:].add(products)


def block_times(a: Features, b: Features, alpha: Values) -> Array:
    """Multiply a block by a vector, without making the block.

    Parameters
    ----------
    a, b
        As in :func:`block`.
    alpha : array, shape (1 + c',)

    Returns
    -------
    array, shape (1 + c,)
    """
    k = kernel(a.z, b.z, a.species, b.species)
    along = jnp.einsum("jbi,b->ij", _towards(b, a.z), alpha)
    pairs = jnp.einsum("iaj,ij->a", _towards(a, b.z), k * along)
    through = k @ jnp.einsum("jbd,b->jd", b.B, alpha[1:])
    return pairs.at[1:].add(jnp.einsum("iad,id->a", a.B, through))


def _towards(own: Features, other: Array) -> Array:
    """B.(z' - z) for all atoms z' of another frame, with the energy's ones before, (n, 1 + c, m).

    The share of an observation in the exponent of the kernel: covariances with the energy are
    sums of k times this, and those of two derivatives have minus the product of two of them.
    """
    n, c, d = own.B.shape
    own_part = jnp.einsum("icd,id->ic", own.B, own.z)
    slope = (own.B.reshape(n * c, d) @ other.T).reshape(n, c, -1) - own_part[..., None]
    ones = jnp.broadcast_to(own.energy, (n, 1, other.shape[0]))
    return jnp.concatenate([ones, slope], axis=1)
