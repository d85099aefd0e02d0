"""The pair forms a potential is made of: one module each, named here once."""

from collections.abc import Mapping
from importlib import import_module

from lammpsfit.forcefield.forms.base import Form, LammpsStyle, Parameter

_MODULES = (
    "buckingham",
    "repulsion",
    "morse",
    "born_mayer_huggins",
    "power",
    "lennard_jones",
    "mie",
    "spline",
)

FORMS: Mapping[str, Form] = {
    form.name: form for form in (import_module(f"{__name__}.{module}").FORM for module in _MODULES)
}
"""Every registered form by its name in potential files."""

__all__ = ["FORMS", "Form", "LammpsStyle", "Parameter"]
