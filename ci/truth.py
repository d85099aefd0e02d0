"""What the silica potentials of the library give, side by side: docs/which_silica_potential.md.

    python ci/truth.py FOLDER [--rate 10] [--rate-fast 100] [--atoms 1536] [--until 22:30]

runs ``lammpsfit validate`` for one potential after the other, on one core: first two crystals of
all, then the liquid at 3600 K of all, then the glass at 300 K and zero pressure of all, then
glasses of sodium silicates of those that hold sodium. Ewald sums cost five to ten times as much;
these, and sodium silicates, are cooled faster, as the tables say.
``--stages`` and ``--potentials`` run some of it, such as ``--stages sodium-0 sodium-15 sodium-25``.
What is finished is kept in the folder, and the same command goes on from there; after each run the
tables of the page are written anew, but a section of which nothing is in the folder stays as it is.
With ``--until`` no run goes on beyond that time of day. Of what did not run, or failed, the page
says so. A glass that was cooled at another rate is shown until it is run anew; its row has the
rate. ``--only-page`` runs nothing.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from commands import PROGRAM, STOPPED
from pages import at_markers
from truth_tables import POTENTIALS, SECTIONS, STAGES, Column, Section, Table

from lammpsfit.forcefield.library import load_potential
from lammpsfit.report.facts import value_words
from lammpsfit.structure.blocks import Estimate

ROOT = Path(__file__).resolve().parent.parent
SILICA = Path("examples") / "silica"
CRYSTALS = (SILICA / "alpha_quartz.cif", SILICA / "beta_cristobalite.cif")
PAGE = ROOT / "docs" / "which_silica_potential.md"

TIMES = {"crystals": (4.8, 16), "liquid": (4.8, 16)}
"""ps of each run before the first frame, and of sampling; no crystal takes any."""

LEAST_ATOMS = {"PMMCS": (1536, 1000)}
"""Fewest atoms whose box is twice as wide as the cutoff of an Ewald sum: cells of silica, and of
sodium silicates."""

TIMESTEP = 1.6
"""fs, as simulations of silica have it since those of Vollmayr, Kob and Binder (1996)."""

GLASS_TIMES = (3.2, 6.4)
"""The same of all glasses."""

GLASSES = 4
"""Of each sodium silicate; one of Ewald sums."""

SILICATES = {"sodium-15": ("Na6Si17O37", 60, 2.327), "sodium-25": ("Na2Si3O7", 12, 2.412)}
"""Formula, atoms in it, and density in g/cm³ that the liquid has before it is cooled."""

JOB = """title = "{title}"
potential = "{start}"
seed = 1

[system]
formula = "{formula}"
atoms = {atoms}
density = {density}

[protocol]
temperature = {temperature}
timestep_fs = {timestep}
every_fs = 40.0
relax = 3.2
sample = 6.4

{known}

[parameters]
"A_Si-O" = {{ factor = 2.0 }}
"""
"""A job, of which ``validate`` needs the conditions and what is known."""

LIQUID = """[reference]
file = "{folder}/gr_aimd_3600K.csv"
angles = "{folder}/bond_angles_3600K.csv"
"""
"""What is known of silica."""

SILICATE = """[pressure]
value = 0.0
"""
"""The same of a sodium silicate, of which no g(r) is known."""

ATTEMPTS = 3
"""How often a run is begun that a busy machine made too slow: lammpsfit takes it for hung."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--potentials", nargs="*", default=list(POTENTIALS))
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--rate", type=float, default=10.0, help="cooling rate, K/ps")
    parser.add_argument(
        "--rate-fast", type=float, default=100.0, help="the same of Ewald sums, and of silicates"
    )
    parser.add_argument("--atoms", type=int, default=1536)
    parser.add_argument("--until", help="time of day, hh:mm, at which the last run is stopped")
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    rates = options.rate, options.rate_fast
    study = Study(options.folder.resolve(), *rates, options.atoms)
    study.folder.mkdir(parents=True, exist_ok=True)
    until = None if options.until is None else clock(options.until)
    if not options.only_page:
        for _ in range(ATTEMPTS):
            for stage in options.stages:
                for name in options.potentials:
                    if name not in potentials_of(stage):
                        continue
                    if study.done(name, stage) is None and study.run(name, stage, until):
                        write(study)
    write(study)


def potentials_of(stage: str) -> tuple[str, ...]:
    """Return those that a stage is run of."""
    return next(section.potentials for section in SECTIONS if stage in section.stages)


def pairwise(name: str) -> bool:
    """Tell whether a potential of the library is a function of distances alone."""
    return load_potential(name).coulomb.pairwise


def times(stage: str) -> tuple[float, float]:
    """Return the ps before the first frame, and of sampling."""
    return TIMES.get(stage, GLASS_TIMES)


def clock(text: str) -> datetime:
    """Return the next time the clock shows this."""
    hours, minutes = map(int, text.split(":"))
    now = datetime.now()
    then = now.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


@dataclass(frozen=True)
class Study:
    """A folder of runs, and how they are made."""

    folder: Path
    rate: float
    rate_fast: float
    atoms: int

    def record(self, name: str, stage: str) -> Path:
        """Name the file that keeps what came of a stage."""
        return self.folder / f"{name}-{stage}.json"

    def done(self, name: str, stage: str, any_rate: bool = False) -> dict[str, Any] | None:
        """Return what came of a stage, if these very settings were run, or all but the rate."""
        path = self.record(name, stage)
        if not path.exists():
            return None
        content = json.loads(path.read_text("utf-8"))
        there, ours = content["options"], self.options(name, stage)
        if any_rate:
            there, ours = without_rate(there), without_rate(ours)
        return content if there == ours else None

    def options(self, name: str, stage: str) -> list[str]:
        """Return the options of the command that set what is run."""
        relax, sample = times(stage)
        size = ["--atoms", self.atoms_of(name, stage), "--relax", relax, "--sample", sample]
        slow = pairwise(name) and not stage.startswith("sodium")
        rate = f"{self.rate if slow else self.rate_fast:g}"
        glass = ["--no-liquid", "--quench", rate, "--quench-pressure", 0]
        own = {
            "crystals": ["--no-liquid", *(f"--crystal={path}" for path in CRYSTALS)],
            "liquid": [],
        }
        if stage.startswith("sodium") and pairwise(name):
            glass += ["--glasses", GLASSES]
        return [str(word) for word in [*size, "--workers", 1, "--no-npt", *own.get(stage, glass)]]

    def atoms_of(self, name: str, stage: str) -> int:
        """Return the atoms of a box: whole formulas of a silicate, and enough for the cutoff."""
        cells, atoms = LEAST_ATOMS.get(name, (0, 0))
        if stage not in SILICATES:
            return max(self.atoms, cells)
        _, unit, _ = SILICATES[stage]
        return math.ceil(max(self.atoms, atoms) / unit) * unit

    def job(self, name: str, stage: str) -> Path:
        """Write the job of a stage into the folder, and name its file."""
        words = {"title": "silica", "formula": "SiO2", "density": 2.2, "start": "CHIK"}
        known = LIQUID.format(folder=ROOT / SILICA)
        path = self.folder / "silica.toml"
        if stage in SILICATES:
            formula, _, density = SILICATES[stage]
            words = {"title": stage, "formula": formula, "density": density, "start": "SHIK"}
            known, path = SILICATE, self.folder / f"{stage}.toml"
        text = JOB.format(
            **words,
            atoms=self.atoms_of(name, stage),
            temperature=3000.0 if stage in SILICATES else 3600.0,
            timestep=TIMESTEP,
            known=known,
        )
        path.write_text(text, "utf-8")
        return path

    def run(self, name: str, stage: str, until: datetime | None) -> bool:
        """Run a stage; return whether there is time for another."""
        left = math.inf if until is None else (until - datetime.now()).total_seconds()
        if left < 60:
            return False
        # silica without sodium begins with the glass that is there
        out = self.folder / (f"{name}-{stage}" if stage in SILICATES else name)
        words = [PROGRAM, "validate", name, "--job", self.job(name, stage), "-o", out]
        words += self.options(name, stage)
        if math.isfinite(left):
            words += ["--walltime", str(int(left))]
        print(time.strftime("%H:%M:%S"), *words, flush=True)
        ended = subprocess.run(
            [str(word) for word in words], cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True
        )
        print(ended.stderr, end="", flush=True)
        if ended.returncode == STOPPED:
            return False
        slow = [path for path in out.glob("runs/*.json") if "timeout" in path.read_text("utf-8")]
        for path in slow:
            path.unlink()
        if slow:
            return False
        content = {}
        if ended.returncode == 0:
            content = json.loads((out / "validate.json").read_text("utf-8"))
        record = {
            "options": self.options(name, stage),
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "failures": content.get("failures") or ({} if content else {stage: ended.stderr}),
            "facts": content.get("facts", {}),
        }
        self.record(name, stage).write_text(json.dumps(record, indent=1), "utf-8")
        return True

    def records(self, section: Section) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what is finished of a section, by potential and stage."""
        keys = [(name, stage) for name in section.potentials for stage in section.stages]
        found = {key: self.done(*key, any_rate=True) for key in keys}
        return {key: record for key, record in found.items() if record is not None}


def without_rate(options: list[str]) -> list[str]:
    """Return the options of a command but for the cooling rate."""
    at = options.index("--quench") + 1 if "--quench" in options else len(options)
    return options[:at] + options[at + 1 :]


def machine() -> str:
    """Name the processor, and how many of its cores there are."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    return f"{model or platform.machine()}, {os.cpu_count()} cores"


def write(study: Study) -> None:
    """Write the tables into the page, each section between its markers."""
    text = PAGE.read_text("utf-8")
    for section in SECTIONS:
        before, there, after = at_markers(text, section.name)
        records = study.records(section)
        if records or not there.strip():
            parts = "\n\n".join(content(study, section, records))
            text = f"{before}\n\n{parts}\n\n{after}"
    PAGE.write_text(text, "utf-8")


Records = Mapping[tuple[str, str], Mapping[str, Any]]


def content(study: Study, section: Section, records: Records) -> Iterator[str]:
    """Make the paragraphs between the markers."""
    yield how(study, section, records)
    for table in section.tables:
        yield f"## {table.heading}"
        yield "\n".join(rows(table, section.potentials, records))
        yield from table.notes
    yield section.sources
    yield from missing(section, records)


def how(study: Study, section: Section, records: Records) -> str:
    """Say when, where and how the runs were made."""
    dates = sorted({record["date"] for record in records.values()})
    machines = sorted({record["machine"] for record in records.values()})
    when = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else ""
    where = f"{when}; {' and '.join(machines)}. " if dates else ""
    lengths = {stage: " + ".join(map(str, times(stage))) for stage in STAGES}
    rates = {"rate": study.rate, "rate_fast": study.rate_fast, "glasses": GLASSES}
    return where + section.runs.format(atoms=study.atoms, step=TIMESTEP, **rates, **lengths)


def rows(table: Table, potentials: tuple[str, ...], records: Records) -> Iterator[str]:
    """Make the lines of a table: what is known first, then a line for each potential."""
    yield "| | " + " | ".join(column.title for column in table.columns) + " |"
    yield "|---|" + "---|" * len(table.columns)
    if table.known:
        known = " | ".join(column.known for column in table.columns)
        yield f"| *{table.known}* | {known} |"
    for name in potentials:
        cells = (cell(column, name, records) for column in table.columns)
        yield f"| {name} | {' | '.join(cells)} |"


def cell(column: Column, name: str, records: Records) -> str:
    record = records.get((name, column.stage))
    if record is None:
        return "not run"
    if column.fact.startswith("--"):
        return record["options"][record["options"].index(column.fact) + 1]
    for part, facts in record["facts"].items():
        value = facts.get(column.fact, {}).get("values", {}).get(name)
        if part.startswith(column.part) and value is not None and value["mean"] is not None:
            error = math.nan if value["error"] is None else value["error"]
            return value_words(Estimate(value["mean"], error)).replace("-", "−")
    return "failed" if record["failures"] else ""


def missing(section: Section, records: Records) -> Iterator[str]:
    """Name what was not run, and what failed and why."""
    for stage, words in section.stages.items():
        names = [name for name in section.potentials if (name, stage) not in records]
        if names:
            yield f"Not run: {words} of {', '.join(names)}."
    for (name, stage), record in records.items():
        for why in record["failures"].values():
            yield f"Failed: {section.stages[stage]} of {name}: {why.strip()}."


if __name__ == "__main__":
    main()
