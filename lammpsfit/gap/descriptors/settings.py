"""From a choice of descriptors to descriptors with their scale and first parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import Array, jax, jnp
from lammpsfit.gap.descriptors.angular import Angular
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors, Layout
from lammpsfit.gap.descriptors.invariants import Invariants
from lammpsfit.gap.descriptors.radial import Radial
from lammpsfit.gap.graph import Graph, fill_up, largest, neighbourhood
from lammpsfit.labelled.frames import Frame

MOST_CUTOFF = 20.0
"""Å: within twice of 8 Å, the largest that is of use, there are 2000 atoms."""

PAPER_ETA = (-2.30259, -1.87462, -1.44666, -1.0187, -0.59074, -0.16278, 0.265185, 0.693147)
"""The first eta of Gao, Wang and Sun: even steps from ln 0.1 to ln 2 (their table 1)."""

SMALLEST_SCALE = 1e-2
"""Of a descriptor, as a part of the largest of its kind: none is blown up from nearly nothing."""

SMALLEST_INVARIANT = 1e-3
"""That of the invariants, which are sums, squares and cubes of one another."""

ROUND_OFF = 1e-10
"""Spread of descriptors that are the same, as a part of their mean."""


@dataclass(frozen=True)
class Settings:
    """A choice of descriptors.

    Attributes
    ----------
    radial_cutoff : float, Å
    radial_count : int
        Radial functions for each species of the neighbour; none if zero.
    radial_width : float or None, Å
        Width of all of them at first, with centres evenly from `first_centre` to the cutoff;
        ``None``: centres at zero and widths evenly in the logarithm from a tenth of the cutoff
        to twice the cutoff, those of the paper if there are eight.
    literal : bool
        Whether to take the printed equation (4) of the paper; see :class:`Radial`.
    angular_cutoff : float, Å
    angular_count : int
        Radial functions of the angular descriptors; none if zero.
    angular_width : float, Å
        Width of all of them at first.
    degrees : tuple of int
        The l of the angular descriptors.
    first_centre : float, Å
        About the shortest distance of neighbours.
    invariant_cutoff : float, Å
    invariant_count : int
        Radial functions of the invariants; none if zero.
    invariant_width : float, Å
        Width of all of them at first.
    invariant_degrees : tuple of two int
        Largest l of their second and of their third order.
    """

    radial_cutoff: float = 8.0
    radial_count: int = 8
    radial_width: float | None = None
    literal: bool = False
    angular_cutoff: float = 6.5
    angular_count: int = 4
    angular_width: float = 1.5
    degrees: tuple[int, ...] = (1, 2, 3, 4)
    first_centre: float = 2.2
    invariant_cutoff: float = 7.0
    invariant_count: int = 0
    invariant_width: float = 1.0
    invariant_degrees: tuple[int, int] = (8, 4)

    def __post_init__(self) -> None:
        for name in ("radial", "angular", "invariant"):
            cutoff, count = getattr(self, f"{name}_cutoff"), getattr(self, f"{name}_count")
            if count < 0 or (count and not self.first_centre < cutoff <= MOST_CUTOFF):
                raise InputError(
                    f"{name} descriptors need a cutoff beyond the first centre "
                    f"({self.first_centre:g} Å) and up to {MOST_CUTOFF:g} Å, and a count of at "
                    f"least 0, got {cutoff:g} Å and {count}"
                )
        if not (self.radial_count or self.angular_count or self.invariant_count):
            raise InputError("there must be descriptors: all counts are 0")
        if min(self.invariant_degrees) < 0:
            raise InputError(f"degrees must be at least 0, got {self.invariant_degrees}")
        if self.angular_count and (not self.degrees or min(self.degrees) < 0):
            raise InputError(f"degrees must be at least 0, got {self.degrees}")

    def parameters(self, n_species: int) -> Parameters:
        """Return the first parameters: the same for every species of the neighbour."""
        found: dict[str, np.ndarray] = {}
        if self.radial_count and self.radial_width is None:
            found["radial_eta"] = np.linspace(PAPER_ETA[0], PAPER_ETA[-1], self.radial_count)
        elif self.radial_count and self.radial_width is not None:
            found |= _even("radial", self.radial_cutoff, self, self.radial_width)
        if self.angular_count:
            found |= _even("angular", self.angular_cutoff, self, self.angular_width)
        if self.invariant_count:
            found |= _even("invariant", self.invariant_cutoff, self, self.invariant_width)
        return {k: jnp.asarray(np.tile(v, (n_species, 1))) for k, v in found.items()}

    def layout(self, n_species: int) -> Layout:
        """Return the descriptors that are chosen."""
        radial, angular, invariants = None, None, None
        if self.radial_count:
            shifted = self.radial_width is not None
            radial = Radial(self.radial_cutoff, self.radial_count, shifted, self.literal)
        if self.angular_count:
            angular = Angular(self.angular_cutoff, self.angular_count, self.degrees)
        if self.invariant_count:
            cutoff, count = self.invariant_cutoff, self.invariant_count
            invariants = Invariants(cutoff, count, *self.invariant_degrees)
        return Layout(n_species, radial, angular, invariants)


def _even(kind: str, cutoff: float, settings: Settings, width: float) -> dict[str, np.ndarray]:
    count = getattr(settings, f"{kind}_count")
    first = settings.first_centre / cutoff
    return {
        f"{kind}_eta": np.full(count, np.log(width / cutoff)),
        f"{kind}_centre": np.linspace(first, 1.0, count, endpoint=False),
    }


def make_descriptors(
    settings: Settings, frames: Sequence[Frame], species: Sequence[str] | None = None
) -> tuple[Descriptors, Parameters]:
    """Choose descriptors, and measure their fixed offset and scale on frames.

    Parameters
    ----------
    settings
        The choice.
    frames
        Those whose mean and standard deviation of each descriptor become offset and scale.
    species
        Of the atoms; by default those of the frames, in alphabetical order.

    Returns
    -------
    descriptors : Descriptors
    parameters : dict of arrays
        The first ones.

    Raises
    ------
    InputError
        If the frames hold species that are not named.
    """
    names = tuple(species or sorted({s for frame in frames for s in frame.symbols}))
    layout = settings.layout(len(names))
    parameters = settings.parameters(len(names))
    G = raw_descriptors(layout, parameters, names, frames)
    kinds = np.split(G, np.cumsum(layout.lengths), axis=1)
    least = [SMALLEST_SCALE] * len(layout.lengths) + [SMALLEST_INVARIANT]
    scale = np.concatenate([_scale(*kind) for kind in zip(kinds, least, strict=True)])
    described = Descriptors(
        names,
        layout.radial,
        layout.angular,
        tuple(G.mean(axis=0).tolist()),
        tuple(scale.tolist()),
        layout.invariants,
    )
    return described, parameters


def _scale(G: np.ndarray, least: float) -> np.ndarray:
    """Return the scale of each descriptor of a kind, from their values (n, d), shape (d,)."""
    spread: np.ndarray = G.std(axis=0)
    if G.shape[1] == 0:
        return spread
    if spread.max() <= ROUND_OFF * np.abs(G.mean(axis=0)).max():
        return np.ones(len(spread))  # all atoms alike, as in a crystal at rest
    scale: np.ndarray = np.maximum(spread, least * spread.max())
    return scale


def raw_descriptors(
    layout: Layout, parameters: Parameters, species: Sequence[str], frames: Sequence[Frame]
) -> np.ndarray:
    """Return the descriptors of all atoms of frames before they are scaled, shape (n, d)."""
    hoods = [neighbourhood(f, species, layout.cutoff, layout.near_cutoff) for f in frames]
    size = largest(hoods).bucket()
    found = [_values(layout, parameters, fill_up(hood, size)) for hood in hoods]
    return np.concatenate(
        [np.asarray(G)[: len(frame)] for G, frame in zip(found, frames, strict=True)]
    )


@partial(jax.jit, static_argnums=0)
def _values(layout: Layout, parameters: Parameters, graph: Graph) -> Array:
    return layout.values(parameters, graph)
