"""Bounds of everything that is fitted, and vectors of it for optimisers.

Without bounds a width can run away: to nothing, where the descriptor sees no neighbour of any
training frame and so costs nothing, until a frame comes with two atoms nearer than any before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import jnp
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Layout
from lammpsfit.gap.likelihood import Variables

FloatArray = NDArray[np.float64]

ETA: Final = {"radial_eta": (0.1, 2.0), "angular_eta": (0.1, 1.0), "invariant_eta": (0.05, 1.0)}
"""Bounds of widths as parts of the cutoff, e^eta: those the paper begins with, for radial ones."""

ROUNDED: Final = 1e-4
"""Part of a bound that a first width may be beyond it: the paper prints five digits."""

CENTRE: Final = (0.0, 1.0)
"""Bounds of centres, as parts of the cutoff."""

THETA: Final = (0.1, 300.0)
"""Bounds of theta: beyond, the kernel is a straight line over all the descriptors there are."""

AMPLITUDE: Final = (1e-3, 1e5)
"""Bounds of the amplitude, eV."""

SLOPE: Final = (1e-6, 1e2)
"""Bounds of the slope, eV."""

NOISE: Final = ((1e-5, 1.0), (1e-4, 10.0), (1e-6, 1.0))
"""Bounds of the noises of energy (eV per atom), forces (eV/Å) and stress (eV/Å^3)."""


def parameter_bounds(name: str) -> tuple[float, float]:
    """Return the bounds of a parameter of descriptors, by the name it has among them."""
    if name in ETA:
        low, high = ETA[name]
        return float(np.log(low)), float(np.log(high))
    return CENTRE


def check_widths(layout: Layout, parameters: Parameters) -> None:
    """Refuse first widths that training would move into the bounds without a word.

    Raises
    ------
    InputError
        Naming the bounds.
    """
    for name, (low, high) in ETA.items():
        kind = name.removesuffix("_eta")
        part = getattr(layout, "invariants" if kind == "invariant" else kind)
        if part is None:
            continue
        widths = np.exp(np.asarray(parameters[name])).ravel()
        wrong = widths[(widths < low * (1.0 - ROUNDED)) | (widths > high * (1.0 + ROUNDED))]
        if len(wrong):
            raise InputError(
                f"{kind}_width must be from {low:g} to {high:g} cutoffs ({low * part.cutoff:g} to "
                f"{high * part.cutoff:g} Å) to be optimised, got {wrong[0] * part.cutoff:g} Å"
            )


def vector_of(variables: Variables) -> FloatArray:
    """Put all variables into one vector: parameters by name, then the hyper-parameters."""
    parts = [np.asarray(variables.parameters[name]) for name in sorted(variables.parameters)]
    parts += [np.asarray(part) for part in variables[1:]]
    return np.concatenate([np.atleast_1d(part).reshape(-1) for part in parts])


def variables_from(vector: FloatArray, like: Variables) -> Variables:
    """Undo :func:`vector_of`, given variables of the same shapes."""
    names = sorted(like.parameters)
    shapes = [np.shape(like.parameters[name]) for name in names]
    shapes += [np.shape(part) for part in like[1:]]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = [
        jnp.asarray(part).reshape(shape)
        for part, shape in zip(np.split(np.asarray(vector), ends), shapes, strict=True)
    ]
    parameters: Parameters = dict(zip(names, parts, strict=False))
    return Variables(parameters, *parts[len(names) :])


def limits_of(
    variables: Variables,
    least_energy_noise: float = NOISE[0][0],
    least_stress_noise: float = NOISE[2][0],
) -> FloatArray:
    """Return lower and upper bounds of the vector of variables, shape (n, 2)."""
    rows: list[tuple[float, float]] = []
    for name in sorted(variables.parameters):
        rows += [parameter_bounds(name)] * int(np.size(variables.parameters[name]))
    hyper = [THETA] * int(np.size(variables.log_theta)) + [AMPLITUDE]
    hyper += [SLOPE] * int(np.size(variables.log_slope))
    least = (least_energy_noise, NOISE[1][0], least_stress_noise)
    hyper += [(max(one, low), high) for one, (low, high) in zip(least, NOISE, strict=True)]
    return np.vstack([np.array(rows).reshape(-1, 2), np.log(hyper)])


def hyper_count(variables: Variables) -> int:
    """Return how many of the last entries of the vector are hyper-parameters."""
    return sum(int(np.size(part)) for part in variables[1:])
