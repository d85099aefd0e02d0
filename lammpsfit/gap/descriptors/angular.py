"""Angular descriptors of three atoms, at the cost of pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.base import (
    Parameters,
    by_species,
    cutoff_function,
    per_neighbour,
)
from lammpsfit.gap.descriptors.harmonics import harmonics, harmonics_with_slopes
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

    def radial(self, parameters: Parameters, r: Array, species: Array, count: int) -> Array:
        """Return each radial function of the distances, shape (n, k, channels)."""
        width = self.cutoff * jnp.exp(per_neighbour(parameters["angular_eta"], species))
        centre = self.cutoff * per_neighbour(parameters["angular_centre"], species)
        R = jnp.exp(-(((r[..., None] - centre) / width) ** 2))
        R = R * cutoff_function(r, self.cutoff)[..., None]
        R = by_species(R, species, count)
        return R.reshape(*R.shape[:2], -1)

    def moments(self, parameters: Parameters, vectors: Array, species: Array, count: int) -> Array:
        """Return the A_alm, shape (n, channels, harmonics)."""
        r = jnp.linalg.norm(vectors, axis=-1)
        R = self.radial(parameters, r, species, count)
        return jnp.einsum("ikc,ikh->ich", R, harmonics(vectors / r[..., None], self.degrees))

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
        return self.invariants(self.moments(parameters, vectors, species, n_species))

    def slopes(self, parameters: Parameters, graph: Graph, n_species: int) -> tuple[Array, Array]:
        """Return the descriptors, and their derivatives in the vector to each near neighbour.

        Shapes (n, length) and (n, near, 3, length). A neighbour moves only what it adds to the
        A_alm itself, so that forward derivatives along three directions are all it takes.
        """
        vectors = jnp.asarray(graph.vectors)[:, : graph.near]
        species = jnp.asarray(graph.neighbour_species)[:, : graph.near]
        r = jnp.linalg.norm(vectors, axis=-1)

        def radial(r: Array) -> Array:
            return self.radial(parameters, r, species, n_species)

        R, dR = jax.jvp(radial, (r,), (jnp.ones_like(r),))
        Y, dY = harmonics_with_slopes(vectors, self.degrees)
        A = jnp.einsum("ikc,ikh->ich", R, Y)
        n, near = r.shape
        outwards = (vectors / r[..., None])[..., None, None] * (dR[..., None] * Y[:, :, None])[
            :, :, None
        ]
        dA = outwards + R[:, :, None, :, None] * dY[:, :, :, None]
        slope = self.changes(A, dA.reshape(n, near * 3, *dA.shape[3:]))
        return self.invariants(A), slope.reshape(n, near, 3, -1)
