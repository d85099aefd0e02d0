"""How far predictions are from the labels, and whether their errors are what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lammpsfit.gap.hyperparameters import Noises
from lammpsfit.gap.model import Model
from lammpsfit.gap.predict import Prediction, predict
from lammpsfit.labelled.frame import FloatArray, Frame

UNITS: Final = {"energy": "eV/atom", "forces": "eV/Å", "stress": "eV/Å³"}
"""What is compared, and in which unit."""

BINS: Final = 10
"""Bins of equal size that a calibration sorts predicted errors into."""

_LEAST_PER_BIN: Final = 20
"""Errors a bin must hold: the root mean square of 20 is known to 16 %."""


@dataclass(frozen=True, eq=False)
class Compared:
    """One quantity, predicted and labelled.

    Attributes
    ----------
    reference, predicted : ndarray, shape (n,)
        Energies per atom (eV/atom), components of forces (eV/Å) or of stresses (eV/Å^3).
    error : ndarray, shape (n,), or None
        Predicted standard error of the label, where it was asked for: that of the function and
        the noise of the model, which stands for all that its descriptors cannot tell.
    """

    reference: FloatArray
    predicted: FloatArray
    error: FloatArray | None = None

    @property
    def mae(self) -> float:
        """Mean absolute error."""
        return float(np.abs(self.predicted - self.reference).mean())

    @property
    def rmse(self) -> float:
        """Root mean square error: of a few wild predictions it tells more than the mean."""
        return float(np.sqrt(np.mean((self.predicted - self.reference) ** 2)))


@dataclass(frozen=True, eq=False)
class Calibration:
    """Whether predicted errors are those that are made.

    Attributes
    ----------
    predicted, made : ndarray, shape (n_bins,)
        Root mean square of predicted standard errors, and of the errors made, over values of
        similar predicted error.
    within : tuple of float
        Fractions of errors within one and two predicted standard errors; of normal errors
        0.683 and 0.954.
    spread : float
        Root mean square of error over predicted standard error: 1 where they are what they say,
        above where they are too small.
    """

    predicted: FloatArray
    made: FloatArray
    within: tuple[float, float]
    spread: float


def calibration(compared: Compared) -> Calibration | None:
    """Compare predicted errors with those made; None where none were predicted."""
    if compared.error is None:
        return None
    made = compared.predicted - compared.reference
    z = np.abs(made) / compared.error
    order = np.argsort(compared.error)
    bins = np.array_split(order, max(1, min(BINS, len(order) // _LEAST_PER_BIN)))
    return Calibration(
        np.array([np.sqrt(np.mean(compared.error[chosen] ** 2)) for chosen in bins]),
        np.array([np.sqrt(np.mean(made[chosen] ** 2)) for chosen in bins]),
        (float(np.mean(z < 1.0)), float(np.mean(z < 2.0))),
        float(np.sqrt(np.mean(z**2))),
    )


def predict_all(
    model: Model,
    frames: Sequence[Frame],
    uncertainty: bool = False,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> list[Prediction]:
    """Predict every frame."""
    found = []
    for number, frame in enumerate(frames, start=1):
        found.append(predict(model, frame, uncertainty))
        progress("predict", number, len(frames))
    return found


def compare(
    frames: Sequence[Frame], predictions: Sequence[Prediction], noises: Noises
) -> dict[str, Compared]:
    """Put predictions beside the labels there are.

    Parameters
    ----------
    frames
        With labels.
    predictions
        One for each frame.
    noises
        Of the model that predicted them.

    Returns
    -------
    dict
        Of ``energy``, ``forces`` and ``stress`` those that any frame has.
    """
    rows: dict[str, list[tuple[FloatArray, FloatArray, FloatArray | None]]] = {}
    for frame, found in zip(frames, predictions, strict=True):
        n = len(frame)
        if frame.energy is not None:
            error = None
            if found.energy_error is not None:
                error = np.hypot([found.energy_error / n], noises.energy)
            row = np.array([frame.energy / n]), np.array([found.energy / n]), error
            rows.setdefault("energy", []).append(row)
        if frame.forces is not None:
            error = None
            if found.forces_error is not None:
                error = np.hypot(found.forces_error.ravel(), noises.forces)
            rows.setdefault("forces", []).append(
                (frame.forces.ravel(), found.forces.ravel(), error)
            )
        if frame.stress is not None:
            error = None
            if found.stress_error is not None:
                error = np.hypot(found.stress_error, noises.stress)
            rows.setdefault("stress", []).append((frame.stress, found.stress, error))
    return {name: _joined(found) for name, found in rows.items()}


def _joined(rows: Sequence[tuple[FloatArray, FloatArray, FloatArray | None]]) -> Compared:
    reference, predicted, errors = zip(*rows, strict=True)
    known = [error for error in errors if error is not None]
    return Compared(
        np.concatenate(reference),
        np.concatenate(predicted),
        np.concatenate(known) if len(known) == len(rows) else None,
    )


def as_data(compared: dict[str, Compared]) -> dict[str, Any]:
    """Return errors and calibration as plain data, keys with their unit spelt out."""
    units = {"energy": "eV_per_atom", "forces": "eV_per_A", "stress": "eV_per_A3"}
    found: dict[str, Any] = {}
    for name, one in compared.items():
        found[name] = {
            f"mae_{units[name]}": one.mae,
            f"rmse_{units[name]}": one.rmse,
            "values": len(one.reference),
        }
        if (judged := calibration(one)) is not None:
            found[name]["calibration"] = {
                "within_1_sigma": judged.within[0],
                "within_2_sigma": judged.within[1],
                "rms_z": judged.spread,
                "predicted": judged.predicted.tolist(),
                "made": judged.made.tolist(),
            }
    return found
