"""The calculator of a command: a model, or a factory of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.model import Model
from lammpsfit.inputs import sha256

Covariance = Callable[[Sequence[Atoms]], NDArray[np.float64]]


@dataclass(frozen=True)
class Source:
    """What computes energies and forces.

    Attributes
    ----------
    calculator : BaseCalculator
    name : str
        What it is: a factory, or a model file's digest.
    model : Model or None
        Where it is one.
    """

    calculator: BaseCalculator
    name: str
    model: Model | None = None

    @property
    def covariance(self) -> Covariance | None:
        """Covariances of energies, where the potential predicts its errors."""
        model = self.model
        if model is None or (model.factor is None and not model.training):
            return None
        from lammpsfit.gap.variance import energy_covariance
        from lammpsfit.labelled.frames import from_atoms

        def of(frames: Sequence[Atoms]) -> NDArray[np.float64]:
            return energy_covariance(model, [from_atoms(one, labelled=False) for one in frames])

        return of

    @property
    def grade(self) -> Callable[[Atoms], float] | None:
        """Largest grade of some atoms (:mod:`lammpsfit.gap.coverage`), where there is one."""
        model = self.model
        if model is None or model.inducing or len(model.training) < 2:
            return None
        from lammpsfit.gap.coverage import Coverage
        from lammpsfit.labelled.frames import from_atoms

        coverage = Coverage(model)
        return lambda atoms: float(coverage.grades(from_atoms(atoms, labelled=False)).max())

    def species(self) -> str | None:
        """Return the only element of a model; None where there are several, or no model."""
        known = () if self.model is None else self.model.species
        return known[0] if len(known) == 1 else None


def open_source(model: Path | None, factory: str | None) -> Source:
    """Make the calculator of a model file (or its run folder), or of a factory.

    Raises
    ------
    InputError
        If neither or both are given, or what is given makes no calculator.
    """
    if (model is None) == (factory is None):
        raise InputError("give a model, or --calculator module:factory, and not both")
    if factory is not None:
        from lammpsfit.gap.factory import build
        from lammpsfit.gap.factory_check import check_factory, failing_in_a_line

        check_factory(factory)
        return Source(failing_in_a_line(build(factory), factory), factory)
    from lammpsfit.gap.calculator import GapCalculator
    from lammpsfit.gap.model_file import load_model
    from lammpsfit.gap.run import GapRun

    assert model is not None
    path = GapRun(model).model if model.is_dir() else model
    loaded = load_model(path)
    digest = sha256(path)[:16]
    return Source(GapCalculator(loaded), f"GAP {digest}", loaded)
