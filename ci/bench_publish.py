"""Fit silica and sodium silicates for everything at once, many ways: docs/publish.md.

    python ci/bench_publish.py FOLDER [--only NAME ...] [--until 22:30] [--only-page]

fits what ``FITS`` names, one after the other on one core, each by a job of the examples with some
words replaced: other seeds, another start, another form. Each fit that has ended is then run anew
with other seeds: the liquid, a glass that is cooled, and the crystal. Potentials of the library are
measured by ci/truth.py. What is finished is kept in the folder, and the same command goes on
from there; then the tables and the picture of the page are written anew.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from commands import call, go_on, result_of
from pages import at_markers
from truth import clock, machine

from lammpsfit.config import read_job
from lammpsfit.files import write_text
from lammpsfit.fit.run.build import build_conditions, build_space
from lammpsfit.fit.run.run_folder import RunFolder
from lammpsfit.labelled.frames import read_frames
from lammpsfit.report.facts import value_words
from lammpsfit.report.figures import COLOURS, MARKERS, light_grid, new_figure, save_figure
from lammpsfit.structure.blocks import Estimate
from lammpsfit.target.crystal_response import CrystalResponse
from lammpsfit.target.crystal_terms import GPA

ROOT: Final = Path(__file__).resolve().parent.parent
SILICA: Final = ROOT / "examples" / "silica"
PAGE: Final = ROOT / "docs" / "publish.md"
PICTURE: Final = ROOT / "docs" / "publish.png"

HOW: Final = ("ok", "censored", "failed")
"""How evaluations end."""

RATE: Final = 100
"""K/ps at which glasses are cooled here; ci/truth.py cools those of the library more slowly."""


@dataclass(frozen=True)
class Fit:
    """A fit: what it is, and what of the job of the example is replaced, by regular expressions."""

    words: str
    replaced: tuple[tuple[str, str], ...] = ()
    job: Path = SILICA / "publish.toml"


def without_splines(**ranges: str) -> tuple[tuple[str, str], ...]:
    """Return changes that free the charge and a form, nothing else: bounds of its parameters."""
    free = "".join(
        f'"{name}_{pair}" = {{ {bounds} }}\n'
        for pair in ("Si-O", "O-O", "Si-Si")
        for name, bounds in ranges.items()
    )
    return (
        (r"(?ms)^\[splines\].*?(?=^\[)", ""),
        (r'(?m)^"c_.*\n', ""),
        (r'(?m)^("q_Si".*\n)', rf"\1{free}"),
    )


CHARGED: Final = (r'(?m)^"q_Si" = \{ min = 1.2,', '"q_Si" = { min = 1.75,')
"""A change of the job: only charges as high as those of SHIK, or higher."""

FITS: Final = {
    "publish": Fit("as the example has it"),
    "seed-2": Fit("another seed", ((r"(?m)^seed = 1$", "seed = 2"),)),
    "seed-3": Fit("a third seed", ((r"(?m)^seed = 1$", "seed = 3"),)),
    "from-SHIK": Fit("from SHIK", ((r'(?m)^potential = "CHIK"', 'potential = "SHIK"'),)),
    "seed-2-charged": Fit(
        "another seed, charges from 1.75 e", ((r"(?m)^seed = 1$", "seed = 2"), CHARGED)
    ),
    "from-SHIK-charged": Fit(
        "from SHIK, charges from 1.75 e",
        ((r'(?m)^potential = "CHIK"', 'potential = "SHIK"'), CHARGED),
    ),
    "buckingham": Fit(
        "from CHIK, without splines",
        without_splines(A="factor = 3.0", rho="factor = 1.4", C="factor = 4.0"),
    ),
    "morse": Fit(
        "Morse with C/r^12 for Buckingham, without splines",
        (
            (r'(?m)^potential = "CHIK"', 'potential = "morse_start.toml"'),
            *without_splines(De="factor = 4.0", a="factor = 1.4", r0="factor = 1.2"),
        ),
    ),
}
"""Fits of the page, in the order they are run."""


@dataclass(frozen=True)
class Row:
    """A quantity of the page: where ``validate.json`` has it, what is wanted, and how near."""

    title: str
    part: str
    fact: str
    wanted: float
    within: float
    seen: bool = False


ROWS: Final = (
    Row("R (%)", "liquid", "R", 0.0, 6.5, seen=True),
    Row("P of the liquid (GPa)", "liquid", "pressure", 0.0, 0.3, seen=True),
    Row("O-Si-O overlap (%)", "liquid", "O-Si-O: overlap with the reference", 100.0, 4.0),
    Row("Si-O-Si overlap (%)", "liquid", "Si-O-Si: overlap with the reference", 100.0, 6.0),
    Row("glass (g/cm³)", "glass", "density", 2.20, 0.02, seen=True),
    Row("its K (GPa)", "glass", "bulk modulus, 0 K", 36.4, 5.0, seen=True),
    Row("its E (GPa)", "glass", "Young's modulus, 0 K", 73.5, 7.35),
    Row("its first peak (1/Å)", "glass", "neutron S(q): first peak at", 1.52, 0.03),
    Row("quartz a (Å)", "alpha_quartz", "a", 4.916, 0.049, seen=True),
    Row("quartz c (Å)", "alpha_quartz", "c", 5.405, 0.054, seen=True),
)
"""Rows of the tables, after the goals that a potential for publication has."""

QUARTZ: Final = {"C11": 86.8, "C33": 105.8, "C44": 58.2, "C66": 39.9}
"""Elastic constants of quartz in GPa, of experiment, whose relative deviations make one row."""

ENSEMBLE: Final = (
    "Potentials that should be as good as that of `{name}` (`[confirm] ensemble`), each run anew. "
    "Quartz is by one step to rest."
)

ENSEMBLE_HEAD: Final = (
    "| | objective predicted (%) | measured (%) | charge of Si | quartz a (Å) | c (Å) | "
    "C, rms (%) |",
    "|--:|--:|--:|--:|--:|--:|--:|",
)

ELASTIC: Final = Row("quartz C, rms (%)", "alpha_quartz", "", 0.0, 15.0, seen=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[*FITS])
    parser.add_argument("--until", help="time of day, hh:mm, at which the last run is stopped")
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    left = math.inf
    if options.until is not None:
        left = (clock(options.until) - datetime.now()).total_seconds()
    until = time.monotonic() + left
    if not options.only_page:
        for name in options.only:
            go_on(job_of(name, folder), RunFolder(folder / name), until)
            if finished(name, folder):
                measure(name, folder, until)
            write(folder)
    write(folder)


def job_of(name: str, folder: Path) -> Path:
    """Write the job of a fit into the folder, files of the example by their full names."""
    fit = FITS[name]
    text = fit.job.read_text("utf-8")
    for old, new in fit.replaced:
        text, times = re.subn(old, new, text)
        if not times:
            raise SystemExit(f"{fit.job} has nothing like {old}")
    text = re.sub(
        r'(?m)^(file|angles|potential) = "([^"/]+\.\w+)"',
        lambda found: f'{found[1]} = "{fit.job.parent / found[2]}"',
        text,
    )
    path = folder / f"{name}.toml"
    write_text(path, text)
    return path


def finished(name: str, folder: Path) -> bool:
    """Tell whether there is something to measure."""
    return result_of(RunFolder(folder / name)).get("status") == "finished"


def measure(name: str, folder: Path, until: float) -> None:
    """Run the liquid, a glass and the crystal of a potential, what is there already excepted."""
    left = until - time.monotonic()
    if left < 60.0:
        return
    call(
        *("validate", folder / name, "--job", SILICA / "publish.toml", "-o", folder / f"of-{name}"),
        *("--no-npt", "--relax", 4.8, "--sample", 14.4, "--workers", 1),
        *("--quench", RATE, "--quench-pressure", 0, "--crystal", SILICA / "alpha_quartz.cif"),
        *(() if math.isinf(left) else ("--walltime", int(left))),
    )


def found(name: str, folder: Path) -> dict[str, Estimate]:
    """Return what was measured of a potential, by the titles of rows."""
    path = folder / f"of-{name}" / "validate.json"
    if not path.exists():
        return {}
    content = json.loads(path.read_text("utf-8"))["facts"]
    values = {row.title: _value(content, row.part, row.fact, name) for row in ROWS}
    C = {c: _value(content, ELASTIC.part, c, name) for c in QUARTZ}
    if all(value is not None for value in C.values()):
        values[ELASTIC.title] = Estimate(off_quartz({c: C[c].mean for c in QUARTZ}), math.nan)
    return {title: value for title, value in values.items() if value is not None}


def off_quartz(constants: Mapping[str, float]) -> float:
    """Return the relative rms deviation of elastic constants of quartz in per cent."""
    off = [(constants[c] / known - 1.0) ** 2 for c, known in QUARTZ.items()]
    return 100.0 * math.sqrt(sum(off) / len(off))


def _value(content: Mapping[str, Any], part: str, fact: str, name: str) -> Estimate | None:
    for title, facts in content.items():
        value = facts.get(fact, {}).get("values", {}).get(name)
        if title.startswith(part) and value is not None and value["mean"] is not None:
            return Estimate(value["mean"], math.nan if value["error"] is None else value["error"])
    return None


def write(folder: Path) -> None:
    """Write the tables and the picture of the page, if there is something to show."""
    values = {name: found(name, folder) for name in FITS}
    values = {name: row for name, row in values.items() if row}
    if not values:
        return
    draw(values, PICTURE)
    before, _, after = at_markers(PAGE.read_text("utf-8"), "ci/bench_publish.py")
    parts = "\n\n".join(paragraphs(values, folder))
    PAGE.write_text(f"{before}\n\n{parts}\n\n{after}", "utf-8")


def paragraphs(values: Mapping[str, Mapping[str, Estimate]], folder: Path) -> Iterator[str]:
    """Make what stands between the markers."""
    yield f"{time.strftime('%Y-%m-%d')}; {machine()}."
    yield "\n".join(table(values))
    yield f"![What the potential of each fit has, over its R]({PICTURE.name})"
    yield "*What the potential of each fit has, over its R. Grey: what is wanted.*"
    yield "\n".join(fits(folder))
    for name in values:
        if members := list(ensemble(name, folder)):
            yield ENSEMBLE.format(name=name)
            yield "\n".join([*ENSEMBLE_HEAD, *members])
    missing = [name for name in FITS if name not in values]
    if missing:
        yield f"Not run: {', '.join(missing)}."


def table(values: Mapping[str, Mapping[str, Estimate]]) -> Iterator[str]:
    """Make a line for each row, what is wanted first, then a column for each potential."""
    yield f"| | wanted | {' | '.join(values)} |"
    yield "|---|---|" + "--:|" * len(values)
    for row in (*ROWS, ELASTIC):
        cells = (cell(row, found.get(row.title)) for found in values.values())
        yield f"| {row.title}{'' if row.seen else ', unseen'} | {goal(row)} | {' | '.join(cells)} |"


def goal(row: Row) -> str:
    """Say what is wanted."""
    low, high = bounds(row)
    if low == 0.0:
        return f"≤ {high:g}"
    if high == 100.0:
        return f"≥ {low:g}"
    return f"{row.wanted:g} ± {row.within:g}"


def bounds(row: Row) -> tuple[float, float]:
    """Return from where to where a value may be: deviations from 0, overlaps to 100 %."""
    if row.title.endswith("(%)"):
        return max(0.0, row.wanted - row.within), min(100.0, row.wanted + row.within)
    return row.wanted - row.within, row.wanted + row.within


def cell(row: Row, value: Estimate | None) -> str:
    """Return a value with its error, in bold where the goal is reached."""
    if value is None:
        return "not run"
    words = value_words(value).replace("-", "−")
    low, high = bounds(row)
    return f"**{words}**" if low <= value.mean <= high else words


def fits(folder: Path) -> Iterator[str]:
    """Make a table of the fits."""
    yield "| fit | what | parameters | evaluations | confirmed objective (%) |"
    yield "|---|---|--:|--:|--:|"
    for name, fit in FITS.items():
        run = RunFolder(folder / name)
        if finished(name, folder):
            result = result_of(run)
            best = result["best"]
            objective = Estimate(100 * best["objective"], 100 * best["objective_error"])
            yield (
                f"| {name} | {fit.words} | {len(best['parameters'])} | "
                f"{sum(result['evaluations'][how] for how in HOW)} | {value_words(objective)} |"
            )


def ensemble(name: str, folder: Path) -> Iterator[str]:
    """Make a line for each potential that should be as good as the best of a fit, and was run."""
    run = RunFolder(folder / name)
    members = (result_of(run).get("uncertainty") or {}).get("ensemble", [])
    job = read_job(run.job)
    space = build_space(job, build_conditions(job))
    (crystal,) = read_frames([SILICA / "alpha_quartz.cif"], labelled=False)
    response = CrystalResponse.of(crystal)
    edges = np.diag(response.crystal.cell)
    for k, member in enumerate(members, 1):
        if member.get("measured") is None:
            continue
        potential = space.potential(space.unit(space.base.replace(member["parameters"])))
        found = response.at(potential)
        a, _, c = edges * (1.0 + found.strain[:3])
        C = {c: GPA * found.stiffness[int(c[1]) - 1, int(c[2]) - 1] for c in QUARTZ}
        objective = Estimate(100.0 * member["measured"], 100.0 * member["measured_error"])
        yield (
            f"| {k} | {100.0 * member['predicted']:.2f} | {value_words(objective)} | "
            f"{member['parameters']['q_Si']:.3f} | {a:.3f} | {c:.3f} | "
            f"{off_quartz(C):.1f} |"
        )


def draw(values: Mapping[str, Mapping[str, Estimate]], path: Path) -> None:
    """Draw what each potential has against its R."""
    shown = (*ROWS[1:], ELASTIC)
    figure = new_figure(11.0, 6.2)
    panels = figure.subplots(2, math.ceil(len(shown) / 2), squeeze=False).ravel()
    for axes, row in zip(panels, shown, strict=False):
        axes.axhspan(*bounds(row), color="0.9", zorder=0)
        for k, (name, found) in enumerate(values.items()):
            if row.title in found and "R (%)" in found:
                axes.errorbar(
                    found["R (%)"].mean,
                    found[row.title].mean,
                    None if math.isnan(found[row.title].error) else found[row.title].error,
                    fmt=MARKERS[k % len(MARKERS)],
                    color=COLOURS[k % len(COLOURS)],
                    markerfacecolor=None if k < len(COLOURS) else "white",
                    markersize=6,
                    label=name,
                )
        axes.set_title(row.title + ("" if row.seen else ", unseen"), fontsize="medium")
        axes.set_xlabel("R (%)")
        light_grid(axes)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
