"""What the silica potentials of the library give, side by side: docs/which_silica_potential.md.

    python ci/truth.py FOLDER [--rate 10] [--atoms 648] [--until 22:30]

runs ``lammpsfit validate`` for one potential after the other, on one core: first two crystals of
all, then the liquid at 3600 K of all, then the glass at 300 K and zero pressure of all. What is
finished is kept in the folder, and the same command goes on from there; after each run the tables
of the page are written anew. With ``--until`` no run goes on beyond that time of day. Of what did
not run, or failed, the page says so. ``--only-page`` runs nothing.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from commands import PROGRAM, STOPPED

from lammpsfit.report.facts import value_words
from lammpsfit.structure.blocks import Estimate

ROOT = Path(__file__).resolve().parent.parent
SILICA = Path("examples") / "silica"
JOB = SILICA / "quick.toml"
CRYSTALS = (SILICA / "alpha_quartz.cif", SILICA / "beta_cristobalite.cif")
PAGE = ROOT / "docs" / "which_silica_potential.md"
BEGIN, END = "<!-- begin: ci/truth.py -->", "<!-- end: ci/truth.py -->"

POTENTIALS = ("SHIK", "BKS", "CHIK", "ML-ALL", "ML", "ML-SiO", "Teter", "PMMCS", "BKS-Ewald")
"""Those of the library that hold Si and O, in the order they are run."""

TIMES = {"crystals": (5, 15), "liquid": (5, 15), "glass": (3, 6)}
"""ps of each run before the first frame, and of sampling; no crystal takes any."""

STAGES = ("crystals", "liquid", "glass")
"""What is run of every potential, in this order."""

ATTEMPTS = 3
"""How often a run is begun that a busy machine made too slow: lammpsfit takes it for hung."""


@dataclass(frozen=True)
class Column:
    """One quantity of a table: where ``validate.json`` has it, and what is known of it.

    `part` is the beginning of the name of a part.
    """

    title: str
    stage: str
    part: str
    fact: str
    known: str = ""


@dataclass(frozen=True)
class Table:
    """Columns that stand together, below a heading."""

    heading: str
    columns: tuple[Column, ...]
    known: str = "experiment"
    notes: tuple[str, ...] = field(default=())


AB_INITIO = "ab initio"

QUARTZ = (
    ("C11", "86.8"),
    ("C33", "105.8"),
    ("C44", "58.2"),
    ("C66", "39.9"),
    ("C12", "7.0"),
    ("C13", "11.9"),
    ("C14", "18.0"),
)
"""Elastic constants of alpha-quartz in GPa, of experiment."""

TABLES = (
    Table(
        "The liquid at 3600 K: structure",
        (
            Column("R (%)", "liquid", "liquid", "R"),
            Column(
                "O-Si-O overlap (%)",
                "liquid",
                "liquid",
                "O-Si-O: overlap with the reference",
                "100",
            ),
            Column(
                "Si-O-Si overlap (%)",
                "liquid",
                "liquid",
                "Si-O-Si: overlap with the reference",
                "100",
            ),
            Column("Si-O-Si mean (°)", "liquid", "liquid", "Si-O-Si: mean angle", "136.2"),
        ),
        AB_INITIO,
        (
            "R is the deviation from g(r) of the ab initio liquid, the overlap the common part "
            "of two distributions of bond angles. [Validating a potential](validation.md) says how "
            "they are measured, and where the ab initio values are from.",
        ),
    ),
    Table(
        "The liquid at 3600 K and 2.2 g/cm³: pressure and diffusion",
        (
            Column("P (GPa)", "liquid", "liquid", "pressure"),
            Column("D of Si (10⁻⁵ cm²/s)", "liquid", "liquid", "Si: diffusion"),
            Column("D of O (10⁻⁵ cm²/s)", "liquid", "liquid", "O: diffusion"),
            Column("exponent of O", "liquid", "liquid", "O: d ln MSD / d ln t (1 if diffusive)"),
        ),
        "",
        (
            "Where the exponent is well below 1, atoms are still in their cages: D is an upper "
            "bound then.",
        ),
    ),
    Table(
        "The glass at 300 K and zero pressure: density and moduli",
        (
            Column("density (g/cm³)", "glass", "glass", "density", "2.203"),
            Column("bulk modulus (GPa)", "glass", "glass", "bulk modulus, 0 K", "36.4"),
            Column("Young's modulus (GPa)", "glass", "glass", "Young's modulus, 0 K", "72 to 75"),
            Column("Poisson's ratio", "glass", "glass", "Poisson's ratio, 0 K"),
        ),
        notes=(
            "Moduli are those of the glass at rest, strained both ways, with forces brought to "
            "zero. Errors are those within one glass; another glass of this size differs by more.",
        ),
    ),
    Table(
        "The glass at 300 K: structure",
        (
            Column(
                "first peak of neutron S(q) (1/Å)",
                "glass",
                "glass",
                "neutron S(q): first peak at",
                "1.52",
            ),
            Column("its height", "glass", "glass", "neutron S(q): its height"),
            Column("Si as Q4 (%)", "glass", "glass", "Si as Q4", "100"),
            Column("Si-O-Si mean (°)", "glass", "glass", "Si-O-Si: mean angle", "151"),
        ),
    ),
    Table(
        "Alpha-quartz at rest: cell",
        tuple(
            Column(*words)
            for words in (
                ("a (Å)", "crystals", "alpha_quartz", "a", "4.916"),
                ("c (Å)", "crystals", "alpha_quartz", "c", "5.405"),
                ("density (g/cm³)", "crystals", "alpha_quartz", "density", "2.646"),
                ("bulk modulus (GPa)", "crystals", "alpha_quartz", "bulk modulus", "37.4"),
            )
        ),
    ),
    Table(
        "Alpha-quartz at rest: elastic constants (GPa)",
        tuple(Column(C, "crystals", "alpha_quartz", C, known) for C, known in QUARTZ),
        notes=(
            "C14 changes its sign where x is turned by 180° about z. Crystals are at 0 K, "
            "experiments at room temperature.",
        ),
    ),
    Table(
        "Beta-cristobalite at rest",
        tuple(
            Column(*words)
            for words in (
                ("a (Å)", "crystals", "beta_cristobalite", "a", "7.166"),
                ("b (Å)", "crystals", "beta_cristobalite", "b", "7.166"),
                ("c (Å)", "crystals", "beta_cristobalite", "c", "7.166"),
                ("density (g/cm³)", "crystals", "beta_cristobalite", "density", "2.169"),
            )
        ),
        notes=(
            "The cubic crystal of high temperatures is a mean over oxygen atoms that are off its "
            "ideal places. At 0 K some potentials leave it for a denser one with bent bridges; a "
            "cell larger than that of experiment has Si-O-Si at 180°.",
        ),
    ),
)

SOURCES = """Experiment: the moduli of the glass as
[doi:10.1038/s41524-024-01390-8](https://doi.org/10.1038/s41524-024-01390-8) tabulates them, its
density 2.203 ± 0.003 g/cm³; the peak of neutron diffraction is measured again in
[arXiv:2604.21222](https://arxiv.org/abs/2604.21222); Si-O-Si by NMR
([doi:10.1103/PhysRevB.62.R4786](https://doi.org/10.1103/PhysRevB.62.R4786)); elastic constants of
quartz from [doi:10.1063/1.1703099](https://doi.org/10.1063/1.1703099) (C14 without its sign), and
the bulk modulus that follows from them; the cells as `examples/silica/alpha_quartz.cif` and
`beta_cristobalite.cif` have them, with their sources."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--potentials", nargs="*", default=list(POTENTIALS))
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--rate", type=float, default=10.0, help="cooling rate, K/ps")
    parser.add_argument("--atoms", type=int, default=648)
    parser.add_argument("--until", help="time of day, hh:mm, at which the last run is stopped")
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    study = Study(options.folder.resolve(), options.rate, options.atoms)
    study.folder.mkdir(parents=True, exist_ok=True)
    until = None if options.until is None else clock(options.until)
    if not options.only_page:
        for _ in range(ATTEMPTS):
            for stage in options.stages:
                for name in options.potentials:
                    if study.done(name, stage) is None and study.run(name, stage, until):
                        write(study)
    write(study)


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
    atoms: int

    def record(self, name: str, stage: str) -> Path:
        """Name the file that keeps what came of a stage."""
        return self.folder / f"{name}-{stage}.json"

    def done(self, name: str, stage: str) -> dict[str, Any] | None:
        """Return what came of a stage, if these very settings were run."""
        path = self.record(name, stage)
        if not path.exists():
            return None
        content = json.loads(path.read_text("utf-8"))
        return content if content["options"] == self.options(stage) else None

    def options(self, stage: str) -> list[str]:
        """Return the options of the command that set what is run."""
        relax, sample = TIMES[stage]
        size = ["--atoms", self.atoms, "--relax", relax, "--sample", sample, "--workers", 1]
        own = {
            "crystals": ["--no-liquid", *(f"--crystal={path}" for path in CRYSTALS)],
            "liquid": [],
            "glass": ["--no-liquid", "--quench", f"{self.rate:g}", "--quench-pressure", 0],
        }
        return [str(word) for word in [*size, "--no-npt", *own[stage]]]

    def run(self, name: str, stage: str, until: datetime | None) -> bool:
        """Run a stage; return whether there is time for another."""
        left = math.inf if until is None else (until - datetime.now()).total_seconds()
        if left < 60:
            return False
        out = self.folder / name
        words = [PROGRAM, "validate", name, "--job", JOB, "-o", out, *self.options(stage)]
        if math.isfinite(left):
            words += ["--walltime", str(int(left))]
        print(time.strftime("%H:%M:%S"), *words, flush=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run(
            [str(word) for word in words], cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
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
            "options": self.options(stage),
            "date": time.strftime("%Y-%m-%d"),
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "machine": machine(),
            "failures": content.get("failures") or ({} if content else {stage: ended.stderr}),
            "facts": content.get("facts", {}),
        }
        self.record(name, stage).write_text(json.dumps(record, indent=1), "utf-8")
        return True

    def records(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return what is finished, by potential and stage."""
        found = {(name, stage): self.done(name, stage) for name in POTENTIALS for stage in STAGES}
        return {key: record for key, record in found.items() if record is not None}


def machine() -> str:
    """Name the processor, and how many of its cores there are."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    return f"{model or platform.machine()}, {os.cpu_count()} cores"


def write(study: Study) -> None:
    """Write the tables into the page, between its markers."""
    text = PAGE.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    parts = "\n\n".join(content(study))
    PAGE.write_text(f"{before}{BEGIN}\n\n{parts}\n\n{END}{after}", "utf-8")


def content(study: Study) -> Iterator[str]:
    """Make the paragraphs between the markers."""
    records = study.records()
    yield how(study, records)
    for table in TABLES:
        yield f"## {table.heading}"
        yield "\n".join(rows(table, records))
        yield from table.notes
    yield SOURCES
    yield from missing(records)


def how(study: Study, records: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """Say when, where and how the runs were made."""
    dates = sorted({record["date"] for record in records.values()})
    machines = sorted({record["machine"] for record in records.values()})
    minutes = sum(record["cpu_s"] for record in records.values()) / 60
    when = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "nothing was run yet"
    liquid, glass = (" + ".join(map(str, TIMES[stage])) for stage in ("liquid", "glass"))
    return (
        f"{when}; {' and '.join(machines)}, {minutes:.0f} core minutes. {study.atoms} atoms, one "
        f"run each, all from the same liquid, made with CHIK. Liquids: {liquid} ps (to relax, to "
        f"sample). Glasses: cooled from 3600 K to 300 K at {study.rate:g} K/ps and zero pressure, "
        f"{glass} ps there. Errors are standard errors within one run."
    )


def rows(table: Table, records: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    """Make the lines of a table: what is known first, then a line for each potential."""
    yield "| | " + " | ".join(column.title for column in table.columns) + " |"
    yield "|---|" + "---|" * len(table.columns)
    if table.known:
        known = " | ".join(column.known for column in table.columns)
        yield f"| *{table.known}* | {known} |"
    for name in POTENTIALS:
        cells = (cell(column, name, records) for column in table.columns)
        yield f"| {name} | {' | '.join(cells)} |"


def cell(column: Column, name: str, records: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    record = records.get((name, column.stage))
    if record is None:
        return "not run"
    for part, facts in record["facts"].items():
        value = facts.get(column.fact, {}).get("values", {}).get(name)
        if part.startswith(column.part) and value is not None and value["mean"] is not None:
            error = math.nan if value["error"] is None else value["error"]
            return value_words(Estimate(value["mean"], error)).replace("-", "−")
    return "failed" if record["failures"] else ""


def missing(records: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    """Name what was not run, and what failed and why."""
    for stage in STAGES:
        names = [name for name in POTENTIALS if (name, stage) not in records]
        if names:
            yield f"Not run: the {stage} of {', '.join(names)}."
    for (name, stage), record in records.items():
        for why in record["failures"].values():
            yield f"Failed: the {stage} of {name}: {why.strip()}."


if __name__ == "__main__":
    main()
