"""The space a fit searches: some parameters of a potential, as points of the unit cube."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.errors import InputError
from lammpsfit.forcefield.forms.base import Array
from lammpsfit.forcefield.potential import Potential
from lammpsfit.suggest import suggestion

_ROUNDING = 1e-9
"""How far outside the unit cube, or relatively outside its bounds, a value may lie by rounding."""


@dataclass(frozen=True)
class Free:
    """A parameter that the fit may change between two bounds.

    Attributes
    ----------
    name
        Name of the parameter, for instance ``"rho_Si-O"``.
    lower, upper
        Bounds, in the unit of the parameter.
    log
        Whether the unit interval is mapped geometrically, lower (upper/lower)^u,
        rather than linearly. Bounds must then be positive.
    """

    name: str
    lower: float
    upper: float
    log: bool = True

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            raise InputError(
                f"bounds of {self.name} must be finite, got {self.lower!r} to {self.upper!r}"
            )
        if self.lower >= self.upper:
            raise InputError(
                f"the lower bound of {self.name} must be below the upper one, "
                f"got {self.lower!r} to {self.upper!r}: swap or widen them"
            )
        if self.log and self.lower <= 0.0:
            raise InputError(
                f"bounds of {self.name} must be positive on a log scale, got {self.lower!r} to "
                f"{self.upper!r}: raise the lower bound or set log = false"
            )

    def value(self, u: float) -> float:
        """Return the value at `u` in [0, 1]; exactly the bounds at 0 and 1."""
        if self.log:
            # In this symmetric form 0 and 1 give the bounds to the bit.
            return float(self.lower ** (1.0 - u) * self.upper**u)
        return (1.0 - u) * self.lower + u * self.upper

    def derivative(self, u: float) -> float:
        """Return dvalue/du at `u`."""
        if self.log:
            return self.value(u) * math.log(self.upper / self.lower)
        return self.upper - self.lower

    def unit(self, value: float) -> float:
        """Return the `u` in [0, 1] at which the parameter has `value`.

        Raises
        ------
        InputError
            If the value lies outside the bounds.
        """
        slack = _ROUNDING * max(abs(self.lower), abs(self.upper))
        if not self.lower - slack <= value <= self.upper + slack:
            raise InputError(
                f"{self.name} must be within its bounds {self.lower:g} to {self.upper:g}, "
                f"got {value:g}: widen the bounds or start elsewhere"
            )
        value = min(max(value, self.lower), self.upper)
        if self.log:
            return math.log(value / self.lower) / math.log(self.upper / self.lower)
        return (value - self.lower) / (self.upper - self.lower)


@dataclass(frozen=True)
class Tie:
    """A parameter that follows another one: name = factor x to."""

    name: str
    to: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor):
            raise InputError(f"the factor of the tie of {self.name} must be finite")
        if self.name == self.to:
            raise InputError(f"{self.name} is tied to itself: tie it to another parameter")


@dataclass(frozen=True)
class ParameterSpace:
    """Which parameters of a potential are free, and how the others follow.

    Parameters that are neither free, tied nor balanced keep their value in `base`.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", tuple(self.free))
        object.__setattr__(self, "ties", tuple(self.ties))
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
        return self.base.replace(self._followers(self.values(u)))

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
        for name in self.names:
            if name not in known:
                raise InputError(
                    f"potential {potential.name} has no parameter {name!r}: "
                    f"{suggestion(name, known)}"
                )
        return np.array([free.unit(known[free.name]) for free in self.free], dtype=float)

    def gradient(self, u: ArrayLike, pair: str, r: ArrayLike) -> Array:
        """Return dU(r)/du of `pair` at `u`, in eV, by the chain rule.

        Parameters
        ----------
        u
            Point of the unit cube, shape (d,).
        pair
            Name of a pair.
        r
            Distances in Å, shape (n,).

        Returns
        -------
        array, shape (d, n)
        """
        r = np.asarray(r, dtype=float)
        by_name = self.potential(u).gradient(pair, r)
        result = np.zeros((self.dim, *r.shape))
        for k, derivatives in enumerate(self._derivatives(u)):
            for name, derivative in derivatives.items():
                if name in by_name:
                    result[k] += derivative * by_name[name]
        return result

    def _derivatives(self, u: ArrayLike) -> list[dict[str, float]]:
        """Return, for each axis k, dparameter/du_k of every parameter that moves with it."""
        rows = []
        for free, x in zip(self.free, self._point(u), strict=True):
            moves = {free.name: free.derivative(x)}
            for tie in self.ties:
                if tie.to == free.name:
                    moves[tie.name] = tie.factor * moves[free.name]
            moves.update(self._balanced(moves, change=True))
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
        if not np.all((point >= -_ROUNDING) & (point <= 1.0 + _ROUNDING)):
            raise ValueError(f"u must lie in the unit cube, got {point}")
        return [float(x) for x in np.clip(point, 0.0, 1.0)]

    def _check_names(self) -> None:
        known = self.base.parameters
        set_names = [*self.names, *(tie.name for tie in self.ties)]
        for name in [*set_names, *(tie.to for tie in self.ties)]:
            if name not in known:
                raise InputError(
                    f"potential {self.base.name} has no parameter {name!r}: "
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
        species, composition = self.base.species, self.composition or {}
        if self.balance not in species:
            hint = suggestion(self.balance, species)
            raise InputError(f"unknown species {self.balance!r} to balance charges: {hint}")
        if not self.base.coulomb:
            raise InputError(f"potential {self.base.name} has no charges: remove the balance")
        self.base.net_charge(composition)
        own = f"q_{self.balance}"
        involved = {*self.names, *(tie.name for tie in self.ties), *(tie.to for tie in self.ties)}
        if own in involved:
            raise InputError(f"{own} balances the charges: it must not be free, tied or tied to")
        if composition.get(self.balance, 0) <= 0:
            raise InputError(
                f"the composition must have atoms of {self.balance}, whose charge balances"
            )
        n = composition[self.balance]
        return {f"q_{s}": -k / n for s, k in composition.items() if s != self.balance}

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
