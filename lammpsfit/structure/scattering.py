"""What neutrons and X-rays see: partial structure factors joined into the total one.

    S(q) = Σ_{a≤b} w_ab(q) S_ab(q),   w_ab = (2 - δ_ab) c_a c_b f_a f_b / (Σ_a c_a f_a)²

with the bound coherent scattering length b_a of neutrons (tables of H. Rauch and W. Waschkowski,
in Landolt-Börnstein I/16A (2000)), or the form factor f_a(q) of X-rays (D. Waasmaier and
A. Kirfel, Acta Cryst. A51, 416 (1995), doi:10.1107/S0108767394013292; neutral atoms), both as
`periodictable` has them. The weights add up to one at every q.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import periodictable

from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.structure.rdf import FloatArray


def neutron_weights(numbers: Mapping[str, int], pairs: Sequence[str]) -> FloatArray:
    """Weights w_ab of neutron scattering, natural isotopes, shape (n_pairs, 1).

    Parameters
    ----------
    numbers : mapping of str to int
        Atoms of each element.
    pairs : sequence of str
        Pairs of elements, such as "Si-O".

    Raises
    ------
    InputError
        If a species is no element, or its scattering length is not known.

    Examples
    --------
    >>> neutron_weights({"Si": 1, "O": 2}, ["Si-Si", "Si-O", "O-O"]).ravel().round(3)
    array([0.069, 0.388, 0.543])
    """
    return pair_weights("neutron", numbers, pairs, np.zeros(1))


def xray_weights(numbers: Mapping[str, int], pairs: Sequence[str], q: FloatArray) -> FloatArray:
    """Weights w_ab(q) of X-ray scattering, shape (n_pairs, n_q); see :func:`neutron_weights`.

    Raises
    ------
    InputError
        If a species is no element, or its form factor is not known at some q.
    """
    return pair_weights("xray", numbers, pairs, q)


def pair_weights(
    radiation: str, numbers: Mapping[str, int], pairs: Sequence[str], q: FloatArray
) -> FloatArray:
    """Weights w_ab(q) of either radiation, shape (n_pairs, n_q); see :func:`neutron_weights`.

    `radiation` is that of :func:`amplitudes`.

    Raises
    ------
    InputError
        As there.
    """
    f = amplitudes(radiation, list(numbers), q)
    cf = {name: number * row for (name, number), row in zip(numbers.items(), f, strict=True)}
    whole = sum(cf.values()) ** 2
    split = [pair.split("-") for pair in pairs]
    return np.array([(2 - (a == b)) * cf[a] * cf[b] / whole for a, b in split])


def amplitudes(radiation: str, species: Sequence[str], q: FloatArray) -> FloatArray:
    """Scattering length b_a in fm or form factor f_a(q), shape (n_species, n_q).

    Parameters
    ----------
    radiation : {"neutron", "xray"}
        What is scattered.
    species : sequence of str
        Elements.
    q : ndarray, shape (n_q,), 1/Å
        Wavevectors.

    Raises
    ------
    InputError
        If a species is no element, or its scattering is not tabulated.
    """
    elements: dict[str, Any] = {name: _element(name) for name in species}
    if radiation == "neutron":
        rows = [_known(name, [e.neutron.b_c]) * np.ones(q.size) for name, e in elements.items()]
    else:
        rows = [_known(name, e.xray.f0(q)) for name, e in elements.items()]
    return np.array(rows)


def _element(name: str) -> periodictable.core.Element:
    try:
        return periodictable.elements.symbol(name)
    except ValueError:
        raise InputError(
            f"scattering needs chemical elements, got species {quoted(name)}"
        ) from None


def _known(name: str, values: object) -> FloatArray:
    """Return scattering lengths or factors as an array, once they are all there."""
    array = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError(f"the scattering of {name} is not tabulated")
    return array
