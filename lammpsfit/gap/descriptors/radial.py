"""Radial descriptors: how many neighbours stand how far away."""

from __future__ import annotations

from dataclasses import dataclass

from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.base import (
    Parameters,
    by_species,
    cutoff_function,
    per_neighbour,
)
from lammpsfit.gap.graph import Graph


@dataclass(frozen=True)
class Radial:
    """Sums over neighbours of a Gaussian in the distance.

    One for each function and species of the neighbour:

        G_i = sum_j exp(-((r_ij - centre) / width)^2) f_c(r_ij),   width = e^eta cutoff

    The form of G^2 of Gao, Wang and Sun (J. Chem. Phys. 150, 244110, 2019,
    doi:10.1063/1.5097293) has its centre at zero. Their equation (4), as it is printed, has
    e^eta in the numerator, exp(-(e^eta r / cutoff)^2): the widths of their table 1 are then
    from 4 to 80 Å, and the functions nearly the same one.

    Attributes
    ----------
    cutoff : float, Å
    count : int
        Functions for each species of the neighbour.
    shifted : bool
        Whether the centres are parameters too, else they are zero.
    literal : bool
        Whether e^eta divides the cutoff as in the printed equation (4), to compare with it.
    """

    cutoff: float
    count: int
    shifted: bool = False
    literal: bool = False

    def length(self, n_species: int) -> int:
        """Return the number of descriptors."""
        return n_species * self.count

    def functions(self, parameters: Parameters, r: Array, species: Array) -> Array:
        """Return each function of the distances, shape (n, k, count)."""
        eta = per_neighbour(parameters["radial_eta"], species)
        width = self.cutoff * jnp.exp(-eta if self.literal else eta)
        x = r[..., None]
        if self.shifted:
            x = x - self.cutoff * per_neighbour(parameters["radial_centre"], species)
        return jnp.exp(-((x / width) ** 2)) * cutoff_function(r, self.cutoff)[..., None]

    def values(self, parameters: Parameters, graph: Graph, n_species: int) -> Array:
        """Return the descriptors of every atom, shape (n, length)."""
        species = jnp.asarray(graph.neighbour_species)
        h = self.functions(parameters, jnp.linalg.norm(graph.vectors, axis=-1), species)
        return _flat(by_species(h, species, n_species).sum(axis=1))

    def slopes(self, parameters: Parameters, graph: Graph, n_species: int) -> tuple[Array, Array]:
        """Return the descriptors, and their derivatives in the vector to each neighbour.

        Shapes (n, length) and (n, k, 3, length).
        """
        species = jnp.asarray(graph.neighbour_species)
        r = jnp.linalg.norm(graph.vectors, axis=-1)
        h, dh = jax.jvp(lambda r: self.functions(parameters, r, species), (r,), (jnp.ones_like(r),))
        unit = graph.vectors / r[..., None]
        slope = unit[..., None] * _flat(by_species(dh, species, n_species))[:, :, None, :]
        return _flat(by_species(h, species, n_species).sum(axis=1)), slope


def _flat(values: Array) -> Array:
    return values.reshape(*values.shape[:-2], -1)
