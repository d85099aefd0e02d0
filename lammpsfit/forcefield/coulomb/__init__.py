"""The Coulomb sums a potential may have: one module each, named here once."""

from collections.abc import Mapping
from importlib import import_module

from lammpsfit.forcefield.coulomb.base import CoulombSum

_MODULES = (
    "dsf",
    "wolf",
    "wolf_smooth",
    "ewald",
    "pppm",
)

COULOMB_SUMS: Mapping[str, type[CoulombSum]] = {
    kind.style: kind for kind in (import_module(f"{__name__}.{module}").SUM for module in _MODULES)
}
"""Every registered Coulomb sum by its style in potential files."""

__all__ = ["COULOMB_SUMS", "CoulombSum"]
