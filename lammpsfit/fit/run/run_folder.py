"""A run folder: the job as resolved, its inputs, the journal, samples and results."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lammpsfit.config import (
    AlsoTable,
    Job,
    ReferenceTable,
    SystemTable,
    TermTables,
    read_job,
    with_term_files,
)
from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Journal, JournalWriter, Record, read_journal
from lammpsfit.files import replacing, write_text
from lammpsfit.fit.run.record_models import check_header
from lammpsfit.forcefield import Potential, dump_potential, load_potential, names_file, names_run
from lammpsfit.forcefield.library import FITTED_FILE, fitted_in
from lammpsfit.inputs import TABLE_BYTES, parse_toml, quoted, read_text, sha256
from lammpsfit.md.read_structure import LARGEST
from lammpsfit.md.sample_file import CONFIGURATION
from lammpsfit.outputs import check_run_folder
from lammpsfit.reference.angle_table import read_angle_table
from lammpsfit.target import MAIN
from lammpsfit.versions import FIT_PACKAGES, versions

FORMAT = 1
"""Version of the journal's records."""


@dataclass(frozen=True)
class RunFolder:
    """Names of the files in a run folder."""

    path: Path

    @property
    def job(self) -> Path:
        """The job as resolved."""
        return self.path / "job.toml"

    @property
    def journal(self) -> Path:
        """Every finished evaluation."""
        return self.path / "journal.jsonl"

    @property
    def result(self) -> Path:
        """What came of it, for programs."""
        return self.path / "result.json"

    @property
    def potential(self) -> Path:
        """The best potential."""
        return self.path / FITTED_FILE

    @property
    def lammps(self) -> Path:
        """The exported LAMMPS files."""
        return self.path / "lammps"

    def sample(self, name: str, condition: str = MAIN) -> Path:
        """Sample of an evaluation or a confirmation."""
        return for_condition(self.path / "samples" / f"{name}.npz", condition)

    def configuration(self, name: str, condition: str = MAIN) -> Path:
        """Last configuration of an evaluation that kept it."""
        return self.sample(name, condition).with_suffix(CONFIGURATION)

    def structure(self, atoms: int, condition: str = MAIN) -> Path:
        """Melted start structure of a size."""
        return for_condition(self.path / "inputs" / f"start-{atoms}.data", condition)

    def rdf_plot(self, condition: str = MAIN) -> Path:
        """Picture of g(r)."""
        return for_condition(self.path / "gr.png", condition)

    def terms_plot(self, condition: str = MAIN) -> Path:
        """Picture of the other curves that were fitted."""
        return for_condition(self.path / "terms.png", condition)


def potential_of(source: str) -> str:
    """Return what names a potential: of a run folder its best one, else the name as it is.

    Raises
    ------
    InputError
        If the folder holds no finished fit.
    """
    return str(fitted_in(Path(source))) if names_run(source) else source


def for_condition(path: Path, condition: str) -> Path:
    """Put the name of a condition into that of a file; files of the main one are without."""
    return path if condition == MAIN else path.with_name(f"{path.stem}-{condition}{path.suffix}")


def check_new_run(path: Path) -> None:
    """Refuse a folder that no run can be made in.

    Raises
    ------
    InputError
        If it holds a run or other files of these names already, or must not be written to.
    """
    if RunFolder(path).journal.exists():
        raise InputError(
            f"{path} holds a run already: continue it with 'lammpsfit resume {path}', or choose "
            "another folder"
        )
    check_run_folder(path)


def create_run(path: Path, job: Job) -> RunFolder:
    """Make a run folder with the job, copies of what it names, and a journal with its header.

    The folder can be moved and the originals changed: nothing outside it is needed any more.

    Raises
    ------
    InputError
        If the folder holds a run or other files of these names already, or cannot be made.
    """
    check_new_run(path)
    folder = RunFolder(path)
    try:
        (path / "inputs").mkdir(parents=True, exist_ok=True)
        (path / "samples").mkdir(exist_ok=True)
        copied = _with_copies(job, path)
        write_text(folder.job, copied.dump())
    except OSError as error:
        raise InputError(f"{path}: cannot make the run folder ({error.strerror})") from error
    # a kill half way leaves a journal with its header or none
    with replacing(folder.journal) as part, JournalWriter(part) as journal:
        journal.append(
            {
                "type": "header",
                "format": FORMAT,
                "job": tomllib.loads(copied.dump()),
                "inputs": _digests(path / "inputs", [x.name for x in (path / "inputs").iterdir()]),
                "versions": versions(FIT_PACKAGES),
            }
        )
    return folder


def open_run(path: Path) -> tuple[RunFolder, Job, Journal]:
    """Open a run folder to continue or to read it.

    Raises
    ------
    InputError
        If it is no run folder, of another version, or its job or inputs were changed since it
        began.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such run folder")
    journal = read_journal(folder.journal)
    headers = journal.of_type("header")
    if not headers:
        raise InputError(f"{folder.journal}: no run was begun here: begin it in another folder")
    if headers[0].get("format") != FORMAT:
        raise InputError(f"{folder.journal}: not a journal of this version of lammpsfit")
    check_header(headers[0], str(folder.journal))
    job = read_job(folder.job)
    changed = _differences(headers[0]["job"], parse_toml(read_text(folder.job), str(folder.job)))
    if changed:
        raise InputError(
            f"{folder.job} was changed since the run began ({'; '.join(changed)}): put it back, "
            "or start a new run with the changed job"
        )
    now = _digests(path / "inputs", headers[0]["inputs"])
    for name, digest in headers[0]["inputs"].items():
        if now.get(name) != digest:
            raise InputError(
                f"{path / 'inputs' / name} was changed or removed since the run began: put it "
                "back, or start a new run"
            )
    return folder, job, journal


def check_places(folder: RunFolder) -> None:
    """Refuse a run folder in which results could not be put, before there are any.

    Raises
    ------
    InputError
        If what must be a folder in it is none, or the other way round.
    """
    for path in (folder.path / "samples", folder.lammps):
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(f"{path}: must be a folder: remove it, then resume")
    for path in (folder.result, folder.potential, folder.rdf_plot(), folder.path / "report.html"):
        if path.is_dir():
            raise InputError(f"{path}: is written by the fit, but is a folder: remove it")


def evaluations(journal: Journal) -> list[Record]:
    """Return the evaluations of the search, each number once, in the journal's order."""
    unique = {record["id"]: record for record in reversed(journal.of_type("evaluation"))}
    return [record for record in journal.of_type("evaluation") if unique[record["id"]] is record]


def _digests(inputs: Path, names: Iterable[str]) -> dict[str, str]:
    """Digest the files a run was begun with, by name; whatever else is there is not looked at."""
    found = {}
    for path in (inputs / Path(name).name for name in sorted(names)):
        # what is no file, or far larger than any we copy, is none of those
        if path.is_file() and path.stat().st_size <= TABLE_BYTES:
            found[path.name] = sha256(path)
    return found


def _with_copies(job: Job, path: Path) -> Job:
    """Copy the files a job names into the run folder, and name the copies."""

    def potential(name: str, role: str) -> str:
        loaded: Potential = load_potential(name)  # refuses an unknown name now
        if role != "start" and not names_file(name):
            return name
        copy = f"inputs/{role}.toml"
        write_text(path / copy, dump_potential(loaded))
        return copy

    def reference(table: ReferenceTable | None, condition: str) -> ReferenceTable | None:
        if table is None:
            return None
        copy = for_condition(Path("inputs/reference.csv"), condition)
        write_text(path / copy, read_text(table.file, TABLE_BYTES))
        copies = {"file": copy}
        if table.angles is not None:
            copies["angles"] = for_condition(Path("inputs/angles.csv"), condition)
            write_text(path / copies["angles"], read_angle_table(table.angles).text)
        return table.model_copy(update=copies)

    def system(table: SystemTable, condition: str) -> SystemTable:
        table = _with_structure(table, path, condition)
        if table.melt.potential is None:
            return table
        role = for_condition(Path("melt"), condition).name
        named = {"potential": potential(table.melt.potential, role)}
        return table.model_copy(update={"melt": table.melt.model_copy(update=named)})

    def copied(other: AlsoTable) -> AlsoTable:
        tables = {
            "reference": reference(other.reference, other.name),
            "system": system(other.system, other.name),
            **_term_copies(other, path, other.name),
        }
        return other.model_copy(update=tables)

    compare = tuple(
        potential(name, f"compare-{number}") for number, name in enumerate(job.confirm.compare, 1)
    )
    return job.model_copy(
        update={
            "potential": potential(job.potential, "start"),
            "reference": reference(job.reference, MAIN),
            "system": system(job.system, MAIN),
            "confirm": job.confirm.model_copy(update={"compare": compare}),
            "also": tuple(map(copied, job.also)),
            **_term_copies(job, path, MAIN),
        }
    )


def _with_structure(table: SystemTable, path: Path, condition: str) -> SystemTable:
    """Copy the start structure of a file into the run folder, and name the copy."""
    if table.file is None:
        return table
    copy = for_condition(Path(f"inputs/structure-{table.file.name}"), condition)
    write_text(path / copy, read_text(table.file, LARGEST, "start structure"))
    return table.model_copy(update={"file": copy})


def _term_copies(tables: TermTables, path: Path, condition: str) -> dict[str, Any]:
    """Copy the files that terms name into the run folder, and name the copies."""

    def copy(file: Path, role: str) -> Path:
        # the name may be all that tells the format, as that of a POSCAR
        ending = file.suffix or f"-{file.name}"
        named = for_condition(Path("inputs") / f"{role}{ending}", condition)
        write_text(path / named, read_text(file, TABLE_BYTES))
        return named

    return with_term_files(tables, copy)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name the keys whose values differ, with both values."""
    found = []
    for key in (*old, *(key for key in new if key not in old)):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key} was {quoted(before)}, is {quoted(after)}")
    return found
