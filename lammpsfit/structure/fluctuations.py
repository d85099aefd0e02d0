"""Derivatives of averages in the parameters of the potential, from the fluctuations of one run.

In the canonical ensemble of an energy U(θ), with β = 1/k_B T,

    d<A>/dθ_i = <dA/dθ_i> - β ( <A dU/dθ_i> - <A> <dU/dθ_i> )

so a run at one θ tells, without any other, how its averages would change. The same covariances give
a metric of parameter space,

    F_ij = β² cov(dU/dθ_i, dU/dθ_j):

sᵀ F s is the variance of β ΔU of a small change s, four times the square of the thermodynamic
length (Crooks, Phys. Rev. Lett. 99, 100602 (2007), doi:10.1103/PhysRevLett.99.100602). Statistical
errors come from the jackknife over blocks of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import jackknife_error

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Noise:
    """Covariances of the averages with their derivatives, each summed over the observables.

    They are what statistical noise adds to the squares of averages over a run: the expectation of
    ``mean @ mean`` is the square of the true averages and `mean_mean`, and so on.

    Attributes
    ----------
    mean_mean : float
        Σ_k var(<A_k>).
    jacobian_mean : ndarray, shape (d,)
        Σ_k cov(J_ki, <A_k>).
    jacobian_jacobian : ndarray, shape (d, d)
        Σ_k cov(J_ki, J_kj).
    """

    mean_mean: float
    jacobian_mean: FloatArray
    jacobian_jacobian: FloatArray


@dataclass(frozen=True, eq=False)
class Response:
    """Averages, and how they change with the parameters.

    Attributes
    ----------
    mean : ndarray, shape (K,)
        Averages <A_k>.
    jacobian : ndarray, shape (K, d)
        d<A_k>/dθ_i.
    metric : ndarray, shape (d, d)
        F.
    means, jacobians : ndarray, shapes (B, K) and (B, K, d)
        The same without each of the B blocks: what the jackknife makes errors of.
    """

    mean: FloatArray
    jacobian: FloatArray
    metric: FloatArray
    means: FloatArray
    jacobians: FloatArray

    @property
    def mean_error(self) -> FloatArray:
        """Standard error of the averages, shape (K,)."""
        return jackknife_error(self.means)

    @property
    def jacobian_error(self) -> FloatArray:
        """Standard error of the derivatives, shape (K, d)."""
        return jackknife_error(self.jacobians)

    @property
    def noise(self) -> Noise:
        """What noise adds to squares of the averages and their derivatives, by the jackknife."""
        B = len(self.means)
        dy, dJ = self.means - self.means.mean(axis=0), self.jacobians - self.jacobians.mean(axis=0)
        return Noise(
            (B - 1) / B * float(np.sum(dy**2)),
            (B - 1) / B * np.einsum("bk,bki->i", dy, dJ, optimize=True),
            (B - 1) / B * np.einsum("bki,bkj->ij", dJ, dJ, optimize=True),
        )

    def beside(self, other: Response) -> Response:
        """Put averages of the same frames, weights and blocks after these."""
        return Response(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.jacobian, other.jacobian]),
            self.metric,
            np.concatenate([self.means, other.means], axis=1),
            np.concatenate([self.jacobians, other.jacobians], axis=1),
        )

    def beside_exact(self, mean: FloatArray, jacobian: FloatArray) -> Response:
        """Put numbers without noise, shapes (K,) and (K, d), after these."""
        B = len(self.means)
        means, jacobians = np.tile(mean, (B, 1)), np.tile(jacobian, (B, 1, 1))
        return self.beside(Response(mean, jacobian, self.metric, means, jacobians))


def linear_response(
    A: ArrayLike,
    dU: ArrayLike,
    beta: float,
    blocks: ArrayLike,
    weights: ArrayLike | None = None,
    dA: ArrayLike | None = None,
) -> Response:
    """Average observables and find their derivatives by the formula above.

    Parameters
    ----------
    A : array_like, shape (n, K)
        Observables of each frame.
    dU : array_like, shape (n, d)
        dU/dθ of each frame, in eV per unit of θ.
    beta : float
        1/k_B T in 1/eV.
    blocks : array_like of int, shape (n,)
        Number of the block each frame belongs to, 0 to B-1; every block has frames. Errors are
        right where blocks are longer than the correlation time.
    weights : array_like, shape (n,), optional
        Weight of each frame, >= 0; all alike by default.
    dA : array_like, shape (n, K, d), optional
        dA/dθ of each frame, where observables depend on the parameters themselves.

    Returns
    -------
    Response

    Raises
    ------
    InputError
        If there are fewer than two blocks, or lengths disagree.
    """
    a, d = np.asarray(A, dtype=np.float64), np.asarray(dU, dtype=np.float64)
    labels = np.asarray(blocks, dtype=np.int64)
    w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(a) == len(d) == len(labels) == len(w):
        raise InputError(
            f"each frame needs observables, derivatives, a block and a weight, got "
            f"{len(a)}, {len(d)}, {len(labels)} and {len(w)} of them"
        )
    n_blocks = int(labels.max(initial=0)) + 1
    if n_blocks < 2:
        raise InputError("errors of derivatives need at least two blocks, got one")
    # centred first: covariances are small differences of large numbers otherwise
    a_mean, d_mean = np.average(a, axis=0, weights=w), np.average(d, axis=0, weights=w)
    a, d = a - a_mean, d - d_mean
    shape = (n_blocks, a.shape[1], d.shape[1])
    W, SA, SD = np.zeros(n_blocks), np.zeros(shape[:2]), np.zeros((n_blocks, shape[2]))
    SAD, SdA = np.zeros(shape), np.zeros(shape)
    metric = beta**2 * (d.T * w) @ d / w.sum()
    for b in range(n_blocks):
        mine = labels == b
        wa, wb = w[mine, None] * a[mine], w[mine]
        W[b], SA[b], SD[b] = wb.sum(), wa.sum(axis=0), wb @ d[mine]
        SAD[b] = wa.T @ d[mine]
        if dA is not None:
            SdA[b] = np.tensordot(wb, np.asarray(dA)[mine], axes=1)

    def of(sums: tuple[FloatArray, ...]) -> tuple[FloatArray, FloatArray]:
        """Means and Jacobians of sums over some blocks, shapes (..., K) and (..., K, d)."""
        total, sa, sd, sad, *sda = sums
        ma, md = sa / total[..., None], sd / total[..., None]
        jacobian = ma[..., :, None] * md[..., None, :]
        jacobian -= sad / total[..., None, None]
        jacobian *= beta
        for direct in sda:
            jacobian += direct / total[..., None, None]
        return a_mean + ma, jacobian

    sums = (W, SA, SD, SAD) if dA is None else (W, SA, SD, SAD, SdA)
    mean, jacobian = of(tuple(s.sum(axis=0) for s in sums))
    means, jacobians = of(tuple(s.sum(axis=0) - s for s in sums))
    return Response(mean, jacobian, metric, means, jacobians)


def stacked(responses: Sequence[Response], shares: Sequence[float]) -> Response:
    """Join the responses of independent samples, each scaled by the square root of its share.

    Observables are put one after the other, so that sums of squares become Σ share_c (...)_c;
    metrics add up. There is a replicate for each block of each sample, in which that sample
    lacks the block and the others are whole. Deviations are stretched by f_c with

        f_c² = (B_c - 1)/B_c · B/(B - 1),    B = Σ B_c,

    so that the jackknife over all B replicates, (B - 1)/B Σ (deviation)², gives each sample the
    variance that its own B_c replicates give it, and no covariance between samples.

    Raises
    ------
    InputError
        If there is none, or they are not of the same parameters.
    """
    if not responses or len({r.jacobian.shape[1] for r in responses}) != 1:
        raise InputError("responses that are stacked must be of the same parameters, and some")
    B = sum(len(r.means) for r in responses)
    mean = np.concatenate([np.sqrt(s) * r.mean for r, s in zip(responses, shares, strict=True)])
    jacobian = np.concatenate(
        [np.sqrt(s) * r.jacobian for r, s in zip(responses, shares, strict=True)]
    )
    means, jacobians = np.tile(mean, (B, 1)), np.tile(jacobian, (B, 1, 1))
    row = column = 0
    for r, share in zip(responses, shares, strict=True):
        n, K = r.means.shape
        f = np.sqrt(share * (n - 1) / n * B / (B - 1))
        mine = np.s_[row : row + n, column : column + K]
        means[mine] += f * (r.means - r.means.mean(axis=0))
        jacobians[mine] += f * (r.jacobians - r.jacobians.mean(axis=0))
        row, column = row + n, column + K
    metric = np.sum([r.metric for r in responses], axis=0)
    return Response(mean, jacobian, metric, means, jacobians)
