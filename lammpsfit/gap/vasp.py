"""Labels from VASP's vasprun.xml.

The energy is VASP's free energy (``e_fr_energy``), which the forces are the derivative of; the
one extrapolated to zero smearing is not. A run that is still going on, or was killed, gives the
steps it finished.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from pymatgen.io.vasp.outputs import Vasprun

from lammpsfit.errors import InputError
from lammpsfit.gap.frame import Frame
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM

KBAR: Final = 1e3 / BAR_PER_EV_PER_CUBIC_ANGSTROM
"""One kbar in eV/Å^3."""

NELM: Final = 60
"""Electronic steps VASP makes at most where the input does not say (its manual, NELM)."""


def read_vasprun(path: Path, tell: Callable[[str], None] = lambda line: None) -> Iterator[Frame]:
    """Yield the ionic steps of a vasprun.xml that DFT converged.

    Left out are steps that used up all electronic steps (``NELM``), whose forces are wrong, and
    those VASP's own machine-learned field predicted, which DFT never saw.

    Parameters
    ----------
    path
        The file, plain or compressed.
    tell
        Told in a line how many steps were left out, and why.

    Raises
    ------
    InputError
        If it is no vasprun.xml, or holds no step that can be used.
    """
    run = _parse(path)
    most = int(run.parameters.get("NELM", NELM))
    unconverged = predicted = used = 0
    for number, step in enumerate(run.ionic_steps, start=1):
        cycles = len(step["electronic_steps"])
        if cycles == 0:
            predicted += 1
        elif cycles >= most > 1:
            unconverged += 1
        else:
            used += 1
            yield _frame(step, f"{path}, step {number}")
    if unconverged:
        tell(f"{path}: left out {unconverged} steps that did not converge (NELM = {most})")
    if predicted:
        tell(f"{path}: left out {predicted} steps without DFT (no electronic steps)")
    if not used:
        raise InputError(f"{path}: none of its {len(run.ionic_steps)} steps is a converged one")


def _parse(path: Path) -> Vasprun:
    options = {"parse_dos": False, "parse_eigen": False, "parse_potcar_file": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file that ends early, no POTCAR beside it
            return Vasprun(str(path), exception_on_bad_xml=False, **options)
    except Exception as error:  # whatever a file that is something else makes of the parser
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: no vasprun.xml that can be read: {why}") from None


def _frame(step: Mapping[str, Any], where: str) -> Frame:
    structure = step["structure"]
    if structure is None or "e_fr_energy" not in step or "forces" not in step:
        raise InputError(f"{where}: no structure, energy (e_fr_energy) or forces")
    stress = None
    if "stress" in step:  # VASP: kbar, positive under compression
        s = -KBAR * np.array(step["stress"], dtype=np.float64)
        stress = np.array([s[0, 0], s[1, 1], s[2, 2], s[1, 2], s[0, 2], s[0, 1]])
    return Frame(
        tuple(site.specie.symbol for site in structure),
        np.array(structure.cart_coords),
        np.array(structure.lattice.matrix),
        (True, True, True),
        float(step["e_fr_energy"]),
        np.array(step["forces"], dtype=np.float64),
        stress,
        where,
    )
