"""A model as text that the pair style reads: model.gap.

Words and numbers, one after the other, comments from ``#`` to the end of a line; the C++ side is
``source/model.cpp``. Numbers have all their digits. A part of the descriptors is one entry of
:data:`PARTS` here and one class there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from lammpsfit import __version__
from lammpsfit.errors import InputError
from lammpsfit.gap.covariance import scaling_of
from lammpsfit.gap.descriptors import Angular, Invariants, Radial
from lammpsfit.gap.descriptors.invariants import sphere
from lammpsfit.gap.lammps.posterior import Posterior
from lammpsfit.gap.model import Model
from lammpsfit.units import COULOMB_CONSTANT

FORMAT: Final = 1
"""Of the text; the plugin refuses others."""

FloatArray = NDArray[np.float64]
Parameters = Mapping[str, FloatArray]


def model_text(model: Model, posterior: Posterior | None = None) -> str:
    """Return the text of a model.

    Parameters
    ----------
    model
        With descriptors that the plugin knows.
    posterior
        What errors of predictions follow from; ``None`` leaves them out.

    Raises
    ------
    InputError
        If the plugin does not know one of its descriptors.
    """
    return "\n".join(_lines(model, posterior)) + "\n"


def _lines(model: Model, posterior: Posterior | None) -> Iterator[str]:
    yield f"lammpsfit-gap format {FORMAT}"
    yield f"# written by lammpsfit {__version__}; units metal"
    yield f"species {len(model.species)} {' '.join(model.species)}"
    yield f"energies {_row([model.offsets[name] for name in model.species])}"
    layout = model.descriptors.layout
    last = () if layout.invariants is None else (layout.invariants,)
    yield f"parts {len(layout.parts) + len(last)}"
    for part in (*layout.parts, *last):
        if type(part) not in PARTS:
            raise InputError(f"the pair style has no descriptors like {type(part).__name__}")
        yield from PARTS[type(part)](part, model.parameters)
    yield f"gaussian {sum(layout.lengths)} # descriptors of the kernel; the others are linear"
    scaling = scaling_of(model.descriptors, model.theta)
    yield f"offset {_row(scaling.offset)}"
    yield f"weight {_row(scaling.weight)}"
    yield from _centres(model)
    yield f"linear {_row(model.centres.w)}"
    if model.core is not None:
        yield f"core {_row([model.core.inner, model.core.outer, COULOMB_CONSTANT])}"
        yield _row([float(atomic_numbers[name]) for name in model.species])
    if posterior is not None:
        yield from _errors(model, posterior)
    yield "end"


def _centres(model: Model) -> Iterator[str]:
    centres = model.centres
    linear = bool(np.any(centres.b))
    yield f"centres {int(linear)}"
    for k, name in enumerate(model.species):
        own = np.flatnonzero(centres.species == k)
        yield f"{len(own)} # of {name}: a, z" + (", b" if linear else "")
        for m in own:
            numbers = [[centres.a[m]], centres.z[m], centres.b[m] if linear else []]
            yield _row(np.concatenate(numbers))


def _errors(model: Model, posterior: Posterior) -> Iterator[str]:
    yield "errors"
    yield f"amplitude {_row([model.hyper.amplitude])}"
    yield "chosen"
    for k, name in enumerate(model.species):
        own = posterior.z[posterior.species == k]
        yield f"{len(own)} # of {name}: z"
        yield from (_row(z) for z in own)
    for name, triangle in (("prior", posterior.prior), ("posterior", posterior.posterior)):
        yield name
        yield from (_row(row[: k + 1]) for k, row in enumerate(triangle))


def _radial(part: Radial, parameters: Parameters) -> Iterator[str]:
    yield "part radial"
    eta = parameters["radial_eta"]
    widths = part.cutoff * np.exp(-eta if part.literal else eta)
    centres = part.cutoff * parameters["radial_centre"] if part.shifted else np.zeros_like(widths)
    yield from _functions(part.cutoff, centres, widths)


def _angular(part: Angular, parameters: Parameters) -> Iterator[str]:
    yield "part angular"
    widths = part.cutoff * np.exp(parameters["angular_eta"])
    yield from _functions(part.cutoff, part.cutoff * parameters["angular_centre"], widths)
    yield f"degrees {len(part.degrees)} {' '.join(map(str, part.degrees))}"


def _invariants(part: Invariants, parameters: Parameters) -> Iterator[str]:
    yield "part invariants"
    widths = part.cutoff * np.exp(parameters["invariant_eta"])
    yield from _functions(part.cutoff, part.cutoff * parameters["invariant_centre"], widths)
    yield f"highest {part.degrees[-1]} pairs {part.pair_degree} triples {part.triple_degree}"
    weights, Y = sphere(part.triple_degree)
    yield f"sphere {len(weights)} # points: weight, harmonics"
    yield from (_row([weight, *row]) for weight, row in zip(weights, Y, strict=True))


def _functions(cutoff: float, centres: FloatArray, widths: FloatArray) -> Iterator[str]:
    """Gaussians in the distance, cut off: rows by species of the neighbour, Å."""
    yield f"cutoff {cutoff!r} functions {widths.shape[1]}"
    yield f"centres {_row(centres)}"
    yield f"widths {_row(widths)}"


PARTS: Final[dict[type, Callable[[Any, Parameters], Iterator[str]]]] = {
    Radial: _radial,
    Angular: _angular,
    Invariants: _invariants,
}
"""How each kind of descriptors is written."""


def _row(values: ArrayLike | Sequence[float]) -> str:
    return " ".join(map(repr, np.asarray(values, dtype=np.float64).ravel().tolist()))
