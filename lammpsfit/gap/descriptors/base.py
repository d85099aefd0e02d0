"""What descriptors share: the cutoff function and the parameters."""

from __future__ import annotations

from collections.abc import Mapping

from lammpsfit.gap.backend import Array, Values, jnp

Parameters = Mapping[str, Values]
"""Parameters of descriptors by name, each an array of shape (species of the neighbour, functions).

``radial_eta``, ``angular_eta``, ``invariant_eta``: ln(width / cutoff). ``radial_centre``,
``angular_centre``, ``invariant_centre``: centre / cutoff.
"""


def cutoff_function(r: Array, cutoff: float) -> Array:
    """Return f(r) = [cos(pi r / cutoff) + 1] / 2 within the cutoff, zero beyond.

    Equation (2) of Gao, Wang and Sun, J. Chem. Phys. 150, 244110 (2019),
    doi:10.1063/1.5097293, after Behler and Parrinello.
    """
    inside = r < cutoff
    x = jnp.where(inside, r / cutoff, 1.0)
    return jnp.where(inside, 0.5 * (jnp.cos(jnp.pi * x) + 1.0), 0.0)


def per_neighbour(values: Values, species: Array) -> Array:
    """Pick the row of each neighbour's species: (species, ...) and (n, k) give (n, k, ...)."""
    rows = jnp.asarray(values)
    return rows[0][None, None] if rows.shape[0] == 1 else rows[species]


def by_species(values: Array, species: Array, count: int) -> Array:
    """Give each neighbour's values to the channels of its species, zero to the others.

    Shapes (n, k, c) and (n, k) give (n, k, count, c).
    """
    if count == 1:
        return values[:, :, None]
    one_hot = (species[:, :, None] == jnp.arange(count)).astype(values.dtype)
    return one_hot[..., None] * values[:, :, None]
