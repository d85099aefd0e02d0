"""What the covariances depend on beside the descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Noises:
    """Standard deviations of what is observed.

    Attributes
    ----------
    energy : float, eV
        Per atom: that of the energy of n atoms is n times as much.
    forces : float, eV/Å
        Of each component.
    stress : float, eV/Å^3
        Of each component.
    """

    energy: float
    forces: float
    stress: float


@dataclass(frozen=True)
class Hyperparameters:
    """What the covariances depend on beside the descriptors.

    Attributes
    ----------
    theta : tuple of float
        Length of the kernel, in units of the fixed scale of the descriptors: one for each part
        (radial, angular).
    amplitude : float, eV
        Prior standard deviation of a local energy.
    noises : Noises
    slope : float, eV
        Prior standard deviation of the weights of the invariants, which are on their fixed scale.
    """

    theta: tuple[float, ...]
    amplitude: float
    noises: Noises
    slope: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, for a file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hyperparameters:
        """Read what :meth:`as_dict` gave."""
        noises = {name: float(value) for name, value in data["noises"].items()}
        theta = tuple(float(x) for x in data["theta"])
        slope = float(data.get("slope", cls.slope))
        return cls(theta, float(data["amplitude"]), Noises(**noises), slope)
