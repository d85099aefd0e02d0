"""Descriptors of up to four atoms, at the cost of pairs: polynomials of first to third order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.base import (
    Parameters,
    by_species,
    cutoff_function,
    per_neighbour,
)
from lammpsfit.gap.descriptors.harmonics import harmonics, harmonics_with_slopes
from lammpsfit.gap.graph import Graph

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Invariants:
    """What rotations leave of the density of neighbours, multiplied up to three times.

    For each radial function n and species s of the neighbour

        A_nslm = sum_j R_n(r_ij) Y_lm(j - i),   R_n(r) = exp(-((r - centre)/width)^2) f_c(r)

    with the real harmonics of :func:`harmonics`, so that the density of degree l on the unit
    sphere is rho_nsl(u) = sum_m A_nslm Y_lm(u) = sum_j R_n(r_ij) P_l(u.u_ij). The descriptors are

        first     A_ns00
        second    sum_m A_nslm A_ntlm                       s <= t, l = 0 ... pair_degree
        third     <rho_nsa rho_nsb rho_nsc>, the mean over the sphere
                                                            0 <= a <= b <= c <= triple_degree

    where a + b + c is even and c <= a + b (the others vanish). Of each n in turn they
    stand as first (by s), second (by s, t, then l), third (by s, then a, b, c). Second order
    is of angles, third of two angles at once.

    Only one radial function enters each, so that they are few; they are the invariants of
    Seko, Togo and Tanaka, Phys. Rev. B 99, 214108 (2019), doi:10.1103/PhysRevB.99.214108, with
    radial functions that are trained. They are so many that a Gaussian kernel takes all atoms
    to be far apart; they enter the dot-product kernel of :mod:`lammpsfit.gap.covariance`.

    Attributes
    ----------
    cutoff : float, Å
    count : int
        Radial functions for each species of the neighbour.
    pair_degree, triple_degree : int
        Largest l of the second and of the third order.
    """

    cutoff: float
    count: int
    pair_degree: int
    triple_degree: int

    @property
    def degrees(self) -> tuple[int, ...]:
        """All l there are."""
        return tuple(range(max(self.pair_degree, self.triple_degree) + 1))

    @cached_property
    def triples(self) -> tuple[tuple[int, int, int], ...]:
        """The degrees a, b, c of the third order."""
        top = self.triple_degree
        return tuple(
            (a, b, c)
            for a in range(top + 1)
            for b in range(a, top + 1)
            for c in range(b, min(a + b, top) + 1)
            if (a + b + c) % 2 == 0
        )

    def length(self, n_species: int) -> int:
        """Return the number of descriptors."""
        pairs = n_species * (n_species + 1) // 2
        second, third = (self.pair_degree + 1) * pairs, len(self.triples) * n_species
        return self.count * (n_species + second + third)

    def radial(self, parameters: Parameters, r: Array, species: Array) -> Array:
        """Return each radial function of the distances, shape (n, k, count)."""
        width = self.cutoff * jnp.exp(per_neighbour(parameters["invariant_eta"], species))
        centre = self.cutoff * per_neighbour(parameters["invariant_centre"], species)
        R = jnp.exp(-(((r[..., None] - centre) / width) ** 2))
        return R * cutoff_function(r, self.cutoff)[..., None]

    def values(self, parameters: Parameters, graph: Graph, n_species: int) -> Array:
        """Return the descriptors of every atom, shape (n, length)."""
        vectors, species = jnp.asarray(graph.vectors), jnp.asarray(graph.neighbour_species)
        r = jnp.linalg.norm(vectors, axis=-1)
        R = by_species(self.radial(parameters, r, species), species, n_species)
        A = jnp.einsum("iksn,ikh->insh", R, self._harmonics(vectors))
        return _flat(self.invariants(A))

    def slopes(self, parameters: Parameters, graph: Graph, n_species: int) -> tuple[Array, Array]:
        """Return the descriptors, and their derivatives in the vector to each neighbour.

        Shapes (n, length) and (n, k, 3, length). With D = dG/dA of the centre, the share of a
        neighbour is R' u (Y.D) + R (dY.D), u the unit vector: one product of matrices an atom.
        """
        vectors, species = jnp.asarray(graph.vectors), jnp.asarray(graph.neighbour_species)
        r = jnp.linalg.norm(vectors, axis=-1)
        R, dR = jax.jvp(lambda r: self.radial(parameters, r, species), (r,), (jnp.ones_like(r),))
        R, dR = (by_species(x, species, n_species) for x in (R, dR))
        Y, dY = harmonics_with_slopes(vectors, self.degrees)
        A = jnp.einsum("iksn,ikh->insh", R, Y)
        n, k = r.shape
        moved = jnp.concatenate([Y[:, :, None], dY], axis=2).reshape(n, 4 * k, -1)
        X = self.changes(A, moved)
        X = X.reshape(n, k, 4, *X.shape[2:])  # (n, k, 4, species, count, invariants)
        unit = (vectors / r[..., None])[..., None, None]
        slope = unit * (dR[..., None] * X[:, :, 0]).sum(axis=2)[:, :, None]
        slope = slope + (R[:, :, None, ..., None] * X[:, :, 1:]).sum(axis=3)
        return _flat(self.invariants(A)), _flat(slope)

    def invariants(self, A: Array) -> Array:
        """Return the descriptors of one radial function, shapes (..., species, h) and (..., c)."""
        s, t = np.triu_indices(A.shape[-2])
        count = (self.pair_degree + 1) ** 2
        second = (A[..., s, :count] * A[..., t, :count]) @ degrees_of(self.pair_degree)
        weights, _ = sphere(self.triple_degree)
        one, two, three = self._densities(A)
        third = (one * two * three) @ weights
        return jnp.concatenate([A[..., 0], _flat(second), _flat(third)], axis=-1)

    def changes(self, A: Array, moved: Array) -> Array:
        """Return the changes of :meth:`invariants` with those of the A_nslm of each species alone.

        Parameters
        ----------
        A : array, shape (n, count, species, h)
        moved : array, shape (n, x, h)
            Changes of the A_nslm of any radial function.

        Returns
        -------
        array, shape (n, x, species, count, invariants)
        """
        n, x = moved.shape[:2]
        count, S = A.shape[1:3]
        s, t = np.triu_indices(S)
        own = np.eye(S)
        first = jnp.broadcast_to(
            moved[:, :, 0, None, None, None] * own[:, None], (n, x, S, count, S)
        )
        second = []
        for degree in range(self.pair_degree + 1):  # the change of one takes harmonics of one alone
            of_degree = slice(degree**2, (degree + 1) ** 2)
            B = A[..., of_degree]
            D = own[s][:, :, None] * B[..., t, None, :] + own[t][:, :, None] * B[..., s, None, :]
            second.append(jnp.einsum("ixh,inpsh->ixsnp", moved[..., of_degree], D))
        parts = [first, _flat(jnp.stack(second, axis=-1)), self._third_changes(A, moved)]
        return jnp.concatenate(parts, axis=-1)

    def _third_changes(self, A: Array, moved: Array) -> Array:
        """Return those of the third order alone, shape (n, x, species, count, species triples)."""
        weights, Y = sphere(self.triple_degree)
        of_degree = degrees_of(self.triple_degree).T
        one, two, three = self._densities(A)
        D = jnp.zeros(())
        for place, (a, b) in enumerate(((two, three), (one, three), (one, two))):
            D = D + ((a * b * weights) @ Y) * of_degree[np.array(self.triples)[:, place]]
        found = jnp.einsum("ixh,insch->ixsnc", moved[..., : Y.shape[1]], D)
        own = jnp.eye(A.shape[2])[:, None, :, None]
        return _flat(own * found[..., None, :])

    def _densities(self, A: Array) -> list[Array]:
        """Return rho_a, rho_b, rho_c of each triple, each (..., species, triples, points)."""
        _, Y = sphere(self.triple_degree)
        split = degrees_of(self.triple_degree).T[:, :, None] * Y.T  # (l, h, points)
        rho = jnp.einsum("...h,lhq->...lq", A[..., : Y.shape[1]], split)
        return [rho[..., place, :] for place in np.array(self.triples).T]

    def _harmonics(self, vectors: Array) -> Array:
        unit = vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)
        return harmonics(unit, self.degrees)


@lru_cache
def sphere(degree: int) -> tuple[FloatArray, FloatArray]:
    """Return points that integrate products of three harmonics without an error.

    Gauss points in z times even angles about it; a product of three densities whose degrees
    add to an even number is the same at opposite points, so that half of the sphere is enough.

    Parameters
    ----------
    degree
        Largest l of each of the three.

    Returns
    -------
    weights : ndarray, shape (points,)
        Adding to one.
    Y : ndarray, shape (points, (degree + 1)^2)
        The harmonics there.
    """
    n = 3 * degree // 2 + 1
    z, weight = np.polynomial.legendre.leggauss(n + n % 2)
    z, weight = z[z > 0.0], weight[z > 0.0]
    phi = 2.0 * np.pi * np.arange(3 * degree + 1) / (3 * degree + 1)
    height, angle = (x.ravel() for x in np.meshgrid(z, phi, indexing="ij"))
    ring = np.sqrt(1.0 - height**2)
    unit = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    with jax.ensure_compile_time_eval():  # a constant, also where it is first asked for in a trace
        Y = np.asarray(_harmonics(jnp.asarray(unit), tuple(range(degree + 1))))
    return np.repeat(weight, len(phi)) / len(phi), Y


_harmonics = partial(jax.jit, static_argnums=1)(harmonics)


def degrees_of(degree: int) -> FloatArray:
    """Return which harmonic is of which degree, as ones and zeros, shape (h, degree + 1)."""
    each = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    found: FloatArray = (each[:, None] == np.arange(degree + 1)).astype(np.float64)
    return found


def _flat(values: Array) -> Array:
    return values.reshape(*values.shape[:-2], -1)
