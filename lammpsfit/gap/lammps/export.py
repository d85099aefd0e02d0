"""A folder with a model for LAMMPS, which was run to prove it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase.build import bulk
from ase.data import atomic_masses, atomic_numbers, covalent_radii

from lammpsfit import __version__
from lammpsfit.errors import InputError, RunError
from lammpsfit.files import replacing
from lammpsfit.gap.lammps.build import PLUGIN, build_plugin
from lammpsfit.gap.lammps.installation import Lammps, find_lammps
from lammpsfit.gap.lammps.model_text import model_text
from lammpsfit.gap.lammps.posterior import Posterior, errors_at_atoms, posterior_at_atoms
from lammpsfit.gap.lammps.run import Computed, compute, data_text, upright
from lammpsfit.gap.model import Model
from lammpsfit.gap.predict import predict, sum_of
from lammpsfit.inputs import read_text
from lammpsfit.labelled.frames import Frame
from lammpsfit.md.template import render

TOLERANCES: Final = {"energy": 1e-8, "forces": 1e-7, "virial": 1e-7}
"""Largest differences from the calculator: eV per atom, eV/Å, eV per atom."""

ROUNDINGS: Final = 4
"""Roundings of the largest terms that energies may differ by besides."""

ERRORS_TOLERANCE: Final = 1e-3
"""Largest difference of a predicted error from that of the Python side, as a part of it."""

FLOOR: Final = 1e-3
"""eV/Å; of errors below it, as in a perfect crystal, differences count as parts of this."""

EXAMPLE_TEMPERATURE: Final = 300.0

EXPORTED: Final = ("model.gap", PLUGIN, "potential.lmp", "in.example", "example.data")
"""Files of an exported folder."""

COMPUTE: Final = """compute         errors all lammpsfit/gap/error
compute         worst all reduce max c_errors[1]
thermo_style    custom step temp pe etotal press c_worst"""
"""Of an example whose model has errors; they take longer than a step, but for each line only."""


@dataclass(frozen=True)
class Check:
    """LAMMPS against the calculator, on a few configurations.

    Attributes
    ----------
    configurations, atoms : int
        How many there were, and atoms in all of them.
    energy, virial : float, eV per atom
        Largest differences.
    forces : float, eV/Å
        Largest difference of a component.
    errors : float or None
        Largest difference of a predicted error of a force, as a part of it; ``None`` if the model
        has none.
    rounding : float, eV per atom
        What an energy may be off because its terms are so much larger, see :func:`rounding`.
    """

    configurations: int
    atoms: int
    energy: float
    forces: float
    virial: float
    errors: float | None
    rounding: float = 0.0

    def __str__(self) -> str:
        said = (
            f"{self.configurations} configurations ({self.atoms} atoms) differ from the calculator "
            f"by {self.energy:.1e} eV/atom, {self.forces:.1e} eV/Å, {self.virial:.1e} eV/atom "
            f"(virial) at most"
        )
        return said if self.errors is None else f"{said}; errors by {self.errors:.1e} of them"

    @property
    def agrees(self) -> bool:
        """Whether all differences are within :data:`TOLERANCES` and rounding; NaN is not."""
        allowed = TOLERANCES | {"energy": TOLERANCES["energy"] + self.rounding}
        within = all(getattr(self, name) <= most for name, most in allowed.items())
        return within and (self.errors is None or self.errors <= ERRORS_TOLERANCE)

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        return asdict(self)


def export_model(
    model: Model,
    output: Path,
    lammps: Lammps,
    title: str = "",
    tell: Callable[[str], None] = lambda line: None,
    errors: bool = True,
) -> Check:
    """Write a model as a folder for LAMMPS, once LAMMPS was run and agrees.

    The folder gets ``model.gap``, the plugin, ``potential.lmp`` to include, and ``in.example`` with
    ``example.data``, which run as they stand.

    Parameters
    ----------
    model
        Of any species and descriptors the plugin knows.
    output
        Folder to write; files of these names are replaced.
    lammps
        What the plugin is built for, and run by.
    title
        For people who read the files.
    tell
        Told what is being done.
    errors
        Whether LAMMPS shall know the errors of predictions, where the model does.

    Raises
    ------
    InputError
        If there is no compiler, or the folder cannot be written.
    RunError
        If the plugin does not compile, LAMMPS fails, or does not agree.
    """
    tell(f"building the plugin for LAMMPS {lammps.version}")
    plugin = build_plugin(lammps)
    posterior = None
    if errors:
        tell("choosing the atoms that errors go by")
        posterior = posterior_at_atoms(model)
    frames = check_frames(model)
    with tempfile.TemporaryDirectory(prefix="lammpsfit-") as name:
        folder = Path(name)
        shutil.copyfile(plugin, folder / PLUGIN)
        write_files(model, posterior, folder, frames[-1], title)
        tell(f"running LAMMPS on {len(frames)} configurations")
        found = [
            compute(lammps, folder, frame, model.species, errors=posterior is not None)
            for frame in frames
        ]
        check = compare(model, posterior, frames, found)
        if not check.agrees:
            raise RunError(f"not exported: LAMMPS must agree with the calculator; {check}")
        publish(folder, output)
    return check


def exported(
    model: Model,
    folder: Path,
    title: str,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a model for the LAMMPS of the Python package, unless the folder has it already.

    Its errors are left out: grades say where a run extrapolates.

    Parameters
    ----------
    model, tell
        As for :func:`export_model`.
    folder
        To write, or written by an earlier call.
    title
        By which the model is known again: a digest is in it.

    Returns
    -------
    Path
        ``potential.lmp`` in the folder.

    Raises
    ------
    InputError, RunError
        As :func:`export_model`.
    """
    potential = folder / "potential.lmp"
    if not (potential.exists() and title in read_text(potential)):
        export_model(model, folder, find_lammps(), title, tell, errors=False)
    return potential


def write_files(
    model: Model, posterior: Posterior | None, folder: Path, example: Frame, title: str
) -> None:
    """Write everything but the plugin."""
    species = model.species
    masses = [
        f"mass            {k} {atomic_masses[atomic_numbers[name]]:.8g}  # {name}"
        for k, name in enumerate(species, 1)
    ]
    potential = render(
        "gap_potential",
        title=" ".join(title.split()) or "A potential",
        version=__version__,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        types=", ".join(f"{k} = {name}" for k, name in enumerate(species, 1)),
        masses="\n".join(masses),
        plugin=PLUGIN,
        species=" ".join(species),
    )
    (folder / "model.gap").write_text(model_text(model, posterior), encoding="utf-8")
    (folder / "potential.lmp").write_text(potential, encoding="utf-8")
    (folder / "example.data").write_text(data_text(example, species), encoding="utf-8")
    errors = "" if posterior is None else COMPUTE
    text = render("gap_example", temperature=EXAMPLE_TEMPERATURE, errors=errors)
    (folder / "in.example").write_text(text, encoding="utf-8")


def check_frames(model: Model, seed: int = 1) -> tuple[Frame, ...]:
    """Return upright configurations to compare.

    Hot, strained, with two atoms too near where there is a core, and larger with species mixed.
    """
    rng = np.random.default_rng(seed)
    first = _first_frame(model)
    strain = np.eye(3) + rng.normal(0.0, 0.02, (3, 3))
    strained = replace(
        first,
        positions=first.positions @ strain + rng.normal(0.0, 0.05, (len(first), 3)),
        cell=first.cell @ strain,
        label="strained",
    )
    times = (2, 2, 1)
    shifts = np.array([(i, j, 0) for i in range(times[0]) for j in range(times[1])]) @ first.cell
    positions = (shifts[:, None] + first.positions[None]).reshape(-1, 3)
    larger = replace(
        first,
        symbols=tuple(rng.permutation(first.symbols * len(shifts)).tolist()),
        positions=positions + rng.normal(0.0, 0.1, positions.shape),
        cell=first.cell * np.array(times)[:, None],
        label="shaken",
    )
    frames = [first, strained, larger]
    if model.core is not None and len(first) > 1:
        frames.insert(2, _pushed(first, 0.9 * model.core.outer))
    return tuple(upright(frame) for frame in frames)


def _pushed(frame: Frame, distance: float) -> Frame:
    """Move the second atom to a distance from the first."""
    positions = np.array(frame.positions)
    apart = positions[1] - positions[0]
    positions[1] = positions[0] + distance * apart / np.linalg.norm(apart)
    return replace(frame, positions=positions, label="pushed")


def _first_frame(model: Model) -> Frame:
    """Return the last periodic frame the model was fitted to, or else a shaken crystal."""
    for frame in reversed(model.training):
        if all(frame.pbc):
            return frame.unlabelled()
    radii = [covalent_radii[atomic_numbers[name]] for name in model.species]
    spacing = 2.2 * float(np.mean(radii))
    crystal = bulk(model.species[0], "fcc", a=np.sqrt(2.0) * spacing, cubic=True).repeat(2)
    crystal.rattle(0.05 * spacing, seed=1)
    symbols = tuple(model.species[k % len(model.species)] for k in range(len(crystal)))
    return Frame(symbols, crystal.positions, np.array(crystal.cell), (True,) * 3, label="crystal")


def compare(
    model: Model,
    posterior: Posterior | None,
    frames: tuple[Frame, ...],
    found: list[Computed],
) -> Check:
    """Compare what LAMMPS found with the calculator."""
    differences: list[tuple[float, float, float]] = []
    for frame, one in zip(frames, found, strict=True):
        ours = predict(model, frame)
        per_atom = (one.energy - ours.energy) / len(frame)
        energies = np.append(one.energies - ours.energies, per_atom)
        virial = (one.stress - ours.stress) * frame.volume / len(frame)
        parts = energies, one.forces - ours.forces, virial
        differences.append(tuple(float(np.abs(part).max()) for part in parts))  # type: ignore[arg-type]
    energy, forces, virial = np.max(differences, axis=0).tolist()
    return Check(
        configurations=len(frames),
        atoms=sum(len(frame) for frame in frames),
        energy=energy,
        forces=forces,
        virial=virial,
        errors=None if posterior is None else _errors_apart(model, posterior, frames, found),
        rounding=rounding(model, frames),
    )


def rounding(model: Model, frames: Sequence[Frame]) -> float:
    """Return what double precision may cost an energy in these frames, eV per atom.

    With few centres and a long theta weights of 10⁹ eV add up to an energy of some eV. Near the
    frames of the fit the terms are small, see :class:`lammpsfit.gap.predict.Sum`; far from them
    they are as large as the weights, whose last digits an energy has not.
    """
    centres = model.centres
    sizes = np.abs(np.asarray(sum_of(model).a))
    plain = replace(
        model,
        centres=replace(centres, a=sizes, b=np.zeros_like(centres.b), w=np.zeros_like(centres.w)),
        offsets=dict.fromkeys(model.offsets, 0.0),
        core=None,
    )
    at_centre = {
        name: float(sizes[centres.species == k].sum()) for k, name in enumerate(model.species)
    }
    largest = 0.0
    for frame in frames:
        less = (
            np.array([at_centre[name] for name in frame.symbols]) - predict(plain, frame).energies
        )
        largest = max(largest, float(np.abs(less).max()))
    return ROUNDINGS * float(np.finfo(np.float64).eps) * largest


def _errors_apart(
    model: Model, posterior: Posterior, frames: tuple[Frame, ...], found: list[Computed]
) -> float:
    worst = 0.0
    for frame, one in zip(frames, found, strict=True):
        ours = np.linalg.norm(errors_at_atoms(model, posterior, frame), axis=1)
        assert one.errors is not None
        apart = np.abs(one.errors[:, 0] - ours) / np.maximum(ours, FLOOR)
        worst = max(worst, float(apart.max()))
    return worst


def publish(folder: Path, output: Path) -> None:
    """Move the proven files to where they were asked for, each in one step.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror})") from error
    for source in sorted(folder.iterdir()):
        with replacing(output / source.name) as part:
            shutil.copyfile(source, part)
