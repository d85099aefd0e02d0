"""Files of a validation: tables, pictures, the page, and everything as JSON."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lammpsfit.child.failure import Failure
from lammpsfit.files import write_json, write_text
from lammpsfit.md.observe import Part, Quench
from lammpsfit.md.stiffness import STRAIN
from lammpsfit.reference.table import write_columns
from lammpsfit.report.facts import facts_json
from lammpsfit.report.panels import plot_panels
from lammpsfit.report.validation_page import Validation, validation_page
from lammpsfit.units import BAR_PER_GPA
from lammpsfit.validate.facts import Q_WIDTH, R_WIDTH, all_facts
from lammpsfit.validate.known import angle_sets, bonded
from lammpsfit.validate.pictures import all_pictures, columns
from lammpsfit.validate.plan import Plan
from lammpsfit.validate.run import Results
from lammpsfit.versions import FIT_PACKAGES, versions

PICTURES = (
    *(f"{part}-{what}" for part in (Part.LIQUID, Part.GLASS) for what in ("gr", "angles", "sq")),
    "liquid-msd",
)
FILES = (
    *("validate.json", "validate.html"),
    *(f"{name}.{end}" for name in PICTURES for end in ("csv", "png")),
)
"""What a validation writes into its folder, beside its runs."""

ERRORS = (
    "standard errors: jackknife or scatter over the blocks of a run; of displacements, over the "
    "eighths of the box"
)
PEAKS = (
    f"first peaks: by a parabola about the first maximum of g(r), smoothed over {R_WIDTH:g} Å, and "
    f"of S(q), smoothed over {Q_WIDTH:g} 1/Å"
)


def write_results(
    plan: Plan, results: Results, structures: Mapping[str, str], folder: Path, command: str
) -> Validation:
    """Write everything into a folder, and return what the page shows.

    `structures` names the files of the structures that came out, without their ends, by run.
    """
    view = Validation(
        plan.title or plan.problem.system.formula,
        all_facts(plan, results),
        all_pictures(plan, results),
        _failures(results),
        [*_notes(plan), *_files(structures)],
        command,
    )
    for picture in view.pictures:
        header = [picture.title, *view.notes, f"Command: {command}"]
        table = columns(picture.column, picture.panels)
        write_columns(folder / f"{picture.name}.csv", table, header)
        plot_panels(picture, folder / f"{picture.name}.png", picture.title)
    view = replace(view, content=as_json(plan, view, structures))
    write_json(folder / "validate.json", view.content)
    write_text(folder / "validate.html", validation_page(view))
    return view


def as_json(plan: Plan, view: Validation, structures: Mapping[str, str]) -> dict[str, Any]:
    """Turn a validation into plain data."""
    return {
        "title": view.title,
        "command": view.command,
        "potentials": {label: p.parameters for label, p in plan.potentials.items()},
        "cutoffs": dict(plan.cutoffs),
        "notes": view.notes,
        "facts": facts_json(view.facts),
        "failures": view.failures,
        "curves": {p.name: [f"{p.name}.csv", f"{p.name}.png"] for p in view.pictures},
        "structures": dict(structures),
        "seed": plan.seed,
        "versions": versions(FIT_PACKAGES),
    }


def _files(structures: Mapping[str, str]) -> list[str]:
    """Say where the structures are."""
    return [f"structure of {name}: {stem}.data, .extxyz" for name, stem in structures.items()]


def _held(quench: Quench) -> str:
    if quench.pressure is None:
        return "constant volume"
    return f"{quench.pressure / BAR_PER_GPA:g} GPa"


def _failures(results: Results) -> dict[str, str]:
    return {
        f"{label} {run}": str(result)
        for label, runs in results.items()
        for run, result in runs.items()
        if isinstance(result, Failure)
    }


def _notes(plan: Plan) -> list[str]:
    """Return lines on what was run, and how the values were obtained."""
    problem, protocol = plan.problem, plan.problem.protocol
    lines = [
        f"runs: {problem.system.atoms} atoms of {problem.system.formula}, {protocol.relax:g} + "
        f"{protocol.sample:g} ps, a frame every {protocol.every_fs:g} fs, {protocol.blocks} blocks",
        ERRORS,
        PEAKS,
    ]
    if problem.reference is not None:
        lines.append(f"reference: {problem.reference.path.name}")
    lines += [
        f"measured {one.probe} S(q), the reference of its panel: {one.path.name}; distance: "
        "|S - measured| / |measured - 1|"
        for one in plan.measured.values()
    ]
    if plan.quench is not None:
        lines.append(
            f"glass: {protocol.relax:g} ps at {protocol.temperature:g} K, cooled to "
            f"{plan.quench.temperature:g} K at {plan.quench.rate:g} K/ps and {_held(plan.quench)}, "
            f"{protocol.relax:g} ps there before it is sampled; moduli at 0 K by strains of "
            f"{STRAIN:g} with forces brought to zero, Voigt's "
            "average, errors of one glass from the scatter over the axes"
        )
    if plan.quench is not None and plan.expansion:
        lines.append(
            f"expansion: the glass heated to {plan.expansion[0]:g} K, then cooled to "
            f"{', '.join(f'{T:g}' for T in plan.expansion[1:])} K at {plan.quench.rate:g} K/ps, "
            f"{protocol.relax:g} + {protocol.sample:g} ps at each; -1/3 d ln(density) / dT"
        )
    if (glasses := len(plan.of(Part.GLASS))) > 1:
        lines.append(
            f"{glasses} glasses of each potential, with velocities of their own: their means, and "
            "errors from the scatter between them, times Student's t for so few, but no smaller "
            "than those within the glasses"
        )
    if plan.crystals:
        lines.append(
            "crystals: cell and atoms at rest at zero pressure and 0 K; x is along a, z at right "
            f"angles to a and b; elastic constants by strains of {STRAIN:g}; reference: the cells "
            "of the files"
        )
    if plan.cutoffs:
        lines.append(f"bonds end at {', '.join(bonded(plan))}")
    if plan.angles is not None:
        sets = ", ".join(f"{whose} ({label})" for whose, label in angle_sets(plan.angles))
        lines.append(f"bond angles of {plan.angles.path.name}: {sets}")
    return lines
