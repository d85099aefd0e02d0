"""The runs behind the figures: fits by their job files, and trajectories of some potentials.

Every fit is a run folder and every trajectory leaves its tables, so that what is there is not run
again; what was stopped goes on from its journal.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lammpsfit.config import Job, read_job
from lammpsfit.errors import RunError
from lammpsfit.farm.journal import read_journal
from lammpsfit.files import write_json, write_text
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.fit.run.run_folder import RunFolder, evaluations

HERE: Final = Path(__file__).resolve().parent
BIN: Final = Path(sys.executable).parent
FITTED: Final = ("fit4", "fit7", "fit10")
KNOWN: Final = ("BKS", "ML")

KEPT: Final = (
    "id", "stage", "label", "repeat", "x", "parameters", "seed", "status", "reason", "detail",
    "cost", "cost_error", "objective", "origin", "atom_steps", "seconds", "wall",
)  # fmt: skip
"""What is kept of a record of the journal."""

TIMES: Final = (5, 15)
"""ps of a trajectory before its first frame, and after it."""

QUICK: Final[Mapping[str, Mapping[str, Any]]] = {
    "system": {"atoms": 300},
    "protocol": {"relax": 0.05, "sample": 0.2, "every_fs": 10.0, "blocks": 4},
    "strategy": {"design": 4, "explore": 2, "refine": 1},
    "limits": {"evaluations": 7},
    "confirm": {"candidates": 1, "repeats": 2, "atoms": None, "relax": None, "sample": None},
}
"""Tables of a job of some seconds, to see that all works; the numbers mean nothing."""

QUICK_MELT: Final = {"melt": 0.3, "cool": 0.1, "relax": 0.1}


@dataclass(frozen=True)
class Place:
    """Where and how to run.

    Attributes
    ----------
    keep
        Folder of the run folders and trajectories.
    data
        Folder of the tables that figures are drawn from.
    workers
        Evaluations at a time.
    quick
        Whether to run next to nothing.
    """

    keep: Path
    data: Path
    workers: int
    quick: bool


def job_of(name: str, quick: bool = False) -> Job:
    """Read the job of a run; the quick one is a few runs of some hundred steps."""
    job = read_job(HERE / f"{name}.toml")
    if not quick:
        return job
    content = job.model_dump()
    for table, values in QUICK.items():
        content[table].update({key: v for key, v in values.items() if content[table][key] != 0})
    content["system"]["melt"].update(QUICK_MELT)
    return Job.model_validate(content)


def fit(name: str, place: Place) -> Path:
    """Run the fit of a job file to its end, from wherever it is, and tabulate it.

    Raises
    ------
    RunError
        If it was stopped or failed.
    """
    folder = RunFolder(place.keep / name)
    if not folder.journal.exists():
        write_text(place.keep / f"{name}.toml", job_of(name, place.quick).dump())
        _call("lammpsfit", "fit", place.keep / f"{name}.toml", "-o", folder.path,
              "--workers", place.workers)  # fmt: skip
    elif not _finished(folder):
        _call("lammpsfit", "resume", folder.path, "--workers", place.workers)
    write_json(place.data / f"{name}.json", _table(folder))
    return folder.path


def _table(folder: RunFolder) -> dict[str, Any]:
    """Make the table of a finished fit: its records without their length, and its result."""
    journal = read_journal(folder.journal)
    kinds = {
        "records": evaluations(journal),
        "confirmations": journal.of_type("confirmation"),
    }
    result = json.loads(folder.result.read_text("utf-8"))
    result.pop("uncertainty", None)
    return {
        kind: [{key: record[key] for key in KEPT if key in record} for record in several]
        for kind, several in kinds.items()
    } | {"result": result}


def trajectory(name: str, place: Place) -> None:
    """Run a potential with LAMMPS itself, and tabulate g(r) and the bond angles.

    The potential is exported, ``in.liquid`` includes it, and ``lammpsfit reference`` reads what
    the run dumped. All start from the molten structure of the confirmations.
    """
    work = place.keep / f"trajectory-{name}"
    tables = ("gr", "angles")
    if not all((work / f"{table}.csv").exists() for table in tables):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        _run_liquid(name, place, work)
    for table in tables:
        shutil.copy(work / f"{table}.csv", place.data / f"{table}_{name}.csv")


def _run_liquid(name: str, place: Place, work: Path) -> None:
    source = fit(name, place) if name in FITTED else name
    _call("lammpsfit", "export", source, "-o", work / "potential")
    job = job_of("fit10", place.quick)
    shutil.copy(build_problem(job).of_size(job.confirm).melted(), work / "start.data")
    relax, sample = (0.1, 0.5) if place.quick else TIMES
    steps = ("-var", "relax", round(1000 * relax), "-var", "sample", round(1000 * sample))
    _call("lmp", "-in", HERE / "in.liquid", "-screen", "none", *steps, cwd=work)
    _call("lammpsfit", "reference", "liquid.lammpstrj", "-o", "gr.csv", "--r-max", 6,
          "--cutoff", "Si-O=2.2", "--angles", "angles.csv", cwd=work)  # fmt: skip
    (work / "liquid.lammpstrj").unlink()


def _finished(folder: RunFolder) -> bool:
    try:
        return bool(json.loads(folder.result.read_text("utf-8"))["status"] == "finished")
    except (OSError, ValueError, KeyError):
        return False


def _call(program: str, *arguments: object, cwd: Path | None = None) -> None:
    """Call a program of this environment."""
    words = [str(BIN / program), *map(str, arguments)]
    print("$", program, *words[1:], flush=True)
    done = subprocess.run(words, cwd=cwd, check=False)
    if done.returncode:
        raise RunError(f"{program} {words[1]} ended with exit code {done.returncode}: see above")
