"""A fitted GAP potential: all it takes to predict, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.core import Core
from lammpsfit.gap.descriptors.combined import Descriptors
from lammpsfit.gap.descriptors.settings import MOST_CUTOFF
from lammpsfit.gap.gp import Centres
from lammpsfit.gap.hyperparameters import Hyperparameters
from lammpsfit.inputs import quoted
from lammpsfit.labelled.frames import Frame

FloatArray = NDArray[np.float64]

VERSION: Final = 3
"""Of what :meth:`Model.as_dict` gives.

Version 1 had no core; 1 and 2 no invariants, slope, w and factor. All can still be read.
"""

READABLE: Final = (1, 2, VERSION)


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted GAP potential.

    The energy of an atom with the scaled descriptors z = (G - offset) / (scale theta) is that of
    its species alone plus a sum over the centres of its species, and a sum over the scaled
    invariants x = (G - offset) / scale with the weights of its species,

        E = sum_m exp(-|z - z_m|^2 / 2) [a_m + b_m.(z - z_m)] + w.x

    plus half of the core repulsion of its pairs, where there is one.

    Attributes
    ----------
    descriptors : Descriptors
        What describes an atom, with the fixed offset and scale.
    parameters : dict of ndarray
        The trained parameters of the descriptors.
    hyper : Hyperparameters
        theta for each part of the descriptors, amplitude (eV) and noises (energy eV per atom,
        forces eV/Å, stress eV/Å^3).
    offsets : dict
        Energy of an atom of each species, eV.
    centres : Centres
        z (m, d), species (m,), a (m,) and b (m, d) in eV.
    training : tuple of Frame
        The frames it was fitted to, which errors of predictions need; empty if they were left
        out, and then it has no errors.
    inducing : bool
        Whether the centres are a few atoms of the training frames (:mod:`lammpsfit.gap.sparse`)
        instead of all of them.
    core : Core or None
        Repulsion of pairs nearer than any of the training frames (:mod:`lammpsfit.gap.core`).
    factor : ndarray, shape (p, p), or None
        Of a model of a few atoms: upper triangular R, with which (R^T R)^-1 is the posterior
        covariance of its p weights, those a of the centres and then those w.
    """

    descriptors: Descriptors
    parameters: dict[str, FloatArray]
    hyper: Hyperparameters
    offsets: dict[str, float]
    centres: Centres
    training: tuple[Frame, ...] = ()
    inducing: bool = False
    core: Core | None = None
    factor: FloatArray | None = None

    @property
    def theta(self) -> tuple[float, ...]:
        """Length of the kernel for each part of the descriptors."""
        return self.hyper.theta

    @property
    def species(self) -> tuple[str, ...]:
        """The species it knows."""
        return self.descriptors.species

    @property
    def cutoff(self) -> float:
        """Distance beyond which atoms do not see each other, Å."""
        return self.descriptors.cutoff

    def as_dict(self) -> dict[str, Any]:
        """Return it as dicts, lists, numbers, strings and arrays, for a file."""
        centres = self.centres
        return {
            "version": VERSION,
            "descriptors": self.descriptors.as_dict(),
            "parameters": {name: np.asarray(v) for name, v in self.parameters.items()},
            "hyper": self.hyper.as_dict(),
            "offsets": dict(self.offsets),
            "centres": {
                "z": centres.z,
                "species": centres.species,
                "a": centres.a,
                "b": centres.b,
                "w": centres.w,
            },
            "training": [_frame_as_dict(frame) for frame in self.training],
            "inducing": self.inducing,
            "core": None if self.core is None else self.core.as_dict(),
            "factor": self.factor,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Model:
        """Read what :meth:`as_dict` gave; arrays may have become lists.

        Raises
        ------
        InputError
            If it is of another version, or something is missing.
        """
        if not isinstance(data, Mapping):
            raise InputError(f"this is no GAP potential: {type(data).__name__}")
        if data.get("version") not in READABLE:
            raise InputError(
                f"this GAP is of version {data.get('version')}, this lammpsfit reads up to version "
                f"{VERSION}: fit it again, or use the lammpsfit that wrote it"
            )
        try:
            centres = data["centres"]
            descriptors = Descriptors.from_dict(data["descriptors"])
            nothing = np.zeros((len(descriptors.species), 0))
            factor = data.get("factor")
            found = cls(
                descriptors,
                {name: np.asarray(v, dtype=float) for name, v in data["parameters"].items()},
                Hyperparameters.from_dict(data["hyper"]),
                {name: float(value) for name, value in data["offsets"].items()},
                Centres(
                    np.asarray(centres["z"], dtype=float),
                    np.asarray(centres["species"], dtype=np.intp),
                    np.asarray(centres["a"], dtype=float),
                    np.asarray(centres["b"], dtype=float),
                    np.asarray(centres.get("w", nothing), dtype=float),
                ),
                tuple(_frame_from_dict(frame) for frame in data["training"]),
                bool(data["inducing"]),
                None if data.get("core") is None else Core.from_dict(data["core"]),
                None if factor is None else np.asarray(factor, dtype=float),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"this is no GAP potential: {quoted(error)}") from None
        found._check()
        return found

    def _check(self) -> None:
        """Refuse what does not belong together, which would fail, or be wrong, much later."""
        layout, centres = self.descriptors.layout, self.centres
        m, d = len(centres.a), sum(layout.lengths)
        parts = (layout.radial, layout.angular, layout.invariants)
        for part in (part for part in parts if part is not None):
            if not (isinstance(part.cutoff, float | int) and 0.0 < part.cutoff <= MOST_CUTOFF):
                raise InputError(
                    f"damaged: a cutoff must be a length up to {MOST_CUTOFF:g} Å, got "
                    f"{quoted(part.cutoff)}"
                )
        noises = vars(self.hyper.noises).values()
        expected = {
            "theta": (self.hyper.theta, (len(layout.parts),)),
            "offset": (self.descriptors.offset, (len(self.descriptors),)),
            "scale": (self.descriptors.scale, (len(self.descriptors),)),
            "amplitude": (self.hyper.amplitude, ()),
            "slope": (self.hyper.slope, ()),
            "noises": (tuple(noises), (3,)),
            "z": (centres.z, (m, d)),
            "species": (centres.species, (m,)),
            "a": (centres.a, (m,)),
            "b": (centres.b, (m, d)),
            "w": (centres.w, (len(self.species), layout.linear_length)),
            "offsets": ([self.offsets.get(name, np.nan) for name in self.species], None),
            **{
                name: (self.parameters.get(name, np.nan), shape)
                for name, shape in layout.parameter_shapes.items()
            },
        }
        for name, (given, shape) in expected.items():
            values = np.asarray(given, dtype=float)
            if shape not in (None, values.shape) or not np.all(np.isfinite(values)):
                raise InputError(f"damaged: {name} missing, not finite or of another shape")
            if name in ("theta", "scale", "amplitude", "slope", "noises") and not np.all(
                values > 0.0
            ):
                raise InputError(f"damaged: {name} must be positive")
        p = m + centres.w.size
        if self.factor is not None and (
            self.factor.shape != (p, p) or not np.all(np.isfinite(self.factor))
        ):
            raise InputError("damaged: factor not finite or of another shape")
        if m == 0 or not set(centres.species.tolist()) <= set(range(len(self.species))):
            raise InputError("damaged: its centres are of no species it knows")


def _frame_as_dict(frame: Frame) -> dict[str, Any]:
    return {
        "symbols": list(frame.symbols),
        "positions": frame.positions,
        "cell": frame.cell,
        "pbc": list(frame.pbc),
        "energy": frame.energy,
        "forces": frame.forces,
        "stress": frame.stress,
        "label": frame.label,
    }


def _frame_from_dict(data: Mapping[str, Any]) -> Frame:
    a, b, c = (bool(x) for x in data["pbc"])
    rest = {name: data[name] for name in ("positions", "cell", "energy", "forces", "stress")}
    return Frame(tuple(data["symbols"]), pbc=(a, b, c), label=str(data["label"]), **rest)
