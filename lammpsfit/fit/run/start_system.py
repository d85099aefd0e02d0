"""What is in the box: as the job says, or as its start structure does."""

from lammpsfit.config import SystemTable
from lammpsfit.errors import InputError
from lammpsfit.inputs import shown
from lammpsfit.md.configuration import Configuration
from lammpsfit.md.read_structure import formula_of, read_configuration, true_density
from lammpsfit.md.system import System, composition_of

SAME = 0.01
"""Part by which the density of a job may differ from that of its start structure."""


def system_of(table: SystemTable) -> tuple[System, Configuration | None]:
    """Return the system, and the start structure where it is read from a file.

    Raises
    ------
    InputError
        If the file cannot be read, or the job says something else than it holds.
    """
    if table.file is None:
        assert table.formula is not None
        assert table.atoms is not None
        assert table.density is not None
        return System(table.formula, table.atoms, table.density), None
    start, file = read_configuration(table.file, table.repeat or (1, 1, 1)), shown(table.file)
    formula = table.formula or formula_of(start)
    if _reduced(formula) != _reduced(formula_of(start)):
        raise InputError(
            f"formula must be {formula_of(start)}, as {file} holds, got {formula}: leave it out"
        )
    atoms, density = len(start.types), true_density(start)
    if table.atoms is not None and table.atoms != atoms:
        raise InputError(
            f"atoms must be {atoms}, as {file} holds, got {table.atoms}: leave it out, or repeat "
            "the cell"
        )
    if table.density is not None and abs(table.density / density - 1) > SAME:
        raise InputError(
            f"density must be {density:.4g} g/cm³, as {file} has, got {table.density:g}: leave it "
            "out"
        )
    system = System(formula, atoms, density)
    return system, start.ordered(system.species)


def _reduced(formula: str) -> dict[str, int]:
    return dict(sorted(composition_of(formula).items()))
