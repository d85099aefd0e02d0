"""How one parameter of a potential may change: free between two bounds, or tied to another one."""

import math
from dataclasses import dataclass

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted

ROUNDING = 1e-9
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
                f"bounds of {self.name} must be finite, got {quoted(self.lower)} to "
                f"{quoted(self.upper)}"
            )
        if self.lower >= self.upper:
            raise InputError(
                f"the lower bound of {self.name} must be below the upper one, "
                f"got {quoted(self.lower)} to {quoted(self.upper)}: swap or widen them"
            )
        if self.log and self.lower <= 0.0:
            raise InputError(
                f"bounds of {self.name} must be positive on a log scale, got {quoted(self.lower)} "
                f"to {quoted(self.upper)}: raise the lower bound or set log = false"
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
        slack = ROUNDING * max(abs(self.lower), abs(self.upper))
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
