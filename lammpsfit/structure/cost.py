"""How far a pair distribution is from its reference: R, its error, and R without noise.

    χ²_ab = Σ_r [g_ref,ab(r) - g_ab(r)]² / Σ_r g_ref,ab(r)²
    R     = sqrt( Σ_ab w_ab χ²_ab / Σ_ab w_ab )

the factor of Liu et al., MRS Communications 9, 593 (2019), doi:10.1557/mrc.2019.47, over
the reference's own bins; there all weights are 1. The value depends on the range of r (zeros
beyond the last difference dilute it), so the range goes wherever R goes: :func:`DEFINITION`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import block_means, jackknife_error, leave_one_out
from lammpsfit.structure.rdf import BIN_TOLERANCE, PartialRdf, canonical_pair

FloatArray = NDArray[np.float64]

N_SEGMENTS: Final = 4
"""Parts of the run whose R shows drift (quarters)."""


@dataclass(frozen=True)
class PairCost:
    """Cost of one pair.

    Attributes
    ----------
    chi2 : float
        χ² of the pair (dimensionless).
    cost : float
        sqrt(chi2), as a fraction: 0.098 for 9.8 %.
    error : float
        Standard error of `cost` by block jackknife; nan with fewer than two blocks.
    """

    chi2: float
    cost: float
    error: float


@dataclass(frozen=True)
class Cost:
    """Cost R of a pair distribution against a reference. All costs are fractions.

    Attributes
    ----------
    value : float
        R.
    error : float
        Standard error of R by block jackknife; nan with fewer than two blocks.
    corrected : float
        R without the part that is statistical noise (see :func:`cost`); equals `value`
        with fewer than two blocks.
    pairs : mapping of str to PairCost
        By pair, in the reference's order and spelling.
    segments : tuple of float
        R of the quarters of the run, in time order, to show drift. Empty with fewer than
        four blocks. A quarter is noisier than the whole, so its R is inflated more.
    r_min, r_max : float, Å
        Edges of the range summed over.
    dr : float, Å
        Bin width.
    weights : mapping of str to float
        w_ab by pair.
    """

    value: float
    error: float
    corrected: float
    pairs: Mapping[str, PairCost]
    segments: tuple[float, ...]
    r_min: float
    r_max: float
    dr: float
    weights: Mapping[str, float]

    @property
    def definition(self) -> str:
        """One line that defines this R, with its range, bins and weights."""
        return DEFINITION(self.r_min, self.r_max, self.weights, self.dr)


def DEFINITION(
    r_min: float,
    r_max: float,
    pairs: Sequence[str] | Mapping[str, float] = (),
    dr: float | None = None,
) -> str:
    """State in one line what R is and over which range; print it wherever R is printed.

    Parameters
    ----------
    r_min, r_max : float, Å
        Range of the sum.
    pairs : sequence of str, or mapping of str to float
        The pairs of the mean; as a mapping, their weights, named where they differ.
    dr : float, Å, optional
        Bin width.

    Examples
    --------
    >>> DEFINITION(0.0, 6.0, ["Si-O"])
    'R = sqrt(mean over Si-O of sum_r (g_ref - g)^2 / sum_r g_ref^2), 0 < r < 6.00 Å'
    """
    weights = pairs if isinstance(pairs, Mapping) else dict.fromkeys(pairs, 1.0)
    mean, names = "mean", ", ".join(weights) or "pairs"
    if len(set(weights.values())) > 1:
        mean = "weighted mean"
        names = ", ".join(f"{pair} (weight {weight:g})" for pair, weight in weights.items())
    lower = f"{r_min:.2f}" if r_min else "0"
    text = (
        f"R = sqrt({mean} over {names} of sum_r (g_ref - g)^2 / sum_r g_ref^2), "
        f"{lower} < r < {r_max:.2f} Å"
    )
    return text if dr is None else f"{text}, bins {dr:.3g} Å"


def cost(
    rdf: PartialRdf,
    reference: PartialRdf,
    weights: Mapping[str, float] | None = None,
    r_min: float = 0.0,
    r_max: float | None = None,
) -> Cost:
    """Compare a pair distribution with its reference.

    *Error.* R is a nonlinear function of the mean g, so its standard error comes from the
    jackknife over the n blocks (Efron and Stein, Ann. Stat. 9, 586 (1981),
    doi:10.1214/aos/1176345462): with R_(k) computed from all blocks but k,

        error² = (n - 1)/n Σ_k (R_(k) - mean R_(k))²

    It holds the statistical error of the run only: neither drift nor the reference's error.

    *Correction.* A sampled g is the true one plus noise of zero mean, which adds its
    variance to every squared difference: E[χ²] = χ²_true + Σ_r var(g) / Σ_r g_ref². So

        R_c² = R² - Σ_ab w_ab [Σ_r var(g_ab(r)) / Σ_r g_ref,ab(r)²] / Σ_ab w_ab

    has the right mean (0 where negative), with var(g) of the mean from the blocks. The
    reference's own noise is the same for every potential and stays in R.

    Parameters
    ----------
    rdf : PartialRdf
        The sample; its bins must be the reference's, but may go on beyond them.
    reference : PartialRdf
        The target.
    weights : mapping of str to float, optional
        w_ab >= 0 by pair, in either spelling; 1 where not given.
    r_min, r_max : float, Å, optional
        Range: bins whose centre lies within it. By default all bins of the reference.

    Returns
    -------
    Cost

    Raises
    ------
    InputError
        If pairs or bins do not match, the range is not covered, a weight is negative or
        names no pair, or a reference g is zero all over the range.
    """
    _check_range(reference, r_min, r_max)
    target = reference.select(r_min, r_max)
    sample = _onto_bins(_onto_pairs(rdf, target), target)
    w = _weights(weights, target.pairs)
    norm = _norm(target, w)

    def chi2(g: FloatArray) -> FloatArray:
        """χ² by pair, shape (..., n_pairs), of g with shape (..., n_pairs, n_bins)."""
        values: FloatArray = np.sum((target.g - g) ** 2, axis=-1) / norm
        return values

    def R(chi2: FloatArray) -> FloatArray:
        values: FloatArray = np.sqrt(chi2 @ w / w.sum())
        return values

    chi2_ab = chi2(sample.g)
    error, pair_errors = np.nan, np.full(len(w), np.nan)
    if sample.blocks is not None and len(sample.blocks) > 1:
        without_one = chi2(leave_one_out(sample.blocks))
        error = float(jackknife_error(R(without_one)))
        pair_errors = jackknife_error(np.sqrt(without_one))
    noise = sample.variance.sum(axis=1) / norm
    corrected2 = float((chi2_ab - noise) @ w / w.sum())
    quarters = []
    if sample.blocks is not None and len(sample.blocks) >= N_SEGMENTS:
        quarters = list(block_means(sample.blocks, N_SEGMENTS))
    return Cost(
        value=float(R(chi2_ab)),
        error=error,
        corrected=float(np.sqrt(max(corrected2, 0.0))),
        pairs={
            pair: PairCost(float(x), float(np.sqrt(x)), float(e))
            for pair, x, e, n in zip(target.pairs, chi2_ab, pair_errors, norm, strict=True)
            if np.isfinite(n)
        },
        segments=tuple(float(R(chi2(g))) for g in quarters),
        r_min=round(float(target.edges[0]), 9),
        r_max=round(float(target.edges[-1]), 9),
        dr=target.dr,
        weights=dict(zip(target.pairs, w.tolist(), strict=True)),
    )


def residual_scale(reference: PartialRdf, weights: Mapping[str, float] | None = None) -> FloatArray:
    """Factors by pair, shape (n_pairs,), that make residuals of differences: R² = Σ (f Δg)².

    Raises
    ------
    InputError
        As :func:`cost`.
    """
    w = _weights(weights, reference.pairs)
    factors: FloatArray = np.sqrt(w / w.sum() / _norm(reference, w))
    return factors


def _check_range(reference: PartialRdf, r_min: float, r_max: float | None) -> None:
    end = reference.edges[-1]
    if not r_min >= 0.0:
        raise InputError(f"r_min must be at least 0 Å, got {r_min:g} Å")
    if r_max is None:
        return
    if not r_max > r_min:
        raise InputError(f"r_max must lie above r_min = {r_min:g} Å, got {r_max:g} Å")
    # One bin of grace: tables differ on whether r is the middle or the end of a bin.
    if r_max > end + reference.dr:
        raise InputError(
            f"r_max must be at most {end:.2f} Å, where the reference ends, got {r_max:g} Å: "
            f"lower r_max or leave it out"
        )


def _onto_pairs(rdf: PartialRdf, reference: PartialRdf) -> PartialRdf:
    ours = {canonical_pair(pair): pair for pair in rdf.pairs}
    theirs = {canonical_pair(pair): pair for pair in reference.pairs}
    if ours.keys() != theirs.keys():
        missing = [name for key, name in theirs.items() if key not in ours]
        extra = [name for key, name in ours.items() if key not in theirs]
        raise InputError(
            "g(r) and reference must have the same pairs: "
            + "; ".join(
                f"{', '.join(names)} {where}"
                for names, where in (
                    (missing, "missing from g(r): sample every pair of the reference"),
                    (extra, "missing from the reference: add the column, or drop the pair"),
                )
                if names
            )
        )
    return rdf.reorder(reference.pairs)


def _onto_bins(rdf: PartialRdf, reference: PartialRdf) -> PartialRdf:
    """Cut the sample to the reference's bins, or say why it cannot be done."""
    n = reference.r.size
    start = int(np.argmin(np.abs(rdf.r - reference.r[0])))
    r = rdf.r[start : start + n]
    if r.size != n or np.abs(r - reference.r).max() > BIN_TOLERANCE * reference.dr:
        raise InputError(
            f"g(r) must lie on the bins of the reference ({_bins(reference)}), "
            f"got {_bins(rdf)}: sample g(r) with the reference's bins"
        )
    blocks = None if rdf.blocks is None else rdf.blocks[:, :, start : start + n]
    return PartialRdf(rdf.pairs, r, rdf.g[:, start : start + n], blocks)


def _bins(rdf: PartialRdf) -> str:
    return f"{rdf.r.size} bins of {rdf.dr:.4g} Å, centres {rdf.r[0]:.4g} to {rdf.r[-1]:.4g} Å"


def _weights(weights: Mapping[str, float] | None, pairs: tuple[str, ...]) -> FloatArray:
    given = {canonical_pair(pair): (pair, weight) for pair, weight in (weights or {}).items()}
    known = {canonical_pair(pair) for pair in pairs}
    for key, (pair, weight) in given.items():
        if key not in known:
            raise InputError(
                f"weight given for {pair}, which is no pair of the reference "
                f"({', '.join(pairs)}): remove it or mend its name"
            )
        if not (np.isfinite(weight) and weight >= 0.0):
            raise InputError(f"the weight of {pair} must be a number >= 0, got {weight}")
    w = np.array([given.get(canonical_pair(pair), (pair, 1.0))[1] for pair in pairs], dtype=float)
    if not w.sum() > 0.0:
        raise InputError("at least one weight must be above 0, got only zeros")
    return w


def _norm(reference: PartialRdf, w: FloatArray) -> FloatArray:
    """Σ_r g_ref² by pair; infinite where the reference is zero and has no weight."""
    norm: FloatArray = np.sum(reference.g**2, axis=1)
    norm[(norm == 0.0) & (w == 0.0)] = np.inf
    for pair, value in zip(reference.pairs, norm, strict=True):
        if not value > 0.0:
            raise InputError(
                f"the reference g(r) of {pair} is zero from {reference.r[0]:g} to "
                f"{reference.r[-1]:g} Å, so its cost is undefined: widen the range, or give it "
                "weight 0"
            )
    return norm
