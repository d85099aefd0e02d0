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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

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


Pair: TypeAlias = tuple[FloatArray, FloatArray]
"""What all blocks say, and what they say without each of them, blocks first."""


@dataclass(frozen=True, eq=False)
class Response:
    """Averages, and how they change with the parameters.

    Each part is found when it is first asked for: of many runs a search wants to know no more than
    the averages, or the metric.

    Attributes
    ----------
    averages
        Finds :attr:`mean` and :attr:`means`.
    derivatives
        Finds :attr:`jacobian` and :attr:`jacobians`.
    fluctuation
        Finds :attr:`metric`.
    dim
        Number of parameters, d.
    """

    averages: Callable[[], Pair]
    derivatives: Callable[[], Pair]
    fluctuation: Callable[[], FloatArray]
    dim: int

    @classmethod
    def of(
        cls,
        mean: FloatArray,
        jacobian: FloatArray,
        metric: FloatArray,
        means: FloatArray,
        jacobians: FloatArray,
    ) -> Response:
        """Return the response with these parts, see the properties of their names."""
        return cls(
            lambda: (mean, means), lambda: (jacobian, jacobians), lambda: metric, jacobian.shape[1]
        )

    @cached_property
    def _averages(self) -> Pair:
        return self.averages()

    @cached_property
    def _derivatives(self) -> Pair:
        return self.derivatives()

    @property
    def mean(self) -> FloatArray:
        """Averages <A_k>, shape (K,)."""
        return self._averages[0]

    @property
    def means(self) -> FloatArray:
        """Averages without each of the B blocks, shape (B, K): for errors by the jackknife."""
        return self._averages[1]

    @property
    def jacobian(self) -> FloatArray:
        """Derivatives d<A_k>/dθ_i, shape (K, d)."""
        return self._derivatives[0]

    @property
    def jacobians(self) -> FloatArray:
        """Derivatives without each of the B blocks, shape (B, K, d)."""
        return self._derivatives[1]

    @cached_property
    def metric(self) -> FloatArray:
        """The metric F, shape (d, d)."""
        return self.fluctuation()

    @property
    def mean_error(self) -> FloatArray:
        """Standard error of the averages, shape (K,)."""
        return jackknife_error(self.means)

    @property
    def jacobian_error(self) -> FloatArray:
        """Standard error of the derivatives, shape (K, d)."""
        return jackknife_error(self.jacobians)

    @property
    def mean_noise(self) -> float:
        """What noise adds to the sum of the squared averages, by the jackknife."""
        B = len(self.means)
        return (B - 1) / B * float(np.sum((self.means - self.means.mean(axis=0)) ** 2))

    @property
    def noise(self) -> Noise:
        """What noise adds to squares of the averages and their derivatives, by the jackknife."""
        B = len(self.means)
        dy = self.means - self.means.mean(axis=0)
        # blocks, parameters, observables
        dJ = (self.jacobians - self.jacobians.mean(axis=0)).transpose(0, 2, 1)
        return Noise(
            self.mean_noise,
            (B - 1) / B * (dJ @ dy[:, :, None]).sum(axis=0)[:, 0],
            (B - 1) / B * (dJ @ dJ.transpose(0, 2, 1)).sum(axis=0),
        )

    def rows(self, start: int, stop: int | None = None) -> Response:
        """Return some of the averages only."""

        def of(pair: Pair) -> Pair:
            return pair[0][start:stop], pair[1][:, start:stop]

        return Response(
            lambda: of(self._averages),
            lambda: of(self._derivatives),
            lambda: self.metric,
            self.dim,
        )

    def beside(self, other: Response) -> Response:
        """Put averages of the same frames, weights and blocks after these."""
        return Response(
            lambda: _joined(self._averages, other._averages),
            lambda: _joined(self._derivatives, other._derivatives),
            lambda: self.metric,
            self.dim,
        )

    def beside_exact(self, mean: FloatArray, jacobian: FloatArray) -> Response:
        """Put numbers without noise, shapes (K,) and (K, d), after these."""

        def repeated(exact: FloatArray) -> Pair:
            return exact, np.tile(exact, (len(self.means), *np.ones(exact.ndim, dtype=int)))

        return Response(
            lambda: _joined(self._averages, repeated(mean)),
            lambda: _joined(self._derivatives, repeated(jacobian)),
            lambda: self.metric,
            self.dim,
        )


def _joined(one: Pair, other: Pair) -> Pair:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]], axis=1)


@dataclass(frozen=True, eq=False)
class Weighing:
    """How the frames of some runs count, of one run after the other.

    Attributes
    ----------
    beta
        1/k_B T in 1/eV.
    weights
        Weight of each frame, >= 0, an array for each run.
    starts
        The first frame of each block, an array of whole numbers for each run. Errors are right
        where blocks are longer than the correlation time.
    """

    beta: float
    weights: Sequence[FloatArray]
    starts: Sequence[NDArray[np.int64]]

    @cached_property
    def _blocks(self) -> list[tuple[int, slice]]:
        """The run and the frames of each block."""
        return [
            (run, slice(first, end))
            for run, (w, starts) in enumerate(zip(self.weights, self.starts, strict=True))
            for first, end in pairwise([*starts.tolist(), len(w)])
        ]

    @cached_property
    def _weight(self) -> FloatArray:
        """Weight of each block, shape (B,)."""
        return np.array([self.weights[run][part].sum() for run, part in self._blocks])

    @cached_property
    def _rest(self) -> FloatArray:
        """Weight of all blocks but each, shape (B,)."""
        rest: FloatArray = self._weight.sum() - self._weight
        return rest

    def averages(self, A: Sequence[FloatArray]) -> Pair:
        """Average observables, shape (n, K) for each run; return shapes (K,) and (B, K)."""
        sums = np.empty((len(self._blocks), A[0].shape[1]))
        for row, (run, part) in zip(sums, self._blocks, strict=True):
            np.matmul(self.weights[run][part], A[run][part], out=row)
        total = sums.sum(axis=0)
        each: FloatArray = (total - sums) / self._rest[:, None]
        return total / self._weight.sum(), each

    def derivatives(
        self,
        A: Sequence[FloatArray],
        dU: Sequence[FloatArray],
        dA: Sequence[FloatArray] | None = None,
    ) -> Pair:
        """Differentiate averages by the formula above; return shapes (K, d) and (B, K, d).

        Parameters
        ----------
        A
            Observables of each frame, shape (n, K) for each run.
        dU
            dU/dθ of each frame in eV per unit of θ, shape (n, d) for each run.
        dA
            dA/dθ of each frame, shape (n, K, d) for each run, where observables depend on the
            parameters themselves.
        """
        # centred: covariances are small differences of large numbers otherwise
        centred = [d - self._mean(dU) for d in dU]
        weighted = [
            w[:, None] * np.column_stack([np.ones(len(d)), d])
            for w, d in zip(self.weights, centred, strict=True)
        ]
        # of each block Σ w A and Σ w A dU, shape (B, 1 + d, K), and Σ w dU, shape (B, d)
        sums = np.empty((len(self._blocks), weighted[0].shape[1], A[0].shape[1]))
        for rows, (run, part) in zip(sums, self._blocks, strict=True):
            np.matmul(weighted[run][part].T, A[run][part], out=rows)
        moved = np.array([weighted[run][part, 1:].sum(axis=0) for run, part in self._blocks])
        total, total_moved = sums.sum(axis=0), moved.sum(axis=0)
        W = self._weight.sum()
        whole = self.beta / W * (np.outer(total_moved, total[0]) / W - total[1:])
        means = (total[0] - sums[:, 0]) / self._rest[:, None]
        moves = (total_moved - moved) * (self.beta / self._rest[:, None])
        each = sums[:, 1:]
        each -= total[1:]
        each *= (self.beta / self._rest)[:, None, None]
        each += moves[:, :, None] * means[:, None, :]
        if dA is not None:
            direct = np.array(
                [
                    np.tensordot(self.weights[run][part], dA[run][part], axes=1).T
                    for run, part in self._blocks
                ]
            )
            all_direct = direct.sum(axis=0)
            whole += all_direct / W
            each += (all_direct - direct) / self._rest[:, None, None]
        return whole.T, each.transpose(0, 2, 1)

    def metric(self, dU: Sequence[FloatArray]) -> FloatArray:
        """Return F of dU/dθ in eV per unit of θ, shape (n, d) for each run; shape (d, d)."""
        d, w = np.concatenate(dU), np.concatenate(self.weights)
        d = d - self._mean(dU)
        metric: FloatArray = self.beta**2 * (d.T * w) @ d / w.sum()
        return metric

    def _mean(self, dU: Sequence[FloatArray]) -> FloatArray:
        mean: FloatArray = np.average(
            np.concatenate(dU), axis=0, weights=np.concatenate(self.weights)
        )
        return mean


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
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(n_blocks))
    weighing = Weighing(beta, [w[order]], [starts])
    observed, energies = [a[order]], [d[order]]
    direct = None if dA is None else [np.asarray(dA, dtype=np.float64)[order]]
    return Response(
        lambda: weighing.averages(observed),
        lambda: weighing.derivatives(observed, energies, direct),
        lambda: weighing.metric(energies),
        d.shape[1],
    )


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
    if not responses or len({r.dim for r in responses}) != 1:
        raise InputError("responses that are stacked must be of the same parameters, and some")
    several = list(zip(responses, shares, strict=True))
    return Response(
        lambda: _stacked([(r.mean, r.means) for r, _ in several], shares),
        lambda: _stacked([(r.jacobian, r.jacobians) for r, _ in several], shares),
        lambda: np.asarray(np.sum([r.metric for r in responses], axis=0)),
        responses[0].dim,
    )


def _stacked(pairs: Sequence[Pair], shares: Sequence[float]) -> Pair:
    B = sum(len(each) for _, each in pairs)
    whole = np.concatenate([np.sqrt(s) * w for (w, _), s in zip(pairs, shares, strict=True)])
    every = np.tile(whole, (B, *np.ones(whole.ndim, dtype=int)))
    row = column = 0
    for (_, each), share in zip(pairs, shares, strict=True):
        n, K = each.shape[:2]
        f = np.sqrt(share * (n - 1) / n * B / (B - 1))
        every[row : row + n, column : column + K] += f * (each - each.mean(axis=0))
        row, column = row + n, column + K
    return whole, every
