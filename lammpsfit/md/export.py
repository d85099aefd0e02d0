"""Export: LAMMPS files of a potential, run again and compared with its own U(r)."""

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lammpsfit import __version__
from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError, RunError
from lammpsfit.files import replacing, write_text
from lammpsfit.forcefield import Potential, dump_potential
from lammpsfit.forcefield.coulomb.ewald import periodic_coulomb
from lammpsfit.forcefield.lammps_text import (
    combined_pair_lines,
    comment,
    overlay_pair_lines,
    table_text,
)
from lammpsfit.md.melt import Melt, Melting
from lammpsfit.md.neutral import neutral_composition
from lammpsfit.md.potential_text import species_lines
from lammpsfit.md.protocol import timeout
from lammpsfit.md.session import session, workplace
from lammpsfit.md.system import System
from lammpsfit.md.template import render
from lammpsfit.units import DALTON_PER_CUBIC_ANGSTROM

FloatArray = NDArray[np.float64]

TOLERANCE: Final = 1e-4
"""Largest rms difference in eV/Å between an exported file's forces and those of U(r)."""

TABLE_POINTS: Final = (10000, 20000, 40000, 80000)
"""Points of exported tables, the first number that agrees: twice as many quarter the error.
Evaluations make do with 5000."""

ATOMS_PER_CUBIC_ANGSTROM: Final = 0.066
"""Number density of the check where the system is not known; that of silica glass."""

CHECK_TEMPERATURE: Final = 3600.0
"""Temperature in K of the check where the system is not known."""

EXPORTED: Final = (
    *("potential.lmp", "potential-table.lmp", "remainder.table", "combined.table"),
    *("potential.toml", "in.example", "example.data"),
)
"""What an export writes into its folder."""

FILES: Final = {"overlay": "potential.lmp", "combined": "potential-table.lmp"}


@dataclass(frozen=True)
class Check:
    """Forces of the exported files against U(r), on one hot configuration.

    Attributes
    ----------
    atoms
        Number of atoms compared.
    force_rms
        Root mean square force component in eV/Å, for scale.
    overlay_rms, overlay_max, combined_rms, combined_max
        Differences of force components in eV/Å, of both variants.
    tolerance
        Largest rms difference in eV/Å: :data:`TOLERANCE`, and what an Ewald sum in LAMMPS allows
        itself.
    """

    atoms: int
    force_rms: float
    overlay_rms: float
    overlay_max: float
    combined_rms: float
    combined_max: float
    tolerance: float = TOLERANCE

    def __str__(self) -> str:
        return (
            f"forces of {self.atoms} hot atoms ({self.force_rms:.1f} eV/Å rms) differ from U(r) by "
            f"{self.overlay_rms:.1e} rms, {self.overlay_max:.1e} at most (overlay), "
            f"{self.combined_rms:.1e} rms, {self.combined_max:.1e} at most (table)"
        )

    @property
    def agrees(self) -> bool:
        """Whether both variants agree with U(r) to the tolerance; NaN does not."""
        return self.overlay_rms <= self.tolerance and self.combined_rms <= self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Forces:
    """Forces of a configuration under an exported include file.

    Attributes
    ----------
    types
        LAMMPS types, shape (n,), by atom id.
    positions, forces
        In Å and eV/Å, shape (n, 3), by atom id.
    box
        Edges in Å, shape (3,).
    """

    types: NDArray[np.int64]
    positions: FloatArray
    forces: FloatArray
    box: FloatArray


@dataclass(frozen=True)
class RunExport:
    """The task that reads an include file as a user would, and returns the forces."""

    folder: Path
    include: str
    structure: Path

    def __call__(self) -> Forces:
        """Run LAMMPS for one force evaluation."""
        with workplace({"start.data": self.structure, "export": self.folder}), session() as lmp:
            lmp.commands_string(
                render("verify", structure="start.data", folder="export", include=self.include)
            )
            low, high, *_ = lmp.extract_box()
            n = lmp.get_natoms()
            return Forces(
                types=np.array(lmp.gather_atoms("type", 0, 1), dtype=np.int64),
                positions=np.array(lmp.gather_atoms("x", 1, 3)).reshape(n, 3),
                forces=np.array(lmp.gather_atoms("f", 1, 3)).reshape(n, 3),
                box=np.array(high) - np.array(low),
            )


def export_potential(
    potential: Potential,
    output: Path,
    structure: Path | None = None,
    temperature: float = CHECK_TEMPERATURE,
    composition: Mapping[str, int] | None = None,
) -> Check:
    """Write a potential as LAMMPS files that were run again to prove them.

    The folder gets ``potential.lmp`` (styles that people can read and edit),
    ``potential-table.lmp`` (one table per pair, faster), their tables, ``potential.toml``, and
    ``in.example`` with ``example.data``, which run as they stand. Nothing is written unless
    both variants agree with U(r) to :data:`TOLERANCE`.

    Parameters
    ----------
    potential
        What to export.
    output
        Folder to write.
    structure, temperature
        A hot configuration (LAMMPS data file, types in the potential's order) and its
        temperature in K. By default a small box is molten for it.
    composition
        The compound of that box; by default the smallest neutral one with all species.

    Raises
    ------
    InputError
        If the folder cannot be written.
    RunError
        If the files do not give the forces of U(r).
    """
    with tempfile.TemporaryDirectory(prefix="lammpsfit-") as name:
        folder = Path(name)
        if structure is None:
            _hot_structure(potential, folder, temperature, composition)
        else:
            shutil.copyfile(structure, folder / "example.data")
        for points in TABLE_POINTS:
            _write_files(potential, folder, temperature, points)
            check = _verify(potential, folder)
            if check.agrees:
                break
        else:
            raise RunError(
                "not exported: the forces of the files must agree with U(r) to "
                f"{check.tolerance:g} eV/Å rms; {check}"
            )
        _publish(folder, output)
    return check


def pair_forces(potential: Potential, state: Forces) -> FloatArray:
    """Sum forces directly, shape (n, 3) in eV/Å; the box must hold two cutoffs.

    They are those of dU/dr, and of an Ewald sum where the potential has one.
    """
    names = list(potential.species)
    forces = np.zeros_like(state.positions)
    for i in range(len(state.types)):
        apart = state.positions[i] - state.positions
        apart -= state.box * np.round(apart / state.box)
        r = np.linalg.norm(apart, axis=1)
        for kind, other in enumerate(names, 1):
            near = (state.types == kind) & (r < potential.outer_cutoff) & (r > 0)
            pair = f"{names[state.types[i] - 1]}-{other}"
            slope = potential.slope(pair, r[near])
            forces[i] -= (slope / r[near]) @ apart[near]
    if potential.coulomb and not potential.coulomb.pairwise:
        charges = np.array([species.charge for species in potential.species.values()])
        forces += periodic_coulomb(state.positions, charges[state.types - 1], state.box)[1]
    return forces


def _hot_structure(
    potential: Potential,
    folder: Path,
    temperature: float,
    composition: Mapping[str, int] | None,
) -> Path:
    """Melt a small box of a compound, or of the simplest neutral one of the potential."""
    composition = composition or neutral_composition(potential)
    mass = sum(n * potential.species[name].mass for name, n in composition.items())
    per_unit = sum(composition.values())
    atoms_wanted = ATOMS_PER_CUBIC_ANGSTROM * (2.1 * potential.outer_cutoff) ** 3
    system = System(
        "".join(f"{name}{n}" for name, n in composition.items()),
        atoms=per_unit * math.ceil(atoms_wanted / per_unit),
        density=ATOMS_PER_CUBIC_ANGSTROM * mass / per_unit / DALTON_PER_CUBIC_ANGSTROM,
    )
    melting = Melting("random", temperature, temperature, melt=0.5, cool=0.25, relax=0.25)
    path = folder / "example.data"
    task = Melt(potential.restricted(system.species), system, melting, path)
    run_in_child(task, timeout(melting.steps, system.atoms))
    return path


def _write_files(potential: Potential, folder: Path, temperature: float, points: int) -> None:
    """Write everything but the example structure."""
    places = "${potential_dir}"
    variants = {
        "overlay": (
            "overlay of LAMMPS styles, easy to read and edit",
            overlay_pair_lines(potential, f"{places}/remainder.table", points),
        ),
        "combined": (
            "one table per pair, two to three times faster",
            combined_pair_lines(potential, f"{places}/combined.table", points),
        ),
    }
    header = "\n".join(f"# {comment(line)}" for line in _header(potential))
    for variant, (what, lines) in variants.items():
        text = render(
            "potential",
            name=comment(potential.name),
            what=what,
            header=header,
            version=__version__,
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            types=", ".join(f"{i} = {name}" for i, name in enumerate(potential.species, 1)),
            species=species_lines(potential),
            pair_potential="\n".join(lines),
        )
        write_text(folder / FILES[variant], text)
    for part in ("remainder", "combined"):
        text = table_text(potential, part, points, within_secants=True)
        write_text(folder / f"{part}.table", text)
    write_text(folder / "potential.toml", dump_potential(potential))
    write_text(folder / "in.example", render("example", temperature=temperature))


def _header(potential: Potential) -> list[str]:
    """Say what a reader of the files wants to know: title, citation, cost."""
    lines = [potential.title, f"doi:{potential.doi}" if potential.doi else "", potential.note]
    return [line for text in lines for line in text.splitlines() if line.strip()]


def _verify(potential: Potential, folder: Path) -> Check:
    """Run both variants, and compare with the direct sum over U(r)."""
    differences = {}
    for variant, include in FILES.items():
        state = run_in_child(RunExport(folder, include, folder / "example.data"), timeout(0, 0))
        forces = pair_forces(potential, state)
        differences[variant] = state.forces - forces
    return Check(
        atoms=len(forces),
        force_rms=_rms(forces),
        overlay_rms=_rms(differences["overlay"]),
        overlay_max=float(np.abs(differences["overlay"]).max()),
        combined_rms=_rms(differences["combined"]),
        combined_max=float(np.abs(differences["combined"]).max()),
        tolerance=TOLERANCE + (potential.coulomb.force_error if potential.coulomb else 0.0),
    )


def _publish(folder: Path, output: Path) -> None:
    """Move the proven files to where they were asked for, each in one step."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        for source in sorted(folder.iterdir()):
            with replacing(output / source.name) as part:
                shutil.copyfile(source, part)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from error


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
