"""LAMMPS inputs from string templates, strict both ways."""

from string import Template

from lammpsfit.errors import InputError
from lammpsfit.resources import templates


def render(name: str, /, **values: object) -> str:
    """Fill the template `name` (a file of ``templates/``, without ``.in``).

    Parameters
    ----------
    name
        Name of the template, for instance ``"sample"``.
    values
        One value per placeholder.

    Raises
    ------
    InputError
        If a placeholder has no value, or a value no placeholder: either means
        that the template and the code that fills it have drifted apart.
    """
    template = Template((templates() / f"{name}.in").read_text(encoding="utf-8"))
    if not template.is_valid():
        raise InputError(f"template {name}.in has an invalid placeholder: write $$ for a plain $")
    wanted, given = set(template.get_identifiers()), set(values)
    if missing := wanted - given:
        raise InputError(f"template {name}.in: no value for {', '.join(sorted(missing))}")
    if unused := given - wanted:
        raise InputError(f"template {name}.in: no placeholder for {', '.join(sorted(unused))}")
    return template.substitute(values)
