"""Covariances of energies, forces and stresses: sums and derivatives of one kernel.

Energies are sums of local energies E(z) with the kernel k(z, z') = exp(-|z - z'|^2 / 2) for two
atoms of one species, zero for two of different ones, in units of the amplitude squared. z are
the descriptors on their fixed scale, divided by theta. A force or stress is a derivative of the
energy, so its covariances follow from those of k: with d = z - z'

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
    """How descriptors enter the kernel: z = (G - offset) * weight, each of shape (d,)."""

    offset: Values
    weight: Values


def scaling_of(descriptors: Descriptors, theta: Sequence[float]) -> Scaling:
    """Return what makes descriptors the arguments of the kernel."""
    each = np.repeat(np.asarray(theta, dtype=np.float64), descriptors.layout.lengths)
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
    """

    z: Array
    B: Array
    energy: Values
    species: Values


def features(
    layout: Layout, parameters: Parameters, scaling: Scaling, graph: Graph, observed: Observed
) -> Features:
    """Describe one frame."""
    G, J = layout.derivatives(parameters, graph)
    n = G.shape[0]
    sign = jnp.concatenate([jnp.full(3 * n, -1.0), jnp.full(6, 1.0 / graph.volume)])
    factor = sign[observed.columns] * observed.mask
    B = J[:, observed.columns] * factor[:, None] * scaling.weight
    z = (G - scaling.offset) * scaling.weight
    return Features(z, B, observed.energy, jnp.asarray(graph.species))


def kernel(a: Values, b: Values, species_a: Values, species_b: Values) -> Array:
    """Return k of every atom of one frame with every one of another, shape (n, m)."""
    square = (a**2).sum(-1)[:, None] + (b**2).sum(-1)[None] - 2.0 * a @ b.T
    same = (species_a[:, None] == species_b[None]) & (species_a[:, None] != NOBODY)
    return jnp.where(same, jnp.exp(-0.5 * jnp.maximum(square, 0.0)), 0.0)


def block(a: Features, b: Features) -> Array:
    """Covariances of the observations of two frames, in units of the amplitude squared.

    Returns
    -------
    array, shape (1 + c, 1 + c')
        The energy first, then forces and stresses; zero where one was not observed.
    """
    k = kernel(a.z, b.z, a.species, b.species)
    u = _towards(b, a.z)  # (j, 1 + c', i)
    v = _towards(a, b.z)  # (i, 1 + c, j)
    n, _, d = a.B.shape
    m = b.z.shape[0]
    pairs = jnp.einsum("iaj,ij,jbi->ab", v, k, u)
    through = jnp.tensordot(k, b.B.reshape(m, -1), axes=1).reshape(n, -1, d)
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
