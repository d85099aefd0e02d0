"""Which frames are trained on, and which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError

IntArray = NDArray[np.intp]
How = Literal["random", "blocks"]


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of frames, each list in increasing order and none of it in the other.

    Attributes
    ----------
    train, held_out : ndarray of int
        Frames to fit to, and frames to be judged on.
    """

    train: IntArray
    held_out: IntArray


def split(n: int, train: int, held_out: int | None, how: How, seed: int) -> Split:
    """Choose frames at random, or by blocks of time.

    Neighbouring frames of a trajectory are alike, so frames held out at random lie between
    frames trained on, and the errors on them are those of interpolation. By blocks, the frames
    held out are one stretch of the trajectory and those trained on are spread at random over the
    rest.

    Parameters
    ----------
    n
        Number of frames, in the order of time.
    train, held_out
        How many of each; `held_out` None: all that are left, at random only.
    how
        ``random`` or ``blocks``.
    seed
        Of the choice.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If there are too few frames, or blocks have no length.

    Examples
    --------
    >>> parts = split(10, 4, 3, "blocks", seed=1)
    >>> parts.held_out
    array([3, 4, 5])
    >>> sorted(set(parts.train) & set(parts.held_out))
    []
    """
    if how == "blocks" and held_out is None:
        raise InputError("a split by blocks of time needs the number of held-out frames")
    wanted = n - train if held_out is None else held_out
    if train < 1 or wanted < 0 or train + wanted > n:
        left = "some" if held_out is None else str(held_out)
        raise InputError(f"{n} frames cannot give {train} to train on and {left} held out")
    rng = np.random.default_rng(seed)
    if how == "random":
        order = rng.permutation(n)
        return Split(np.sort(order[:train]), np.sort(order[train : train + wanted]))
    start = int(rng.integers(n - wanted + 1))
    held = np.arange(start, start + wanted)
    rest = np.delete(np.arange(n), held)
    return Split(np.sort(rng.choice(rest, train, replace=False)), held)
