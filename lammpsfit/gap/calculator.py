"""A GAP as a calculator of ASE."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from lammpsfit.errors import InputError
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.neighbour_list import SKIN
from lammpsfit.gap.predict import neighbour_list, predict
from lammpsfit.labelled.frames import from_atoms

ERRORS: Final = ("energy_error", "forces_error")
"""Properties ASE does not know."""


class GapCalculator(Calculator):  # type: ignore[misc]  # ASE has no types
    """Energy, energies of the atoms, forces and stress of a model, all in one pass.

    Neighbours are kept while atoms move little, so one calculator should follow one structure.

    The uncertainty costs more than all of them, and is computed only when it is asked for by
    name: ``calculator.get_property("forces_error", atoms)``, eV/Å, shape (n, 3), and
    ``"energy_error"``, eV. It is never among the ``results``, which ASE hands on to what knows
    its own properties only. Both are standard errors of the model's function, without the noise
    of the labels.

    Parameters
    ----------
    model
        What a fit gave.

    Examples
    --------
    >>> from ase.build import bulk  # doctest: +SKIP
    >>> atoms = bulk("Al", cubic=True)  # doctest: +SKIP
    >>> atoms.calc = GapCalculator.load("model.json")  # doctest: +SKIP
    >>> atoms.get_forces()  # doctest: +SKIP
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        *ERRORS,
    ]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._neighbours = neighbour_list(model, SKIN)
        self._errors: dict[str, Any] = {}

    @classmethod
    def load(cls, path: Path | str) -> GapCalculator:
        """Make a calculator of a model file.

        Raises
        ------
        InputError
            If the file is none.
        """
        return cls(load_model(Path(path)))

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything that is new.

        Raises
        ------
        InputError
            If the atoms are of an element the model does not know, or no sound frame, or lie
            on one another.
        """
        super().calculate(atoms, properties, system_changes)
        frame = from_atoms(self.atoms, label=str(self.atoms.symbols), labelled=False)
        wanted = any(name in ERRORS for name in properties)
        found = predict(self.model, frame, wanted, self._neighbours)
        if not (np.isfinite(found.energy) and np.all(np.isfinite(found.forces))):
            raise InputError(f"{frame.label}: its forces are not finite: do two atoms overlap?")
        results: dict[str, Any] = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.energies,
            "forces": found.forces,
        }
        if all(frame.pbc):
            results["stress"] = found.stress
        self.results = results
        self._errors = {name: getattr(found, name) for name in ERRORS} if wanted else {}

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Return a property of the atoms, computed where it is not known.

        Raises
        ------
        InputError
            As :meth:`calculate`, or if the model has no errors.
        """
        if name not in ERRORS:
            return super().get_property(name, atoms, allow_calculation)
        # also forgets the errors of atoms that have moved since
        if super().get_property("energy", atoms, allow_calculation) is None:
            return None
        if not self._errors and allow_calculation:
            self.calculate(self.atoms, [name], [])
        return copy(self._errors.get(name))
