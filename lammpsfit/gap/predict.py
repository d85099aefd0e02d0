"""Energies, forces and stress of a frame from a fitted model, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lammpsfit.gap.backend import Array, Values, jax, jnp
from lammpsfit.gap.core import add_core
from lammpsfit.gap.covariance import Scaling, kernel, scaling_of
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import VOIGT, Layout
from lammpsfit.gap.frames import Frame
from lammpsfit.gap.graph import Graph, fill_up, neighbourhood
from lammpsfit.gap.model import Model
from lammpsfit.gap.problem import offset_of

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
    """The centres of a model as JAX arrays: its fields z, species, a, b and w."""

    z: Values
    species: Values
    a: Values
    b: Values
    w: Values


def predict(model: Model, frame: Frame, uncertainty: bool = False) -> Prediction:
    """Predict energy, forces and stress of a frame.

    Parameters
    ----------
    model
        A fitted model.
    frame
        Atoms of species the model knows; its labels are not looked at.
    uncertainty
        Whether to give the errors too, which takes far longer (:mod:`lammpsfit.gap.variance`).

    Raises
    ------
    InputError
        If the frame has a species the model does not know, or errors are asked for and the
        model has none.
    """
    layout = model.descriptors.layout
    hood = neighbourhood(frame, model.species, layout.cutoff, layout.near_cutoff)
    graph = fill_up(hood, hood.size.bucket())
    centres = model.centres
    total = Sum(*(getattr(centres, name) for name in Sum._fields))
    scaling = scaling_of(model.descriptors, model.hyper.theta)
    found = _predict(layout, model.parameters, scaling, total, graph)
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


def _errors(model: Model, frame: Frame) -> tuple[float, FloatArray, FloatArray]:
    from lammpsfit.gap.variance import prediction_errors

    return prediction_errors(model, frame)


def local_energies(centres: Sum, z: Array, species: Values) -> tuple[Array, Array]:
    """Return E and its gradient in all descriptors, shapes (n,) and (n, d); see :class:`Model`.

    z are those of the Gaussian kernel and after them the invariants.
    """
    z, x = jnp.split(z, [centres.z.shape[-1]], axis=-1)
    w = jnp.asarray(centres.w)[jnp.maximum(species, 0)]
    k = kernel(z, centres.z, species, centres.species)
    along = z @ centres.b.T + (centres.a - (centres.b * centres.z).sum(-1))
    weight = k * along
    energy = weight.sum(-1)
    slope = k @ centres.b - energy[:, None] * z + weight @ centres.z
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
