"""Labels from VASP's vasprun.xml.

The energy is VASP's free energy (``e_fr_energy``), which the forces are the derivative of; the
one extrapolated to zero smearing is not. A run that is still going on, or was killed, gives the
steps it finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import open_input
from lammpsfit.labelled.frame import Frame
from lammpsfit.reference.frame import EndsEarly
from lammpsfit.reference.vasprun import IonicStep, ionic_steps
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

KBAR: Final = 1e3 / BAR_PER_EV_PER_CUBIC_ANGSTROM
"""One kbar in eV/Å^3."""

NELM: Final = 60
"""Electronic steps VASP makes at most where the input does not say (its manual, NELM)."""


def read_vasprun(
    path: Path,
    tell: Callable[[str], None] = lambda line: None,
    leaves_out: Callable[[int], bool] = lambda number: False,
) -> Iterator[Frame]:
    """Yield the ionic steps of a vasprun.xml that DFT converged.

    Left out are steps that used up all electronic steps (``NELM``), whose forces are wrong, and
    those VASP's own machine-learned field made, which DFT never saw.

    Parameters
    ----------
    path
        The file, plain or packed.
    tell
        Told in a line how many steps were left out, and why.
    leaves_out
        Tells of the number of a step, from 1, whether the user leaves it out.

    Raises
    ------
    InputError
        If it is no vasprun.xml, or holds no step that can be used.
    """
    unconverged = learned = used = steps = 0
    most = NELM
    for step in _steps(path, tell):
        steps += 1
        most = step.most_cycles or NELM
        if leaves_out(step.number):
            continue
        if step.learned or step.cycles == 0:
            learned += 1
        elif step.cycles >= most > 1:
            unconverged += 1
        else:
            used += 1
            yield _frame(step, f"{path}, step {step.number}")
    if unconverged:
        tell(f"{path}: left out {unconverged} steps that did not converge (NELM = {most})")
    if learned:
        tell(
            f"{path}: left out {learned} of {steps} steps without DFT, which VASP's "
            f"machine-learned field made"
        )
    if not used:
        raise InputError(f"{path}: none of its {steps} steps is a converged one")


def _steps(path: Path, tell: Callable[[str], None]) -> Iterator[IonicStep]:
    """Yield the steps that are whole."""
    number = 0
    with open_input(path) as stream:
        try:
            for step in ionic_steps(path, stream):
                number = step.number
                yield step
        except EndsEarly:
            tell(f"{path}: ends within step {number + 1}, which is left out")


def _frame(step: IonicStep, where: str) -> Frame:
    if step.energy is None or step.forces is None:
        raise InputError(f"{where}: no energy (e_fr_energy) or forces")
    stress = None
    if step.stress is not None:  # VASP: kbar, positive under compression
        if step.stress.shape != (3, 3):
            raise InputError(f"{where}: the stress must have nine numbers")
        s = -KBAR * step.stress
        stress = np.array([s[0, 0], s[1, 1], s[2, 2], s[1, 2], s[0, 2], s[0, 1]])
    return Frame(
        step.species,
        step.positions,
        step.cell,
        (True, True, True),
        step.energy,
        step.forces,
        stress,
        where,
    )
