"""A calculator that remembers what another one computed, also after a kill.

With it a command that computes energies one after another goes on where it was: the same command
asks for the same configurations again, and those in the journal cost nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes

from lammpsfit.errors import InputError, warn
from lammpsfit.farm.journal import JournalWriter, read_journal
from lammpsfit.gap.record_models import CONFIGURATION, damaged, why_not
from lammpsfit.gap.work.crystal import free_energy
from lammpsfit.inputs import quoted


class Remembering(Calculator):  # type: ignore[misc]  # ASE has no types
    """Free energy, forces and stress of another calculator, each configuration computed once.

    Parameters
    ----------
    calculator
        What computes.
    name
        What it is: a journal of another name is refused.
    path
        The journal, made where there is none; None remembers nothing.

    Raises
    ------
    InputError
        If the journal is that of another calculator, or does not say of which.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, calculator: BaseCalculator, name: str, path: Path | None = None) -> None:
        super().__init__()
        self._inner = calculator
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        if not os.path.lexists(path):
            with JournalWriter(path) as journal:
                journal.append({"type": "calculator", "name": name})
        else:
            self._known = _known(path, name)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Look up or compute energy, forces and, in periodic cells, the stress."""
        super().calculate(atoms, properties, system_changes)
        digest = _digest(self.atoms)
        if digest not in self._known:
            found = self._compute()
            if self._path is not None:
                with JournalWriter(self._path) as journal:
                    record = {"type": "configuration", "digest": digest, "results": found}
                    journal.append(record)
            self._known[digest] = found
        found = self._known[digest]
        self.results = {
            name: np.array(value) if isinstance(value, list) else value
            for name, value in found.items()
        }

    def _compute(self) -> dict[str, Any]:
        inner, energy = self._inner, free_energy(self._inner, self.atoms)
        found: dict[str, Any] = {"energy": energy, "free_energy": energy}
        found["forces"] = np.asarray(inner.get_property("forces", self.atoms)).tolist()
        if all(self.atoms.pbc) and "stress" in inner.implemented_properties:
            found["stress"] = np.asarray(inner.get_property("stress", self.atoms)).tolist()
        return found


def _known(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return what a journal says was computed, by the digest of the configuration."""
    journal = read_journal(path)
    names = [record.get("name") for record in journal.of_type("calculator")]
    if names != [name]:
        found = f"what {quoted(names[0])} computed" if names else "nothing of a calculator"
        raise InputError(f"{path} holds {found}, not what {name} did: choose another folder")
    if journal.damaged:
        warn(f"{path}: {journal.damaged} damaged line(s) left out: what was in them is computed")
    known = {}
    for number, record in enumerate(journal.records, 1):
        if record["type"] == "calculator":
            continue
        if (why := why_not(CONFIGURATION, record)) is not None:
            raise damaged(path, number, why, "it is computed")
        known[record["digest"]] = record["results"]
    return known


def _digest(atoms: Atoms) -> str:
    """Return what tells a configuration from others, to the last bit."""
    found = hashlib.sha256()
    for values in (atoms.numbers, atoms.positions, np.array(atoms.cell), atoms.pbc):
        found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()[:24]
