"""The inputs of ci/hostile.py: what users, disks and other programs may hand to a command.

Most are made by generators: every output of every command times what may be there already, every
file that is read times what it may hold, every number of a job times what it may be.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np

from lammpsfit.config import TermTables, read_job
from lammpsfit.farm.journal import JournalWriter, encode, read_journal
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.records import evaluation_record
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.forcefield import dump_potential, load_potential
from lammpsfit.md.sample import Sample
from lammpsfit.reference import read_rdf_table
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.structure.scattering import neutron_weights

ROOT = Path(__file__).parent.parent
SILICA = ROOT / "examples" / "silica"
REFERENCE = SILICA / "gr_aimd_3600K.csv"
QUARTZ = SILICA / "alpha_quartz.cif"
XYZ = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\nSi 0 0 0\nO {x} 0 0\n'
JOB = """title = "small"
potential = "mine.toml"
seed = 3
[reference]
file = "gr.csv"
[system]
formula = "SiO2"
atoms = 306
density = 2.2
[protocol]
temperature = 3600.0
relax = 0.05
sample = 0.2
every_fs = 10.0
blocks = 4
[charges]
balance = "O"
[parameters]
"q_Si" = { factor = 1.2 }
"A_Si-O" = { factor = 1.2 }
[strategy]
name = "auto"
"""
GAP_JOB = """[data]
files = ["t.xyz"]
[split]
train = 10
held_out = 5
[descriptors]
radial_cutoff = 4.0
"""


@dataclass(frozen=True)
class Case:
    """One input: its kind, what the folder is changed to, the command, the exits that are right."""

    kind: str
    name: str
    arguments: tuple[str, ...]
    change: Callable[[Path], None] = lambda home: None
    exits: tuple[int, ...] = (2,)
    writes: tuple[str, ...] = ()
    redirect: str = ""

    @property
    def slow(self) -> bool:
        """Whether it draws a page, or imports a calculator."""
        return "page.html" in self.writes or "--calculator" in self.arguments


def make_home(home: Path) -> None:
    """Make the folder that every case begins with: a job, its files, and a run of it."""
    shutil.copy(REFERENCE, home / "gr.csv")
    shutil.copy(QUARTZ, home / "quartz.cif")
    waves = "\n".join(f"{0.1 * k:.1f},{1.0 + 0.5 * np.sin(k):.4f}" for k in range(1, 120))
    (home / "sq.csv").write_text(f"q (1/Å),S\n{waves}\n")
    for name in ("bond_angles_3600K.csv", "labelled.extxyz"):
        shutil.copy(SILICA / name, home / name)
    partial = read_rdf_table(REFERENCE)
    total = (neutron_weights({"Si": 1, "O": 2}, partial.pairs) * partial.g).sum(axis=0)
    rows = "\n".join(f"{r:.3f},{g:.5f}" for r, g in zip(partial.r, total, strict=True))
    (home / "total.csv").write_text(f"r (Å),g\n{rows}\n")
    (home / "mine.toml").write_text(dump_potential(load_potential("BKS")))
    (home / "job.toml").write_text(JOB)
    (home / "gap.toml").write_text(GAP_JOB)
    (home / "t.xyz").write_text("".join(XYZ.format(x=1.5 + 0.01 * k) for k in range(30)))
    (home / "plain.xyz").write_text("2\nno cell\nSi 0 0 0\nO 1.6 0 0\n" * 9)
    (home / "one.xyz").write_text(XYZ.format(x=1.5))
    (home / "b.cell").write_text("9.0 9.0 9.0\n")
    (home / "notes.txt").write_text("precious")
    (home / "soft").symlink_to("job.toml")
    os.link(home / "gr.csv", home / "hard")
    os.mkfifo(home / "pipe")
    (home / "full").mkdir()
    names = ("potential.toml", "result.json", "validate.json", "model.json", "curve.json")
    for name in (*names, "md.json", "properties.json", "model.gap"):
        (home / "full" / name).write_text("precious")
    run = create_run(home / "run", read_job(home / "job.toml")).path
    fit = open_fit(*open_run(run))
    reference, rng = fit.problem.target.reference, np.random.default_rng(1)
    with JournalWriter(run / "journal.jsonl") as journal:
        for number in range(6):
            g = reference.g * 1.1 + 0.02 * rng.standard_normal((8, *reference.g.shape))
            rdf = PartialRdf.from_blocks(reference.pairs, reference.r, np.abs(g))
            means = (Estimate(mean, 1.0) for mean in (3600.0, 0.0, -12.0, 0.0))
            result = fit.conditions.evaluation({"main": Sample(rdf, *means, 1000, 1.0, 1.0)})
            fit.save(f"{number:06d}", result)
            x = np.clip(fit.space.unit(fit.problem.potential) + 0.1 * rng.standard_normal(2), 0, 1)
            record = evaluation_record(
                Ask(number, x, "descent"), fit.space.values(x), 7, result, 1.0
            )
            journal.append(record | {"wall": 10.0 * number})
    (run / "potential.toml").write_text(dump_potential(load_potential("BKS")))


EVALUATE = ("evaluate", "mine.toml", "--job", "job.toml")
LJ = ("--calculator", "ase.calculators.lj:LennardJones")
LABEL = ("gap", "label", "t.xyz", *LJ)
MD = ("gap", "md", "one.xyz", *LJ, "-o", "new")
LEARN = ("gap", "learn", "gap.toml", "--start", "one.xyz", *LJ, "--temperature", "300", "-o", "new")
INIT = ("init", "SiO2", "--temperature", "3600", "--density", "2.2")
SAMPLE = ("gap", "sample", "one.xyz", *LJ, "--temperature", "300", "-o", "x.xyz")
OUTPUTS = (
    ("fit", "job.toml", "-o", "new", "--json"),
    ("resume", "run", "--json"),
    (*EVALUATE, "--plot"),
    (*EVALUATE, "--json"),
    ("validate", "mine.toml", "--job", "job.toml", "-o", "new", "--json"),
    ("export", "mine.toml", "-o", "new", "--json"),
    ("reference", "t.xyz", "-o"),
    ("reference", "t.xyz", "-o", "x.csv", "--png"),
    ("reference", "t.xyz", "-o", "x.csv", "--angles"),
    ("reference", "t.xyz", "-o", "x.csv", "--json"),
    ("library", "--json"),
    (*INIT, "--gr", "gr.csv", "-o"),
    ("report", "run", "-o"),
    ("report", "run", "--json"),
    ("gap", "fit", "gap.toml", "-o", "new", "--json"),
    ("gap", "learning-curve", "gap.toml", "-o", "new", "--json"),
    (*LABEL, "-o"),
    (*LABEL, "-o", "x.xyz", "--json"),
    ("gap", "evaluate", "full/model.json", "t.xyz", "--png"),
    ("gap", "sample", "one.xyz", "--strain", "0.1", "-o"),
    (*SAMPLE, "--json"),
    (*MD, "--json"),
    ("gap", "properties", *LJ, "--element", "Al", "-o", "new", "--json"),
    ("gap", "phonons", *LJ, "--element", "Al", "-o", "new", "--json"),
    ("gap", "melt", *LJ, "--element", "Al", "-o", "new", "--json"),
    (*LEARN, "--json"),
    ("gap", "export", "full/model.json", "-o", "new", "--json"),
)
TARGETS = (
    *("job.toml", "gr.csv", "notes.txt", "soft", "hard", "pipe", "full", "/dev/null"),
    *("run/journal.jsonl", "run/inputs/reference.csv", "nowhere/x", "y" * 256),
)
FOLDERS = (
    *(("fit", "job.toml", "-o", x) for x in ("full", "run", "notes.txt", "pipe")),
    *(("export", x, "-o", "full") for x in ("BKS", "mine.toml", "run")),
    *(("export", x, "-o", "run") for x in ("BKS", "run")),
    ("validate", "BKS", "--job", "job.toml", "-o", "full"),
    *(("gap", x, "gap.toml", "-o", y) for x in ("fit", "learning-curve") for y in ("full", "run")),
    *((*MD[:-1], x) for x in ("full", "notes.txt", "pipe")),
    *(("gap", "properties", *LJ, "--element", "Al", "-o", x) for x in ("full", "notes.txt")),
    *(("gap", "export", "full/model.json", "-o", x) for x in ("full", "notes.txt", "run")),
)


def overwriting() -> Iterator[Case]:
    """Every output of every command, times what is there already."""
    for output, target in product(OUTPUTS, TARGETS):
        yield Case("overwrite", target[:20], (*output, target))
    for line in FOLDERS:
        yield Case("overwrite", line[-1], line)


def holding(name: str, content: bytes) -> Callable[[Path], None]:
    """Let a file hold something."""

    def change(home: Path) -> None:
        (home / name).unlink(missing_ok=True)
        (home / name).write_bytes(content)

    return change


def being(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Let a name be something that is no file."""

    def change(home: Path) -> None:
        (home / name).unlink()
        make(home / name)

    return change


def writing(content: bytes) -> Callable[[Path], object]:
    """Write something."""
    return lambda path: path.write_bytes(content)


def made(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Let there be something by a name that there was not."""

    def change(home: Path) -> None:
        (home / name).parent.mkdir(exist_ok=True)
        make(home / name)

    return change


CONTENTS = {
    "empty": b"",
    "NUL": bytes(1000),
    "all bytes": bytes(range(256)) * 4,
    "UTF-16": "[system]\n".encode("utf-16"),
    "a long line": b"x" * 20_000_000,
    "deep lists": b"a = " + b"[" * 50_000,
    "deep tables": b"[" + b"a." * 50_000 + b"a]\n",
    "huge number": b"a = " + b"9" * 100_000 + b"\n",
    "gzip bomb": gzip.compress(bytes(2**28)),
    "corrupt gzip": gzip.compress(bytes(1000))[:-20],
    "a page": b"<html><body>404</body></html>",
}
SPECIALS = {
    "missing": lambda path: None,
    "a folder": os.mkdir,
    "a pipe": os.mkfifo,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "/dev/zero": lambda path: path.symlink_to("/dev/zero"),
}
DRY = ("fit", "job.toml", "-o", "new", "--dry-run")
WARM = (*DRY, "--warm", "run")
VALIDATE = ("validate", "BKS", "--job", "job.toml", "-o", "new")
GAP_DRY = ("gap", "fit", "gap.toml", "-o", "new", "--dry-run")
READ = {
    "job.toml": DRY,
    "gr.csv": DRY,
    "mine.toml": DRY,
    "t.xyz": ("reference", "t.xyz", "-o", "x.csv"),
    "b.cell": ("reference", "plain.xyz", "--cell", "b.cell", "-o", "x.csv"),
    "gap.toml": GAP_DRY,
    "model.json": ("gap", "evaluate", "model.json", "t.xyz"),
    "one.xyz": (*MD, "--time", "0.1"),
    "sq.csv": (*VALIDATE, "--against", "neutron=sq.csv"),
    "quartz.cif": (*VALIDATE, "--no-liquid", "--no-npt", "--crystal", "quartz.cif"),
    "run/journal.jsonl": WARM,
    "run/job.toml": WARM,
    "run/inputs/start.toml": WARM,
}
MODELS = (
    ("gap", "export", "model.json", "-o", "new"),
    ("gap", "properties", "model.json", "-o", "new"),
    ("gap", "md", "one.xyz", "--model", "model.json", "-o", "new"),
    ("gap", "sample", "one.xyz", "--model", "model.json", "--temperature", "300", "-o", "x.xyz"),
)
STATES = {
    "new/md.state.json": MD,
    "earlier.json": (
        *("gap", "phonons", *LJ, "--element", "Al", "-o", "new", "--beside", "earlier.json"),
    ),
    "new/energies.jsonl": ("gap", "properties", *LJ, "--element", "Al", "-o", "new"),
    "x.xyz.state.json": SAMPLE,
    "x.xyz.journal.jsonl": (*LABEL, "-o", "x.xyz"),
    "new/job.toml": GAP_DRY,
}
"""What a command goes on from, where it is there."""


def reading() -> Iterator[Case]:
    """Every file that is read, times what it may hold or be."""
    for (name, command), (what, content) in product(READ.items(), CONTENTS.items()):
        yield Case("input", f"{name}: {what}", command, holding(name, content))
    for (name, command), (what, make) in product(READ.items(), SPECIALS.items()):
        if name != "model.json":
            yield Case("input", f"{name}: {what}", command, being(name, make))
    for command, (what, make) in product(MODELS, SPECIALS.items()):
        yield Case("input", f"model.json: {what}", command, made("model.json", make))
    for (name, command), (what, content) in product(STATES.items(), CONTENTS.items()):
        if (what, name) != ("empty", "x.xyz.journal.jsonl"):  # that of a call that was ended early
            yield Case("input", f"{name}: {what}", command, made(name, writing(content)))
    for (name, command), (what, make) in product(STATES.items(), SPECIALS.items()):
        if what not in ("missing", "a dangling link"):
            yield Case("input", f"{name}: {what}", command, made(name, make))


KEYS = {
    "system": ("formula", "atoms", "density"),
    "protocol": ("temperature", "relax", "sample", "timestep_fs", "every_fs", "blocks"),
    "system.melt": ("temperature", "melt", "cool", "relax", "seed"),
    "strategy": ("starts", "batch", "radius", "spread", "quiet", "design", "explore", "refine"),
    "confirm": ("candidates", "repeats", "atoms", "relax", "sample", "ensemble"),
    "limits": ("evaluations", "evaluation_s"),
    "farm": ("ordered", "ranks_per_evaluation"),
    "pressure": ("value", "per_percent"),
}
GAP_KEYS = {
    "descriptors": ("radial_cutoff", "radial_count", "angular_cutoff", "angular_count"),
    "training": ("steps", "starts", "patience"),
    "learning_curve": ("repeats",),
    "split": ("train", "held_out", "validation"),
}
VALUES = ("1e308", "1e12", "-1e308", "nan", "'text'")


def changing(file: str, table: str, key: str, value: str) -> Callable[[Path], None]:
    """Set a key of a job."""

    def change(home: Path) -> None:
        lines = (home / file).read_text().splitlines()
        if f"[{table}]" not in lines:
            lines.append(f"[{table}]")
        at = lines.index(f"[{table}]") + 1
        end = next((k for k in range(at, len(lines)) if lines[k].startswith("[")), len(lines))
        kept = [line for line in lines[at:end] if not line.startswith(f"{key} =")]
        (home / file).write_text("\n".join([*lines[:at], f"{key} = {value}", *kept, *lines[end:]]))

    return change


def absurd() -> Iterator[Case]:
    """Every number of a job, times what it may be."""
    for file, keys, command in (("job.toml", KEYS, DRY), ("gap.toml", GAP_KEYS, GAP_DRY)):
        for table, names in keys.items():
            for key, value in product(names, VALUES):
                name = f"{table}.{key} = {value}"
                yield Case("value", name, command, changing(file, table, key, value))
    for formula in ("Si1e400O2", "(" * 5000 + "SiO2" + ")" * 5000, "Si0.5O", "Xx", "¹"):
        change = changing("job.toml", "system", "formula", f'"{formula}"')
        yield Case("value", f"formula {formula[:10]}", DRY, change)
    for cutoff in ("60.0", "1e308", "-1.0"):
        change = changing_text("mine.toml", "cutoff = 8.0", f"cutoff = {cutoff}")
        yield Case("value", f"cutoff {cutoff}", DRY, change)
    for value in ("1000000000", "0", "-1", "x"):
        yield Case("value", f"--workers {value}", (*DRY, "--oversubscribe", "--workers", value))
        yield Case("value", f"--repeats {value}", (*EVALUATE, "--repeats", value))


def absurd_options() -> Iterator[Case]:
    """Every number of a reference."""
    for option, value in (
        *(("--dr", x) for x in ("1e-12", "0", "nan", "1e308")),
        *(("--blocks", x) for x in ("0", "1000000000")),
        *(("--r-max", x) for x in ("0", "1e308")),
        *(("--skip", x) for x in ("1e308ps", "-1", "9" * 400)),
        *(("--species", x) for x in ("¹=Si", "1=", "=Si")),
        *(("--cutoff", x) for x in ("Si-O=1e400", "Si-O", "Si-O=-1")),
    ):
        line = ("reference", "t.xyz", "-o", "x.csv", option, value)
        yield Case("value", f"{option} {value[:10]}", line)
    for value in ("1e400,1,1", "a,b,c", "0,0,0"):
        line = ("reference", "plain.xyz", "-o", "x.csv", "--cell", value)
        yield Case("value", f"--cell {value}", line)


def absurd_work() -> Iterator[Case]:
    """Every number of dynamics, strains and properties."""
    for option, value in (
        *(("--temperature", x) for x in ("1e308", "nan", "-1")),
        *(("--timestep", x) for x in ("1e-300", "0", "nan")),
        *(("--equilibrate", x) for x in ("1e308", "nan", "-1")),
        *(("--pressure", x) for x in ("1e308", "nan")),
        ("--ensemble", "x"),
    ):
        for line in (MD, SAMPLE):
            yield Case("value", f"{option} {value}", (*line, option, value))
    for option, value in (
        *(("--time", x) for x in ("1e308", "nan", "-1")),
        *(("--look", x) for x in ("1e-300", "nan", "inf")),
        *(("--repeat", x) for x in ("1000000000", "100", "0")),
        *(("--stop-at", x) for x in ("nan", "-1")),
        ("--seed", "-1"),
    ):
        yield Case("value", f"{option} {value}", (*MD, option, value))
    for option, value in (("--frames", "1000000000"), ("--interval", "inf"), ("--interval", "0")):
        yield Case("value", f"{option} {value}", (*SAMPLE, option, value))
    for option, value in (("--strain", "nan"), ("--strain", "9"), ("--frames", "1000000000")):
        line = ("gap", "sample", "one.xyz", "-o", "x.xyz", "--strain", "0.1", option, value)
        yield Case("value", f"{option} {value}", line)
    for option, value in (
        *(("--supercell", x) for x in ("0", "1000000000", "x")),
        *(("--displacement", x) for x in ("nan", "1e308", "-1")),
        *(("--lattice", x) for x in ("nan", "inf", "1e-300", "-1")),
    ):
        line = ("gap", "phonons", *LJ, "--element", "Al", "-o", "new", option, value)
        yield Case("value", f"{option} {value}", line)
    for value in ("Xx", "", "A" * 1000):
        line = ("gap", "properties", *LJ, "-o", "new", "--element", value)
        yield Case("value", f"--element {value[:5]}", line)


def absurd_glass() -> Iterator[Case]:
    """Every number of a validation, and what it is compared with; splines and earlier runs."""
    quench = (*VALIDATE, "--quench", "400")
    for option, value in (
        *(("--quench", x) for x in ("0", "-1", "nan", "1e308", "1e-300")),
        *(("--quench-to", x) for x in ("-1", "nan", "1e308")),
        *(("--quench-pressure", x) for x in ("nan", "1e308")),
        *(("--glasses", x) for x in ("0", "-1", "1000000000")),
        *(("--temperature", x) for x in ("-1", "nan", "1e308")),
        *(("--atoms", x) for x in ("0", "1000000000000")),
        *(("--against", x) for x in ("sq.csv", "gamma=sq.csv", "neutron=", "neutron:x=sq.csv")),
        *(("--crystal", x) for x in ("nowhere", "pipe", "full", "/dev/zero")),
    ):
        yield Case("value", f"{option} {value}", (*quench, option, value))
    for knots in ("[]", "[1.0]", "[2.0, 1.5, 1.0, 0.5, 0.1]", "[1.0, nan, 2.0, 3.0, 4.0]", "'x'"):
        change = changing("job.toml", "splines", '"Si-O"', knots)
        yield Case("value", f"splines {knots}", DRY, change)
    change = changing("job.toml", "splines", '"Si-X"', "[1.0, 1.5, 2.0, 2.5, 3.0]")
    yield Case("value", "splines of no pair", DRY, change)
    for folder in ("nowhere", "notes.txt", "pipe", "full", "job.toml", "/dev/zero"):
        yield Case("value", f"--warm {folder}", (*DRY, "--warm", folder))


def absurd_moduli() -> Iterator[Case]:
    """Moduli between conditions that have none, and numbers that no modulus has."""
    others = {
        "light": "system = { density = 2.1 }",
        "cold": "protocol = { temperature = 300.0 }\nsystem = { density = 2.1 }",
        "free": 'protocol = { ensemble = "npt" }',
        "same": 'protocol = { ensemble = "npt", pressure = 0.0 }',
        "silicate": 'system = { formula = "Si2O5", atoms = 308, density = 2.1 }',
    }
    also = "".join(f'[[also]]\nname = "{name}"\n{text}\n' for name, text in others.items())
    pairs = (
        *(("main", name) for name in ("main", "dark", "", "cold", "free", "silicate", "\\u0000")),
        *((), ("main",), ("main", "light", "cold"), ("free", "same"), ("light", "Light")),
    )
    fine = 'conditions = ["main", "light"]\n'
    tables = {
        **{f"between {one}": f"conditions = {[*one]}\nvalue_gpa = 20.0" for one in pairs},
        **{f"of {value}": f"{fine}value_gpa = {value}" for value in (*VALUES, "0", "-5")},
        **{
            f"that costs {value}": f"{fine}value_gpa = 20.0\nper_percent_gpa = {value}"
            for value in (*VALUES, "0")
        },
        "twice": f"{fine}value_gpa = 20.0\n[[bulk_modulus]]\n{fine}value_gpa = 30.0",
        "of nothing": fine,
    }
    for name, table in tables.items():
        change = adding("job.toml", f"{also}[[bulk_modulus]]\n{table}\n".replace("'", '"'))
        yield Case("value", f"bulk_modulus {name}", DRY, change)
    alone = adding("job.toml", f"[[bulk_modulus]]\n{fine}value_gpa = 20.0\n")
    yield Case("value", "bulk_modulus of a job with one condition", DRY, alone)


TERMS = {
    "coordination": 'centre = "Si"\nneighbour = "O"\ncutoff = 2.2\nvalue = 4.0',
    "angle_distribution": (
        'angle = "O-Si-O"\nfile = "bond_angles_3600K.csv"\nwhose = "aimd"\n'
        'cutoffs = { "Si-O" = 2.2 }'
    ),
    "total_scattering": 'radiation = "neutron"\nfile = "sq.csv"',
    "total_rdf": 'radiation = "neutron"\nfile = "total.csv"\nquantity = "g"\nr_min = 1.0',
    "frames": 'file = "labelled.extxyz"',
    "crystal": 'file = "quartz.cif"',
}
"""Terms of a target as they may be, the shortest."""

FREE = ("frames.name = 'x'", "frames.exclude = []", "crystal.name = 'x'")
"""What keys of theirs may be after all."""


def absurd_terms() -> Iterator[Case]:
    """Every key of every term that is a list of tables, times what no key may be."""
    for name, body in TERMS.items():
        (model, *_) = get_args(TermTables.model_fields[name].annotation)
        fine = adding("job.toml", f"[[{name}]]\n{body}\n")
        yield Case("value", f"{name} as it may be", DRY, fine, exits=(0,))
        for key, value in product([*model.model_fields, "unknown"], ("1e308", "nan", "'x'", "[]")):
            kept = [line for line in body.splitlines() if not line.startswith(f"{key} =")]
            table = "\n".join([f"[[{name}]]", *kept, f"{key} = {value}", ""])
            what = f"{name}.{key} = {value}"
            exits = (0,) if what in FREE else (2,)
            yield Case("value", what, DRY, adding("job.toml", table), exits=exits)
    for value in ("C71 = 1.0", "C21 = 1.0", "C11 = nan", "C11 = 1e308", "C11 = 'x'", "'' = 1.0"):
        table = f"[[crystal]]\n{TERMS['crystal']}\nelastic = {{ {value} }}\n"
        yield Case("value", f"crystal.elastic with {value}", DRY, adding("job.toml", table))


def adding(file: str, text: str) -> Callable[[Path], None]:
    """Put a text at the end of a file."""

    def change(home: Path) -> None:
        with (home / file).open("a") as job:
            job.write(text)

    return change


def changing_text(file: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace a text of a file, which must hold it."""

    def change(home: Path) -> None:
        text = (home / file).read_text()
        assert old in text or "cutoff = " in text
        lines = [new if line.startswith(old.split("=")[0]) else line for line in text.splitlines()]
        (home / file).write_text("\n".join(lines) + "\n")

    return change


def record(key: str, value: object) -> Callable[[Path], None]:
    """Change a key of the fourth record of the run; None removes it."""

    def change(home: Path) -> None:
        path = home / "run" / "journal.jsonl"
        records = [dict(one) for one in read_journal(path).records]
        records[3][key] = value
        if value is None:
            del records[3][key]
        path.write_bytes(b"".join(map(encode, records)))

    return change


def damaged() -> Iterator[Case]:
    """Run folders that a disk, another program or somebody changed; the page needs no more."""
    page = ("report", "run", "-o", "page.html")
    ways = (("status", None), ("status", 3), ("x", [0.5]), ("x", [2, 2]), ("x", "x"), ("id", "x"))
    more = (("id", None), ("cost", "x"), ("objective", []), ("wall", None), ("also", {"a": {}}))
    for key, value in (*ways, *more):
        name = f"record: {key} = {value}"
        yield Case("run", name, page, record(key, value), (0,), ("page.html",))
    for name in ("journal.jsonl", "job.toml", "inputs/reference.csv", "inputs/start.toml"):
        for what, content in CONTENTS.items():
            change = holding(f"run/{name}", content)
            yield Case("run", f"{name}: {what}", page, change)
        for what, make in SPECIALS.items():
            yield Case("run", f"{name}: {what}", page, being(f"run/{name}", make))
    for what, content in (*CONTENTS.items(), ("no best", b'{"status": "finished"}')):
        change = holding("run/result.json", content)
        yield Case("run", f"result.json: {what}", page, change, (0,), ("page.html",))
    for what, content in CONTENTS.items():
        change = holding("run/samples/000002.npz", content)
        yield Case("run", f"sample: {what}", page, change, (0,), ("page.html",))
        change = holding("run/potential.toml", content)
        yield Case("run", f"potential.toml: {what}", ("export", "run", "-o", "new"), change)


def printing() -> Iterator[Case]:
    """Give standard output that nobody reads or that is full, and titles with quotes."""
    for redirect in ("/dev/full", "closed", "nobody"):
        for line in (("--help",), DRY, ("report", "run", "-o", "page.html")):
            writes = ("page.html",) if "report" in line else ()
            yield Case("print", f"{line[0]} > {redirect}", line, exits=(0,), redirect=redirect,
                       writes=writes)  # fmt: skip
    for title in ('\'"""\'', "'$x$ & $'", "'<script>'", "'{} %s \\N'"):
        change = changing_text("job.toml", "title =", f"title = {title}")
        yield Case("print", f"title {title}", DRY, change, (0,))


GAP_COMMANDS = (
    *("label", "fit", "resume", "evaluate", "export", "learning-curve"),
    *("sample", "properties", "md", "phonons", "melt", "learn"),
)
COMMANDS = (
    *(("fit",), ("resume",), ("evaluate",), ("validate",), ("reference",), ("export",)),
    *(("report",), ("library",), ("init",), *(("gap", one) for one in GAP_COMMANDS)),
)


def misused() -> Iterator[Case]:
    """Give every command options and arguments that it does not know."""
    for command in COMMANDS:
        for name, rest in (
            ("no argument", ()),
            ("unknown option", ("--colour",)),
            ("a long option", ("--" + "x" * 1000,)),
            ("option without value", ("a", "--json")),
            ("no number", ("a", "-o", "new", "--workers", "many\nlines")),
        ):
            if (command, rest) != (("library",), ()):
                yield Case("usage", name, (*command, *rest))
    for word in ("frobnicate", "fitt", "x" * 1000, "a\nb", ""):
        yield Case("usage", f"command {word[:10]!r}", (word,))
        yield Case("usage", f"command gap {word[:10]!r}", ("gap", word))


def every_case() -> list[Case]:
    """Return all cases, in one order."""
    return [
        *overwriting(),
        *reading(),
        *absurd(),
        *absurd_options(),
        *absurd_work(),
        *absurd_glass(),
        *absurd_moduli(),
        *absurd_terms(),
        *damaged(),
        *printing(),
        *misused(),
    ]
