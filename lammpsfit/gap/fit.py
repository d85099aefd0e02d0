"""Fit a model: offsets, hyper-parameters by a likelihood, and the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.backend import jax
from lammpsfit.gap.bounds import NOISE, hyper_count, limits_of, variables_from, vector_of
from lammpsfit.gap.core import core_of
from lammpsfit.gap.covariance import scaling_of
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors
from lammpsfit.gap.gp import collapse, condition, describe, describe_each
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.likelihood import (
    Hyper,
    Variables,
    hyperparameters_of,
    negative_log_likelihood,
    variables_of,
)
from lammpsfit.gap.model import Model
from lammpsfit.gap.problem import make_problem, offset_of
from lammpsfit.labelled.frames import Frame

FIRST: Final = Noises(0.002, 0.05, 0.001)
"""Noises the search begins at."""


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    Attributes
    ----------
    hyper : Hyperparameters or None
        theta, amplitude and noises; ``None`` finds them.
    offsets : dict or None
        Energy of an atom of each species, eV; ``None`` fits them to the energies.
    likelihood_frames, likelihood_components : int
        The likelihood is that of at most so many frames, evenly chosen, and of so many
        components of the forces of each, drawn at random.
    likelihood_blocks : int
        Blocks of frames in their order, each of which is predicted by the others; none: the
        marginal likelihood of all (:mod:`lammpsfit.gap.likelihood`).
    least_energy_noise : float, eV per atom
        That the search may find; a few frames have few energies, which a model that cannot
        describe everything may come nearer to than to others.
    least_stress_noise : float, eV/Å^3
        Likewise.
    iterations : int
        Of the search for the hyper-parameters.
    seed : int
        Of that draw.
    keep_training : bool
        Whether an exact model keeps the training frames, which its errors need; a lean one keeps
        the factor of its weights instead.
    core : bool
        Whether the model has a core repulsion below the shortest distance of the frames.
    inducing : int or None
        Centres of a lean model (:mod:`lammpsfit.gap.sparse`); ``None`` is the exact Gaussian
        process.
    """

    hyper: Hyperparameters | None = None
    offsets: dict[str, float] | None = None
    likelihood_frames: int = 10
    likelihood_components: int = 30
    likelihood_blocks: int = 0
    least_energy_noise: float = NOISE[0][0]
    least_stress_noise: float = NOISE[2][0]
    iterations: int = 40
    seed: int = 0
    keep_training: bool = True
    core: bool = True
    inducing: int | None = None


def fit_model(
    frames: Sequence[Frame],
    descriptors: Descriptors,
    parameters: Parameters,
    options: FitOptions | None = None,
    tell: Callable[[float], None] = lambda loss: None,
) -> Model:
    """Fit a model to frames.

    Parameters
    ----------
    frames
        With energies, forces or stresses, each with what it has.
    descriptors
        What describes an atom.
    parameters
        Of the descriptors.
    options
        How.
    tell
        Told the negative logarithm of the likelihood at each evaluation of its search.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        If there are no frames or no labels, or a species has no descriptors.
    RunError
        If the covariances are not positive definite.
    """
    options = options or FitOptions()
    if not any(frame.labels for frame in frames):
        raise InputError("there is nothing to fit to: no frame has an energy, forces or a stress")
    offsets = options.offsets
    if offsets is None:
        offsets = fit_offsets(frames, descriptors.species)
    hyper = options.hyper
    if hyper is None:
        hyper = fit_hyperparameters(frames, descriptors, parameters, offsets, options, tell=tell)
    count, factor = options.inducing, None
    if count is None and not descriptors.layout.parts:
        count = len(descriptors.species)  # the kernel of the centres is a constant: all it takes
    if count is None:
        described = describe(frames, descriptors, parameters, hyper, offsets)
        centres = collapse(condition(described, hyper), len(descriptors.species))
    else:
        from lammpsfit.gap.sparse import sparse_centres

        centres, factor = sparse_centres(frames, descriptors, parameters, hyper, offsets, count)
    return Model(
        descriptors,
        {name: np.asarray(values) for name, values in parameters.items()},
        hyper,
        dict(offsets),
        centres,
        tuple(frames) if options.keep_training and count is None else (),
        options.inducing is not None,
        core_of(frames, descriptors.cutoff) if options.core else None,
        factor,
    )


def fit_offsets(frames: Sequence[Frame], species: Sequence[str]) -> dict[str, float]:
    """Energies of atoms whose sums are nearest to the energies of frames, eV.

    The shortest solution where compositions do not tell them apart; zero without energies.

    Examples
    --------
    >>> import numpy as np
    >>> fit_offsets([Frame(("Al",) * 2, np.eye(3)[:2], 9 * np.eye(3), (True,) * 3, -7.0)], ["Al"])
    {'Al': -3.5}
    """
    known = [frame for frame in frames if frame.energy is not None]
    if not known:
        return dict.fromkeys(species, 0.0)
    counts = np.array([[frame.symbols.count(name) for name in species] for frame in known])
    sizes = counts.sum(axis=1)
    energies = np.array([frame.energy for frame in known], dtype=np.float64)
    solution = np.linalg.lstsq(counts / sizes[:, None], energies / sizes, rcond=None)[0]
    return {name: float(value) for name, value in zip(species, solution, strict=True)}


def first_hyperparameters(
    frames: Sequence[Frame], descriptors: Descriptors, offsets: Mapping[str, float]
) -> Hyperparameters:
    """Guess hyper-parameters that a search can begin at."""
    d = sum(descriptors.layout.lengths)
    forces = [frame.forces for frame in frames if frame.forces is not None]
    size = float(np.sqrt(np.mean(np.concatenate(forces) ** 2))) if forces else 0.0
    energies = [
        (frame.energy - offset_of(frame, offsets)) / len(frame)
        for frame in frames
        if frame.energy is not None
    ]
    spread = max(size, float(np.std(energies)) if energies else 0.0, 1e-2)
    theta = 5.0 * np.sqrt(d)  # descriptors of a scale of one are sqrt(2 d) apart
    slope = spread / np.sqrt(max(descriptors.layout.linear_length, 1))
    return Hyperparameters((theta,) * len(descriptors.layout.parts), 5.0 * spread, FIRST, slope)


def fit_hyperparameters(
    frames: Sequence[Frame],
    descriptors: Descriptors,
    parameters: Parameters,
    offsets: Mapping[str, float],
    options: FitOptions,
    first: Hyperparameters | None = None,
    tell: Callable[[float], None] = lambda loss: None,
) -> Hyperparameters:
    """Find theta, amplitude, slope and noises of the largest likelihood, within bounds.

    Parameters
    ----------
    frames, descriptors, parameters, offsets, options
        As in :func:`fit_model`.
    first
        Where to begin.
    tell
        Told the negative logarithm of the likelihood at each evaluation.

    Raises
    ------
    RunError
        If the covariances are not positive definite where the search begins.
    """
    chosen = evenly(frames, options.likelihood_frames)
    problem = make_problem(
        chosen, descriptors, offsets, options.likelihood_components, options.seed
    )
    first = first or first_hyperparameters(chosen, descriptors, offsets)
    start = variables_of(parameters, first)
    layout = descriptors.layout
    scaling = scaling_of(descriptors, (1.0,) * len(layout.parts))
    each = describe_each(layout, parameters, scaling, problem)
    described = jax.tree.map(lambda *parts: np.stack(parts), *each)
    limits = limits_of(start, options.least_energy_noise, options.least_stress_noise)
    begin = np.clip(vector_of(start), limits[:, 0], limits[:, 1])
    last = hyper_count(start)
    fixed = vector_of(start)[:-last]

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = variables_from(np.concatenate([fixed, x]), start)
        value, slope, *_ = negative_log_likelihood(
            layout, Hyper(*at[1:]), described, problem, blocks=options.likelihood_blocks
        )
        if not np.isfinite(value):
            return 1e10, np.zeros_like(x)  # not positive definite: the line search turns back
        tell(float(value))
        return float(value), vector_of(Variables({}, *slope))

    found = scipy.optimize.minimize(
        loss,
        begin[-last:],
        jac=True,
        method="L-BFGS-B",
        bounds=limits[-last:],
        options={"maxiter": options.iterations, "ftol": 1e-6},
    )
    if found.fun >= 1e10:
        raise RunError(
            "the covariances of the training frames are not positive definite: are two of them "
            "alike?"
        )
    return hyperparameters_of(variables_from(np.concatenate([fixed, found.x]), start))


def evenly(frames: Sequence[Frame], count: int) -> list[Frame]:
    """Return at most `count` frames, evenly from first to last."""
    if len(frames) <= count:
        return list(frames)
    return [frames[k] for k in np.linspace(0, len(frames) - 1, count).round().astype(int)]
