"""Which of very many told points the surrogate is conditioned on.

Conditioning on n points costs n^3 operations and every ask n^2 more; beyond some thousand
points the master would keep its workers waiting. What the search needs to know of its past is
three things, and few points say them:

- where the valley is and how deep: the *lowest* points;
- how steep its walls are: the points *nearest in belief* to the best ones, high or low, those
  of largest prior covariance with them. Low points alone would make a valley without walls;
- where it has been at all: a *spread* of the rest, each the farthest in belief from all chosen
  before (Gonzalez, Theor. Comput. Sci. 38, 293 (1985), doi:10.1016/0304-3975(85)90224-5: the
  largest gap that is left is at most twice the smallest possible). A Matérn kernel forgets
  with distance alone, so that no dropped point lies in a region that looks unseen.

Of the failed points, whose labels carry no depth, a spread is kept. All points told since the
choice was last made are kept as well. The choice is a function of what was told, in its order:
a resumed fit makes it again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from lammpsfit.fit.base import Vector

MOST = 1500
"""Most points chosen; up to here, all are kept."""

STRIDE = 100
"""Points told between two choices."""

FAILED = 0.25
"""Largest share of the chosen that failed."""

LOWEST, NEAREST = 0.5, 0.25
"""Shares of the others that are the lowest, and the nearest to the best."""

BEST = 8
"""Lowest points that are "the best" to be near to."""

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Choice:
    """A choice that was made, and what from.

    Attributes
    ----------
    n
        Number of told points it was made from.
    length_scale
        Distances were measured in these, shape (d,).
    rows
        Indices of the chosen points, rising.
    """

    n: int
    length_scale: Vector
    rows: Indices

    def serves(self, n: int, length_scale: Vector) -> bool:
        """Whether the choice from `n` points with this `length_scale` is this one."""
        return self.n == n and np.array_equal(self.length_scale, length_scale)


def chosen_from(n: int) -> int:
    """Return the number of told points, of `n`, that the choice was last made from.

    Examples
    --------
    >>> [chosen_from(n) for n in (1500, 1501, 1599, 1600, 10_000)]
    [1500, 1500, 1500, 1600, 10000]
    """
    return n if n <= MOST else n - (n - MOST) % STRIDE


def choose(X: Vector, value: Vector, length_scale: Vector, most: int = MOST) -> Indices:
    """Choose at most `most` points to stand for all.

    Parameters
    ----------
    X
        Points, shape (n, d).
    value
        Costs, NaN where the evaluation failed, shape (n,).
    length_scale
        Of the surrogate, shape (d,).

    Returns
    -------
    Indices of the chosen points, rising.
    """
    if len(X) <= most:
        return np.arange(len(X))
    U = X / length_scale
    failed, others = np.flatnonzero(np.isnan(value)), np.flatnonzero(~np.isnan(value))
    # few of either kind leave their room to the other
    room = max(round(FAILED * most), most - len(others))
    kept_failed = _spread(U, failed, failed[:0], min(room, len(failed)))
    most -= len(kept_failed)
    order = others[np.argsort(value[others], kind="stable")]
    lowest, rest = np.split(order, [round(LOWEST * most)])
    gaps = cdist(U[rest], U[order[:BEST]]).min(axis=1, initial=np.inf)
    rest = rest[np.argsort(gaps, kind="stable")]
    nearest, rest = np.split(rest, [round(NEAREST * most)])
    kept = np.concatenate([lowest, nearest])
    spread = _spread(U, rest, kept, min(most - len(kept), len(rest)))
    return np.sort(np.concatenate([kept_failed, kept, spread]))


def _spread(U: Vector, pool: Indices, kept: Indices, k: int) -> Indices:
    """Choose `k` points of `pool`, each the farthest from those `kept` and chosen before."""
    gaps = np.full(len(pool), np.inf)
    for part in np.array_split(kept, 1 + len(kept) // 100):
        gaps = np.minimum(gaps, cdist(U[pool], U[part]).min(axis=1, initial=np.inf))
    chosen = np.empty(k, dtype=np.intp)
    for i in range(k):
        farthest = int(np.argmax(gaps))
        chosen[i] = pool[farthest]
        gaps = np.minimum(gaps, cdist(U[chosen[i : i + 1]], U[pool])[0])
        gaps[farthest] = -1.0
    return chosen
