"""Frames and what was observed of them, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Array, Values, jnp
from lammpsfit.gap.covariance import Observed
from lammpsfit.gap.descriptors.combined import Descriptors
from lammpsfit.gap.graph import Graph, largest, neighbourhood, stack
from lammpsfit.labelled.frames import Frame


class Problem(NamedTuple):
    """Frames and what was observed of them, filled up to one size and stacked.

    Attributes
    ----------
    graph : Graph
    observed : Observed
    targets : array, shape (frames, 1 + c)
        Energies less the offsets of the atoms, forces and stresses; zero where none is there.
    atoms : array, shape (frames,)
        Number of atoms.
    """

    graph: Graph
    observed: Observed
    targets: Values
    atoms: Values


def make_problem(
    frames: Sequence[Frame],
    descriptors: Descriptors,
    offsets: Mapping[str, float],
    components: int | None = None,
    seed: int = 0,
) -> Problem:
    """Make a problem of frames.

    Parameters
    ----------
    frames
        At least one.
    descriptors
        Whose species and cutoffs to take.
    offsets
        Energy of an atom of each species, eV, which is taken off.
    components
        So many components of the forces of each frame, drawn at random, or all of them.
    seed
        Of that draw.

    Raises
    ------
    InputError
        If there is no frame, or one with a species that has no descriptors.
    """
    if not frames:
        raise InputError("there are no frames to fit to")
    layout = descriptors.layout
    hoods = [
        neighbourhood(frame, descriptors.species, layout.cutoff, layout.near_cutoff)
        for frame in frames
    ]
    size = largest(hoods).bucket()
    rng = np.random.default_rng(seed)
    columns = np.array([_columns(len(f), size.atoms, components, rng) for f in frames])
    values, there = map(np.array, zip(*(_labels(f, size.atoms) for f in frames), strict=True))
    energies = [0.0 if f.energy is None else f.energy - offset_of(f, offsets) for f in frames]
    mask = np.take_along_axis(there, columns, axis=1)
    observed = Observed(
        jnp.asarray([float(f.energy is not None) for f in frames]),
        jnp.asarray(columns),
        jnp.asarray(mask),
    )
    targets = np.column_stack([energies, np.take_along_axis(values, columns, axis=1)])
    atoms = jnp.asarray([float(len(f)) for f in frames])
    return Problem(stack(hoods, size), observed, jnp.asarray(targets), atoms)


def offset_of(frame: Frame, offsets: Mapping[str, float]) -> float:
    """Sum of the energies of the atoms of a frame alone, eV."""
    return sum(offsets[symbol] for symbol in frame.symbols)


def _columns(n: int, filled: int, components: int | None, rng: np.random.Generator) -> np.ndarray:
    """Which of the 3 n forces and the 6 stresses, which stand after those of `filled` atoms."""
    stress = 3 * filled + np.arange(6)
    if components is None or components >= 3 * filled:
        return np.concatenate([np.arange(3 * filled), stress])
    drawn = rng.permutation(3 * n)[:components]
    spare = np.arange(3 * n, 3 * n + components - len(drawn))  # not observed: a filled-up atom's
    return np.concatenate([np.sort(drawn), spare, stress])


def _labels(frame: Frame, filled: int) -> tuple[np.ndarray, np.ndarray]:
    """Return forces and stresses of a frame, and which of them are there, shape (3 filled + 6,)."""
    n = 3 * len(frame)
    values, there = np.zeros(3 * filled + 6), np.zeros(3 * filled + 6)
    if frame.forces is not None:
        values[:n] = frame.forces.reshape(-1)
        there[:n] = 1.0
    if frame.stress is not None:
        values[-6:] = frame.stress
        there[-6:] = 1.0
    return values, there


def noise_variances(problem: Problem, log_noises: Values) -> Array:
    """Variance of each observation, shape (frames, 1 + c); one where there is none."""
    n = problem.graph.species.shape[-1]
    variance = jnp.exp(2.0 * log_noises)
    rest = jnp.where(problem.observed.columns < 3 * n, variance[1], variance[2])
    energy = variance[0] * problem.atoms**2
    there = jnp.concatenate([problem.observed.energy[:, None], problem.observed.mask], axis=1)
    return jnp.where(there > 0, jnp.concatenate([energy[:, None], rest], axis=1), 1.0)
