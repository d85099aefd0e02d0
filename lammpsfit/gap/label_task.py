"""One frame labelled by a calculator, in a child process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.calculators.calculator import BaseCalculator, PropertyNotImplementedError

from lammpsfit.child.main import lift_memory_limit
from lammpsfit.gap.factory import build, load_factory, said
from lammpsfit.labelled.atoms import to_atoms, voigt
from lammpsfit.labelled.frame import FloatArray, Frame

_BUILT: dict[str, BaseCalculator] = {}
"""The calculator of this process: building one may take longer than using it."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What a calculator says about a frame, or why it says nothing.

    Attributes
    ----------
    energy : float, eV
        The free energy where electrons have a temperature: the forces are its derivative.
    forces : ndarray, shape (n, 3), eV/Å, or None
        None where it failed.
    stress : ndarray, shape (6,), eV/Å^3, or None
        None where the calculator has none.
    reason : str
        Why it failed; empty where it did not.
    """

    energy: float = 0.0
    forces: FloatArray | None = None
    stress: FloatArray | None = None
    reason: str = ""


@dataclass(frozen=True)
class FactoryTask:
    """Find a factory of calculators: pickled, and called in a child process.

    Attributes
    ----------
    calculator
        Its name, ``module:factory``.
    """

    calculator: str

    def __call__(self) -> None:
        """Import its module.

        Raises
        ------
        InputError
            If there is none, or importing it fails.
        """
        lift_memory_limit()
        load_factory(self.calculator)


@dataclass(frozen=True)
class LabelTask:
    """Label a frame: pickled, and called in a child process.

    Attributes
    ----------
    calculator
        Name of its factory, ``module:factory``.
    frame
        The atoms.
    stress
        Whether to ask for the stress.
    folder
        Where calculators that write files may do so, each worker in a folder of its own.
    """

    calculator: str
    frame: Frame
    stress: bool
    folder: Path

    def __call__(self) -> Labels:
        """Run the calculator; whatever it raises is a reason, except that it cannot be built."""
        lift_memory_limit()  # DFT may need more than a core's share
        calculator = _built(self.calculator, self.folder)
        try:
            return _labels(calculator, self.frame, self.stress)
        except BaseException as error:
            # what it holds of the broken frame must not reach the next one
            _BUILT.clear()
            return Labels(reason=said(error))


def _built(name: str, folder: Path) -> BaseCalculator:
    if name not in _BUILT:
        calculator = build(name)
        where = getattr(calculator, "directory", None)
        if isinstance(where, str | Path) and Path(where) == Path():  # ASE has both kinds
            calculator.directory = type(where)(folder.absolute() / f"worker-{os.getpid()}")
        _BUILT[name] = calculator
    return _BUILT[name]


def _labels(calculator: BaseCalculator, frame: Frame, stress: bool) -> Labels:
    atoms = to_atoms(frame.unlabelled())
    kind = "free_energy" if "free_energy" in calculator.implemented_properties else "energy"
    energy = float(calculator.get_property(kind, atoms))
    forces = np.array(calculator.get_property("forces", atoms), dtype=np.float64)
    found = None
    if stress and all(frame.pbc) and "stress" in calculator.implemented_properties:
        try:
            found = voigt(calculator.get_property("stress", atoms), frame.label)
        except (PropertyNotImplementedError, NotImplementedError):
            found = None  # as GPAW says it of its grids
    everything = [np.array([energy]), forces.ravel(), np.zeros(0) if found is None else found]
    if forces.shape != (len(frame), 3) or not np.all(np.isfinite(np.concatenate(everything))):
        return Labels(reason="energy, forces or stress are not finite numbers")
    return Labels(energy, forces, found)
