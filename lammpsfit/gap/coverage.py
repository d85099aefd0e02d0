"""How far atoms are from all that a model was fitted to.

The grade of an atom is the distance of its scaled descriptors to the nearest training atom, in
units of the largest such distance between training atoms of different frames:

    grade(z) = min_m |z - z_m| / max_n min_{m of other frames than n} |z_n - z_m|

Up to one, an atom is no stranger than training atoms are to one another. It costs about as much as
the prediction, where the errors of the Gaussian process cost hundreds of times that.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Array, jax
from lammpsfit.gap.covariance import Scaling, scaling_of
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Layout
from lammpsfit.gap.graph import Graph, fill_up, neighbourhood
from lammpsfit.gap.model import Model
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]


class Coverage:
    """Grades of atoms by a model.

    Parameters
    ----------
    model
        With its training frames, two at least.

    Attributes
    ----------
    reach : float
        The distance whose grade is one, in units of the kernel's length.

    Raises
    ------
    InputError
        If the model has no training frames, or a single one.
    """

    def __init__(self, model: Model) -> None:
        if model.inducing or len(model.training) < 2:
            raise InputError(
                "this model cannot tell where it extrapolates: that takes two training frames or "
                "more, and no inducing atoms"
            )
        self.model = model
        frame_of = np.repeat(
            np.arange(len(model.training)), [len(frame) for frame in model.training]
        )
        z, species = model.centres.z, model.centres.species
        reach = 0.0
        for k in range(len(model.training)):
            own = frame_of == k
            distances = _distances(z[own], species[own], z[~own], species[~own])
            known = distances[np.isfinite(distances)]
            reach = max(reach, float(known.max(initial=0.0)))
        self.reach = reach

    def grades(self, frame: Frame) -> FloatArray:
        """Return the grade of each atom of a frame, shape (n,).

        Raises
        ------
        InputError
            If the frame has a species that the model does not know.
        """
        model = self.model
        layout = model.descriptors.layout
        hood = neighbourhood(frame, model.species, layout.cutoff, layout.near_cutoff)
        graph = fill_up(hood, hood.size.bucket())
        scaling = scaling_of(model.descriptors, model.hyper.theta)
        z = np.asarray(_scaled(layout, model.parameters, scaling, graph))[: len(frame)]
        centres = model.centres
        found: FloatArray = _distances(z, hood.species, centres.z, centres.species) / self.reach
        return found


@partial(jax.jit, static_argnums=0)
def _scaled(layout: Layout, parameters: Parameters, scaling: Scaling, graph: Graph) -> Array:
    return (layout.values(parameters, graph) - scaling.offset) * scaling.weight


def _distances(
    z: FloatArray, species: NDArray[np.intp], others: FloatArray, theirs: NDArray[np.intp]
) -> FloatArray:
    """Return the distance of each atom to the nearest of the others of its species, shape (n,)."""
    found = np.full(len(z), np.inf)
    for one in np.unique(species):
        mine, other = species == one, others[theirs == one]
        if len(other) == 0:
            continue
        a = z[mine]
        square = (a**2).sum(1)[:, None] - 2.0 * a @ other.T + (other**2).sum(1)
        found[mine] = np.sqrt(np.maximum(square.min(axis=1), 0.0))
    return found
