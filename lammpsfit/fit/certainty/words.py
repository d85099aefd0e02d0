"""What is known of a combination of parameters, as a sentence for people who model materials."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from lammpsfit.fit.base import Vector
from lammpsfit.fit.certainty.uncertainty import LOADING, Direction, Uncertainty
from lammpsfit.words import list_words, objective_words

LOOSE: Final = 0.1
"""Reach, in η, from which on a direction counts as loose: the parameters are better known
together than one by one."""

ALONE: Final = 2.0
"""Error of the named part of a direction, in that of the direction, up to which it stands for it.
"""

FACTOR: Final = 0.4
"""Change in η from which on it is given as a factor, not in per cent."""


def sentences(found: Uncertainty, what: str = "R") -> list[str]:
    """Describe the directions, from the stiffest to the softest; `what` is minimised."""
    return [
        describe(direction, found.names, found.relative, found.rise, found.covariance, what)
        for direction in found.directions
    ]


def describe(
    direction: Direction,
    names: Sequence[str],
    relative: Sequence[bool],
    rise: float,
    covariance: Vector | None = None,
    what: str = "R",
) -> str:
    """Describe one direction.

    Parameters
    ----------
    direction
        The direction.
    names, relative
        Of the parameters, d of them.
    rise
        Rise of the objective that its reach refers to, a fraction.
    covariance
        Of η, shape (d, d). Where what is not named makes the named part far less certain than
        the whole, it is said that the error holds with the others held.
    what
        What the objective is called.

    Examples
    --------
    >>> import numpy as np
    >>> stiff = Direction(np.array([0.24, 0.97]), 9.0, 0.004, 0.01, True)
    >>> describe(stiff, ["A", "rho"], [True, True], 0.001)
    'A^0.24 · rho^0.97: ± 0.40 %'
    >>> loose = Direction(np.array([0.97, -0.24]), 0.1, 0.2, 0.3, True)
    >>> describe(loose, ["A", "rho"], [True, True], 0.001)  # doctest: +NORMALIZE_WHITESPACE
    'A and rho are determined only in combination: A +34 % with rho -7 %, or the reverse, raises R
    by 0.10 points at most'
    """
    named = [i for i, loading in enumerate(direction.loadings) if abs(loading) >= LOADING]
    who = list_words([names[i] for i in named])
    if not direction.resolved:
        along = _combination(direction, names, relative, named, held=True)
        return f"{along}: not resolved by these runs"
    if math.isnan(direction.reach):
        who = _combination(direction, names, relative, named, held=True)
        return (
            f"{who}: ± {_amount(direction.error)}; these runs do not resolve how far it may go "
            f"before {objective_words(what)} rises"
        )
    moves = [
        move(direction.reach * float(direction.loadings[i]), relative[i], names[i]) for i in named
    ]
    together = " with ".join([moves[0], ", ".join(moves[1:])] if moves[1:] else moves)
    if direction.reach < LOOSE:
        held = covariance is not None and not _stands_alone(direction, named, covariance)
        who = _combination(direction, names, relative, named, held)
        return f"{who}: ± {_amount(direction.error)}{', all else held' if held else ''}"
    harmless = (
        f"{together}, or the reverse, raises {objective_words(what)} by {100 * rise:.2f} points at "
        "most"
    )
    if len(named) == 1:
        return f"{who} matters little: {harmless}"
    return f"{who} are determined only in combination: {harmless}"


def move(change: float, relative: bool, name: str) -> str:
    """Say by how much a parameter moves with a change of its η."""
    if not relative:
        return f"{name} {100 * change:+.0f} % of its range"
    if abs(change) >= FACTOR:
        return f"{name} {'×' if change > 0 else '÷'} {math.exp(abs(change)):.2g}"
    percent = 100 * math.expm1(change)
    return f"{name} {percent:+.{0 if abs(percent) >= 3 else 1}f} %"


def _amount(error: float) -> str:
    """Give a standard error of η, small as it is where it is given at all."""
    return f"{100 * error:#.2g} %" if error < LOOSE else f"{100 * error:.0f} %"


def _stands_alone(direction: Direction, named: Sequence[int], covariance: Vector) -> bool:
    """Whether the named part of a direction is about as certain as the direction."""
    part = np.zeros_like(direction.loadings)
    part[list(named)] = direction.loadings[list(named)]
    return float(np.sqrt(part @ covariance @ part)) <= ALONE * direction.error


def _combination(
    direction: Direction,
    names: Sequence[str],
    relative: Sequence[bool],
    named: Sequence[int],
    held: bool,
) -> str:
    if len(named) == 1:
        return f"{names[named[0]]}{'' if held else ' alone'}"
    loadings = direction.loadings
    if all(relative[i] for i in named):
        return " · ".join(f"{names[i]}^{loadings[i]:.2f}" for i in named)
    terms = (f"{loadings[i]:+.2f} {'ln ' if relative[i] else ''}{names[i]}" for i in named)
    return " ".join(terms).removeprefix("+")
