"""Numbers that describe a curve: where its peak is, its mean, and how far it is from another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.structure.blocks import Estimate, jackknife_error
from lammpsfit.structure.rdf import FloatArray

CAP: Final = 0.8
"""A peak is the vertex of a parabola through the points above this fraction of the highest."""

LEAST: Final = 0.4
"""Least height of a first peak, as a fraction of the highest point."""

PROMINENCE: Final = 0.1
"""Least prominence of a first peak, as a fraction of the highest point: less is noise."""


def jackknife(blocks: ArrayLike, function: Callable[[FloatArray], float]) -> Estimate:
    """Apply a function to the mean of blocks, with its standard error from the jackknife.

    Parameters
    ----------
    blocks : array_like, shape (n_blocks, ...)
        Averages over consecutive parts of a run, of equal weight.
    function : callable
        Takes what a block is; where it gives nan for one of the means, so is the error.
    """
    values = np.asarray(blocks, dtype=np.float64)
    n, mean = len(values), values.mean(axis=0)
    if n < 2:
        return Estimate(function(mean), float("nan"))
    without_one = [function((n * mean - block) / (n - 1)) for block in values]
    return Estimate(function(mean), float(jackknife_error(without_one)))


def peak(
    x: ArrayLike, y: ArrayLike, at: int | None = None, smooth: ArrayLike | None = None
) -> tuple[float, float]:
    """Position and height of a maximum, between the points.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        The curve; `x` increases.
    at : int, optional
        Its highest point; by default that of the whole curve.
    smooth : array_like, shape (n,), optional
        The same curve with less noise, to tell which points belong to the peak.

    Returns
    -------
    position, height : float
        nan where the curve is nowhere positive.

    Examples
    --------
    >>> x = np.linspace(0, 2, 21)
    >>> x0, height = peak(x, 3 - (x - 0.93) ** 2)
    >>> round(x0, 6), round(height, 6)
    (0.93, 3.0)
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    shape = y if smooth is None else np.asarray(smooth, dtype=np.float64)
    top = int(np.argmax(shape)) if at is None else at
    if not shape[top] > 0.0:
        return float("nan"), float("nan")
    low = high = top
    while low > 0 and shape[low - 1] > CAP * shape[top]:
        low -= 1
    while high < y.size - 1 and shape[high + 1] > CAP * shape[top]:
        high += 1
    low, high = max(0, min(low, top - 1)), min(y.size - 1, max(high, top + 1))
    u = x[low : high + 1] - x[top]
    c, b, a = np.polynomial.polynomial.polyfit(u, y[low : high + 1], 2)
    if not a < 0.0:
        return float(x[top]), float(y[top])
    vertex = float(np.clip(-b / (2 * a), u[0], u[-1]))
    return float(x[top]) + vertex, float(c + b * vertex + a * vertex**2)


def first_peak(x: ArrayLike, y: ArrayLike, width: float) -> tuple[float, float]:
    """Position and height of the first maximum that stands out, of g(r) or S(q).

    It is looked for in the curve smoothed by a Gaussian of standard deviation `width`, above
    :data:`LEAST` of the highest point and with a prominence of :data:`PROMINENCE` of that, and
    read off the curve itself. Returns nan where there is none.
    """
    # half of what the start of a process takes, which hardly any process needs
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    radii, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    smooth = gaussian_filter1d(values, width * (radii.size - 1) / np.ptp(radii), mode="nearest")
    scale = max(smooth.max(), 1.0)
    tops, _ = find_peaks(smooth, height=LEAST * scale, prominence=PROMINENCE * scale)
    if not tops.size:
        return float("nan"), float("nan")
    return peak(radii, values, int(tops[0]), smooth)


def mean(x: ArrayLike, p: ArrayLike) -> float:
    """Mean of x with the weights p; nan where these are all zero."""
    weights = np.asarray(p, dtype=np.float64)
    total = weights.sum()
    return float(weights @ np.asarray(x, dtype=np.float64) / total) if total > 0 else float("nan")


def overlap(p: ArrayLike, other: ArrayLike) -> float:
    """Overlap of two distributions on the same bins, Σ min(p, p') with both normalised to 1.

    It is 1 where they are the same, 0 where they have nothing in common.

    Examples
    --------
    >>> overlap([1, 1, 0], [0, 1, 1])
    0.5
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (p, other))
    return float(np.minimum(a / a.sum(), b / b.sum()).sum())
