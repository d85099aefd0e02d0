"""Potentials by name or path: the shipped library and the user's own files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lammpsfit import resources
from lammpsfit.errors import InputError
from lammpsfit.forcefield.potential import Potential
from lammpsfit.forcefield.potential_file import dump_potential, parse_potential
from lammpsfit.inputs import quoted, read_text, shown
from lammpsfit.suggest import suggestion
from lammpsfit.words import list_words

FITTED_FILE: Final = "potential.toml"
"""Name of the fitted potential in the folder of a finished run."""

__all__ = [
    "dump_potential",
    "fitted_in",
    "library_names",
    "library_with",
    "load_potential",
    "names_file",
    "names_run",
]


def library_names() -> tuple[str, ...]:
    """Return the names of the shipped potentials, sorted without regard to case."""
    return tuple(sorted((path.stem for path in _library_paths()), key=str.lower))


def library_with(species: Iterable[str] = ()) -> list[Potential]:
    """Return the shipped potentials that have all of some species, sorted by name.

    >>> [potential.name for potential in library_with(["Li", "Ca"])]
    ['PMMCS', 'SHIK', 'Teter-Ewald']

    Raises
    ------
    InputError
        If none has them.
    """
    wanted = list(dict.fromkeys(species))
    library = [load_potential(name) for name in library_names()]
    found = [one for one in library if one.species.keys() >= {*wanted}]
    if not found:
        known = sorted({name for one in library for name in one.species})
        raise InputError(
            f"no potential of the library has {list_words(wanted)}: its species are "
            f"{', '.join(known)}, not each with all others"
        )
    return found


def names_file(name_or_path: str | Path) -> bool:
    """Tell whether a potential is given by a path, which ends in ``.toml`` or has a folder in it.

    Anything else is a name: a file called ``BKS`` in the working folder does not hide the
    library's.

    >>> names_file("BKS"), names_file("my.toml"), names_file("my/BKS")
    (False, True, True)
    """
    path = Path(name_or_path)
    return path.suffix.lower() == ".toml" or path.name != str(name_or_path)


def names_run(name: str, folder: Path = Path()) -> bool:
    """Tell whether a name means a run folder, and not a potential of the library.

    A folder that was named after a potential of the library, and holds no finished fit, does not
    hide that potential.
    """
    path = folder / name
    known = name.lower() in map(str.lower, library_names())
    return path.is_dir() and (not known or (path / FITTED_FILE).exists())


def load_potential(name_or_path: str | Path) -> Potential:
    """Return a potential of the library (its name in any case), of a TOML file or of a run folder.

    Which of the two is meant, :func:`names_file` tells.

    >>> load_potential("bks").name
    'BKS'

    Raises
    ------
    InputError
        If the name is unknown, the file missing or unreadable, or what it says not allowed.
    """
    path = Path(name_or_path)
    if not names_file(name_or_path):
        path = _library_path(str(name_or_path))
    elif path.suffix.lower() != ".toml" and path.is_dir():
        path = fitted_in(path)
    return parse_potential(read_text(path, what="potential file"), shown(path))


def fitted_in(run: Path) -> Path:
    """Return the file of the fitted potential in a run folder.

    Raises
    ------
    InputError
        If the folder holds no finished fit.
    """
    path = run / FITTED_FILE
    if not path.exists():
        raise InputError(f"{shown(run)}: no finished fit in this folder (no {FITTED_FILE})")
    return path


def _library_paths() -> list[Path]:
    return list(resources.potentials().glob("*.toml"))


def _library_path(name: str) -> Path:
    for path in _library_paths():
        if path.stem.lower() == name.lower():
            return path
    hint = suggestion(name, library_names())
    if not hint.startswith("known"):
        hint += f" (known: {', '.join(library_names())})"
    raise InputError(
        f"no potential {quoted(name)} in the library: {hint}; a file of your own must end in .toml"
    )
