"""Angular descriptors of three atoms, at the cost of pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.base import (
    Parameters,
    by_species,
    cutoff_function,
    per_neighbour,
)
from lammpsfit.gap.graph import Graph


@dataclass(frozen=True)
class Angular:
    """Sums over pairs of neighbours of two functions of distance and one of the angle.

    For each two radial functions a <= b (of all species of the neighbours) and each degree l:

        G_i = sum_jk R_a(r_ij) R_b(r_ik) P_l(cos theta_jik) = sum_m A_alm A_blm
        A_alm = sum_j R_a(r_ij) Y_lm(j - i)

    with real harmonics Y for which sum_m Y_lm(u) Y_lm(v) = P_l(u.v), the addition theorem; so no
    pair of neighbours is ever visited. R_a(r) = exp(-((r - centre)/width)^2) f_c(r). j = k is
    in the sums: a function of the radial environment only, the same for every l.

    These are the invariants of Bartok, Kondor and Csanyi, Phys. Rev. B 87, 184115 (2013),
    doi:10.1103/PhysRevB.87.184115 (power spectrum), with few radial functions that are trained.

    Attributes
    ----------
    cutoff : float, Å
    count : int
        Radial functions for each species of the neighbour.
    degrees : tuple of int
        The l.
    """

    cutoff: float
    count: int
    degrees: tuple[int, ...]

    def length(self, n_species: int) -> int:
        """Return the number of descriptors."""
        channels = n_species * self.count
        return len(self.degrees) * channels * (channels + 1) // 2

    def moments(self, parameters: Parameters, vectors: Array, species: Array, count: int) -> Array:
        """Return what each neighbour adds to the A_alm, shape (n, k, channels, harmonics)."""
        r = jnp.linalg.norm(vectors, axis=-1)
        width = self.cutoff * jnp.exp(per_neighbour(parameters["angular_eta"], species))
        centre = self.cutoff * per_neighbour(parameters["angular_centre"], species)
        R = jnp.exp(-(((r[..., None] - centre) / width) ** 2))
        R = R * cutoff_function(r, self.cutoff)[..., None]
        R = by_species(R, species, count)
        R = R.reshape(*R.shape[:2], -1)
        return R[..., None] * harmonics(vectors / r[..., None], self.degrees)[:, :, None, :]

    def invariants(self, A: Array) -> Array:
        """Return the descriptors of the A_alm, shapes (n, channels, harmonics), (n, length)."""
        a, b = np.triu_indices(A.shape[1])
        found = [jnp.einsum("iam,ibm->iab", part, part)[:, a, b] for part in self._split(A)]
        return jnp.concatenate(found, axis=-1)

    def changes(self, A: Array, dA: Array) -> Array:
        """Return the changes of the descriptors with those of the A_alm.

        Shapes (n, channels, harmonics), (n, k, channels, harmonics) and (n, k, length).
        """
        a, b = np.triu_indices(A.shape[1])
        found = []
        for part, change in zip(self._split(A), self._split(dA), strict=True):
            X = jnp.einsum("ikam,ibm->ikab", change, part)
            found.append(X[..., a, b] + X[..., b, a])
        return jnp.concatenate(found, axis=-1)

    def _split(self, A: Array) -> list[Array]:
        """Split the harmonics by degree."""
        ends = np.cumsum([2 * degree + 1 for degree in self.degrees])[:-1]
        return jnp.split(A, ends, axis=-1)

    def values(self, parameters: Parameters, graph: Graph, n_species: int) -> Array:
        """Return the descriptors of every atom, shape (n, length)."""
        vectors = jnp.asarray(graph.vectors)[:, : graph.near]
        species = jnp.asarray(graph.neighbour_species)[:, : graph.near]
        return self.invariants(self.moments(parameters, vectors, species, n_species).sum(axis=1))

    def slopes(self, parameters: Parameters, graph: Graph, n_species: int) -> tuple[Array, Array]:
        """Return the descriptors, and their derivatives in the vector to each near neighbour.

        Shapes (n, length) and (n, near, 3, length). A neighbour moves only what it adds to the
        A_alm itself, so that forward derivatives along three directions are all it takes.
        """
        vectors = jnp.asarray(graph.vectors)[:, : graph.near]
        species = jnp.asarray(graph.neighbour_species)[:, : graph.near]

        def added(vectors: Array) -> Array:
            return self.moments(parameters, vectors, species, n_species)

        def along(direction: Array) -> Array:
            step = jnp.broadcast_to(direction, vectors.shape)
            moved: Array = jax.jvp(added, (vectors,), (step,))[1]
            return moved

        A = added(vectors).sum(axis=1)
        dA = jnp.moveaxis(jax.vmap(along)(jnp.eye(3)), 0, 2)
        n, near = vectors.shape[:2]  # dA: (n, near, 3, channels, harmonics)
        slope = self.changes(A, dA.reshape(n, near * 3, *dA.shape[3:]))
        return self.invariants(A), slope.reshape(n, near, 3, -1)


def harmonics(unit: Array, degrees: tuple[int, ...]) -> Array:
    """Real harmonics of unit vectors with sum_m Y_lm(u) Y_lm(v) = P_l(u.v).

    Parameters
    ----------
    unit : array, shape (..., 3)
    degrees
        The l, in the order of the result.

    Returns
    -------
    array, shape (..., sum of 2 l + 1)
        Polynomials in the components, so that they are smooth at the poles.
    """
    x, y, z = unit[..., 0], unit[..., 1], unit[..., 2]
    highest = max(degrees)
    cosine, sine = [jnp.ones_like(x)], [jnp.zeros_like(x)]  # (x + iy)^m
    for _ in range(highest):
        c, s = cosine[-1], sine[-1]
        cosine.append(x * c - y * s)
        sine.append(x * s + y * c)
    legendre = _reduced_legendre(z, highest)
    columns = []
    for degree in degrees:
        columns.append(legendre[degree, 0])
        for m in range(1, degree + 1):
            norm = math.sqrt(2.0 * math.factorial(degree - m) / math.factorial(degree + m))
            columns += [norm * legendre[degree, m] * f[m] for f in (cosine, sine)]
    return jnp.stack(columns, axis=-1)


def _reduced_legendre(z: Array, highest: int) -> dict[tuple[int, int], Array]:
    """P_l^m(z) / (1 - z^2)^(m/2), without the sign (-1)^m, by the upward recursion in l."""
    P: dict[tuple[int, int], Array] = {}
    for m in range(highest + 1):
        P[m, m] = jnp.full_like(z, math.prod(range(1, 2 * m, 2)))
        for degree in range(m + 1, highest + 1):
            below = P.get((degree - 2, m), jnp.zeros_like(z))
            P[degree, m] = ((2 * degree - 1) * z * P[degree - 1, m] - (degree + m - 1) * below) / (
                degree - m
            )
    return P
