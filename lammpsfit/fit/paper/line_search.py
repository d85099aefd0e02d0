"""Secant line search: where along a line the slope of the cost is zero."""

from dataclasses import dataclass

import numpy as np

from lammpsfit.fit.base import Outcome
from lammpsfit.fit.paper.derivatives import Derivatives, Line, Search

SHORTER = (4.0, 16.0, 64.0)
"""Divisors of the last resort, tried all at once, where nothing tried was better."""


@dataclass(frozen=True)
class LineSettings:
    """How a line is searched; lengths in scaled coordinates.

    Attributes
    ----------
    secants
        Most secant steps (3 in the paper the strategy follows,
        doi:10.1557/mrc.2019.47).
    probe
        Where the second slope is taken.
    reach
        Longest way along a line. Beyond a length scale or two the secant extrapolates.
    flat
        Slope, relative to that at the start, that counts as zero.
    """

    secants: int = 3
    probe: float = 0.1
    reach: float = 1.0
    flat: float = 0.1


@dataclass(frozen=True)
class Found:
    """A point of a line, and what came of it.

    Attributes
    ----------
    t
        Position on the line.
    outcome
        Its outcome, with a cost.
    """

    t: float
    outcome: Outcome


def not_worse(new: Outcome, old: Outcome) -> bool:
    """Whether `new` is lower than `old`, or higher by no more than their joint standard error."""
    if new.cost is None or old.cost is None:
        return False
    return new.cost - old.cost <= float(np.hypot(new.error, old.error))


def secant_search(
    line: Line, start: Outcome, slope: float, derivatives: Derivatives, settings: LineSettings
) -> Search[Found | None]:
    """Search a line for the zero of its slope (Shewchuk 1994, sec. 14.2).

    Between two points with slopes s0 and s1 the secant is zero at
    t = t1 - s1 (t1 - t0) / (s1 - s0). Of all points tried the lowest counts,
    and only where it is not worse than the start within noise. A failed
    evaluation has no cost to compare: it bounds the line and halves the way.

    Parameters
    ----------
    line
        The line, from t = 0.
    start
        Outcome at t = 0.
    slope
        Derivative of the cost with t at t = 0, below 0.
    derivatives
        Source of slopes.
    settings
        How to search.

    Returns
    -------
    Found or None
        None where no point of the line is good.
    """
    tried: list[Found] = []
    t0, s0, reach = 0.0, slope, settings.reach
    t = line.limit(min(settings.probe, reach))
    for _ in range(settings.secants + 1):
        if t == 0.0 or any(found.t == t for found in tried):
            break
        outcome, s = yield from derivatives.slope(line, t)
        if not outcome.ok:
            reach = t / 2.0
            t = line.limit(reach)
            continue
        tried.append(Found(t, outcome))
        if s is None or abs(s) <= settings.flat * abs(slope):
            break
        following = line.limit(min(_secant(t0, s0, t, s), reach))
        t0, s0, t = t, s, following
    best = min(tried, key=_cost, default=None)
    if best is not None and not_worse(best.outcome, start):
        return best
    shortest = min((found.t for found in tried), default=reach)
    return (yield from _shorter(line, start, shortest))


def _secant(t0: float, s0: float, t1: float, s1: float) -> float:
    """Return the zero of the secant, or a way on where it has none ahead."""
    curvature = (s1 - s0) / (t1 - t0)
    if curvature > 0:
        t = t1 - s1 / curvature
        return t if t > 0 else min(t0 or t1, t1) / 2.0
    # Bent downwards there is no minimum to aim at: go on where it descends, back where it rises.
    return 3.0 * max(t0, t1) if s1 < 0 else t1 / 2.0


def _shorter(line: Line, start: Outcome, t: float) -> Search[Found | None]:
    """Try some much shorter ways at once."""
    ways = [way for way in (t / divisor for divisor in SHORTER) if line.permits(way)]
    if not ways:
        return None
    outcomes = yield np.array([line.at(way) for way in ways])
    found = [Found(w, o) for w, o in zip(ways, outcomes, strict=True) if not_worse(o, start)]
    return min(found, key=_cost, default=None)


def _cost(found: Found) -> float:
    return np.inf if found.outcome.cost is None else found.outcome.cost
