"""How low R can go with pair potentials, and what that buys: from 4 parameters to splines.

The fits with 4, 7 and 10 parameters are those of examples/silica/figures, by their tables. A spline
on each pair is added to the last of them, and fitted on. Then all are run for longer with fresh
seeds, and R is put beside what was not fitted: bond angles, pressure, S(q).

    nice -n 5 .venv/bin/python ci/bench_complexity.py --keep /tmp/complexity -o docs/how-low.json

What is finished is not run again. ``--stage search`` only fits, ``--stage table`` only reads.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any, Final

from commands import PROGRAM
from matplotlib.ticker import FuncFormatter

from lammpsfit.config import read_job
from lammpsfit.files import write_json, write_text
from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.forcefield import Potential, dump_potential
from lammpsfit.report.figures import COLOURS, light_grid, new_figure, save_figure
from lammpsfit.validate.known import REFERENCE

ROOT: Final = Path(__file__).resolve().parent.parent
SILICA: Final = ROOT / "examples" / "silica"
FIGURES: Final = SILICA / "figures"
FITS: Final = ("fit4", "fit7", "fit10")

SPLINE: Final = "spline"
"""Name of the fit of splines."""

ANGLES: Final = (
    ("O-Si-O: overlap with the reference", "Si-O-Si: overlap with the reference"),
    "overlap of angles (%)",
)

FACTS: Final = (
    "R", "pressure", *ANGLES[0], "Si-O-Si: mean angle", "Si with 4 O",
    "neutron S(q): first peak at", "neutron S(q): its height",
)  # fmt: skip
"""What is compared, as ``lammpsfit validate`` calls it."""

SPLINES: Final = """
[splines]
"Si-O" = [1.35, 1.5, 1.65, 1.8, 2.0, 2.25, 2.6, 3.0, 3.5, 4.0, 4.6, 5.3, 6.2]
"O-O" = [2.1, 2.4, 2.65, 2.9, 3.2, 3.6, 4.0, 4.5, 5.0, 5.6, 6.4]
"Si-Si" = [2.4, 2.75, 3.0, 3.25, 3.6, 4.0, 4.5, 5.0, 5.6, 6.4]

[parameters]
"q_Si" = { min = 1.2, max = 2.8 }
"c_Si-O" = { min = -2.0, max = 2.0, log = false }
"c_O-O" = { min = -2.0, max = 2.0, log = false }
"c_Si-Si" = { min = -2.0, max = 2.0, log = false }
"""

JOB: Final = """
title = "spline"
potential = "{potential}"
seed = 2019

[reference]
file = "{silica}/gr_aimd_3600K.csv"
angles = "{silica}/bond_angles_3600K.csv"

[system]
formula = "SiO2"
atoms = {atoms}
density = 2.2
melt = {{ potential = "CHIK", temperature = 4500.0 }}

[protocol]
temperature = 3600.0
relax = {relax}
sample = {sample}

[charges]
balance = "O"
{splines}
[strategy]
batch = 2

[limits]
evaluations = {evaluations}
evaluation_s = 7200

[confirm]
candidates = 1
repeats = 1
"""


def fitted(name: str) -> Potential:
    """Return the potential that a fit of the figures ended at."""
    job = read_job(FIGURES / f"{name}.toml")
    conditions = build_conditions(job)
    space = build_space(job, conditions)
    content = json.loads((FIGURES / "data" / f"{name}.json").read_text("utf-8"))
    values = content["result"]["best"]["parameters"]
    return space.potential(space.unit(space.base.replace(values)))


def written(potential: Potential, name: str, keep: Path) -> Path:
    """Write a potential under a name of its own."""
    path = keep / f"{name}.toml"
    text = dump_potential(potential).splitlines()
    write_text(path, "\n".join([f'name = "{name}"', *text[1:]]) + "\n")
    return path


def job_of(potential: Path, keep: Path, **numbers: Any) -> Path:
    """Write the job of the fit of splines, or of what is compared."""
    path = keep / "spline-job.toml"
    write_text(path, JOB.format(potential=potential, silica=SILICA, splines=SPLINES, **numbers))
    return path


def run(*arguments: object) -> None:
    """Run a command of lammpsfit; it goes on where it was stopped."""
    subprocess.run([PROGRAM, *map(str, arguments)], check=True)


def main() -> None:
    """Fit, compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="folder of all that is run")
    parser.add_argument("-o", "--output", type=Path, help="table to write, as JSON, and its PNG")
    parser.add_argument("--stage", choices=("all", "search", "compare", "table"), default="all")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--atoms", type=int, default=300, help="of the search")
    parser.add_argument("--relax", type=float, default=3.0)
    parser.add_argument("--sample", type=float, default=6.0)
    parser.add_argument("--names", nargs="+", default=[*FITS, SPLINE], help="what is compared")
    parser.add_argument(
        "--times", nargs=3, default=("648", "5", "15"), help="atoms, ps before and ps sampled there"
    )
    options = parser.parse_args()
    keep = options.keep.resolve()
    keep.mkdir(parents=True, exist_ok=True)
    known = {name: written(fitted(name), name, keep) for name in FITS}
    numbers = {key: getattr(options, key) for key in ("evaluations", "atoms", "relax", "sample")}
    job = job_of(known["fit10"], keep, **numbers)
    if options.stage in ("all", "search"):
        search(keep, job)
    if options.stage in ("all", "compare"):
        compare(keep, job, options.names, options.times)
    if options.output is not None and options.stage in ("all", "table"):
        table = tabled(keep, options.names)
        write_json(options.output, table)
        draw(table, options.output.with_suffix(".png"))
        print(lines(table))


def search(keep: Path, job: Path) -> None:
    """Fit the splines, or go on with that."""
    folder = keep / SPLINE
    if (folder / "journal.jsonl").exists():
        run("resume", folder)
    else:
        run("fit", job, "-o", folder)


def compare(keep: Path, job: Path, names: list[str], times: tuple[str, str, str]) -> None:
    """Run each for longer, what is there already excepted."""
    keys = ("--atoms", "--relax", "--sample")
    lengths = [word for pair in zip(keys, times, strict=True) for word in pair]
    for name in names:
        source = keep / SPLINE if name == SPLINE else keep / f"{name}.toml"
        run("validate", source, "--job", job, "--no-npt", *lengths, "-o", keep / f"of-{name}")


def tabled(keep: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Gather what was found of each potential: value and error by fact."""
    table = {}
    for name in names:
        content = json.loads((keep / f"of-{name}" / "validate.json").read_text("utf-8"))
        (facts,) = content["facts"].values()
        label = next(iter(facts["R"]["values"]))
        table[name] = {"parameters": parameters_of(name, keep)} | _of(facts, label)
        wanted = _of(facts, REFERENCE)
    return table | {REFERENCE: wanted}


def _of(facts: dict[str, Any], label: str) -> dict[str, list[float | None]]:
    """Take value and error of one potential, or of the reference."""
    values = {fact: facts[fact]["values"].get(label) for fact in FACTS if fact in facts}
    return {fact: [v["mean"], v["error"]] for fact, v in values.items() if v is not None}


def parameters_of(name: str, keep: Path) -> int:
    """Count the free parameters of a fit."""
    path = keep / SPLINE / "job.toml" if name == SPLINE else FIGURES / f"{name}.toml"
    job = read_job(path)
    return build_space(job, build_conditions(job)).dim


def draw(table: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw R, the angles and the pressure against the number of free parameters."""
    some = [row for row in table.values() if "parameters" in row]
    x = [row["parameters"] for row in some]
    figure = new_figure(11.0, 3.8)
    panels = figure.subplots(1, 3)
    shown = (
        (("R",), "R (%)"),
        ANGLES,
        (("pressure",), "pressure (GPa)"),
    )
    for axes, (facts, label) in zip(panels, shown, strict=True):
        for k, fact in enumerate(facts):
            known = [(n, *row[fact]) for n, row in zip(x, some, strict=True) if fact in row]
            n, value, error = zip(*known, strict=True)
            words = fact.partition(":")[0]
            axes.errorbar(n, value, error, fmt="o-", capsize=3, color=COLOURS[k], label=words)
        axes.set(xscale="log", xlabel="free parameters", ylabel=label)
        axes.set_xticks(x, [str(n) for n in x])
        axes.minorticks_off()
        light_grid(axes)
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[1].legend(frameon=False, fontsize="small")
    save_figure(figure, path)


def lines(table: dict[str, dict[str, Any]]) -> str:
    """Return the table as Markdown."""
    head = ["", "parameters", *FACTS]
    rows = [" | ".join(head), "|".join(["--"] * len(head))]
    for name, row in table.items():
        cells = [_words(row.get(fact)) for fact in FACTS]
        rows.append(" | ".join([name, str(row.get("parameters", "")), *cells]))
    return "\n".join(f"| {row} |" for row in rows)


def _words(value: list[float | None] | None) -> str:
    if value is None or value[0] is None:
        return ""
    mean, error = value
    return f"{mean:.3g}" if error is None else f"{mean:.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
