"""Where the data files that ship with lammpsfit are: LAMMPS templates and known potentials."""

from pathlib import Path

from lammpsfit.errors import RunError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `name` of shipped data.

    An installed wheel holds it in ``lammpsfit/data``; a source checkout, also
    when installed as editable, at its top level. The installed copy comes
    first, since beside a wheel the top level is ``site-packages``.

    Raises
    ------
    RunError
        If neither exists: the installation is incomplete.
    """
    places = (_PACKAGE / "data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise RunError(
        f"the folder {name!r} that ships with lammpsfit must be at {places[0]} or {places[1]}, "
        "found at neither: install lammpsfit again"
    )


def templates() -> Path:
    """Return the folder of the LAMMPS input templates."""
    return folder("templates")


def potentials() -> Path:
    """Return the folder of the library of known potentials."""
    return folder("potentials")
