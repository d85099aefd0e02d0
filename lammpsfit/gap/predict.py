"""Energies, forces and stress of a frame from a fitted model, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lammpsfit.gap.backend import Array, Values, jax, jnp
from lammpsfit.gap.core import add_core
from lammpsfit.gap.covariance import Scaling, kernel_less_one, scaling_of
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import VOIGT, Layout
from lammpsfit.gap.graph import Graph, fill_up
from lammpsfit.gap.model import Model
from lammpsfit.gap.neighbour_list import NeighbourList
from lammpsfit.gap.problem import offset_of
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]

CHUNK: Final = 32
"""Atoms that are done at a time: what they need stays in the caches of a core."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of a frame of n atoms.

    Attributes
    ----------
    energy : float, eV
    energies : ndarray, shape (n,), eV
        Of the atoms; their sum is the energy.
    forces : ndarray, shape (n, 3), eV/Å
    stress : ndarray, shape (6,), eV/Å^3
        +dE/dstrain / V: xx yy zz yz xz xy; not a number if the frame is not periodic.
    energy_error : float or None, eV
        Standard deviation of the Gaussian process, without the noise of observations.
    forces_error : ndarray, shape (n, 3), or None, eV/Å
    stress_error : ndarray, shape (6,), or None, eV/Å^3
    """

    energy: float
    energies: FloatArray
    forces: FloatArray
    stress: FloatArray
    energy_error: float | None = None
    forces_error: FloatArray | None = None
    stress_error: FloatArray | None = None


class Sum(NamedTuple):
    """The sum over centres, arranged so that large terms do not cancel.

    With a long theta all k are nearly one and the weights are huge: their sum would lose up to ten
    digits. So the kernel is taken as 1 + e, and what is left without the e is summed once, for
    each species:

        E(z) = c + l.z + sum_m e_m A_m(z),            A_m(z) = a_m + b_m.(z - z_m)
        dE/dz = l + q + M z - (c + l.z) z + sum_m e_m [b_m + A_m(z) (z_m - z)]

    Attributes
    ----------
    z, species, a, b : array
        As in :class:`lammpsfit.gap.gp.Centres`, but a is that of z = 0.
    constant, linear, pull, matrix : array, shapes (s,), (s, d), (s, d) and (s, d, d)
        c, l, q and M of each species.
    w : array, shape (s, invariants)
        Weights of the invariants, which are beside all that.
    """

    z: Values
    species: Values
    a: Values
    b: Values
    constant: Values
    linear: Values
    pull: Values
    matrix: Values
    w: Values


@lru_cache(maxsize=4)
def sum_of(model: Model) -> Sum:
    """Arrange the centres of a model."""
    centres, d = model.centres, model.centres.z.shape[1]
    exact = centres.a - (centres.b * centres.z).astype(np.longdouble).sum(-1)
    constant, linear, pull, matrix = [], [], [], []
    for k in range(len(model.species)):
        own = centres.species == k
        z, b = centres.z[own], centres.b[own]
        constant.append(exact[own].sum())
        linear.append(b.astype(np.longdouble).sum(axis=0))
        pull.append((exact[own, None] * z).sum(axis=0))
        matrix.append(z.T @ b if np.any(b) else np.zeros((d, d)))
    a = exact.astype(np.float64)
    plain = [np.array(part, dtype=np.float64) for part in (constant, linear, pull, matrix)]
    c, slope, q, M = plain
    return Sum(centres.z, centres.species, a, centres.b, c, slope, q, M, centres.w)


def predict(
    model: Model,
    frame: Frame,
    uncertainty: bool = False,
    neighbours: NeighbourList | None = None,
) -> Prediction:
    """Predict energy, forces and stress of a frame.

    Parameters
    ----------
    model
        A fitted model.
    frame
        Atoms of species the model knows; its labels are not looked at.
    uncertainty
        Whether to give the errors too, which takes far longer (:mod:`lammpsfit.gap.variance`).
    neighbours
        The list of a run of frames (:func:`neighbour_list`); by default they are found anew.

    Raises
    ------
    InputError
        If the frame has a species the model does not know, or errors are asked for and the
        model has none.
    """
    layout = model.descriptors.layout
    hood = (neighbours or neighbour_list(model)).neighbourhood(frame)
    graph = fill_up(hood, hood.size.bucket())
    scaling = scaling_of(model.descriptors, model.hyper.theta)
    found = _predict(layout, model.parameters, scaling, sum_of(model), graph)
    local, forces, stress = (np.asarray(part) for part in found)
    n = len(frame)
    alone = np.array([model.offsets[symbol] for symbol in frame.symbols])
    local, forces = local[:n], forces[:n]
    if model.core is not None:
        added = add_core(model.core, frame.symbols, hood.centre, hood.neighbour, hood.vector)
        local, forces = local + added[0], forces + added[1]
        a, b = (np.array(axes) for axes in VOIGT)
        stress = stress + added[2][a, b] / hood.volume
    errors = _errors(model, frame) if uncertainty else (None, None, None)
    return Prediction(
        float(local.sum() + offset_of(frame, model.offsets)),
        local + alone,
        forces,
        stress if all(frame.pbc) else np.full(6, np.nan),
        *errors,
    )


def neighbour_list(model: Model, skin: float = 0.0) -> NeighbourList:
    """Return a list of neighbours for a model, to be kept from frame to frame."""
    layout = model.descriptors.layout
    return NeighbourList(model.species, layout.cutoff, layout.near_cutoff, skin)


def _errors(model: Model, frame: Frame) -> tuple[float, FloatArray, FloatArray]:
    from lammpsfit.gap.variance import prediction_errors

    return prediction_errors(model, frame)


def local_energies(total: Sum, z: Array, species: Values) -> tuple[Array, Array]:
    """Return E and its gradient in all descriptors, shapes (n,) and (n, d); see :class:`Sum`.

    z are those of the Gaussian kernel and after them the invariants.
    """
    z, x = jnp.split(z, [total.z.shape[-1]], axis=-1)
    own = jnp.maximum(species, 0)
    constant, linear, pull, matrix, w = (jnp.asarray(part)[own] for part in total[4:])
    e = kernel_less_one(z, total.z, species, total.species)
    along = e * (z @ total.b.T + total.a)
    energy = constant + (linear * z).sum(-1) + along.sum(-1)
    slope = linear + pull + jnp.einsum("ide,ie->id", matrix, z)
    slope = slope + e @ total.b + along @ total.z - energy[:, None] * z
    return energy + (w * x).sum(-1), jnp.concatenate([slope, w], axis=-1)


@partial(jax.jit, static_argnums=0)
def _predict(
    layout: Layout, parameters: Parameters, scaling: Scaling, centres: Sum, graph: Graph
) -> tuple[Array, Array, Array]:
    """Local energies (n,), forces (n, 3) and stress (6,)."""

    def some(part: Graph) -> tuple[Array, Array]:
        def describe(vectors: Array) -> Array:
            return layout.values(parameters, replace(part, vectors=vectors))

        G, pull = jax.vjp(describe, part.vectors)
        energy, slope = local_energies(centres, (G - scaling.offset) * scaling.weight, part.species)
        return energy, pull(slope * scaling.weight)[0]

    n, k = graph.neighbour.shape
    if n > CHUNK and n % CHUNK == 0:
        volumes = jnp.full(n, graph.volume)  # a part of the frame has no volume of its own
        parts = jax.tree.map(
            lambda x: x.reshape(-1, CHUNK, *x.shape[1:]), replace(graph, volume=volumes)
        )
        energy, slope = jax.lax.map(some, parts)
        energy, slope = energy.reshape(n), slope.reshape(n, k, 3)
    else:
        energy, slope = some(graph)
    forces = slope.sum(axis=1).at[graph.neighbour].add(-slope)
    tensor = jnp.einsum("ika,ikb->ab", graph.vectors, slope)
    a, b = (np.array(axes) for axes in VOIGT)
    return energy, forces, 0.5 * (tensor[a, b] + tensor[b, a]) / graph.volume
