"""The terms that a job file may ask for: one module each, named here once.

Each has a function ``build(table, setting)`` that makes terms of the table of its name in
``config.TermTables``. Partial g(r) (:mod:`.pair_distribution`) is not in the list:
``[reference]`` makes it, with the bins of every run.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final

from lammpsfit.config import TermTables
from lammpsfit.target.term import AnyTerm, Setting

_MODULES = (
    "pressure",
    "density",
    "coordination",
    "angle_distribution",
    "total_scattering",
    "total_rdf",
    "frames",
    "crystal",
)

TERMS: Final[Mapping[str, Callable[[Any, Setting], Iterator[AnyTerm]]]] = {
    name: import_module(f"{__name__}.{name}").build for name in _MODULES
}
"""By the field of ``config.TermTables``, what makes terms of the table there."""


def build_terms(tables: TermTables, setting: Setting) -> tuple[AnyTerm, ...]:
    """Make the terms that the tables of a condition ask for.

    Raises
    ------
    InputError
        If one does not fit the system.
    """
    return tuple(
        term for name, build in TERMS.items() for term in build(getattr(tables, name), setting)
    )
