"""One configuration through LAMMPS, as a user would run it: by its program, in a fresh folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from lammpsfit.errors import RunError
from lammpsfit.gap.lammps.installation import Lammps
from lammpsfit.labelled.frames import Frame
from lammpsfit.md.template import render

FloatArray = NDArray[np.float64]

BAR: Final = 1.0 / 1.6021765e6
"""eV/Å^3, with the digits LAMMPS has for units metal."""

TIMEOUT: Final = 600.0
"""Seconds a run without steps may take."""


@dataclass(frozen=True, eq=False)
class Computed:
    """What LAMMPS says of n atoms, in the order they were given.

    Attributes
    ----------
    energy : float, eV
    energies : ndarray, shape (n,), eV
    forces : ndarray, shape (n, 3), eV/Å
    stress : ndarray, shape (6,), eV/Å^3
        As ASE has it, without the motion of atoms.
    errors : ndarray, shape (n, 2), or None
        Of the force (length of the vector, eV/Å) and of the local energy (eV).
    """

    energy: float
    energies: FloatArray
    forces: FloatArray
    stress: FloatArray
    errors: FloatArray | None


def upright(frame: Frame) -> Frame:
    """Turn a frame so that its cell is as LAMMPS wants it: a along x, b in the plane of x and y."""
    atoms = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    return Frame(frame.symbols, atoms.positions, np.array(atoms.cell), frame.pbc, label=frame.label)


def data_text(frame: Frame, species: tuple[str, ...]) -> str:
    """Return the data file of an upright frame; types are numbered as the species."""
    (a, _, _), (xy, b, _), (xz, yz, c) = frame.cell.tolist()
    lines = [
        f"# {frame.label}",
        "",
        f"{len(frame)} atoms",
        f"{len(species)} atom types",
        f"0 {a!r} xlo xhi",
        f"0 {b!r} ylo yhi",
        f"0 {c!r} zlo zhi",
    ]
    if any((xy, xz, yz)):
        lines.append(f"{xy!r} {xz!r} {yz!r} xy xz yz")
    lines += ["", "Atoms # atomic", ""]
    for k, (symbol, position) in enumerate(
        zip(frame.symbols, frame.positions.tolist(), strict=True), 1
    ):
        place = " ".join(map(repr, position))
        lines.append(f"{k} {species.index(symbol) + 1} {place}")
    return "\n".join(lines) + "\n"


def compute(
    lammps: Lammps,
    folder: Path,
    frame: Frame,
    species: tuple[str, ...],
    errors: bool = False,
    launcher: tuple[str, ...] = (),
) -> Computed:
    """Run LAMMPS on a frame with the potential of an exported folder.

    Parameters
    ----------
    lammps
        What to run.
    folder
        With ``potential.lmp`` and what it names.
    frame
        Upright and periodic.
    species
        In the order of the types of the potential.
    errors
        Whether to compute the predicted errors too.
    launcher
        As ``("mpiexec", "-n", "2")``.

    Raises
    ------
    RunError
        With LAMMPS's own message, if the run fails.
    """
    with tempfile.TemporaryDirectory(prefix="lammpsfit-") as name:
        place = Path(name)
        (place / "export").symlink_to(folder.resolve())
        (place / "start.data").write_text(data_text(frame, species), encoding="utf-8")
        command = "compute errors all lammpsfit/gap/error" if errors else ""
        columns = "c_errors[1] c_errors[2]" if errors else ""
        text = render("gap_verify", errors=command, columns=columns)
        (place / "in.verify").write_text(text, encoding="utf-8")
        run_input(lammps, place, "in.verify", launcher)
        totals = np.loadtxt(place / "totals.txt")
        atoms = np.loadtxt(place / "atoms.txt", skiprows=9, ndmin=2)
    return Computed(
        float(totals[0]),
        atoms[:, 4],
        atoms[:, 1:4],
        -BAR * totals[1:],
        atoms[:, 5:] if errors else None,
    )


def run_input(lammps: Lammps, folder: Path, name: str, launcher: tuple[str, ...] = ()) -> str:
    """Run an input file in its folder, and return what LAMMPS printed.

    Raises
    ------
    RunError
        With LAMMPS's own message, if the run fails.
    """
    command = [*launcher, *lammps.command, "-in", name, "-log", "none", "-nocite"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"LAMMPS cannot be run: {error}") from None
    if done.returncode:
        raise RunError(f"LAMMPS: {error_message(done.stdout + done.stderr, done.returncode)}")
    return done.stdout


def error_message(said: str, code: int) -> str:
    """Return what LAMMPS gave as the reason why it ended with a code, in a line."""
    for line in said.splitlines():
        if line.startswith("ERROR"):
            return line
    last = said.strip().splitlines()[-1:] or [""]
    return f"ended with code {code}: {last[0]}"
