"""The space a fit searches: some parameters of a potential, as points of the unit cube."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.errors import InputError
from lammpsfit.forcefield.charges import balance_weights
from lammpsfit.forcefield.forms.base import Array
from lammpsfit.forcefield.free import ROUNDING, Free, Tie
from lammpsfit.forcefield.potential import Potential
from lammpsfit.inputs import quoted
from lammpsfit.suggest import suggestion

LATEST: Final = 16
"""Points that a space remembers: the same one is asked for pair by pair."""

_Key: TypeAlias = tuple[tuple[int, ...], bytes]
"""What tells a point from others."""


@dataclass(frozen=True)
class ParameterSpace:
    """Which parameters of a potential are free, and how the others follow.

    Parameters that are neither free, tied nor balanced keep their value in `base`. Names may have
    their pair in either order; they are brought into that of the species.

    Attributes
    ----------
    base
        The potential that gives the form and all values that stay fixed.
    free
        The free parameters; their order is the order of the unit cube's axes.
    ties
        Parameters that follow a free or a fixed one.
    balance
        A species whose charge follows from neutrality:
        q_b = -(sum of n_s q_s over the other species) / n_b.
    composition
        Numbers of atoms by species; needed where charges are free or tied.

    Raises
    ------
    InputError
        If a name is unknown or used twice, a bound not allowed, a parameter
        tied to a tied one, or the charges do not add up to zero everywhere.

    Examples
    --------
    >>> from lammpsfit.forcefield import Free, ParameterSpace, load_potential
    >>> space = ParameterSpace(
    ...     load_potential("BKS"), (Free("q_Si", 1.6, 3.2),),
    ...     balance="O", composition={"Si": 1, "O": 2},
    ... )
    >>> potential = space.potential([1.0])
    >>> potential.species["Si"].charge, potential.species["O"].charge
    (3.2, -1.6)
    """

    base: Potential
    free: Sequence[Free]
    ties: Sequence[Tie] = ()
    balance: str | None = None
    composition: Mapping[str, int] | None = None
    _balance_weights: dict[str, float] = field(init=False, repr=False, compare=False)
    _latest: dict[_Key, Potential] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _latest_moves: dict[_Key, list[dict[str, float]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        named = self.base.parameter_name
        axes = tuple(replace(free, name=named(free.name)) for free in self.free)
        ties = tuple(replace(tie, name=named(tie.name), to=named(tie.to)) for tie in self.ties)
        object.__setattr__(self, "free", axes)
        object.__setattr__(self, "ties", ties)
        self._check_names()
        object.__setattr__(self, "_balance_weights", self._weights())
        self._check_charges()
        for free in self.free:
            for bound in (free.lower, free.upper):
                self.base.replace({free.name: bound})

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters, in the order of the axes."""
        return tuple(free.name for free in self.free)

    @property
    def dim(self) -> int:
        """Number of free parameters, the dimension d of the unit cube."""
        return len(self.free)

    def values(self, u: ArrayLike) -> dict[str, float]:
        """Return the free parameters by name at `u`, shape (d,), a point of the unit cube."""
        point = self._point(u)
        return {free.name: free.value(x) for free, x in zip(self.free, point, strict=True)}

    def potential(self, u: ArrayLike) -> Potential:
        """Return the potential at `u`, shape (d,), a point of the unit cube."""
        key = _key(u)
        if key not in self._latest:
            if len(self._latest) >= LATEST:
                self._latest.clear()
            self._latest[key] = self.base.replace(self._followers(self.values(u)))
        return self._latest[key]

    def unit(self, potential: Potential) -> Array:
        """Return the point of the unit cube, shape (d,), with the free parameters of `potential`.

        Only the free parameters are read: others may differ from what
        :meth:`potential` would give them.

        Raises
        ------
        InputError
            If one lies outside its bounds or is missing from the potential.
        """
        known = potential.parameters
        values = []
        for free in self.free:
            name = potential.parameter_name(free.name)
            if name not in known:
                raise InputError(
                    f"potential {potential.name} has no parameter {quoted(name)}: "
                    f"{suggestion(name, known)}"
                )
            values.append(free.unit(known[name]))
        return np.array(values, dtype=float)

    def under(self, composition: Mapping[str, int]) -> "ParameterSpace":
        """Return this space as another composition sees it.

        It differs where the potential has a charge that follows from the composition.

        Raises
        ------
        InputError
            If the charges of the composition do not add up to zero everywhere.
        """
        return self if self.base.balance is None else replace(self, composition=composition)

    def gradient(self, u: ArrayLike, pair: str, r: ArrayLike, *, core: bool = True) -> Array:
        """Return dU(r)/du of `pair` at `u`, in eV, by the chain rule.

        Parameters
        ----------
        u
            Point of the unit cube, shape (d,).
        pair
            Name of a pair.
        r
            Distances in Å, shape (n,).
        core
            Whether terms flagged as core count; False leaves them out.

        Returns
        -------
        array, shape (d, n)
        """
        return self.chained(u, self.potential(u).gradient(pair, r, core=core), np.shape(r))

    def slope_gradient(self, u: ArrayLike, pair: str, r: ArrayLike) -> Array:
        """Return d²U(r)/(dr du) of `pair` at `u`, in eV/Å; otherwise as :meth:`gradient`."""
        return self.chained(u, self.potential(u).slope_gradient(pair, r), np.shape(r))

    def charge_gradient(self, u: ArrayLike) -> dict[str, Array]:
        """Return dq/du of each species at `u`, in e, shape (d,) each."""
        found = {species: np.zeros(self.dim) for species in self.base.species}
        for k, derivatives in enumerate(self._derivatives(u)):
            for species, gradient in found.items():
                gradient[k] = derivatives.get(f"q_{species}", 0.0)
        return found

    def chained(
        self, u: ArrayLike, by_name: Mapping[str, ArrayLike], shape: tuple[int, ...] = ()
    ) -> Array:
        """Turn derivatives in parameters of the potential into those in `u`, by the chain rule.

        Parameters
        ----------
        u
            Point of the unit cube, shape (d,).
        by_name
            The derivatives in each parameter that matters, of the given shape.

        Returns
        -------
        array, shape (d, ...)
        """
        result = np.zeros((self.dim, *shape))
        for k, derivatives in enumerate(self._derivatives(u)):
            for name, derivative in derivatives.items():
                if name in by_name:
                    result[k] += derivative * np.asarray(by_name[name])
        return result

    def _derivatives(self, u: ArrayLike) -> list[dict[str, float]]:
        """Return, for each axis k, dparameter/du_k of every parameter that moves with it."""
        key = _key(u)
        if key not in self._latest_moves:
            if len(self._latest_moves) >= LATEST:
                self._latest_moves.clear()
            self._latest_moves[key] = self._moves(self._point(u))
        return self._latest_moves[key]

    def _moves(self, point: list[float]) -> list[dict[str, float]]:
        rows = []
        for free, x in zip(self.free, point, strict=True):
            moves = {free.name: free.derivative(x)}
            for tie in self.ties:
                if tie.to == free.name:
                    moves[tie.name] = tie.factor * moves[free.name]
            balanced = self._balanced(moves, change=True)
            moves.update((name, move) for name, move in balanced.items() if move)
            rows.append(moves)
        return rows

    def _followers(self, values: dict[str, float]) -> dict[str, float]:
        """Return `values` of the free parameters with the tied and balanced ones added."""
        everything = dict(values)
        base = self.base.parameters
        for tie in self.ties:
            everything[tie.name] = tie.factor * everything.get(tie.to, base[tie.to])
        everything.update(self._balanced(everything, change=False))
        return everything

    def _balanced(self, charges: Mapping[str, float], *, change: bool) -> dict[str, float]:
        """Return the balancing charge, or its change where `charges` are changes."""
        if self.balance is None:
            return {}
        fixed = {} if change else self.base.parameters
        weights = self._balance_weights.items()
        terms = (w * charges.get(name, fixed.get(name, 0.0)) for name, w in weights)
        return {f"q_{self.balance}": math.fsum(terms)}

    def _point(self, u: ArrayLike) -> list[float]:
        point = np.asarray(u, dtype=float)
        if point.shape != (self.dim,):
            raise ValueError(f"u must have the shape ({self.dim},), got {point.shape}")
        values: list[float] = point.tolist()
        if not all(-ROUNDING <= x <= 1.0 + ROUNDING for x in values):
            raise ValueError(f"u must lie in the unit cube, got {point}")
        return [min(max(x, 0.0), 1.0) for x in values]

    def _check_names(self) -> None:
        known = self.base.parameters
        set_names = [*self.names, *(tie.name for tie in self.ties)]
        for name in [*set_names, *(tie.to for tie in self.ties)]:
            if name not in known:
                raise InputError(
                    f"potential {self.base.name} has no parameter {quoted(name)}: "
                    f"{suggestion(name, known)}"
                )
        for name in set_names:
            if set_names.count(name) > 1:
                raise InputError(f"{name} must be free or tied once, got it twice: remove one")
        tied = {tie.name for tie in self.ties}
        for tie in self.ties:
            if tie.to in tied:
                raise InputError(
                    f"{tie.name} is tied to {tie.to}, which is tied itself: "
                    "tie both to the same parameter"
                )

    def _weights(self) -> dict[str, float]:
        """Return -n_s/n_b for the charges of all species but the balancing one."""
        if self.balance is None:
            return {}
        own = f"q_{self.balance}"
        involved = {*self.names, *(tie.name for tie in self.ties), *(tie.to for tie in self.ties)}
        if own in involved:
            raise InputError(f"{own} balances the charges: it must not be free, tied or tied to")
        composition = self.composition or {}
        self.base.balanced(self.balance, composition)
        weights = balance_weights(self.balance, composition)
        return {f"q_{species}": weight for species, weight in weights.items()}

    def _check_charges(self) -> None:
        """Check neutrality where the net charge, linear in each free charge, is decided."""
        if not self.base.coulomb:
            return
        charges = [k for k, name in enumerate(self.names) if name.startswith("q_")]
        moved = bool(charges) or any(tie.name.startswith("q_") for tie in self.ties)
        if self.composition is None:
            if moved:
                raise InputError("free or tied charges need the composition to stay neutral")
            return
        corners = np.vstack([np.zeros(self.dim), np.eye(self.dim)[charges]])
        for corner in corners:
            self.potential(corner).check_neutral(self.composition)
        if not self.base.coulomb.pairwise:
            self._check_scaling([self.potential(corner) for corner in corners])

    def _check_scaling(self, corners: Sequence[Potential]) -> None:
        """Check that all charges scale together: the energy then scales with their square."""
        charges = np.array([list(potential.charges.values()) for potential in corners])
        _, singular, _ = np.linalg.svd(charges)
        if len(singular) > 1 and singular[1] > ROUNDING * singular[0]:
            coulomb = self.base.coulomb
            assert coulomb is not None
            raise InputError(
                f"charges must scale together with {coulomb.style}, whose energy is no sum over "
                "pairs: free one and tie the others to it or let one balance, or use a sum such "
                "as dsf"
            )


def _key(u: ArrayLike) -> _Key:
    point = np.asarray(u, dtype=float)
    return point.shape, point.tobytes()
