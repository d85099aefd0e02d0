"""Means, errors and drift of time series (energy, pressure, temperature)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError, RunError

FloatArray = NDArray[np.float64]

WINDOW: Final = 5.0
"""Length of the summation window in autocorrelation times (Sokal's c)."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, both in the unit of the series."""

    mean: float
    error: float


def block_estimate(series: ArrayLike, n_blocks: int = 10) -> Estimate:
    """Mean of a correlated series and its standard error from block averages.

    The error is std(block means) / sqrt(n_blocks); it is right once a block is longer than
    the correlation time, and too small before (Flyvbjerg and Petersen, J. Chem. Phys. 91,
    461 (1989), doi:10.1063/1.457480). :func:`autocorrelation_time` tells which it is.

    Parameters
    ----------
    series : array_like, shape (n_frames,)
        Values at equal intervals.
    n_blocks : int
        Number of consecutive blocks, at least two. Their lengths differ by at most one frame.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        If there are fewer than two blocks or fewer frames than blocks.
    RunError
        If a value is not finite.
    """
    values = _series(series, n_blocks, least=2)
    means = block_means(values, n_blocks)
    return Estimate(float(values.mean()), float(means.std(ddof=1) / np.sqrt(n_blocks)))


def mean_and_error(blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean over blocks (first axis) and its standard error; NaN with a single block."""
    n, mean = len(blocks), blocks.mean(axis=0)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full_like(mean, np.nan)
    return mean, error


def leave_one_out(blocks: FloatArray) -> FloatArray:
    """Means over all blocks but one, in the shape of `blocks`, the blocks first."""
    means: FloatArray = (blocks.sum(axis=0) - blocks) / (len(blocks) - 1)
    return means


def block_means(values: FloatArray, n_blocks: int) -> FloatArray:
    """Means over consecutive blocks of frames, shape (n_blocks, ...); frames come first."""
    return np.array([part.mean(axis=0) for part in np.array_split(values, n_blocks)])


def jackknife_error(without_one: ArrayLike) -> FloatArray:
    """Turn values that each lack one block (first axis) into a standard error."""
    values = np.asarray(without_one, dtype=np.float64)
    n = len(values)
    error: FloatArray = np.sqrt((n - 1) * values.var(axis=0))
    return error


def drift(series: ArrayLike, times: ArrayLike | None = None, n_blocks: int = 10) -> Estimate:
    """Change of a series over the run: slope of a straight line times the run's length.

    The line is fitted to block means by least squares; its error comes from their scatter
    about the line with n_blocks - 2 degrees of freedom. A drift beyond twice its error says
    that the run was not yet in equilibrium.

    Parameters
    ----------
    series : array_like, shape (n_frames,)
        Values.
    times : array_like, shape (n_frames,), optional
        When they were taken, increasing; by default at equal intervals.
    n_blocks : int
        Number of consecutive blocks, at least three.

    Returns
    -------
    Estimate
        Change from the first to the last frame, in the unit of the series.

    Raises
    ------
    InputError
        If there are fewer than three blocks, fewer frames than blocks, or times that do
        not match or increase.
    RunError
        If a value is not finite.
    """
    values = _series(series, n_blocks, least=3)
    t = np.arange(values.size, dtype=np.float64) if times is None else np.asarray(times, float)
    if t.shape != values.shape or not np.all(np.diff(t) > 0.0):
        raise InputError(f"times must increase, one per value ({values.size}), got shape {t.shape}")
    x, y = block_means(t, n_blocks), block_means(values, n_blocks)
    dx = x - x.mean()
    slope = dx @ y / (dx @ dx)
    rest = y - y.mean() - slope * dx
    slope_error = np.sqrt(rest @ rest / (n_blocks - 2) / (dx @ dx))
    length = t[-1] - t[0]
    return Estimate(float(slope * length), float(slope_error * length))


def autocorrelation_time(series: ArrayLike) -> float:
    """Integrated autocorrelation time in frames, τ = 1/2 + Σ_{t≥1} ρ(t).

    ρ is the autocorrelation function; the sum stops at the first t ≥ 5 τ(t), a window that
    grows with τ itself (Sokal 1997, doi:10.1007/978-1-4899-0319-8_6). n frames are worth
    n / (2 τ) independent ones; uncorrelated frames have τ = 1/2. The estimate needs a series
    of some hundred τ to be good to a few per cent; of a shorter one it is a lower bound.

    Parameters
    ----------
    series : array_like, shape (n_frames,)
        Values at equal intervals.

    Returns
    -------
    float
        τ in frames; 1/2 for a constant series.

    Raises
    ------
    InputError
        If there are fewer than two frames.
    RunError
        If a value is not finite.
    """
    values = _series(series, n_blocks=2, least=2)
    if np.ptp(values) == 0.0:
        return 0.5
    n = values.size
    centred = values - values.mean()
    # Padding to twice the length keeps the circular FFT from mixing both ends.
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    covariance = np.fft.irfft(power, 2 * n)[:n]
    tau = np.cumsum(covariance / covariance[0]) - 0.5
    closed = np.arange(n) >= WINDOW * tau
    stop = int(np.argmax(closed)) if closed.any() else n - 1
    return float(tau[stop])


def _series(series: ArrayLike, n_blocks: int, least: int) -> FloatArray:
    values = np.asarray(series, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"a series must have one dimension, got shape {values.shape}")
    if n_blocks < least:
        raise InputError(f"at least {least} blocks are needed, got {n_blocks}")
    if values.size < n_blocks:
        raise InputError(
            f"{n_blocks} blocks need at least as many frames, got {values.size}: "
            f"sample more often or use fewer blocks"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise RunError(
            f"a series must be finite, but frame {bad[0] + 1} of {values.size} is "
            f"{values[bad[0]]}: the run has blown up"
        )
    return values
