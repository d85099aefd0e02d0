"""All descriptors of an atom together, with their derivatives in positions and strain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.angular import Angular
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.invariants import Invariants
from lammpsfit.gap.descriptors.radial import Radial
from lammpsfit.gap.graph import Graph
from lammpsfit.inputs import quoted

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
"""Rows and columns of xx yy zz yz xz xy."""


@dataclass(frozen=True)
class Layout:
    """Which descriptors there are: all of them that a compiled function depends on.

    Attributes
    ----------
    n_species : int
    radial, angular : Radial or None, Angular or None
        Those of the Gaussian kernel.
    invariants : Invariants or None
        Those of the dot-product kernel, which stand after the others.
    """

    n_species: int
    radial: Radial | None
    angular: Angular | None
    invariants: Invariants | None = None

    @property
    def parts(self) -> tuple[Radial | Angular, ...]:
        """Those of the Gaussian kernel, in the order of the descriptors."""
        return tuple(part for part in (self.radial, self.angular) if part is not None)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of descriptors of each part of the Gaussian kernel."""
        return tuple(part.length(self.n_species) for part in self.parts)

    @property
    def linear_length(self) -> int:
        """Number of descriptors of the dot-product kernel."""
        return 0 if self.invariants is None else self.invariants.length(self.n_species)

    @property
    def cutoff(self) -> float:
        """Distance beyond which no neighbour matters, Å."""
        parts = (*self.parts, self.invariants)
        return max(part.cutoff for part in parts if part is not None)

    @property
    def near_cutoff(self) -> float:
        """That of the angular descriptors, Å."""
        return 0.0 if self.angular is None else self.angular.cutoff

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, int]]:
        """Shape of each of the parameters there are."""
        names = {}
        if self.radial is not None:
            names["radial_eta"] = self.radial.count
            if self.radial.shifted:
                names["radial_centre"] = self.radial.count
        if self.angular is not None:
            names["angular_eta"] = names["angular_centre"] = self.angular.count
        if self.invariants is not None:
            names["invariant_eta"] = names["invariant_centre"] = self.invariants.count
        return {name: (self.n_species, count) for name, count in names.items()}

    def values(self, parameters: Parameters, graph: Graph) -> Array:
        """Return the descriptors of every atom, shape (n, d)."""
        found = [part.values(parameters, graph, self.n_species) for part in self.parts]
        if self.invariants is not None:
            found.append(self.invariants.values(parameters, graph, self.n_species))
        return jnp.concatenate(found, axis=-1)

    def derivatives(self, parameters: Parameters, graph: Graph) -> tuple[Array, Array]:
        """Return those of the Gaussian kernel, and their derivatives in positions and strain.

        Returns
        -------
        G : array, shape (n, d)
        J : array, shape (n, 3 n + 6, d), 1/Å and 1
            In the coordinates x1 y1 z1 x2 ... of all atoms, and in the strains
            xx yy zz yz xz xy.
        """
        n = jnp.shape(graph.vectors)[0]
        values, derivatives = [jnp.zeros((n, 0))], [jnp.zeros((n, 3 * n + 6, 0))]
        for part in self.parts:
            G, slope = part.slopes(parameters, graph, self.n_species)
            values.append(G)
            derivatives.append(_spread(slope, graph))
        return jnp.concatenate(values, axis=-1), jnp.concatenate(derivatives, axis=-1)

    def linear(self, parameters: Parameters, graph: Graph) -> tuple[Array, Array]:
        """Return those of the dot-product kernel, and derivatives of their sums over atoms.

        Returns
        -------
        G : array, shape (n, d)
        J : array, shape (3 n + 6, species, d), 1/Å and 1
            Of the sum over the atoms of each species, in what :meth:`derivatives` says.
        """
        n, invariants, count = jnp.shape(graph.vectors)[0], self.invariants, self.n_species
        if invariants is None:
            return jnp.zeros((n, 0)), jnp.zeros((3 * n + 6, count, 0))

        def add(total: tuple[Array, Array], atom: tuple[Array, ...]) -> tuple[Any, Array]:
            vectors, neighbour, others, species, own = atom
            alone = Graph(
                vectors[None], neighbour[None], others[None], species[None], graph.volume, 1
            )
            G, slope = (part[0] for part in invariants.slopes(parameters, alone, count))
            moved = jnp.zeros((n, 3, slope.shape[-1])).at[neighbour].add(slope)
            moved = moved.at[own].add(-slope.sum(axis=0))
            strain = _strain_part(jnp.einsum("ka,kbd->abd", vectors, slope))
            centre = (species == jnp.arange(count)).astype(G.dtype)
            J, of_strain = total
            J = J + centre[:, None, None, None] * moved
            return (J, of_strain + centre[:, None, None] * strain), G

        d = invariants.length(count)
        nothing = jnp.zeros((count, n, 3, d)), jnp.zeros((count, 6, d))
        parts = (graph.vectors, graph.neighbour, graph.neighbour_species, graph.species)
        atoms = (*map(jnp.asarray, parts), jnp.arange(n))
        (J, strain), G = jax.lax.scan(add, nothing, atoms)  # one atom's slopes fit into the cache
        J = jnp.concatenate([J.reshape(count, 3 * n, d), strain], axis=1)
        return G, jnp.swapaxes(J, 0, 1)


def _spread(slope: Array, graph: Graph) -> Array:
    """Turn derivatives in the vectors to neighbours into those in positions and strain."""
    n, k, _, d = slope.shape
    atoms = jnp.arange(n)
    neighbour = jnp.asarray(graph.neighbour)[:, :k]
    J = jnp.zeros((n, n, 3, d)).at[atoms[:, None], neighbour].add(slope)
    J = J.at[atoms, atoms].add(-slope.sum(axis=1))
    tensor = jnp.einsum("ika,ikbd->iabd", jnp.asarray(graph.vectors)[:, :k], slope)
    a, b = (np.array(axes) for axes in VOIGT)
    strain = 0.5 * (tensor[:, a, b] + tensor[:, b, a])
    return jnp.concatenate([J.reshape(n, 3 * n, d), strain], axis=1)


def _strain_part(tensor: Array) -> Array:
    """Turn sums of vector times slope, shape (3, 3, d), into slopes in strain, shape (6, d)."""
    a, b = (np.array(axes) for axes in VOIGT)
    return 0.5 * (tensor[a, b] + tensor[b, a])


@dataclass(frozen=True)
class Descriptors:
    """What describes the surroundings of an atom, and the fixed scale it is measured on.

    The descriptors enter the kernels as (G - offset) / scale. Both are constants: they are taken
    from frames once, with the initial parameters, and stay when the parameters are trained. Were
    they those of the current parameters, a width that has run away until no neighbour is seen
    any more would be scaled up until it is all that is seen.

    Attributes
    ----------
    species : tuple of str
        Of the atoms it can describe.
    radial : Radial or None
    angular : Angular or None
    offset, scale : tuple of float
        Of each descriptor.
    invariants : Invariants or None
    """

    species: tuple[str, ...]
    radial: Radial | None
    angular: Angular | None
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    invariants: Invariants | None = None

    def __post_init__(self) -> None:
        if len(self) == 0:
            raise InputError("descriptors must be radial, angular or invariants: there are none")
        if not len(self.offset) == len(self.scale) == len(self):
            raise InputError(
                f"offset and scale must have one number per descriptor ({len(self)}), got "
                f"{len(self.offset)} and {len(self.scale)}"
            )

    def __len__(self) -> int:
        """Return the number of descriptors of an atom."""
        return sum(self.layout.lengths) + self.layout.linear_length

    @property
    def layout(self) -> Layout:
        """What compiled functions depend on."""
        return Layout(len(self.species), self.radial, self.angular, self.invariants)

    @property
    def cutoff(self) -> float:
        """Distance beyond which no neighbour matters, Å."""
        return self.layout.cutoff

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Descriptors:
        """Read what :meth:`as_dict` gave.

        Raises
        ------
        InputError
            If something is missing or unknown.
        """
        try:
            radial, angular, invariants = data["radial"], data["angular"], data.get("invariants")
            if angular is not None:
                angular = {**angular, "degrees": tuple(angular["degrees"])}
            return cls(
                tuple(data["species"]),
                None if radial is None else Radial(**radial),
                None if angular is None else Angular(**angular),
                tuple(float(x) for x in data["offset"]),
                tuple(float(x) for x in data["scale"]),
                None if invariants is None else Invariants(**invariants),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"these are no descriptors: {quoted(error)}") from None
