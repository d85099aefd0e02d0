"""Measured properties of metals, to hold computed ones beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Known:
    """A value from the literature, in the unit of the property, and where it is from."""

    value: float
    source: str


_KAMM: Final = "Kamm and Alers 1964, 0 K, doi:10.1063/1.1713309"
_STEDMAN: Final = "Stedman and Nilsson 1966, 80 K, doi:10.1103/PhysRev.145.492"
_TYSON: Final = "Tyson and Miller 1977, mean of all faces, doi:10.1016/0039-6028(77)90442-3"

LITERATURE: Final[dict[str, dict[str, Known]]] = {
    "Al": {
        "a0": Known(4.0496, "experiment, 298 K"),
        "B": Known(79.4, f"{_KAMM}: (C11 + 2 C12) / 3"),
        "C11": Known(114.3, _KAMM),
        "C12": Known(61.9, _KAMM),
        "C44": Known(31.6, _KAMM),
        "vacancy": Known(0.67, "Ehrhart 1991, Landolt-Börnstein III/25"),
        "surface_100": Known(1.14, _TYSON),
        "surface_110": Known(1.14, _TYSON),
        "surface_111": Known(1.14, _TYSON),
    }
}
"""By element and name of the property."""

PHONONS: Final[dict[str, dict[str, Known]]] = {
    "Al": {
        "X_T": Known(5.80, _STEDMAN),
        "X_L": Known(9.69, _STEDMAN),
        "L_T": Known(4.19, _STEDMAN),
        "L_L": Known(9.69, _STEDMAN),
    }
}
"""Frequencies, THz, by element and name (:data:`lammpsfit.gap.work.phonons.FREQUENCIES`)."""

MELTING: Final[dict[str, dict[str, Known]]] = {
    "Al": {
        "temperature": Known(933.473, "fixed point of the ITS-90"),
        "heat_of_fusion": Known(0.1110, "10.71 kJ/mol, CRC Handbook of Chemistry and Physics"),
    }
}
"""Melting point, K, and heat of fusion, eV per atom, by element."""


def melting_point(symbol: str) -> float | None:
    """Return the measured melting point of an element, K, or None if it is not known."""
    if symbol in MELTING:
        return MELTING[symbol]["temperature"].value
    from pymatgen.core import Element

    found = Element(symbol).melting_point
    return None if found is None else float(found)
