"""A folder with a model for LAMMPS's Python module, where no plugin can be compiled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from lammpsfit.child import run_in_child
from lammpsfit.errors import RunError
from lammpsfit.gap.lammps.export import Check, check_frames, compare, publish
from lammpsfit.gap.lammps.external import VOIGT_OF_LAMMPS, attach
from lammpsfit.gap.lammps.run import BAR, Computed, data_text
from lammpsfit.gap.model import Model
from lammpsfit.gap.model_file import save_model
from lammpsfit.labelled.frames import Frame
from lammpsfit.md.session import session, workplace
from lammpsfit.md.template import render

TIMEOUT: Final = 600.0
"""Seconds the runs without steps may take."""

EXPORTED_EXTERNAL: Final = ("model.json", "in.external", "example.data", "run.py")
"""Files of an exported folder."""


@dataclass(frozen=True)
class RunExternal:
    """The task that runs a model on some configurations."""

    model: Path
    frames: tuple[Frame, ...]
    species: tuple[str, ...]

    def __call__(self) -> list[Computed]:
        """Run LAMMPS for one evaluation of each."""
        with workplace({"model.json": self.model}):
            return [self._computed(frame) for frame in self.frames]

    def _computed(self, frame: Frame) -> Computed:
        Path("start.data").write_text(data_text(frame, self.species), encoding="utf-8")
        with session() as lmp:
            lmp.commands_string(setup_text("start.data", self.species))
            lmp.command("compute virial all pressure NULL virial")
            lmp.command("compute energy all pe/atom")
            lmp.command("thermo_style custom pe press c_virial[1]")
            attach(lmp, "model.json", self.species)
            lmp.command("run 0 post no")
            n = lmp.get_natoms()
            pressure = np.array(lmp.numpy.extract_compute("virial", 0, 1))
            order = np.argsort(lmp.numpy.extract_atom("id")[:n])
            return Computed(
                float(lmp.get_thermo("pe")),
                lmp.numpy.extract_compute("energy", 1, 1)[:n][order],
                np.array(lmp.gather_atoms("f", 1, 3)).reshape(n, 3),
                -BAR * pressure[list(VOIGT_OF_LAMMPS)],
                None,
            )


def setup_text(structure: str, species: tuple[str, ...]) -> str:
    """Return the input that comes before the forces."""
    masses = [
        f"mass            {k} {atomic_masses[atomic_numbers[name]]:.8g}"
        for k, name in enumerate(species, 1)
    ]
    return render("gap_external", structure=structure, masses="\n".join(masses))


def export_external(
    model: Model, output: Path, tell: Callable[[str], None] = lambda line: None
) -> Check:
    """Write a model as a folder for LAMMPS's Python module, once it was run and agrees.

    The folder gets ``model.json``, ``in.external`` with ``example.data``, and ``run.py``, which
    runs as it stands.

    Raises
    ------
    InputError
        If the folder cannot be written.
    RunError
        If LAMMPS fails, or does not agree.
    """
    frames, species = check_frames(model), model.species
    with tempfile.TemporaryDirectory(prefix="lammpsfit-") as name:
        folder = Path(name)
        save_model(model, folder / "model.json")
        (folder / "example.data").write_text(data_text(frames[-1], species), encoding="utf-8")
        text = setup_text("example.data", species)
        (folder / "in.external").write_text(text, encoding="utf-8")
        script = render("gap_external_run", species=repr(list(species)))
        (folder / "run.py").write_text(script, encoding="utf-8")
        tell(f"running LAMMPS on {len(frames)} configurations")
        found = run_in_child(RunExternal(folder / "model.json", frames, species), TIMEOUT)
        check = compare(model, None, frames, found)
        if not check.agrees:
            raise RunError(f"not exported: LAMMPS must agree with the calculator; {check}")
        publish(folder, output)
    return check
