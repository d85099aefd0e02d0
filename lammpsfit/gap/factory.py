"""A calculator by name: ``module:factory``, where the factory takes nothing and makes one."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from ase.calculators.calculator import BaseCalculator

from lammpsfit.errors import InputError
from lammpsfit.inputs import one_line, quoted

Factory = Callable[[], BaseCalculator]

NEEDED: Final = ("get_property", "implemented_properties")
"""What everything that calls a calculator asks it for."""


def load_factory(name: str) -> Factory:
    """Find a factory of calculators, also in a module of the current folder.

    Parameters
    ----------
    name
        As in ``ase.calculators.emt:EMT``, or ``dft:make`` for the function ``make`` in ``dft.py``.

    Raises
    ------
    InputError
        If there is no such module or factory, or importing it fails.

    Examples
    --------
    >>> load_factory("ase.calculators.emt:EMT").__name__
    'EMT'
    """
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise InputError(
            f"a calculator must be module:factory, as in ase.calculators.emt:EMT, got "
            f"{quoted(name)}"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = pkgutil.resolve_name(f"{module_name}:")
    except ModuleNotFoundError as error:
        if error.name == module_name.split(".")[0]:
            raise InputError(
                f"{name}: there is no module {module_name} here or installed"
            ) from None
        raise InputError(f"{name}: importing {module_name} fails: {error}") from None
    except BaseException as error:
        raise InputError(f"{name}: importing {module_name} fails: {said(error)}") from None
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise InputError(
            f"{name}: {module_name} has no function or class {attribute} that makes a calculator"
        )
    return cast("Factory", factory)


def build(name: str) -> BaseCalculator:
    """Make a calculator of its name.

    Raises
    ------
    InputError
        If :func:`load_factory` does, or the factory fails or makes something else.
    """
    factory = load_factory(name)
    try:
        made = factory()
    except BaseException as error:
        raise InputError(f"{name}: cannot make a calculator: {said(error)}") from None
    # what it can do, not what it is: GPAW's has no base class of ASE
    if isinstance(made, type) or not all(hasattr(made, attribute) for attribute in NEEDED):
        kind = type(made).__name__
        raise InputError(f"{name}: must make a calculator of ASE, not of type {kind}")
    return cast("BaseCalculator", made)


def said(error: BaseException) -> str:
    """Say an error in one line."""
    words = one_line(str(error))
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
