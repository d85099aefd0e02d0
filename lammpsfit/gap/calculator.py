"""A GAP as a calculator of ASE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from lammpsfit.gap.frames import from_atoms
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.predict import predict


class GapCalculator(Calculator):  # type: ignore[misc]  # ASE has no types
    """Energy, energies of the atoms, forces and stress of a model, all in one pass.

    The uncertainty costs more than all of them, and is computed only when it is asked for by
    name: ``calculator.get_property("forces_error", atoms)``, eV/Å, shape (n, 3), and
    ``"energy_error"``, eV. Afterwards it is among the ``results``. Both are standard errors of
    the model's function, without the noise of the labels.

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
        "energy_error",
        "forces_error",
    ]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

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
            If the atoms are of an element the model does not know, or no sound frame.
        """
        super().calculate(atoms, properties, system_changes)
        frame = from_atoms(self.atoms, label=str(self.atoms.symbols), labelled=False)
        wanted = any(name.endswith("_error") for name in properties)
        found = predict(self.model, frame, uncertainty=wanted)
        results: dict[str, Any] = {
            "energy": found.energy,
            "free_energy": found.energy,
            "energies": found.energies,
            "forces": found.forces,
        }
        if all(frame.pbc):
            results["stress"] = found.stress
        if wanted:
            results |= {"energy_error": found.energy_error, "forces_error": found.forces_error}
        self.results = results
