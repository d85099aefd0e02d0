"""How to train, and where a training has got to: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.fit import FitOptions
from lammpsfit.gap.record_models import STEPS, why_not

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    steps : int
        Of Adam, at most, from each start.
    rate : float
        Length of its first steps: in logarithms, and for centres in parts of the cutoff.
    patience : int
        Steps without an improvement on the held-out frames after which a start is over.
    starts : int
        The first descriptors, and `starts` - 1 times these with every parameter moved at random.
    spread : float
        Standard deviation of these moves of the logarithms of widths; a fifth of it for centres.
    seed : int
        Of these moves, and of the draw of components.
    fit : FitOptions
        How theta and the noises are fitted first, and of how many frames and components the
        likelihood is.
    """

    steps: int = 100
    rate: float = 0.03
    patience: int = 25
    starts: int = 1
    spread: float = 0.3
    seed: int = 0
    fit: FitOptions = field(default_factory=FitOptions)

    def __post_init__(self) -> None:
        for name in ("steps", "patience", "starts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.rate > 0.0:
            raise InputError(f"rate must be positive, got {self.rate:g}")


@dataclass(frozen=True)
class Step:
    """One step of the training.

    Attributes
    ----------
    start, step : int
        Both from zero; step 0 has the first descriptors of that start.
    loss : float
        Negative logarithm of the marginal likelihood.
    held_out_mae, held_out_rmse : float, eV/Å
        Of the forces of the held-out frames.
    """

    start: int
    step: int
    loss: float
    held_out_mae: float
    held_out_rmse: float


@dataclass(frozen=True, eq=False)
class TrainState:
    """All it takes to go on after a step: plain values.

    Attributes
    ----------
    steps : tuple of Step
        So far, in order.
    origin : ndarray, shape (v,)
        Variables of the first step, from which the other starts are moved.
    vector : ndarray, shape (v,)
        Variables of the next step.
    first_moment, second_moment : ndarray, shape (v,)
        Adam's.
    best : ndarray, shape (v,)
        Variables of the step with the smallest RMSE of the forces of the held-out frames.
    """

    steps: tuple[Step, ...]
    origin: FloatArray
    vector: FloatArray
    first_moment: FloatArray
    second_moment: FloatArray
    best: FloatArray

    def as_dict(self) -> dict[str, Any]:
        """Return it as lists and numbers, for a file."""
        return {
            "steps": [list(vars(step).values()) for step in self.steps],
            **{name: getattr(self, name).tolist() for name in _ARRAYS},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainState:
        """Read what :meth:`as_dict` gave.

        Raises
        ------
        InputError
            If it is something else.
        """
        if (why := why_not(STEPS, data)) is not None:
            raise InputError(f"this is no state of a training: {why}")
        steps = tuple(Step(*step) for step in data["steps"])
        return cls(steps, *(np.asarray(data[name], dtype=np.float64) for name in _ARRAYS))


_ARRAYS: Final = ("origin", "vector", "first_moment", "second_moment", "best")
