"""A model in LAMMPS without a plugin: forces by way of ``fix external`` and LAMMPS's Python module.

It needs no compiler, and has the speed of the calculator. On several ranks the first one computes
for all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.neighbour_list import SKIN
from lammpsfit.gap.predict import Prediction, neighbour_list, predict
from lammpsfit.labelled.frames import Frame

FIX = "lammpsfit_gap"
"""ID of the fix."""

VOIGT_OF_LAMMPS = (0, 1, 2, 5, 4, 3)
"""xx yy zz xy xz yz among ASE's xx yy zz yz xz xy."""


def attach(lmp: Any, model: Model | Path | str, species: Sequence[str]) -> None:
    """Give the atoms of a LAMMPS instance the forces of a model.

    Energy (``pe``, also per atom) and pressure contain it too. The instance keeps its own pair
    style, which needs no forces: ``pair_style zero 8.0`` with ``pair_coeff * *``.

    Parameters
    ----------
    lmp : lammps.lammps
        With units metal, atom IDs, a periodic box and its atoms.
    model
        A model or its file.
    species
        Chemical symbol of each atom type.

    Raises
    ------
    InputError
        If the units are others, or the model does not know a species.

    Examples
    --------
    >>> attach(lmp, "model.json", ["Al"])  # doctest: +SKIP
    >>> lmp.command("run 1000")  # doctest: +SKIP
    """
    known = model if isinstance(model, Model) else load_model(Path(model))
    if missing := [name for name in species if name not in known.species]:
        raise InputError(
            f"the model has no {missing[0]}: its species are {', '.join(known.species)}"
        )
    units = lmp.extract_global("units")
    if units != "metal":
        raise InputError(f"a GAP needs LAMMPS in units metal, not {units}")
    lmp.commands_string(
        f"fix {FIX} all external pf/callback 1 1\nfix_modify {FIX} energy yes virial yes"
    )
    lmp.set_fix_external_callback(FIX, _Forces(lmp, known, tuple(species)))


class _Forces:
    """What LAMMPS calls for forces."""

    def __init__(self, lmp: Any, model: Model, species: tuple[str, ...]) -> None:
        self._lmp, self._model, self._species = lmp, model, species
        self._neighbours = neighbour_list(model, SKIN)

    def __call__(
        self,
        caller: object,
        step: int,
        n: int,
        tag: NDArray[np.int32],
        x: NDArray[np.float64],
        f: NDArray[np.float64],
    ) -> None:
        kind = self._lmp.numpy.extract_atom("type")[:n]
        comm = self._lmp.get_mpi_comm() if self._lmp.extract_setting("world_size") > 1 else None
        local = tag.copy(), kind.copy(), x.copy()
        parts = [local] if comm is None else comm.gather(local)
        found: Prediction | str = ""
        order: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        if parts is not None:
            tags, kinds, positions = (np.concatenate(one) for one in zip(*parts, strict=True))
            order = np.argsort(tags)
            found = self._predicted(kinds[order], positions[order])
            order = tags[order].astype(np.intp)
        if comm is not None:
            found, order = comm.bcast((found, order))
        if isinstance(found, str):
            self._stop(found, f)
            return
        mine = np.searchsorted(order, tag)
        f[:] = found.forces[mine]
        self._lmp.fix_external_set_energy_global(FIX, found.energy)
        self._lmp.fix_external_set_energy_peratom(FIX, found.energies[mine])
        virial = -self._volume * found.stress[list(VOIGT_OF_LAMMPS)]
        self._lmp.fix_external_set_virial_global(FIX, virial)

    def _stop(self, why: str, f: NDArray[np.float64]) -> None:
        """End the run: what is raised here would be lost on its way through LAMMPS."""
        print(f"lammpsfit: {why}", file=sys.stderr)
        f[:] = np.nan
        self._lmp.force_timeout()

    def _predicted(self, kinds: NDArray[Any], positions: NDArray[np.float64]) -> Prediction | str:
        """Predict, or say why not, so that all ranks stop."""
        symbols = tuple(self._species[k - 1] for k in kinds)
        try:
            frame = Frame(symbols, positions, self._cell, (True, True, True), label="LAMMPS")
            return predict(self._model, frame, neighbours=self._neighbours)
        except InputError as error:
            return str(error)

    @property
    def _cell(self) -> NDArray[np.float64]:
        low, high, xy, yz, xz, *_ = self._lmp.extract_box()
        a, b, c = np.subtract(high, low)
        return np.array([[a, 0.0, 0.0], [xy, b, 0.0], [xz, yz, c]])

    @property
    def _volume(self) -> float:
        return float(np.linalg.det(self._cell))
