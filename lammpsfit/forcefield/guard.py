"""The guard against collapse: is a potential safe to run, judged by its curves alone.

The Buckingham form falls to minus infinity as r goes to 0. What keeps atoms out
is the barrier in front of that hole; the core term D/r^24 only turns the hole
into a deep well, in which a pair that got over the barrier stays for good. Pair
by pair, with U(r) as it will run (core included) and from the inside outward::

    r_w   innermost minimum: the bottom of the inner well
    r_b   the maximum that follows it: the barrier
    r_0   the minimum outside the barrier, where atoms belong

    height = U(r_b) - U(r_0)    what an atom must climb to get in
    depth  = U(r_b) - U(r_w)    what it must climb to get out
    floor  = U(r_w) - U(r_0) = height - depth

The inner well does no harm if one of these holds; energies are in units of kT,
of the hottest stage of a run:

- *out of reach*: height >= `barrier` kT. One attempt succeeds with a
  probability near exp(-height/kT), so that 15 kT would do for a lone pair; but
  the neighbours push as well. The constant is therefore a measured one: of
  256 potentials about BKS that ran for 3 ps at 3600 K, 41 of the 48 with less
  than 35 kT failed, 17 of the 46 with 35 to 60 kT, and 1 of the 43 with more or
  no barrier (``ci/check_guard.py``).
- *empty*: floor >= 10 kT and depth <= 5 kT. The well lies so high that less than
  1e-4 of the atoms would be in it in equilibrium, and who gets in falls out again within
  picoseconds. A deep one is a trap, however high it lies.
- *shallow*: depth <= 1 kT, and it is not where the core holds the structure: the
  core's energy at r_w stays under 1 kT, unless the well lies about that far above r_0.

And whether there is a barrier or not, the core must not be the wall that holds
the structure: its energy at r_0 must stay under 1 kT. That is what a pair
without any wall of its own fails; so did 107 of 117 runs there.

A minimum that has a wall of its own (core energy under 1 kT) is a bond, not a
hole, unless the charges of the pair repel each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammpsfit.errors import InputError
from lammpsfit.forcefield.coulomb import CoulombSum
from lammpsfit.forcefield.forms.base import Array
from lammpsfit.forcefield.pairs import split_pair
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.space import LATEST, ParameterSpace
from lammpsfit.inputs import quoted
from lammpsfit.units import BOLTZMANN_CONSTANT, COULOMB_CONSTANT

BARRIER = 35.0
"""Barrier that counts as out of reach, in kT: 10.9 eV at 3600 K. Where fewer than half of the
runs still fail, the search learns where by itself; the guard saves it the hopeless ones."""

SAFE_BARRIER = 45.0
"""The same for a search that does not learn where runs fail: 14 eV at 3600 K, which BKS (49 kT),
CHIK (none) and ML (53 kT) have, and which few runs get over."""

_FLOOR_KT = 10.0
_TRAP_KT = 5.0
_INNERMOST = 0.3
_STEP = 0.006


@dataclass(frozen=True)
class PairGuard:
    """What the guard found on the curve of one pair.

    Attributes
    ----------
    r_barrier
        Distance of the barrier in Å; NaN where there is none.
    height
        From the outer minimum up to the barrier in eV; infinite where U rises
        all the way in, 0 where nothing holds the pair.
    depth
        From the barrier down to the bottom of the inner well in eV; 0 where there is none.
    core
        Energy of the core term at the outer minimum in eV.
    margin
        In eV, at most 1 kT: sound where >= 0.
    reason
        Why it is sound or not, for people.
    """

    r_barrier: float
    height: float
    depth: float
    core: float
    margin: float
    reason: str

    @property
    def sound(self) -> bool:
        """Whether the pair is safe to run."""
        return self.margin >= 0.0


@dataclass(frozen=True)
class Guard:
    """What the guard found on all pairs of a potential, by pair name."""

    pairs: Mapping[str, PairGuard]

    @property
    def margin(self) -> float:
        """The smallest margin of the pairs in eV: sound where >= 0."""
        return min(pair.margin for pair in self.pairs.values())

    @property
    def sound(self) -> bool:
        """Whether every pair is safe to run."""
        return self.margin >= 0.0

    @property
    def reason(self) -> str:
        """The reasons of the unsound pairs; empty where all are sound."""
        return "; ".join(f"{n}: {pair.reason}" for n, pair in self.pairs.items() if not pair.sound)


@dataclass(frozen=True, eq=False)
class _Judged:
    """What was found on a curve, and how its margin follows from the curve.

    Attributes
    ----------
    found
        What was found.
    bins
        The distances that decide, as indices on the grid, shape (m,); none where the margin is
        the same for all curves about this one.
    of_energy, of_core
        Derivatives of the margin in U and in the core's part of it there, shape (m,).
    """

    found: PairGuard
    bins: NDArray[np.int64]
    of_energy: Array
    of_core: Array


def collapse(potential: Potential, temperature: float, barrier: float = BARRIER) -> Guard:
    """Judge from its curves whether a potential would collapse in a run.

    Parameters
    ----------
    potential
        The potential.
    temperature
        The highest temperature of the run in K.
    barrier
        Barrier in kT from which on an inner well is out of reach.

    Returns
    -------
    Guard
        Findings by pair, and a signed margin in eV that is continuous in the
        parameters except where a minimum disappears.

    Raises
    ------
    InputError
        If the temperature or the barrier is not positive, or the cutoff lies within 0.3 Å.
    """
    kT = _thermal_energy(temperature, barrier)
    judged = _all_judged(potential, _grid(potential.cutoff, potential.coulomb), kT, barrier)
    return Guard({pair: one.found for pair, one in zip(potential.pair_names, judged, strict=True)})


class SpaceGuard:
    """The guard's margins at points of a space.

    What was found at the latest points is remembered: a search along the guard asks for margins and
    for slopes of the same ones.

    Parameters
    ----------
    space
        What the coordinates of points are.
    temperature, barrier
        As of :func:`collapse`.
    """

    def __init__(self, space: ParameterSpace, temperature: float, barrier: float = BARRIER) -> None:
        self._space, self._barrier = space, barrier
        self._kT = _thermal_energy(temperature, barrier)
        self._grid = _grid(space.base.cutoff, space.base.coulomb)
        self._latest: dict[bytes, list[_Judged]] = {}

    def margins(self, points: ArrayLike) -> Array:
        """Return the margins in eV at points of the unit cube, shape (n, d).

        Returns
        -------
        array, shape (n, n_pairs)
            Pair by pair: the smallest decides, but each of them is smoother than that.
        """
        rows = [
            [judged.found.margin for judged in self._judged(u)]
            for u in np.asarray(points, dtype=float)
        ]
        return np.array(rows, dtype=float).reshape(-1, len(self._space.base.pair_names))

    def slopes(self, u: ArrayLike) -> Array:
        """Return the derivatives of the margins at one point of the unit cube, shape (d,).

        A margin is a function of a curve at a few distances, see :func:`_judge`: by the chain rule
        it moves with dU/du there. At a kink, where two conditions bind at once, it is the slope of
        one.

        Returns
        -------
        array, shape (n_pairs, d)
            In eV.
        """
        space, (r, V) = self._space, self._grid
        base, potential = space.base, space.potential(u)
        slopes = np.zeros((len(base.pair_names), space.dim))
        for k, (pair, judged) in enumerate(
            zip(base.pair_names, self._judged(np.asarray(u, dtype=float)), strict=True)
        ):
            at = judged.bins
            if not at.size:
                continue
            by_name = potential.gradient(pair, r[at])
            moves = {name: float(dU @ judged.of_energy) for name, dU in by_name.items()}
            for term in base.pairs.get(pair, ()):
                for name in term.form.parameter_names if term.form.core else ():
                    moves[f"{name}_{pair}"] += float(by_name[f"{name}_{pair}"] @ judged.of_core)
            if base.coulomb is not None and base.pair_coulomb is None:
                a, b = split_pair(pair)
                charges, moved = potential.charges, float(V[at] @ judged.of_energy)
                moves[f"q_{a}"] = charges[b] * moved
                moves[f"q_{b}"] = charges[a] * moved * (2.0 if a == b else 1.0)
            slopes[k] = space.chained(u, moves)
        return slopes

    def _judged(self, u: Array) -> list[_Judged]:
        """Judge the curve of each pair at a point."""
        key = u.tobytes()
        if key not in self._latest:
            if len(self._latest) >= LATEST:
                self._latest.clear()
            self._latest[key] = _all_judged(
                self._space.potential(u), self._grid, self._kT, self._barrier
            )
        return self._latest[key]


def _all_judged(
    potential: Potential, grid: tuple[Array, Array], kT: float, barrier: float
) -> list[_Judged]:
    """Judge the curve of each pair of a potential."""
    return [_judge(*_curves(potential, pair, *grid), kT, barrier) for pair in potential.pair_names]


def _thermal_energy(temperature: float, barrier: float) -> float:
    """Return kT in eV; both must be positive."""
    for name, value in (("temperature", temperature), ("barrier", barrier)):
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"{name} must be positive, got {quoted(value)}")
    return BOLTZMANN_CONSTANT * temperature


@lru_cache(maxsize=8)
def _grid(cutoff: float, coulomb: CoulombSum | None) -> tuple[Array, Array]:
    """Return distances in Å and k_e V(r) at them, the same for every candidate of a fit."""
    if not cutoff > _INNERMOST:
        raise InputError(f"cutoff must be above {_INNERMOST:g} Å, got {quoted(cutoff)} Å")
    n = max(2, math.ceil(math.log(cutoff / _INNERMOST) / _STEP))
    r = np.geomspace(_INNERMOST, cutoff, n, endpoint=False)
    V = COULOMB_CONSTANT * coulomb.energy(r) if coulomb else np.zeros_like(r)
    return r, V


def _curves(
    potential: Potential, pair: str, r: Array, V: Array
) -> tuple[Array, Array, Array, bool]:
    """Return r, U, the core's part of U, and whether the charges repel each other."""
    a, b = split_pair(pair)
    charges = potential.species[a].charge * potential.species[b].charge
    U, core = charges * V, np.zeros_like(r)
    for term in potential.pairs.get(pair, ()):
        energy = potential.term_energy(term, r)
        U = U + energy
        if term.form.core:
            core = core + energy
    return r, U, core, charges > 0.0 and potential.coulomb is not None


def _judge(r: Array, U: Array, core: Array, repelling: bool, kT: float, barrier: float) -> _Judged:
    required = barrier * kT
    well, peak = _inner_well(U)
    if peak is None:
        bottom = int(np.argmin(U))
        if bottom == 0:
            reason = "nothing holds the atoms apart: U falls all the way in"
            return _judged(PairGuard(math.nan, 0.0, 0.0, 0.0, -required, reason))
        return _without_barrier(bottom, core, kT)
    if not repelling and well > 0 and core[well] <= kT:
        return _without_barrier(well, core, kT)
    outer = peak + int(np.argmin(U[peak:]))
    (top, of_top), (low, of_low), (bottom_of_well, of_well) = (
        _vertex(U, i) for i in (peak, outer, well)
    )
    height, depth = top - low, top - bottom_of_well
    # the core counts as far as the inner well is populated: in full where it lies as low as the
    # outer one, not at all from 1 kT above on. So the margin is continuous where they swap.
    populated = min(max(1.0 - (height - depth) / kT, 0.0), 1.0)
    held = float(core[well])
    at_rest = float(core[outer])
    # each with its derivatives in the energies of the peak, of the outer minimum and of the
    # inner well, and in the core's energies of both minima
    partly = held / kT if 0.0 < populated < 1.0 else 0.0
    shallow = min(
        (kT - depth, (-1.0, 0.0, 1.0, 0.0, 0.0)),
        (kT - populated * held, (0.0, -partly, partly, 0.0, -populated)),
    )
    empty = min(
        (height - depth - _FLOOR_KT * kT, (0.0, -1.0, 1.0, 0.0, 0.0)),
        (_TRAP_KT * kT - depth, (-1.0, 0.0, 1.0, 0.0, 0.0)),
    )
    inner = max((height - required, (1.0, -1.0, 0.0, 0.0, 0.0)), empty, shallow)
    margin, (by_top, by_low, by_well, by_rest, by_held) = min(
        inner, (kT - at_rest, (0.0, 0.0, 0.0, -1.0, 0.0)), (kT, (0.0,) * 5)
    )
    reason = (
        f"barrier of {height:.3g} eV ({height / kT:.3g} kT) at {r[peak]:.3g} Å in front of a "
        f"well {depth:.3g} eV deep"
    )
    if inner[0] < 0.0:
        reason += f": less than {required:.3g} eV ({barrier:g} kT)"
    elif margin < 0.0:
        reason = _held_by_core(at_rest)
    found = PairGuard(float(r[peak]), height, depth, at_rest, margin, reason)
    moves: list[tuple[int, float, float]] = [(outer, 0.0, by_rest), (well, 0.0, by_held)]
    for i, by, of in ((peak, by_top, of_top), (outer, by_low, of_low), (well, by_well, of_well)):
        moves += [(i + k, by * x, 0.0) for k, x in zip(_around(of), of, strict=True)]
    return _judged(found, moves)


def _around(of: tuple[float, ...]) -> tuple[int, ...]:
    """Return the indices from that of an extreme on of what its value depends on."""
    return (-1, 0, 1) if len(of) == 3 else (0,)


def _judged(found: PairGuard, moves: Sequence[tuple[int, float, float]] = ()) -> _Judged:
    """Return a finding with what its margin depends on: index, derivatives in U and in the core."""
    some = [move for move in moves if move[1] or move[2]]
    return _Judged(
        found,
        np.array([move[0] for move in some], dtype=np.int64),
        np.array([move[1] for move in some]),
        np.array([move[2] for move in some]),
    )


def _without_barrier(bottom: int, core: Array, kT: float) -> _Judged:
    """Judge a curve without a hole, whose minimum is at the index `bottom`."""
    at_rest = float(core[bottom])
    margin = kT - at_rest
    reason = "U rises all the way in" if margin >= 0.0 else _held_by_core(at_rest)
    found = PairGuard(math.nan, math.inf, 0.0, at_rest, margin, reason)
    return _judged(found, [(bottom, 0.0, -1.0)])


def _held_by_core(core: float) -> str:
    return f"only the core holds the atoms apart: it has {core:.3g} eV at the minimum"


def _inner_well(U: Array) -> tuple[int, int | None]:
    """Return the indices of the innermost minimum and of the maximum outside it.

    The inner edge of the grid counts as a minimum where U falls towards it.
    The second is None where U rises from there to the outer edge.
    """
    rising = U[1:] > U[:-1]
    well = int(np.argmax(rising))
    if not rising[well]:
        return len(U) - 1, None
    falling = ~rising[well:]
    step = int(np.argmax(falling))
    return well, (well + step if falling[step] else None)


def _vertex(U: Array, i: int) -> tuple[float, tuple[float, ...]]:
    """Return the extreme value of the parabola through three points around index i.

    With it come its derivatives in U at these three, or in U at i where it stands alone.
    """
    if i in (0, len(U) - 1):
        return float(U[i]), (1.0,)
    left, middle, right = U[i - 1 : i + 2].tolist()
    curvature = left - 2.0 * middle + right
    if curvature == 0.0:
        return middle, (1.0,)
    tilt = (right - left) / (4.0 * curvature)
    outward = 2.0 * tilt * tilt
    value = middle - (right - left) ** 2 / (8.0 * curvature)
    return value, (outward + tilt, 1.0 - 2.0 * outward, outward - tilt)
